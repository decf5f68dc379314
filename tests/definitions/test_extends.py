"""Instructions that extend others: what is taken over, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gptasst.definitions.library import InstructionLibrary
from gptasst.errors import InvalidDefinition

_BASE = """\
description = "of the base"
model = "gpt-6-luna"
default_text = "Do it."
edits = true
instructions = "You do it in {{lang}}."
[edit]
max_change = 0.5
keep = ["code"]
[tools]
web_search = true
[settings]
temperature = 0.5
max_output_tokens = 100
[variables.lang]
default = "German"
description = "the language"
[variables.tone]
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "user").mkdir()
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped/Base.toml").write_text(_BASE)
    return tmp_path / "user"


@pytest.fixture
def library(own: Path) -> InstructionLibrary:
    return InstructionLibrary([("user", own), ("shipped", own.parent / "shipped")])


def test_what_is_not_said_is_taken_over(own: Path, library: InstructionLibrary) -> None:
    (own / "Mine.toml").write_text(
        'extends = "Base"\nmodel = "other"\n[tools]\nweb_search = false\ncode_interpreter = true\n'
        '[settings]\ntemperature = 0.25\n[edit]\nkeep = ["urls"]\n[variables.lang]\n'
        'default = "French"\n'
    )
    found = library.find("Mine")
    definition = found.definition
    assert (definition.name, definition.model, definition.extends) == ("Mine", "other", None)
    assert (definition.description, definition.default_text) == ("of the base", "Do it.")
    assert definition.tools.hosted == ("code_interpreter",)
    assert (definition.settings.temperature, definition.settings.max_output_tokens) == (0.25, 100)
    assert definition.edit is not None
    assert (definition.edit.keep, definition.edit.max_change) == (("urls",), 0.5)
    told: list[tuple[Any, ...]] = [(v.name, v.default, v.description) for v in definition.variables]
    assert told == [("lang", "French", "the language"), ("tone", None, "")]
    assert [(each.name, each.origin) for each in found.extended] == [("Base", "shipped")]


def test_instructions_are_added_level_by_level(own: Path, library: InstructionLibrary) -> None:
    (own / "A.toml").write_text('extends = "Base"\ninstructions_append = "Be {{tone}}."\n')
    (own / "B.toml").write_text('extends = "A"\ninstructions_append = "Be brief."\n')
    assert library.find("B").definition.instructions == (
        "You do it in {{lang}}.\n\nBe {{tone}}.\n\nBe brief."
    )


def test_a_base_that_edits_can_be_extended_by_what_does_not(
    own: Path, library: InstructionLibrary
) -> None:
    (own / "A.toml").write_text('extends = "Base"\nedits = false\n')
    assert library.find("A").definition.edit is None


def test_many_levels(own: Path, library: InstructionLibrary) -> None:
    for level in range(1, 1200):
        extends = "Base" if level == 1 else f"L{level - 1}"
        (own / f"L{level}.toml").write_text(f'extends = "{extends}"\n')
    found = library.find("L1199")
    assert found.definition.model == "gpt-6-luna"
    assert len(found.extended) == 1199


def test_an_instruction_extends_the_one_that_it_hides(
    own: Path, library: InstructionLibrary
) -> None:
    (own / "Base.toml").write_text('extends = "Base"\ninstructions_append = "And well."\n')
    assert library.find("Base").definition.instructions.endswith("{{lang}}.\n\nAnd well.")


def test_a_file_finds_what_lies_beside_it(own: Path, library: InstructionLibrary) -> None:
    elsewhere = own.parent / "assistants"
    elsewhere.mkdir()
    (elsewhere / "house.toml").write_text('extends = "Base"\nmodel = "house"\n')
    (elsewhere / "linter.toml").write_text('name = "Linter"\nextends = "house"\n')
    found = library.find(str(elsewhere / "linter.toml"))
    assert (found.definition.name, found.definition.model) == ("Linter", "house")
    assert [each.name for each in found.extended] == ["house", "Base"]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"A": 'extends = "A"'}, "A.toml:1: it extends itself: A -> A"),
        (
            {"A": 'extends = "B"', "B": 'extends = "C"', "C": 'extends = "A"'},
            "A.toml:1: it extends itself: A -> B -> C -> A",
        ),
        (
            {"A": 'extends = "B"', "B": 'extends = "C"', "C": '\nextends = "B"'},
            "it extends itself: A -> B -> C -> B",
        ),
        ({"A": 'extends = "Bsae"'}, "A.toml:1: it extends `Bsae`, and there is no such"),
        ({"A": 'extends = "B"', "B": "instructions = 3"}, "B.toml:1: key `instructions` must be"),
        ({"A": 'extends = "../B"'}, "A.toml:1: key `extends` is `../B`, which has a slash"),
        ({"A": 'extends = ""'}, "A.toml:1: key `extends` is empty"),
        (
            {"A": 'extends = "Base"\n[variables.lang]\nchoices = ["x"]'},
            "A.toml:2: key `variables.lang.default` is `German`, which is none of its choices",
        ),
        (
            {"A": 'instructions = "x"\ninstructions_append = "y"'},
            "A.toml:2: key `instructions_append` needs `extends`",
        ),
    ],
)
def test_what_is_refused(
    own: Path, library: InstructionLibrary, files: dict[str, str], problem: str
) -> None:
    for name, text in files.items():
        (own / f"{name}.toml").write_text(text + "\n")
    with pytest.raises(InvalidDefinition) as failure:
        library.find("A")
    assert problem in failure.value.message
    assert json.dumps(failure.value.message)
