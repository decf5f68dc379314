"""How requests to the embedded model begin is computed once, and kept."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gptasst.embedded import prefixes
from tests.conftest import Cli, Write

pytestmark = [pytest.mark.embedded, pytest.mark.usefixtures("embedded")]


@pytest.fixture
def kept(home: Path) -> Path:
    return home / "data/prefixes"


@pytest.fixture
def instruction(write: Write) -> str:
    """An instruction that is long enough to be kept, and whose answers are short."""
    schema = {
        "type": "object",
        "properties": {"yes": {"type": "boolean"}},
        "required": ["yes"],
        "additionalProperties": False,
    }
    told = "Answer in JSON. " + "Cats and dogs are pets. Wolves and bears are none. " * 10
    text = f"instructions = '{told}'\nschema = '{json.dumps(schema)}'\n"
    return str(write("YesOrNo.toml", text))


def asked(cli: Cli, instruction: str, text: str = "Is a cat a pet?") -> Any:
    ran = cli("run", instruction, "-t", text, "--json", "--profile", "local")
    assert ran.code == 0, ran.stderr
    return ran.json


def only(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def test_they_are_computed_once_whatever_the_input(cli: Cli, kept: Path, instruction: str) -> None:
    first = asked(cli, instruction)
    before = only(kept)
    content = before.read_bytes()
    if sys.platform != "win32":
        assert [path.stat().st_mode & 0o777 for path in (kept, before)] == [0o700, 0o600]

    again = asked(cli, instruction)
    assert again["answer"] == first["answer"]
    other = asked(cli, instruction, "Is a bear a pet? " * 5)
    for result in (again, other):
        assert result["usage"]["cached"] > 100
    assert only(kept) == before
    assert before.read_bytes() == content


def test_each_instruction_has_its_own(cli: Cli, kept: Path, instruction: str, write: Write) -> None:
    asked(cli, instruction)
    other = Path(instruction).read_text("utf-8").replace("Wolves", "Foxes")
    asked(cli, str(write("Other.toml", other)))
    assert len(list(kept.iterdir())) == 2


def test_short_instructions_are_not_kept(cli: Cli, kept: Path, write: Write) -> None:
    write("Short.toml", "instructions = 'Say yes.'\n[settings]\nmax_output_tokens = 1\n")
    cli("run", "Short.toml", "-t", "Yes?", "--profile", "local")
    assert not kept.exists() or list(kept.iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "cut off", "of something else"])
def test_a_damaged_one_is_made_again(cli: Cli, kept: Path, instruction: str, damage: str) -> None:
    first = asked(cli, instruction)
    path = only(kept)
    content = path.read_bytes()
    if damage == "of something else":  # with the name that it would have
        key = path.name.partition("-")[0]
        path.unlink()
        path = path.with_name(f"{key}-{hashlib.sha256(b'something').hexdigest()}.prefix")
        path.write_bytes(b"something")
    else:
        half = len(content) // 2
        path.write_bytes(content[:half] + (b"x" * half if damage == "changed" else b""))
    assert asked(cli, instruction)["answer"] == first["answer"]
    assert only(kept).read_bytes() == content


def test_the_ones_that_were_not_used_for_longest_make_room(
    cli: Cli, kept: Path, instruction: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(cli, instruction)
    first = only(kept)
    monkeypatch.setattr(prefixes, "_MOST_BYTES", first.stat().st_size * 1.5)
    other = Path(instruction).read_text("utf-8").replace("Wolves", "Foxes")
    asked(cli, str(write("Other.toml", other)))
    assert only(kept) != first


def test_where_none_can_be_kept_runs_go_on(cli: Cli, kept: Path, instruction: str) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("a file where the directory should be")
    assert "yes" in json.loads(asked(cli, instruction)["answer"])
