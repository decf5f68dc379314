"""Checks of the server and the project: assistants, their models, unused files."""

from __future__ import annotations

import functools
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, date, datetime
from typing import Any, Literal

from gptasst.api.capabilities import CAPABILITIES, PATHS, Capability
from gptasst.api.tools import documented
from gptasst.api.types import Endpoint
from gptasst.assistants.types import WHY_UNREADABLE, Assistant, AssistantSummary
from gptasst.config.profile import Profile
from gptasst.config.urls import is_openai
from gptasst.doctor.types import (
    CapabilityState,
    ExaminedProgram,
    Finding,
    Severity,
    another_value,
    counted,
    new_key,
    without_url,
)
from gptasst.errors import AccessDenied, GptasstError
from gptasst.hints import cmd
from gptasst.models.ends import ModelEnds, ModelUse, ends_soon
from gptasst.models.service import REMEMBERED_SECONDS, ListedModel, only_model
from gptasst.project_files.types import Leftovers
from gptasst.threads import run_within
from gptasst.values import dataclass

_SECONDS = 18.0

# The parts of the API that the store `openai` needs.
_STORE: tuple[Capability, ...] = ("vector stores", "files", "conversations")

# Whether a part exists, or why that is unknown.
Answer = bool | GptasstError


@dataclass(frozen=True, slots=True)
class ServerState:
    """The state of each part of the API.

    `tools` are the parts that no path shows, as far as they are known, and `unasked` is why no more
    is known about them.
    """

    answers: Mapping[Capability, Answer]
    tools: Mapping[Capability, bool] = field(default_factory=dict)
    unasked: GptasstError | None = None

    def has(self, capability: Capability) -> bool:
        return self.answers.get(capability) is True

    @property
    def capabilities(self) -> tuple[CapabilityState, ...]:
        if not self.answers:
            return ()
        return tuple(map(self._state, CAPABILITIES))

    def _state(self, name: Capability) -> CapabilityState:
        if name in self.answers and not (name in self.tools and self.has(name)):
            return _state(name, self.answers[name])
        if name in self.tools:
            return CapabilityState(name, "available" if self.tools[name] else "missing")
        if self.unasked:
            return _state(name, self.unasked)
        return CapabilityState(name, "unknown", "the first run that uses it shows it")


def _state(name: Capability, answer: Answer) -> CapabilityState:
    if name == "previous response" and answer is True:
        # vLLM has the path, and by default stores no response; only OpenAI and Azure say they do.
        return CapabilityState(name, "unknown", "it has the path; it may store no responses")
    if isinstance(answer, GptasstError):
        denied = isinstance(answer, AccessDenied) and answer.code == "no_permission"
        return CapabilityState(name, "denied" if denied else "failed", answer.message)
    return CapabilityState(name, "available" if answer else "missing")


_Jobs = dict[Capability | Literal["tools"], Callable[[], bool | Mapping[Capability, bool]]]


def try_server(program: ExaminedProgram, profile: Profile) -> ServerState:
    """Try each part of the API. Creates and changes nothing."""
    try:
        probes = program.probes
    except GptasstError as error:  # unusable certificates or proxy
        return ServerState(dict.fromkeys(PATHS, error), unasked=error)
    jobs: _Jobs = {name: functools.partial(probes.has, name) for name in PATHS}
    jobs["tools"] = probes.tools
    answers: dict[Any, Any] = run_within(jobs, _SECONDS)
    told = answers.pop("tools")
    remembered = program.project_cache.capabilities(REMEMBERED_SECONDS)
    tools = {name: remembered[name] for name in CAPABILITIES if name in remembered}
    failed = told if isinstance(told, GptasstError) else None
    tools |= documented(profile.base_url or "") or ({} if failed else told)
    return ServerState(
        answers,
        {n: there for n, there in tools.items() if n not in answers or n == "previous response"},
        failed,
    )


def server_findings(
    profile: Profile, state: ServerState, environ: Mapping[str, str]
) -> Iterator[Finding]:
    errors = {n: e for n, e in state.answers.items() if isinstance(e, GptasstError)}
    rejected = next((e for e in errors.values() if e.code in ("wrong_key", "no_key")), None)
    if rejected:
        yield Finding("key", "problem", rejected.message, fix=new_key(profile))
        message = f"{profile.endpoint} answers; the rest can't be told without a key that it takes"
        yield Finding("server", "ok", message)
        return
    if len(errors) == len(state.answers) and not _denied(errors):
        yield _silent(profile, errors["responses"], environ)
        return
    if not any(state.has(name) for name in state.answers) and not errors:
        yield _nothing_there(profile, environ)
        return
    by_state = {
        kind: [one.name for one in state.capabilities if one.state == kind]
        for kind in ("available", "missing", "unknown")
    }
    if by_state["available"]:
        yield Finding("server", "ok", f"{profile.endpoint} has {', '.join(by_state['available'])}")
    yield from _missing(profile, by_state["missing"], environ)
    shown_by_runs = [name for name in by_state["unknown"] if name not in state.answers]
    if shown_by_runs:
        message = f"not known until a run uses it: {', '.join(shown_by_runs)}"
        yield Finding("server", "ok", message)
    yield from _refused(profile, errors)


def _nothing_there(profile: Profile, environ: Mapping[str, str]) -> Finding:
    """The finding for a server, or a proxy, without any part of the API."""
    from gptasst.api.surroundings import proxy_between, proxy_variable

    message = f"{profile.endpoint} answers, and has nothing of the API; its URL ends in /v1?"
    endpoint = Endpoint(base_url=profile.base_url or "", name=profile.endpoint)
    between = proxy_between(endpoint)
    if between:
        message = f"{message} {between} is set, and that proxy may have answered"
        return Finding("server", "problem", message, fix=f"unset {proxy_variable(endpoint)}")
    return Finding("server", "problem", message, fix=without_url(environ, profile.name))


def _missing(
    profile: Profile, names: Sequence[Capability], environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Findings for missing parts: required ones, and those that only some features need."""
    if "responses" in names:
        message = f"{profile.endpoint} does not have responses, so nothing can be run there"
        yield Finding("server", "problem", message, fix=without_url(environ, profile.name))
    of_store = [name for name in names if name in _STORE] if profile.store == "openai" else []
    if of_store:
        message = f"it can't keep assistants: it does not have {', '.join(of_store)}"
        fix = another_value(environ, profile.name, "store", "local")
        yield Finding("server", "problem", message, fix=fix)
    others = [name for name in names if name not in ("responses", *of_store)]
    if others:
        yield Finding("server", "note", f"it does not have {', '.join(others)}")


def _refused(profile: Profile, errors: Mapping[Capability, GptasstError]) -> Iterator[Finding]:
    """Findings for parts that the key may not use, and for those that failed."""
    denied = _denied(errors)
    if denied:
        severity: Severity = "problem" if "responses" in denied else "warning"
        message = f"the key has no permission for {', '.join(denied)}"
        yield Finding("key", severity, message, fix=new_key(profile))
    for name, error in errors.items():
        if name not in denied:
            severity = "problem" if name == "responses" else "warning"
            message = f"{name}: {error.message}"
            if error.code == "not_an_api":  # which asking again does not change
                yield Finding("server", severity, f"{message}; {error.advice}")
            else:
                yield Finding("server", severity, message, fix=cmd("doctor"))


def _denied(errors: Mapping[Capability, GptasstError]) -> Sequence[Capability]:
    return [name for name, error in errors.items() if error.code == "no_permission"]


def _silent(profile: Profile, error: GptasstError, environ: Mapping[str, str]) -> Finding:
    """The finding for a server that does not respond."""
    message = f"{error.message}; {error.advice}" if error.advice else error.message
    if profile.endpoint not in message:
        message = f"{profile.endpoint}: {message}"
    from gptasst.api.surroundings import proxy_variable

    fix = without_url(environ, profile.name)
    proxy = proxy_variable(Endpoint(base_url=profile.base_url or "", name=profile.endpoint))
    if error.variable and environ.get(error.variable):
        fix = f"unset {error.variable}"
    elif error.code in ("unreachable", "bad_proxy") and proxy:
        fix = f"unset {proxy}"
    elif error.code == "service_error":  # the right server, which has a problem
        fix = cmd("doctor")
    elif is_openai(profile.base_url or ""):  # no command restores the network
        fix = None
    return Finding("server", "problem", message, fix=fix)


_PATHS = 3  # how many a message lists


def assistant_findings(
    profile: Profile, found: Sequence[AssistantSummary] | GptasstError
) -> Iterator[Finding]:
    """Findings about unreadable assistants, and duplicate names."""
    place = profile.endpoint if profile.store == "openai" else "this machine"
    if isinstance(found, GptasstError):
        message = f"the assistants on {place} can't be read: {found.message}"
        yield Finding("assistants", "problem", message, fix=cmd("assistant list"))
        return
    size = sum(assistant.size for assistant in found)
    message = f"{counted(len(found), 'assistant')} on {place}"
    yield Finding("assistants", "ok", message, count=len(found), bytes=size or None)
    names = Counter(assistant.name for assistant in found)
    for assistant in found:
        if names[assistant.name] > 1:
            names[assistant.name] = 0  # reported once
            new = shlex.quote(_free_name(assistant.name, set(names)))
            rename = cmd(f"assistant edit {assistant.id} --rename {new}")
            message = f"several are called `{assistant.name}`, and can only be used by their ids"
            yield Finding("assistants", "warning", message, fix=rename)
        if assistant.state == "unreadable":
            message = f"`{assistant.name}` ({assistant.id}) can't be read: {WHY_UNREADABLE}"
            yield Finding("assistants", "warning", message)
        if assistant.state == "deleting":
            message = f"the deletion of `{assistant.name}` was interrupted, or goes on"
            delete = cmd(f"assistant delete {assistant.id} -y")
            yield Finding("assistants", "problem", message, fix=delete)


def _free_name(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"


def knowledge_findings(found: Sequence[Assistant] | GptasstError) -> Iterator[Finding]:
    """Findings about knowledge whose file is gone, or that is not indexed."""
    if isinstance(found, GptasstError):
        message = f"the knowledge of the assistants can't be checked: {found.message}"
        yield Finding("assistants", "warning", message, fix=cmd("assistant list"))
        return
    for assistant in found:
        sync = cmd(f"assistant files sync {shlex.quote(assistant.name)}")
        if not assistant.complete:
            paths = _listed([f"`{path}`" for path in assistant.gone]) or "files were"
            verb = "" if not assistant.gone else " was" if len(assistant.gone) == 1 else " were"
            change = "deleted" if assistant.gone else "deleted or added"
            message = f"{paths}{verb} {change} on the server in the knowledge of `{assistant.name}`"
            yield Finding("assistants", "problem", message, fix=sync, count=len(assistant.gone))
        stuck = [f"`{file.path}`" for file in assistant.knowledge if file.is_late]
        if stuck:
            message = f"not indexed yet in the knowledge of `{assistant.name}`: {_listed(stuck)}"
            yield Finding("assistants", "warning", message, fix=sync, count=len(stuck))


def vector_findings(found: Sequence[tuple[str, int]] | GptasstError) -> Iterator[Finding]:
    """Findings about knowledge with incomplete embeddings."""
    if isinstance(found, GptasstError):
        message = f"vectors of knowledge can't be checked: {found.message}"
        yield Finding("assistants", "warning", message, fix=cmd("assistant list"))
        return
    for name, count in found:
        message = (
            f"1 passage of `{name}` has no vector yet, so only its words are searched"
            if count == 1
            else f"{count:,} passages of `{name}` have no vectors yet, so only their words are"
            " searched"
        )
        sync = cmd(f"assistant files sync {shlex.quote(name)}")
        yield Finding("assistants", "warning", message, fix=sync, count=count)


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _PATHS
    return ", ".join(paths[:_PATHS]) + (f" and {more:,} more" if more > 0 else "")


def file_findings(found: Leftovers | GptasstError) -> Iterator[Finding]:
    """Findings about unused and duplicate uploads, which `file prune` would delete."""
    if isinstance(found, GptasstError):
        message = f"what nothing uses can't be told: {found.message}"
        yield Finding("files", "warning", message, fix=cmd("file prune --dry-run"))
        return
    said = {"unused": "that nothing uses", "duplicate": "whose content is there once more"}
    for reason, about in said.items():
        files = [prunable.file for prunable in found.files if prunable.reason == reason]
        if files:
            size = sum(file.size for file in files)
            message = f"{counted(len(files), 'upload')} {about}"
            yield Finding(
                "files", "note", message, fix=cmd("file prune"), count=len(files), bytes=size
            )
    if not found.files:
        yield Finding("files", "ok", "no leftover uploads")
    if found.gone:  # ids in the cache are checked when they are used
        message = f"{counted(len(found.gone), 'upload')} that the server does not have any more"
        yield Finding("cache", "note", message, fix=cmd("cache verify"), count=len(found.gone))


def model_findings(
    profile: Profile,
    assistants: Sequence[AssistantSummary],
    listed: Sequence[ListedModel],
) -> Iterator[Finding]:
    """Findings about models that were or will soon be shut down. The server's dates come first."""
    today = datetime.now(UTC).date()
    dates = {model.id: model for model in listed}
    uses = list(_uses(profile, assistants, dates))
    ending = [finding for use in uses if (finding := _ending(*use, today))]
    yield from ending
    if uses and not ending:
        yield Finding("models", "ok", "no model in use here ends within 60 days")
    yield from _profile_model(profile, listed)


def _profile_model(profile: Profile, listed: Sequence[ListedModel]) -> Iterator[Finding]:
    """Findings about the profile's model: missing, or unknown to the server."""
    if profile.embedded:
        return
    if profile.model is None:
        yield _no_model(profile, [model.id for model in listed])
    elif listed and not _is_listed(profile.model, listed):
        message = f"{profile.endpoint} does not list `{profile.model}`, the profile's model"
        yield Finding("models", "note", message, fix=cmd("model list"))


def _no_model(profile: Profile, listed: Sequence[str]) -> Finding:
    only = only_model(listed)
    if only:
        message = f"the profile `{profile.name}` names no model, so `{only}` is used"
        return Finding("models", "ok", message)
    message = f"the profile `{profile.name}` names no model: runs need -m if the server has several"
    fix = cmd("model list") if listed else None
    return Finding("models", "note", message, fix=fix)


def _uses(
    profile: Profile, assistants: Sequence[AssistantSummary], listed: Mapping[str, ListedModel]
) -> Iterator[tuple[str, ModelUse]]:
    """The users of each model."""
    ends = ModelEnds(profile, lambda name: listed[name].shutdown_date if name in listed else None)
    if profile.model:
        yield f"the profile `{profile.name}`", ends.of_profile()
    for assistant in assistants:
        if assistant.model:
            use = ends.of_assistant(assistant.name, assistant.model)
            yield f"the assistant `{assistant.name}`", use


def _ending(user: str, use: ModelUse, today: date) -> Finding | None:
    if use.end is None or not ends_soon(use.end, today):
        return None
    verb = "was shut down" if use.is_over else "will be shut down"
    message = f"{user} runs on `{use.model}`, which {verb} on {use.end}"
    severity: Severity = "problem" if use.is_over else "warning"
    return Finding("models", severity, message, fix=_other_model(use))


def _other_model(use: ModelUse) -> str:
    """The command that changes the model or, without a known successor, lists the models."""
    return use.fixes()[0] if use.successor else cmd("model list")


def _is_listed(model: str, listed: Sequence[ListedModel]) -> bool:
    """Whether a server lists a model. Ollama lists `name:tag`; Azure does not list deployments."""
    ids = {found.id for found in listed}
    return model in ids or f"{model}:latest" in ids
