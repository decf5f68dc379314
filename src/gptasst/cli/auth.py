"""`gptasst auth`: the key of the profile's server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from gptasst.cli.commands import CommandGroup, command
from gptasst.cli.session import Session, line_ended
from gptasst.errors import UsageError

if TYPE_CHECKING:
    from gptasst.config.keys import AuthStatus, HeaderStatus

_Header = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The header that holds the key: `api-key` at Azure."),
]

app = CommandGroup("Store the API key in the system keyring or a private file.")


@command(app, "login", epilog="Without a terminal: gptasst auth login < key.txt")
def login(session: Session, header: _Header = None) -> None:
    """Store a key for the profile's server (default: OpenAI)."""
    service = session.context.auth
    url = service.login_url()
    status = service.login(_read_key(url, header), header)
    text = f"kept the key {status.key} for {status.endpoint} in {status.source}"
    for kept in status.headers:
        text = f"kept the header {kept.name} {kept.value} for {status.endpoint} in {kept.source}"
    session.output.done(text, status, ident=status.endpoint)


def _read_key(url: str, header: str | None) -> str:
    """The key or header value, typed without echo or piped in."""
    if sys.stdin is None:
        raise UsageError("there is no standard input to read the key from", code="no_input")
    if not sys.stdin.isatty():
        return sys.stdin.read()
    import getpass

    from gptasst.config.urls import shown_url

    with line_ended(sys.stderr):
        return getpass.getpass(f"{header or 'key'} for {shown_url(url)}: ")


@command(app, "logout")
def logout(session: Session, header: _Header = None) -> None:
    """Delete the stored key of the profile's server."""
    status = session.context.auth.logout(header)
    what = "the key" if header is None else f"the header {header}"
    session.output.done(f"forgot {what} for {status.endpoint}", status, ident=status.endpoint)


@command(app, "status")
def status(session: Session) -> None:
    """Show where the key comes from, and its last characters."""
    found = session.context.auth.status()
    none = "not needed" if not found.headers else "sent in a header"
    fields = [
        ("profile", found.profile),
        ("endpoint", found.endpoint),
        ("key", found.key or none),
        ("from", found.source or "-"),
        *((f"header {header.name}", _shown(header)) for header in found.headers),
    ]
    session.output.record(found, fields, ident=_source(found))


def _shown(header: HeaderStatus) -> str:
    return f"{header.value} from {header.source}"


def _source(found: AuthStatus) -> str:
    sources = [found.source, *(header.source for header in found.headers)]
    return next(filter(None, sources), "-")
