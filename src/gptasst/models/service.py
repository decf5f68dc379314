"""The models that can be asked for, and when they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol

from gptasst.api.types import ServerModel
from gptasst.models.catalog import Shutdown, ends_soon


class ModelSource(Protocol):
    """Where models are listed; `openai_gateway.models.ModelGateway` is one."""

    def list(self) -> Sequence[ServerModel]: ...


class EmbeddedModels:
    """The one model that runs on this machine."""

    def __init__(self, name: str) -> None:
        self._name = name

    def list(self) -> Sequence[ServerModel]:
        return [ServerModel(self._name, "embedded", None)]


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A line of `model list`. `successor` is what to use instead, where that is known."""

    id: str
    owner: str
    created_at: datetime | None
    shutdown_date: date | None
    ends_soon: bool
    successor: str | None


class ModelService:
    """What can be known of an endpoint's models.

    Args:
        open_source: makes the connection; called when it is needed.
        known_end: tells when a model of the endpoint ends, where that is known.
        remember: told the names of all that were listed, and when they end by the server's word.
    """

    def __init__(
        self,
        open_source: Callable[[], ModelSource],
        known_end: Callable[[str], Shutdown | None],
        remember: Callable[[Sequence[tuple[str, date | None]]], None] = lambda _: None,
    ) -> None:
        self._open_source = open_source
        self._known_end = known_end
        self._remember = remember

    def list(self) -> Sequence[ListedModel]:
        """Every model of the endpoint. Its own dates count; our catalog fills the gaps."""
        today = datetime.now(UTC).date()
        models = self._open_source().list()
        self._remember([(model.id, model.shutdown_date) for model in models])
        return [_listed(model, self._known_end(model.id), today) for model in models]


def _listed(model: ServerModel, known: Shutdown | None, today: date) -> ListedModel:
    end = model.shutdown_date or (known.date if known else None)
    return ListedModel(
        id=model.id,
        owner=model.owner,
        created_at=model.created_at,
        shutdown_date=end,
        ends_soon=bool(end and ends_soon(end, today)),
        successor=known.successor if known else None,
    )
