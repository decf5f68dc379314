"""The names that people complete: read from files of this machine, never asked of a server.

A source gives (name, meaning) pairs; what can't be read is nothing to offer.
"""

from __future__ import annotations

import os

from gptasst.paths import (
    ASSISTANTS_DATABASE,
    BATCH_RECORDS,
    CONVERSATIONS_DATABASE,
    FILE_CACHE,
    shipped_directory,
    user_directories,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_BUSY_SECONDS = 0.1
# Whose batch it is stands in the first line of its manifest.
_BATCHES = "SELECT DISTINCT id, json_extract(CAST(manifest AS TEXT), '$.name') FROM batches"


def assistants() -> list[tuple[str, str]]:
    """Assistants whose names are known without asking a server.

    Those of the local store, and those of servers that were seen last.
    """
    query = "SELECT DISTINCT name, 'assistant' FROM assistants"
    return [*_rows(ASSISTANTS_DATABASE, query), *_rows(FILE_CACHE, query)]


def conversations() -> list[tuple[str, str]]:
    """The conversations that this machine knows of, by id."""
    query = "SELECT id, assistant || ': ' || title FROM conversations"
    return _rows(CONVERSATIONS_DATABASE, query)


def batches() -> list[tuple[str, str]]:
    """The batches that were submitted or fetched on this machine, by id."""
    return _rows(BATCH_RECORDS, _BATCHES)


def unfinished_batches() -> list[tuple[str, str]]:
    """Those whose answers were not all there when they were last looked at."""
    return _rows(BATCH_RECORDS, _BATCHES + " WHERE NOT is_over")


def uploaded_files() -> list[tuple[str, str]]:
    """The files on servers that were uploaded from this machine, by id."""
    return _rows(FILE_CACHE, "SELECT DISTINCT file_id, filename FROM uploads")


def _rows(file: str, query: str) -> list[tuple[str, str]]:
    """Two columns of a database; nothing if it is not there, busy or damaged."""
    database = os.path.join(user_directories(os.environ)[1], file)
    if not os.path.exists(database):
        return []
    import sqlite3

    try:
        connection = sqlite3.connect(_read_only(database), uri=True, timeout=_BUSY_SECONDS)
        try:
            return [(str(name), _in_line(help)) for name, help in connection.execute(query)]
        finally:
            connection.close()
    except sqlite3.Error:
        return []


def _in_line(text: object) -> str:
    return " ".join(str(text).split())


def _read_only(path: str) -> str:
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    escaped = escaped.replace("\\", "/")
    return f"file:{'' if escaped.startswith('/') else '/'}{escaped}?mode=ro"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the project, the user, and the package."""
    config, _ = user_directories(os.environ)
    found: list[tuple[str, str]] = []
    for directory in ("instructions", os.path.join(config, "instructions"), shipped_directory()):
        try:
            files = os.listdir(directory)
        except OSError:
            continue
        found += [(name[:-5], "instruction") for name in files if name.endswith(".toml")]
    return found


def profiles() -> list[tuple[str, str]]:
    """The built-in profiles and those of config.toml."""
    described = {"openai": "OpenAI", "local": "the embedded model"}
    for name, table in _configured_profiles().items():
        url = str(table.get("base_url") or described.get(name, ""))
        described[name] = url.rpartition("@")[2]  # without a password
    return list(described.items())


def models() -> list[tuple[str, str]]:
    """OpenAI's models for text, and those that profiles name."""
    tables = _configured_profiles().items()
    configured = {str(table["model"]): name for name, table in tables if table.get("model")}
    offered = [(model, "OpenAI") for model in ("gpt-6-luna", "gpt-6.2-sol", "gpt-6.2-astra")]
    return [(model, f"profile {name}") for model, name in configured.items()] + offered


def config_keys() -> list[tuple[str, str]]:
    """The keys that `config set` takes, with the names of the profiles there are."""
    keys = ["profile", "local.model", "local.sha256", "local.context", "local.threads"]
    inner = (
        "base_url", "model", "store", "api_key_env", "timeout", "input_file", "input_image",
        "batch_file_search",
    )  # fmt: skip
    names = sorted({"openai", *_configured_profiles()})
    return [(key, "") for key in [*keys, *(f"profiles.{n}.{k}" for n in names for k in inner)]]


def _configured_profiles() -> dict[str, dict[str, Any]]:
    path = os.path.join(user_directories(os.environ)[0], "config.toml")
    try:
        with open(path, encoding="utf-8-sig") as stream:
            text = stream.read()
    except (OSError, ValueError):
        return {}
    import tomllib

    try:
        tables = tomllib.loads(text).get("profiles", {})
    except tomllib.TOMLDecodeError:
        return {}
    if not isinstance(tables, dict):
        return {}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


SOURCES: dict[str, Callable[[], list[tuple[str, str]]]] = {
    "assistant": assistants,
    "instruction": instructions,
    "profile": profiles,
    "model": models,
    "config-key": config_keys,
    "conversation": conversations,
    "file-id": uploaded_files,
    "batch": batches,
    "unfinished-batch": unfinished_batches,
}
