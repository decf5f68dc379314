"""What every store says in the same words."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from gptasst.errors import NotFound, UsageError
from gptasst.hints import command, did_you_mean, nearest


def name_taken(name: str) -> UsageError:
    return UsageError(
        f"there is an assistant `{name}` already",
        hint=f"`gptasst assistant edit {shlex.quote(name)} …` changes it",
        code="name_taken",
    )


def no_assistant(name: str, names: Iterable[str]) -> NotFound:
    """The error for a name that is not there; it suggests the nearest one of `names`."""
    known = list(names)
    hint = did_you_mean(name, known, f"{command('assistant list')} shows them")
    return NotFound(f"no assistant `{name}`", hint=hint, near=nearest(name, known))


def edit_conflict(name: str) -> UsageError:
    return UsageError(
        f"`{name}` was changed by somebody else in between",
        hint=f"`gptasst assistant show {shlex.quote(name)}`, then do it again",
        code="edit_conflict",
    )


def deleted_meanwhile(name: str) -> NotFound:
    return NotFound(
        f"`{name}` was deleted by somebody else in between",
        hint="`gptasst assistant list` shows what is there",
        code="gone",
    )
