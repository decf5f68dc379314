"""`gptasst config`: show the settings in force and their sources, and change them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.commands import CommandGroup, command
from gptasst.cli.session import Session
from gptasst.cli.tables import Column

if TYPE_CHECKING:
    from gptasst.config.editing import ConfigValue

app = CommandGroup("Show and change the configuration.")


@command(app, "show")
def show(session: Session) -> None:
    """Show each setting and where it comes from."""
    columns: list[Column[ConfigValue]] = [
        Column("key", lambda v: v.key),
        Column("value", _text, wraps=True),
        Column("from", lambda v: v.source, wraps=True),
    ]
    session.output.table(
        "values",
        session.context.configuration.show(),
        columns,
        ident=lambda v: f"{v.key}={_text(v)}",
        empty="nothing is configured",
    )


def _text(value: ConfigValue) -> str:
    if isinstance(value.value, bool):
        return str(value.value).lower()
    if isinstance(value.value, float):
        return f"{value.value:g}"
    return "-" if value.value is None else str(value.value)


@command(app, "path")
def path(session: Session) -> None:
    """Print the path of config.toml, which may not exist yet."""
    found = str(session.context.paths.config_file)
    if session.output.mode == "json":
        session.output.document({"path": found})
    else:
        session.output.text(found)


@command(
    app,
    "set",
    examples=["gptasst config set profiles.ollama.base_url http://127.0.0.1:11434/v1"],
)
def set_value(
    session: Session,
    key: Annotated[
        str,
        typer.Argument(help="A key such as `profile`, `local.context` or `profiles.NAME.model`."),
    ],
    value: Annotated[str, typer.Argument(help="Its new value.")],
) -> None:
    """Set a key of config.toml; comments stay. What would not be valid is not written."""
    done = session.context.configuration.set(key, value)
    session.output.done(f"`{key}` is now `{_text(done)}` ({done.source})", done, ident=key)
