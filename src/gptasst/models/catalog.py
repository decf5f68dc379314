"""Models that OpenAI has retired or is about to, with their successors.

From OpenAI's deprecations page, November 2026. `GET /v1/models` gives `shutdown_date` for
models that are still there; this table is for those that are not.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shutdown:
    """When a model stops answering, and what to use instead."""

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


# So long before its end people are told that a model ends.
WARNING_DAYS = 60


def ends_soon(date: datetime.date, today: datetime.date) -> bool:
    """Whether a model is gone already, or will be within `WARNING_DAYS`."""
    return date <= today + datetime.timedelta(days=WARNING_DAYS)


# What is left of a snapshot's name without its model: `-0613`, `-2024-04-09`, `-0125-preview`.
_SNAPSHOT = re.compile(r"(-(\d{4}(-\d\d-\d\d)?|16k|32k))*(-preview)?$")


def shutdown_of(model: str) -> Shutdown | None:
    """The end of a model, or of the model that it is a snapshot of; `None`: none is known."""
    for name in sorted(SHUTDOWNS, key=len, reverse=True):
        if model.startswith(name) and _SNAPSHOT.match(model, len(name)):
            return SHUTDOWNS[name]
    return None
