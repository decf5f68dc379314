"""`gptasst model`: the models of the profile's server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptasst.cli.commands import CommandGroup, command
from gptasst.cli.session import Session
from gptasst.cli.tables import Column

if TYPE_CHECKING:
    from gptasst.models.service import ListedModel

app = CommandGroup("The models of the profile's server.")


@command(app, "list")
def list_models(session: Session) -> None:
    """List the models, with their shutdown dates."""
    columns: list[Column[ListedModel]] = [
        Column("model", lambda m: m.id),
        Column(
            "created",
            lambda m: f"{m.created_at:%Y-%m-%d}" if m.created_at else "",
            gives_way=1,
            dim=True,
        ),
        Column("ends", _end),
        Column("successor", lambda m: m.successor or ""),
    ]
    with session.waiting():
        found = session.context.models.list()
    session.output.table(
        "models",
        found,
        columns,
        ident=lambda m: m.id,
        empty=f"{session.context.profile.endpoint} lists no models",
    )


def _end(model: ListedModel) -> str:
    if model.shutdown_date is None:
        return ""
    return f"{model.shutdown_date}{' !' if model.ends_soon else ''}"
