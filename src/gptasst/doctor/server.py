"""The profile's server: whether it answers, takes the key, and which parts of the API it has."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gptasst.api.types import CAPABILITIES, Capability
from gptasst.config.profile import Profile
from gptasst.config.urls import is_openai
from gptasst.doctor.types import (
    CapabilityState,
    ExaminedProgram,
    Finding,
    Severity,
    another_url,
    another_value,
    new_key,
)
from gptasst.errors import AccessDenied, GptasstError
from gptasst.hints import cmd
from gptasst.threads import run_within

_SECONDS = 12.0

# What the store `openai` is made of.
_STORE: tuple[Capability, ...] = ("vector stores", "files", "conversations")

# Whether a part is there, or why that can't be told.
Answer = bool | GptasstError


@dataclass(frozen=True, slots=True)
class ServerState:
    """What each part of the API said when it was tried."""

    answers: Mapping[Capability, Answer]

    def has(self, capability: Capability) -> bool:
        return self.answers.get(capability) is True

    @property
    def capabilities(self) -> tuple[CapabilityState, ...]:
        return tuple(_state(name, answer) for name, answer in self.answers.items())


def _state(name: Capability, answer: Answer) -> CapabilityState:
    if isinstance(answer, GptasstError):
        denied = isinstance(answer, AccessDenied) and answer.code == "no_permission"
        return CapabilityState(name, "denied" if denied else "failed", answer.message)
    return CapabilityState(name, "available" if answer else "missing")


def try_server(program: ExaminedProgram) -> ServerState:
    """Try each part of the API. Nothing is made or changed there."""
    probes = program.probes
    jobs = {name: functools.partial(probes.has, name) for name in CAPABILITIES}
    return ServerState(run_within(jobs, _SECONDS))


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
        message = f"{profile.endpoint} answers, and has nothing of the API; its URL ends in /v1?"
        yield Finding("server", "problem", message, fix=another_url(environ, profile.name))
        return
    there = [name for name in state.answers if state.has(name)]
    if there:
        yield Finding("server", "ok", f"{profile.endpoint} has {', '.join(there)}")
    yield from _missing(
        profile, [n for n, answer in state.answers.items() if answer is False], environ
    )
    yield from _refused(profile, errors)


def _missing(
    profile: Profile, names: Sequence[Capability], environ: Mapping[str, str]
) -> Iterator[Finding]:
    """The parts that the server does not have: those that everything needs, those that some do."""
    if "responses" in names:
        message = f"{profile.endpoint} does not have responses, so nothing can be run there"
        yield Finding("server", "problem", message, fix=another_url(environ, profile.name))
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
    fix: str | None = another_url(environ, profile.name)
    if error.code == "service_error":  # it is the right one, and has trouble
        fix = cmd("doctor")
    elif is_openai(profile.base_url or ""):  # no command brings the network back
        fix = None
    return Finding("server", "problem", message, fix=fix)
