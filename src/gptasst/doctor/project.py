"""What people have: assistants and the models they run on, and files that nothing uses."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

from gptasst.assistants.types import Assistant, AssistantSummary
from gptasst.config.settings import Profile
from gptasst.doctor.types import Finding, Severity, counted
from gptasst.errors import GptasstError
from gptasst.hints import cmd
from gptasst.models.catalog import ends_soon
from gptasst.models.choice import only_model
from gptasst.models.ends import ModelEnds, ModelUse
from gptasst.models.service import ListedModel
from gptasst.project_files.types import Leftovers

_PATHS = 3  # so many are listed in a message


def assistant_findings(
    profile: Profile, found: Sequence[AssistantSummary] | GptasstError
) -> Iterator[Finding]:
    """Whether the assistants can be read, and told apart by their names."""
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
            names[assistant.name] = 0  # said once
            new = shlex.quote(_free_name(assistant.name, set(names)))
            rename = cmd(f"assistant edit {assistant.id} --rename {new}")
            message = f"several are called `{assistant.name}`, and can only be used by their ids"
            yield Finding("assistants", "warning", message, fix=rename)
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
    """Knowledge whose file is gone from the server, and files that it has not indexed."""
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
        stuck = [f"`{file.path}`" for file in assistant.knowledge if file.status == "in_progress"]
        if stuck:
            message = f"not indexed yet in the knowledge of `{assistant.name}`: {_listed(stuck)}"
            yield Finding("assistants", "warning", message, fix=sync, count=len(stuck))


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _PATHS
    return ", ".join(paths[:_PATHS]) + (f" and {more:,} more" if more > 0 else "")


def file_findings(found: Leftovers | GptasstError) -> Iterator[Finding]:
    """What gptasst uploaded and nothing uses, and duplicates: what `file prune` would take."""
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
        yield Finding("files", "ok", "no upload of ours is left over")
    if found.gone:  # ids in the cache; each is found out when it is used
        message = f"{counted(len(found.gone), 'upload')} that the server does not have any more"
        yield Finding("cache", "note", message, fix=cmd("cache verify"), count=len(found.gone))


def model_findings(
    profile: Profile,
    assistants: Sequence[AssistantSummary],
    listed: Sequence[ListedModel],
) -> Iterator[Finding]:
    """The models in use that have ended or will soon. A server's own dates come first."""
    today = datetime.now(UTC).date()
    dates = {model.id: model for model in listed}
    uses = list(_uses(profile, assistants, dates))
    ending = [finding for use in uses if (finding := _ending(*use, today))]
    yield from ending
    if uses and not ending:
        yield Finding("models", "ok", "none that is used here ends within 60 days")
    yield from _profile_model(profile, listed)


def _profile_model(profile: Profile, listed: Sequence[ListedModel]) -> Iterator[Finding]:
    """Whether the profile names a model, and one that the server has."""
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
    message = f"the profile `{profile.name}` names no model, so each run needs -m"
    fix = cmd("model list") if listed else None
    return Finding("models", "note", message, fix=fix)


def _uses(
    profile: Profile, assistants: Sequence[AssistantSummary], listed: Mapping[str, ListedModel]
) -> Iterator[tuple[str, ModelUse]]:
    """Who runs on which model."""
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
    """What takes another model; without a known successor, what shows which there are."""
    return use.fixes()[0] if use.successor else cmd("model list")


def _is_listed(model: str, listed: Sequence[ListedModel]) -> bool:
    """Whether a server lists a model; Ollama lists `name:tag`, Azure not what it deploys."""
    ids = {found.id for found in listed}
    return model in ids or f"{model}:latest" in ids
