"""Shutdown dates of models: warnings, and the command that chooses another model.

OpenAI's dates only apply to OpenAI, because other servers may use the same names. Dates from a
server's own list of models have precedence.
"""

from __future__ import annotations

import datetime
import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from gptasst.errors import NotFound
from gptasst.hints import cmd, commands_in
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.config.profile import Profile
    from gptasst.definitions.types import Definition


# For another model: the commands that select it, best first.
Commands = Callable[[str], tuple[str, ...]]
_WHAT_THERE_IS = f"{cmd('model list')} shows what there is"


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model in use, its shutdown date, and how to change it.

    `end` is `None` if it isn't known; `successor` may be unknown even if `end` is known.
    """

    endpoint: str
    model: str
    end: datetime.date | None
    successor: str | None
    commands: Commands

    @property
    def is_over(self) -> bool:
        """Whether it was shut down."""
        return self.end is not None and self.end <= _today()

    def warning(self) -> str | None:
        """The warning about its shutdown, with the successor and the command for it."""
        if self.end is None or not ends_soon(self.end, _today()):
            return None
        verb = "was" if self.is_over else "will be"
        fix = ", or ".join(_quoted(fix) for fix in self.fixes())
        instead = self._successor() or f"; {_WHAT_THERE_IS}"
        return f"`{self.model}` {verb} shut down on {self.end}{instead}: {fix}"

    def missing(self) -> NotFound | None:
        """The error for a missing model with a known shutdown date."""
        if self.end is None:
            return None
        name = f"`{self.model}`"
        message = (
            f"{self.endpoint} does not have the model: {name} was shut down on {self.end}"
            if self.is_over
            else f"{self.endpoint} has no model {name}, which is to be shut down on {self.end}"
        )
        # In a hint, options are plain text, while commands are marked.
        hint = ", or ".join(fix if fix.startswith("-") else _quoted(fix) for fix in self.fixes())
        if self.successor is None:
            hint = f"{hint}; {_WHAT_THERE_IS}"
        return NotFound(f"{message}{self._successor()}", hint=hint, code="model_not_found")

    def fixes(self) -> tuple[str, ...]:
        """The commands to type, best first."""
        return self.commands(self.successor or "MODEL")

    def _successor(self) -> str:
        return f"; its successor is `{self.successor}`" if self.successor else ""


@dataclass(frozen=True, slots=True)
class ModelEnds:
    """The models in use with a profile, and their shutdown dates.

    Args:
        profile: the endpoint.
        said: returns the remembered date from the endpoint itself.
    """

    profile: Profile
    said: Callable[[str], datetime.date | None] = lambda _: None

    def of_run(
        self, name: str, definition: Definition, chosen: str | None, *, of_assistant: bool
    ) -> ModelUse:
        """The model of a run, by the setting that names it; `chosen` is that of `-m`."""
        if chosen:
            return self._use(chosen, _by_option)
        if definition.model is None:
            return self.of_profile()
        if of_assistant:
            return self.of_assistant(name, definition.model)
        edit = cmd(f"instruction edit {shlex.quote(name)}")
        return self._use(definition.model, lambda model: (*_by_option(model), edit))

    def of_assistant(self, name: str, model: str) -> ModelUse:
        """The model of an assistant."""
        edit = f"assistant edit {shlex.quote(name)}"
        return self._use(model, lambda successor: (cmd(f"{edit} -m {successor}"),))

    def of_profile(self) -> ModelUse:
        """The model of the profile; a variable overrides config.toml."""
        profile = self.profile
        if profile.model_source:
            variable = profile.model_source
            return self._use(profile.model or "", lambda model: (f"export {variable}={model}",))
        key = f"profiles.{shlex.quote(profile.name)}.model"
        return self._use(profile.model or "", lambda model: (cmd(f"config set {key} {model}"),))

    def _use(self, model: str, commands: Commands) -> ModelUse:
        known = known_end(self.profile, model)
        end = self.said(model) or (known.date if known else None)
        successor = known.successor if known else None
        return ModelUse(self.profile.endpoint, model, end, successor, commands)


def known_end(profile: Profile, model: str) -> Shutdown | None:
    """The shutdown of a model on a profile's server, according to OpenAI."""
    return shutdown_of(model) if profile.is_openai else None


def _quoted(fix: str) -> str:
    return fix if commands_in(fix) else f"`{fix}`"


def _by_option(model: str) -> tuple[str, ...]:
    return (f"-m {model}",)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


@dataclass(frozen=True, slots=True)
class Shutdown:
    """The shutdown date of a model, and its successor."""

    date: datetime.date
    successor: str


_EDITING = "gpt-6-luna"

_LARGER = "gpt-6.2-sol"

_GROUPS: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "2026-10-23",
        {
            "gpt-3.5-turbo": _EDITING,
            "gpt-4": _LARGER,
            "gpt-4-1106-preview": _EDITING,
            "gpt-4-turbo": _LARGER,
            "o1": _LARGER,
            "o3-mini": _EDITING,
            "o4-mini": _EDITING,
            "gpt-4.1-nano": _EDITING,
        },
    ),
    (
        "2026-12-11",
        {"gpt-5": _LARGER, "gpt-5-mini": _EDITING, "gpt-5-nano": _EDITING, "o3": _LARGER},
    ),
    (
        "2027-01-14",
        {
            "gpt-4o": _LARGER,
            "gpt-4o-mini": _EDITING,
            "gpt-4.1": _LARGER,
            "gpt-4.1-mini": _EDITING,
        },
    ),
)

SHUTDOWNS = {
    model: Shutdown(datetime.date.fromisoformat(date), successor)
    for date, models in _GROUPS
    for model, successor in models.items()
}


# Days of warning before a shutdown.
WARNING_DAYS = 60


def ends_soon(date: datetime.date, today: datetime.date) -> bool:
    """Whether a model was shut down, or will be within `WARNING_DAYS`."""
    return date <= today + datetime.timedelta(days=WARNING_DAYS)


# The suffix of a snapshot's name: `-0613`, `-2024-04-09`, `-0125-preview`.
_SNAPSHOT = re.compile(r"(-(\d{4}(-\d\d-\d\d)?|16k|32k))*(-preview)?$")


def shutdown_of(model: str) -> Shutdown | None:
    """The shutdown of a model, or of the model that it is a snapshot of, if known."""
    for name in sorted(SHUTDOWNS, key=len, reverse=True):
        if model.startswith(name) and _SNAPSHOT.match(model, len(name)):
            return SHUTDOWNS[name]
    return None


def model_end(model: str) -> tuple[datetime.date, str | None] | None:
    """When a model ends, and its successor: `shutdown_of` for those who know no `Shutdown`."""
    known = shutdown_of(model)
    return None if known is None else (known.date, known.successor)
