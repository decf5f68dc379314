"""The findings of `gptasst doctor`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.api.probes import ProbeGateway
    from gptasst.assistants.service import AssistantService
    from gptasst.assistants.store import AssistantStore
    from gptasst.config.keys import AuthService
    from gptasst.config.profile import Profile
    from gptasst.config.settings import Settings
    from gptasst.config.stored_keys import StoredKeys
    from gptasst.definitions.library import InstructionLibrary
    from gptasst.embedded.service import LocalModelService
    from gptasst.models.service import ModelService
    from gptasst.project_files.service import FileService
    from gptasst.storage.paths import Paths
    from gptasst.uploads.cache import FileCache
    from gptasst.uploads.project_cache import ProjectCache


import shlex
from collections.abc import Sequence
from typing import Literal

from gptasst.api.capabilities import Capability
from gptasst.config.known_keys import VARIABLES
from gptasst.config.profile import Profile
from gptasst.config.urls import has_login
from gptasst.values import dataclass

Severity = Literal["ok", "note", "warning", "problem"]
SEVERITIES: tuple[Severity, ...] = ("ok", "note", "warning", "problem")

# The subjects of findings, in display order.
Topic = Literal[
    "program",
    "config",
    "key",
    "server",
    "assistants",
    "cache",
    "files",
    "models",
    "embedded",
    "completion",
]
TOPICS: tuple[Topic, ...] = Topic.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class CapabilityState:
    """Whether a server has a part of the API.

    `denied`: the key has no permission for it; `failed`: the check failed because of `reason`;
    `unknown`: only a run can show it.
    """

    name: Capability
    state: Literal["available", "missing", "denied", "failed", "unknown"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    `fix` is the command that fixes it, if there is one. `count` and `bytes` are those of its
    subject, if they are known.
    """

    topic: Topic
    severity: Severity
    message: str
    fix: str | None = None
    count: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of the program, its parts and its system."""

    gptasst: str
    python: str
    openai: str
    typer: str
    rich: str
    sqlite: str
    platform: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings. `profile` is `None` if the configuration has no usable one."""

    severity: Severity
    profile: str | None
    endpoint: str | None
    versions: Versions
    capabilities: tuple[CapabilityState, ...]
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """The exit code of the worst problem: the key (4), the server (1), others (6)."""
        topics = {finding.topic for finding in self.findings if finding.severity == "problem"}
        if "key" in topics:
            return 4
        if "server" in topics:
            return 1
        return 6 if topics else 0


def worst(findings: Sequence[Finding]) -> Severity:
    return max((f.severity for f in findings), key=SEVERITIES.index, default="ok")


def quoted(word: object) -> str:
    """A path or a name as one word."""
    return shlex.quote(str(word))


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def new_key(profile: Profile) -> str | None:
    """The command that replaces a profile's key; none replaces a password in a URL."""
    if has_login(profile.base_url or ""):
        return None
    sources = profile.headers.sources
    header = None if profile.api_key else next(iter([*profile.headers.missing, *sources]), None)
    login = cmd("auth login") if header is None else cmd(f"auth login --header {header}")
    source = profile.key_source if header is None else sources.get(header)
    if source and source.isidentifier():  # a variable, which overrides a stored key
        return f"unset {source} && {login}"
    return login


def without_url(environ: Mapping[str, str], profile_name: str) -> str | None:
    """The command that unsets a base URL; `None` if no variable sets it."""
    variable = _url_variable(environ, profile_name)
    return f"unset {variable}" if variable else None


def _url_variable(environ: Mapping[str, str], profile_name: str) -> str | None:
    """The variable that sets a profile's base URL, if there is one."""
    variables = (VARIABLES["base_url"], *(["OPENAI_BASE_URL"] * (profile_name == "openai")))
    return next(filter(environ.get, variables), None)


def another_value(environ: Mapping[str, str], profile_name: str, key: str, value: str) -> str:
    """The command that changes a profile's key; a variable overrides config.toml.

    If a variable sets the server, it is not config.toml, which describes another server.
    """
    variable = VARIABLES[key]
    if environ.get(variable) or _url_variable(environ, profile_name):
        return f"export {variable}={quoted(value)}"
    return cmd(f"config set profiles.{quoted(profile_name)}.{key} {quoted(value)}")


class ExaminedProgram(Protocol):
    """The parts of the program, read-only.

    Each is built when it is used, which may raise. `profile_option` is the value of `--profile`.
    """

    environ: Mapping[str, str]
    profile_option: str | None

    @property
    def paths(self) -> Paths: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def keys(self) -> StoredKeys: ...
    @property
    def profile(self) -> Profile: ...
    @property
    def auth(self) -> AuthService: ...
    @property
    def library(self) -> InstructionLibrary: ...
    @property
    def local_model(self) -> LocalModelService: ...
    @property
    def file_cache(self) -> FileCache: ...
    @property
    def project_cache(self) -> ProjectCache: ...
    @property
    def probes(self) -> ProbeGateway: ...
    @property
    def store(self) -> AssistantStore: ...
    @property
    def assistants(self) -> AssistantService: ...
    @property
    def files(self) -> FileService: ...
    @property
    def models(self) -> ModelService: ...
