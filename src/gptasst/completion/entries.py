"""What the table of commands is made of. Only types: nothing is loaded while completing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class Option(TypedDict):
    """`value` is the kinds of value, empty for a switch; `many` takes all words after it."""

    names: tuple[str, ...]
    value: str
    many: bool
    help: str


class CommandEntry(TypedDict):
    """`commands` are those of a group; `arguments` the kinds of each, the last repeated."""

    commands: Mapping[str, str]
    options: tuple[Option, ...]
    arguments: tuple[str, ...]
    many: bool
