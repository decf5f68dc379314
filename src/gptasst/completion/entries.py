"""The types of the table of commands. Nothing here is loaded while completing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict


class Option(TypedDict):
    """`value` has the kinds of value, empty for a switch; `many` takes all following words."""

    names: tuple[str, ...]
    value: str
    many: bool
    help: str


class CommandEntry(TypedDict):
    """`commands` are those of a group; `arguments` their kinds, the last repeated."""

    commands: Mapping[str, str]
    options: tuple[Option, ...]
    arguments: tuple[str, ...]
    many: bool
