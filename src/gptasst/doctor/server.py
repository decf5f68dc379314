"""The profile's server: whether it answers, takes the key, and which parts of the API it has."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gptasst.api.errors import proxy_between
from gptasst.api.tools import documented
from gptasst.api.types import CAPABILITIES, PATHS, Capability, Endpoint
from gptasst.config.settings import Profile
from gptasst.config.urls import is_openai
from gptasst.doctor.types import (
    CapabilityState,
    ExaminedProgram,
    Finding,
    Severity,
    another_value,
    new_key,
    without_url,
)
from gptasst.errors import AccessDenied, GptasstError
from gptasst.hints import cmd
from gptasst.models.capabilities import REMEMBERED_SECONDS
from gptasst.threads import run_within

_SECONDS = 18.0

# What the store `openai` is made of.
_STORE: tuple[Capability, ...] = ("vector stores", "files", "conversations")

# Whether a part is there, or why that can't be told.
Answer = bool | GptasstError


@dataclass(frozen=True, slots=True)
class ServerState:
    """What each part of the API said when it was tried.

    `tools` are those parts that are no paths, as far as it is known whether they are there, and
    `unasked` is why no more could be told of them.
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
        if name in self.answers:
            return _state(name, self.answers[name])
        if name in self.tools:
            return _state(name, self.tools[name])
        if self.unasked:
            return _state(name, self.unasked)
        return CapabilityState(name, "unknown", "the first run that uses it shows it")


def _state(name: Capability, answer: Answer) -> CapabilityState:
    if isinstance(answer, GptasstError):
        denied = isinstance(answer, AccessDenied) and answer.code == "no_permission"
        return CapabilityState(name, "denied" if denied else "failed", answer.message)
    return CapabilityState(name, "available" if answer else "missing")


_Jobs = dict[Capability | Literal["tools"], Callable[[], bool | Mapping[Capability, bool]]]


def try_server(program: ExaminedProgram, profile: Profile) -> ServerState:
    """Try each part of the API. Nothing is made or changed there."""
    try:
        probes = program.probes
    except GptasstError as error:  # certificates or a proxy that can't be used
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
        answers, {name: there for name, there in tools.items() if name not in answers}, failed
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
    if by_state["unknown"]:
        unknown = ", ".join(by_state["unknown"])
        message = f"not known until a run uses it: {unknown}"
        yield Finding("server", "ok", message)
    yield from _refused(profile, errors)


def _nothing_there(profile: Profile, environ: Mapping[str, str]) -> Finding:
    """The finding of a server that has no part of the API, or of a proxy that says so."""
    message = f"{profile.endpoint} answers, and has nothing of the API; its URL ends in /v1?"
    between = proxy_between(Endpoint(base_url=profile.base_url or "", name=profile.endpoint))
    if between:
        message = f"{message} {between} is set, and that proxy may have answered"
        return Finding("server", "problem", message, fix=f"unset {between.partition(' ')[0]}")
    return Finding("server", "problem", message, fix=without_url(environ, profile.name))


def _missing(
    profile: Profile, names: Sequence[Capability], environ: Mapping[str, str]
) -> Iterator[Finding]:
    """The parts that the server does not have: those that everything needs, those that some do."""
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
    """The parts that the key may not use, and those that failed."""
    denied = _denied(errors)
    if denied:
        severity: Severity = "problem" if "responses" in denied else "warning"
        message = f"the key has no permission for {', '.join(denied)}"
        yield Finding("key", severity, message, fix=new_key(profile))
    for name, error in errors.items():
        if name not in denied:
            severity = "problem" if name == "responses" else "warning"
            yield Finding("server", severity, f"{name}: {error.message}", fix=cmd("doctor"))


def _denied(errors: Mapping[Capability, GptasstError]) -> Sequence[Capability]:
    return [name for name, error in errors.items() if error.code == "no_permission"]


def _silent(profile: Profile, error: GptasstError, environ: Mapping[str, str]) -> Finding:
    """A server that gives nothing to go on."""
    message = f"{error.message}; {error.advice}" if error.advice else error.message
    if profile.endpoint not in message:
        message = f"{profile.endpoint}: {message}"
    fix = without_url(environ, profile.name)
    if error.variable and environ.get(error.variable):
        fix = f"unset {error.variable}"
    elif error.code == "service_error":  # it is the right one, and has trouble
        fix = cmd("doctor")
    elif is_openai(profile.base_url or ""):  # no command brings the network back
        fix = None
    return Finding("server", "problem", message, fix=fix)
