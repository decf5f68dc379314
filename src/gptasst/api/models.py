"""The models of an endpoint."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from gptasst.api.connection import Connection
from gptasst.api.types import ServerModel


class ModelGateway:
    """What `GET /v1/models` tells."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[ServerModel]:
        """Every model that the key may use, by name.

        Raises:
            GptasstError: see `errors`.
        """
        found = self._connection.listed(self._connection.client.models.list, _model)
        return sorted(found, key=lambda model: model.id)


def _model(model: Any) -> ServerModel:
    # Servers leave out what the SDK's types promise.
    created = getattr(model, "created", None)
    return ServerModel(
        id=model.id,
        owner=getattr(model, "owned_by", None) or "",
        created_at=datetime.fromtimestamp(created, UTC) if created else None,
        shutdown_date=_date(getattr(model, "shutdown_date", None)),
    )


def _date(text: object) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
