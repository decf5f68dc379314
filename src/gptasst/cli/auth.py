"""`gptasst auth`: the key of the profile's server."""

from __future__ import annotations

import sys

from gptasst.cli.commands import CommandGroup, Session, command, line_ended
from gptasst.errors import UsageError

app = CommandGroup("Store the API key in the system keyring or a private file.")


@command(app, "login", epilog="Without a terminal: gptasst auth login < key.txt")
def login(session: Session) -> None:
    """Store a key for the profile's server (default: OpenAI)."""
    service = session.context.auth
    url = service.login_url()
    status = service.login(_read_key(url))
    text = f"kept the key {status.key} for {status.endpoint} in {status.source}"
    session.output.done(text, status, ident=status.endpoint)


def _read_key(url: str) -> str:
    """The key, typed without being shown, or piped in."""
    if sys.stdin is None:
        raise UsageError("there is no standard input to read the key from", code="no_input")
    if not sys.stdin.isatty():
        return sys.stdin.read()
    import getpass

    from gptasst.config.urls import shown_url

    with line_ended(sys.stderr):
        return getpass.getpass(f"key for {shown_url(url)}: ")


@command(app, "logout")
def logout(session: Session) -> None:
    """Delete the stored key of the profile's server."""
    status = session.context.auth.logout()
    session.output.done(f"forgot the key for {status.endpoint}", status, ident=status.endpoint)


@command(app, "status")
def status(session: Session) -> None:
    """Show where the key comes from, and its last characters."""
    found = session.context.auth.status()
    fields = [
        ("profile", found.profile),
        ("endpoint", found.endpoint),
        ("key", found.key or "none is needed"),
        ("from", found.source or "-"),
    ]
    session.output.record(found, fields, ident=found.source or "-")
