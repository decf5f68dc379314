"""What every store says in the same words."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from gptasst.errors import NotFound, UsageError


def name_taken(name: str) -> UsageError:
    return UsageError(
        f"there is an assistant `{name}` already",
        hint=f"`gptasst assistant edit {shlex.quote(name)} …` changes it",
        code="name_taken",
    )


def no_assistant(name: str, names: Iterable[str]) -> NotFound:
    """The error for a name that is not there; it suggests the nearest one of `names`."""
    import difflib

    known = {there.casefold(): there for there in names}
    near = difflib.get_close_matches(name.casefold(), known, n=1)
    hint = f"did you mean `{known[near[0]]}`?" if near else "`gptasst assistant list` shows them"
    return NotFound(f"no assistant `{name}`", hint=hint)


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
