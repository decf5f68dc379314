"""The names that people complete: read from files of this machine, never asked of a server.

A source gets the words before the cursor and gives (name, meaning) pairs; what can't be read is
nothing to offer.
"""

from __future__ import annotations

import os

from gptasst.completion.profiles import chosen_profile, configured_profiles, named_profile
from gptasst.storage.paths import (
    ASSISTANTS_DATABASE,
    BATCH_RECORDS,
    CONVERSATIONS_DATABASE,
    FILE_CACHE,
    leaves_project_out,
    shipped_directory,
    user_directories,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gptasst.completion.profiles import ChosenProfile

_BUSY_SECONDS = 0.1
_OPENAI_MODELS = ("gpt-6-luna", "gpt-6.2-sol", "gpt-6.2-astra")
# Whose batch it is stands in the first line of its manifest.
_BATCHES = "SELECT DISTINCT id, json_extract(CAST(manifest AS TEXT), '$.name') FROM batches"


def assistants(words: list[str]) -> list[tuple[str, str]]:
    """The assistants of the profile's store: those here, or those of its project seen last.

    Where no profile is named and there is no key, those of every project: a key may be given to
    the command alone.
    """
    profile = chosen_profile(words)
    query = "SELECT DISTINCT name, 'assistant' FROM assistants"
    if profile is None:
        return [*_rows(ASSISTANTS_DATABASE, query), *_rows(FILE_CACHE, query)]
    if profile.store == "local":
        return _rows(ASSISTANTS_DATABASE, query)
    return _rows(FILE_CACHE, f"{query} WHERE scope = ?", profile.scope)


def models(words: list[str]) -> list[tuple[str, str]]:
    """The models that the profile names, and those that its server listed last."""
    return _models(chosen_profile(words))


def _models(profile: ChosenProfile | None) -> list[tuple[str, str]]:
    offered = [(model, "OpenAI") for model in _OPENAI_MODELS]
    if profile is None:
        tables = configured_profiles().items()
        named = {str(table["model"]): name for name, table in tables if table.get("model")}
        return [(model, f"profile {name}") for model, name in named.items()] + offered
    query = "SELECT name, '' FROM models WHERE scope = ?"
    listed = _rows(FILE_CACHE, query, profile.scope)
    named_here = [(profile.model, f"profile {profile.name}")] if profile.model else []
    return [*named_here, *(offered if profile.on_openai else ()), *listed]


def conversations(_: list[str]) -> list[tuple[str, str]]:
    """The conversations that this machine knows of, by id."""
    query = "SELECT id, assistant || ': ' || title FROM conversations"
    return _rows(CONVERSATIONS_DATABASE, query)


def batches(_: list[str]) -> list[tuple[str, str]]:
    """The batches that were submitted or fetched on this machine, by id."""
    return _rows(BATCH_RECORDS, _BATCHES)


def unfinished_batches(_: list[str]) -> list[tuple[str, str]]:
    """Those whose answers were not all there when they were last looked at."""
    return _rows(BATCH_RECORDS, _BATCHES + " WHERE NOT is_over")


def uploaded_files(_: list[str]) -> list[tuple[str, str]]:
    """The files on servers that were uploaded from this machine, by id."""
    return _rows(FILE_CACHE, "SELECT DISTINCT file_id, filename FROM uploads")


def _rows(file: str, query: str, *values: str) -> list[tuple[str, str]]:
    """Two columns of a database; nothing if it is not there, busy or damaged."""
    database = os.path.join(user_directories(os.environ)[1], file)
    if not os.path.exists(database):
        return []
    import sqlite3

    try:
        connection = sqlite3.connect(_read_only(database), uri=True, timeout=_BUSY_SECONDS)
        try:
            found = connection.execute(query, values)
            return [(str(name), _in_line(help)) for name, help in found]
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


def instructions(_: list[str]) -> list[tuple[str, str]]:
    """The instructions of the project, the user, and the package."""
    config = user_directories(os.environ)[0]
    found: list[tuple[str, str]] = []
    project = () if leaves_project_out(os.environ) else ("instructions",)
    for directory in (*project, os.path.join(config, "instructions"), shipped_directory()):
        try:
            files = os.listdir(directory)
        except OSError:
            continue
        names = [name[:-5] for name in files if name.endswith(".toml")]
        found += [(name, "instruction") for name in names if not name.endswith(".cases")]
    return found


def profiles(_: list[str]) -> list[tuple[str, str]]:
    """The built-in profiles and those of config.toml."""
    described = {"openai": "OpenAI", "local": "the embedded model"}
    for name, table in configured_profiles().items():
        url = str(table.get("base_url") or described.get(name, ""))
        described[name] = url.rpartition("@")[2]  # without a password
    return list(described.items())


def config_keys(_: list[str]) -> list[tuple[str, str]]:
    """The keys that `config set` takes, with the names of the profiles there are."""
    from gptasst.config.known_keys import KNOWN_KEYS

    names = sorted({"openai", *configured_profiles()})
    own = [key for key in KNOWN_KEYS if not key.startswith("profiles.")]
    inner = [key for key in KNOWN_KEYS if key.startswith("profiles.")]
    return [(key, "") for key in [*own, *(k.replace("NAME", n) for n in names for k in inner)]]


def config_values(words: list[str]) -> list[tuple[str, str]]:
    """What the key before the cursor can be set to, where that can be told."""
    key = words[-1] if words else ""
    if key == "profile":
        return profiles(words)
    table, _, inner = key.rpartition(".")
    name = table.removeprefix("profiles.").strip("\"'")
    if table == name:  # no profile's
        return []
    if inner == "model":
        return _models(named_profile(name))
    from gptasst.config.known_keys import PROFILE_KEYS, PROMPT_CACHES, STORES

    values = {"store": STORES, "prompt_cache": PROMPT_CACHES}.get(inner, ())
    if PROFILE_KEYS.get(inner) is bool:
        values = ("true", "false")
    return [(value, "") for value in values]


SOURCES: dict[str, Callable[[list[str]], list[tuple[str, str]]]] = {
    "assistant": assistants,
    "instruction": instructions,
    "profile": profiles,
    "model": models,
    "config-key": config_keys,
    "config-value": config_values,
    "conversation": conversations,
    "file-id": uploaded_files,
    "batch": batches,
    "unfinished-batch": unfinished_batches,
}
