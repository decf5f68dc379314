"""`config.toml` as completion needs it.

Most are tables of plain values, which are read here: `tomllib` takes as long to load as Python
to start, and is asked for the rest.
"""

from __future__ import annotations

import os

from gptasst.storage.paths import user_directories

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_WORDS = {"true": True, "false": False}


def read_config() -> dict[str, Any]:
    """What the file holds; nothing where it can't be read."""
    path = os.path.join(user_directories(os.environ)[0], "config.toml")
    try:
        with open(path, encoding="utf-8-sig") as stream:
            text = stream.read()
    except (OSError, ValueError):
        return {}
    plain = plain_tables(text)
    if plain is not None:
        return plain
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def tables(config: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """The tables in a table, by name."""
    table = config.get(name)
    inner = table.items() if isinstance(table, dict) else ()
    return {key: value for key, value in inner if isinstance(value, dict)}


def plain_tables(text: str) -> dict[str, Any] | None:
    """The tables of a TOML document; `None`: it takes more than this to read it."""
    document: dict[str, Any] = {}
    table = document
    for line in map(str.strip, text.split("\n")):
        if line.startswith("["):
            found = _table(document, line)
            if found is None:
                return None
            table = found
        elif line and not line.startswith("#"):
            key, _, value = (part.strip() for part in line.partition("="))
            plain = _value(value)
            if plain is None or not _is_bare(key) or key in table:
                return None
            table[key] = plain
    return document


def _table(document: dict[str, Any], line: str) -> dict[str, Any] | None:
    names = line[1:-1].split(".")
    if not (line.endswith("]") and all(map(_is_bare, names))):
        return None
    table = document
    for name in names:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            return None
    return table


def _value(text: str) -> str | int | bool | None:
    inner = text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inner and "\\" not in inner:
        return inner
    if text.isascii() and text.isdigit() and text[0] != "0":
        return int(text)
    return _WORDS.get(text)


def _is_bare(key: str) -> bool:
    return bool(key) and _BARE.issuperset(key)
