"""What people are told of a model that ends, and what to type for another in its place.

OpenAI's dates count where OpenAI is asked; other servers may call what they have as they like.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from gptasst.errors import NotFound
from gptasst.model_catalog import Shutdown, ends_soon, shutdown_of

if TYPE_CHECKING:
    from gptasst.models.definitions import Definition
    from gptasst.models.runs import RunRequest
    from gptasst.settings import Profile

# Given another model: what to type so that it is taken, best first.
Commands = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that a profile's server is asked for, and how it could be another one."""

    profile: Profile
    model: str
    commands: Commands

    @property
    def end(self) -> Shutdown | None:
        """When it ends or ended, where that is known."""
        return known_end(self.profile, self.model)

    @property
    def is_over(self) -> bool:
        """Whether it ended already."""
        return self.end is not None and self.end.date <= _today()

    def warning(self) -> str | None:
        """That it ended or soon will, what to use instead, and what to type for that."""
        end = self.end
        if end is None or not ends_soon(end.date, _today()):
            return None
        verb = "was" if self.is_over else "will be"
        fix = ", or ".join(f"`{command}`" for command in self.commands(end.successor))
        return (
            f"`{self.model}` {verb} shut down on {end.date};"
            f" its successor is `{end.successor}`: {fix}"
        )

    def missing(self) -> NotFound | None:
        """The error where the server does not have it, with its successor if one is known."""
        end = self.end
        if end is None:
            return None
        name, endpoint = f"`{self.model}`", self.profile.endpoint
        message = (
            f"{endpoint} does not have the model: {name} was shut down on {end.date}"
            if self.is_over
            else f"{endpoint} has no model {name}, which OpenAI shuts down on {end.date}"
        )
        # An option stands bare in a hint, a whole command does not.
        fixes = (c if c.startswith("-") else f"`{c}`" for c in self.commands(end.successor))
        return NotFound(
            f"{message}; its successor is `{end.successor}`",
            hint=", or ".join(fixes),
            code="model_not_found",
        )


def known_end(profile: Profile, model: str) -> Shutdown | None:
    """When a model ends or ended on a profile's server, where that is known."""
    return shutdown_of(model) if profile.is_openai else None


def run_use(
    profile: Profile, request: RunRequest, definition: Definition, *, of_assistant: bool
) -> ModelUse:
    """The model that a run asks for, by what names it."""
    if request.model:
        return ModelUse(profile, request.model, _by_option)
    if definition.model is None:
        return profile_use(profile)
    if of_assistant:
        return assistant_use(profile, request.name, definition.model)
    return ModelUse(
        profile,
        definition.model,
        lambda model: (*_by_option(model), f"gptasst instruction edit {shlex.quote(request.name)}"),
    )


def assistant_use(profile: Profile, name: str, model: str) -> ModelUse:
    """The model that an assistant names."""
    edit = f"gptasst assistant edit {shlex.quote(name)}"
    return ModelUse(profile, model, lambda successor: (f"{edit} -m {successor}",))


def profile_use(profile: Profile) -> ModelUse:
    """The model of a profile; a variable comes before config.toml."""
    if profile.model_source:
        set_to = f"export {profile.model_source}="
    else:
        set_to = f"gptasst config set profiles.{shlex.quote(profile.name)}.model "
    return ModelUse(profile, profile.model or "", lambda successor: (f"{set_to}{successor}",))


def _by_option(model: str) -> tuple[str, ...]:
    return (f"-m {model}",)


def _today() -> date:
    return datetime.now(UTC).date()
