"""What tests of `apply` do again and again."""

from __future__ import annotations

from tests.assistants.project import writes
from tests.conftest import Cli
from tests.loopback import LoopbackServer


def definition(name: str, *more: str, instructions: str = "Be brief.") -> str:
    return "\n".join([f'name = "{name}"', f'instructions = "{instructions}"', *more, ""])


def paths_of(cli: Cli, name: str) -> list[str]:
    return [file["path"] for file in cli("assistant", "show", name, "--json").json["knowledge"]]


def names(cli: Cli) -> list[str]:
    return cli("assistant", "list", "-q").lines


def apply(cli: Cli, *words: str, code: int = 0) -> str:
    """Apply the directory `assistants`, or what is named; gives all that was printed."""
    ran = cli("apply", *(words or ("assistants",)), "-y")
    assert ran.code == code, ran.stderr
    return ran.text + ran.stderr


def settled(cli: Cli, server: LoopbackServer, *words: str) -> None:
    """A further apply finds nothing to do and writes nothing."""
    server.requests.clear()
    checked = cli("apply", *(words or ("assistants",)), "--check")
    assert checked.code == 0, checked.text
    assert cli("apply", *(words or ("assistants",)), "-y").code == 0
    assert writes(server) == []
