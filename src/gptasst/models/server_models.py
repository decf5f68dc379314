"""Models as a server lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class ServerModel:
    """A model that a server has. Without a `shutdown_date` its end is not known."""

    id: str
    owner: str
    created_at: datetime | None
    shutdown_date: date | None = None
