"""Match definitions with the assistants of a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gptasst.errors import UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    from gptasst.apply.types import CodedAssistant
    from gptasst.assistants.types import AssistantSummary

_WHOLE = ("ready", "renaming")


def matched(
    definitions: Sequence[CodedAssistant], there: Sequence[AssistantSummary]
) -> list[tuple[CodedAssistant, AssistantSummary | None]]:
    """Each definition with its assistant; renames are ordered to avoid name conflicts.

    An assistant whose source is the definition's file matches, even with another name: that is a
    rename. Otherwise the name matches. If the new name belongs to an assistant that keeps it, or
    renames form a circle, names decide, because people use names to run assistants.

    Raises:
        UsageError: two assistants have the name of a definition.
    """
    _refuse_ambiguous(definitions, there)
    by_name = {one.name: one for one in there}
    by_source = {one.source: one for one in there if one.source and one.state in _WHOLE}
    renamed = _renames(definitions, by_name, by_source)
    pairs = []
    for coded in definitions:
        if coded.source not in renamed:
            own = by_name.get(coded.definition.name)
            leaves = own is not None and any(one.id == own.id for one in renamed.values())
            pairs.append((coded, None if leaves else own))
    ordered = [(coded, renamed[coded.source]) for coded in _in_order(definitions, renamed)]
    return [*ordered, *pairs]


def _renames(
    definitions: Sequence[CodedAssistant],
    by_name: Mapping[str, AssistantSummary],
    by_source: Mapping[str, AssistantSummary],
) -> dict[str, AssistantSummary]:
    """The assistants to rename, by their source file."""
    renamed: dict[str, AssistantSummary] = {}
    for coded in definitions:
        own, bearer = by_source.get(coded.source), by_name.get(coded.definition.name)
        exact = bearer is not None and bearer.source == coded.source
        if own is not None and own.name != coded.definition.name and not exact:
            renamed[coded.source] = own
    while True:
        leaving = {one.id for one in renamed.values()}
        kept = {
            coded.source: renamed[coded.source]
            for coded in definitions
            if coded.source in renamed and _is_free(by_name.get(coded.definition.name), leaving)
        }
        if len(kept) == len(renamed):
            circle = _circle(definitions, renamed)
            if not circle:
                return renamed
            kept = {source: one for source, one in renamed.items() if source not in circle}
        renamed = kept


def _is_free(bearer: AssistantSummary | None, leaving: set[str]) -> bool:
    return bearer is None or bearer.id in leaving


def _circle(
    definitions: Sequence[CodedAssistant], renamed: Mapping[str, AssistantSummary]
) -> set[str]:
    """The files whose renames depend on each other."""
    waiting = {c.source: c for c in definitions if c.source in renamed}
    for coded in _in_order(definitions, renamed):
        waiting.pop(coded.source)
    return set(waiting)


def _in_order(
    definitions: Sequence[CodedAssistant], renamed: Mapping[str, AssistantSummary]
) -> list[CodedAssistant]:
    """The renames in an order in which each name is free."""
    waiting = [coded for coded in definitions if coded.source in renamed]
    done: list[CodedAssistant] = []
    while True:
        taken = {renamed[coded.source].name for coded in waiting}
        ready = [coded for coded in waiting if coded.definition.name not in taken]
        if not ready:
            return done
        done += ready
        waiting = [coded for coded in waiting if coded not in ready]


def _refuse_ambiguous(
    definitions: Sequence[CodedAssistant], there: Sequence[AssistantSummary]
) -> None:
    bearers = Counter(one.name for one in there)
    for coded in definitions:
        name = coded.definition.name
        if bearers[name] > 1:
            ids = [one.id for one in there if one.name == name]
            raise UsageError(
                f"there are {len(ids)} assistants `{name}`: {' and '.join(f'`{i}`' for i in ids)}",
                hint=f"{cmd(f'assistant edit {ids[0]} --rename NEW')} tells them apart",
                code="ambiguous_name",
            )
