"""Names for completion, read from local files, never from a server.

A source takes the words before the cursor and returns (name, meaning) pairs, none if its file
can't be read.
"""

from __future__ import annotations

import os

from gptasst.completion.profiles import (
    chosen_profile,
    configured_profiles,
    named_profile,
    read_config,
)
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
# In the names of models that give no answers in words: servers list them as well.
_OTHER_MODELS = (
    "embed", "bge-", "minilm", "rerank", "moderation", "whisper", "transcribe", "tts", "audio",
    "realtime", "image", "dall-e", "sora", "babbage", "davinci",
)  # fmt: skip
_OPENAI_MODELS = ("gpt-6-luna", "gpt-6.2-sol", "gpt-6.2-astra")
# The assistant of a batch is in the first line of its manifest.
_BATCHES = "SELECT DISTINCT id, json_extract(CAST(manifest AS TEXT), '$.name') FROM batches"


def assistants(words: list[str]) -> list[tuple[str, str]]:
    """The assistants of the profile's store: local ones, or those of the project as last seen.

    Without a profile and a key, those of every project, because the command may set a key itself.
    """
    profile = chosen_profile(words)
    query = "SELECT DISTINCT name, 'assistant' FROM assistants"
    if profile is None:
        return [*_rows(ASSISTANTS_DATABASE, query), *_rows(FILE_CACHE, query)]
    if profile.store == "local":
        return _rows(ASSISTANTS_DATABASE, query)
    return _rows(FILE_CACHE, f"{query} WHERE scope = ?", profile.scope)


def models(words: list[str]) -> list[tuple[str, str]]:
    """The profile's models, and those that its server last listed, if they give answers."""
    return _models(chosen_profile(words))


def _models(profile: ChosenProfile | None) -> list[tuple[str, str]]:
    offered = [(model, "OpenAI") for model in _OPENAI_MODELS]
    if profile is None:
        tables = configured_profiles().items()
        named = {str(table["model"]): name for name, table in tables if table.get("model")}
        return [(model, f"profile {name}") for model, name in named.items()] + offered
    query = (
        "SELECT name, '' FROM models WHERE scope = ?"
        " AND (shutdown_date IS NULL OR shutdown_date > date('now'))"
    )
    listed = [row for row in _rows(FILE_CACHE, query, profile.scope) if _answers(row[0])]
    named_here = [(profile.model, f"profile {profile.name}")] if profile.model else []
    return [*named_here, *(offered if profile.on_openai else ()), *listed]


def _answers(model: str) -> bool:
    folded = model.casefold()
    return not any(part in folded for part in _OTHER_MODELS)


def conversations(_: list[str]) -> list[tuple[str, str]]:
    """The conversations that this machine knows, by id."""
    query = "SELECT id, assistant || ': ' || title FROM conversations"
    return _rows(CONVERSATIONS_DATABASE, query)


def batches(_: list[str]) -> list[tuple[str, str]]:
    """The batches that were submitted or fetched on this machine, by id."""
    return _rows(BATCH_RECORDS, _BATCHES)


def unfinished_batches(_: list[str]) -> list[tuple[str, str]]:
    """Batches whose answers were not complete when last checked."""
    return _rows(BATCH_RECORDS, _BATCHES + " WHERE NOT is_over")


def uploaded_files(_: list[str]) -> list[tuple[str, str]]:
    """Files on servers that this machine uploaded, by id."""
    return _rows(FILE_CACHE, "SELECT DISTINCT file_id, filename FROM uploads")


def _rows(file: str, query: str, *values: str) -> list[tuple[str, str]]:
    """Two columns of a database; nothing if it is missing, busy or damaged."""
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
    """The instructions of the project, a team, the user, and the package."""
    found: list[tuple[str, str]] = []
    for directory in _instruction_directories():
        try:
            files = os.listdir(directory)
        except OSError:
            continue
        names = [name[:-5] for name in files if name.endswith(".toml")]
        found += [(name, "instruction") for name in names if not name.endswith(".cases")]
    return found


def _instruction_directories() -> list[str]:
    """Where instructions are looked for, nearest first."""
    from gptasst.config.known_keys import INSTRUCTIONS_PATH

    directories = [] if leaves_project_out(os.environ) else ["instructions"]
    path = os.environ.get(INSTRUCTIONS_PATH)
    words: object = path
    if path is None:
        table = read_config().get("instructions")
        words = table.get("path") if isinstance(table, dict) else None
    listed = words.split(os.pathsep) if isinstance(words, str) else words
    if isinstance(listed, list):
        directories += [os.path.expanduser(str(word)) for word in listed if word]
    config = user_directories(os.environ)[0]
    return [*directories, os.path.join(config, "instructions"), shipped_directory()]


_MOST_LEVELS = 20  # of instructions that extend each other


def variables(words: list[str]) -> list[tuple[str, str]]:
    """`NAME=` of each variable of the assistant or instruction that is named, or its choices."""
    declared: dict[str, dict[str, object]] = {}
    name = _definition_named(words)
    for text in (_kept_definition(name, words), *_instruction_texts(name)) if name else ():
        import tomllib

        try:
            found = tomllib.loads(text).get("variables") if text else None
        except tomllib.TOMLDecodeError:
            continue
        for variable, table in found.items() if isinstance(found, dict) else ():
            if isinstance(table, dict):
                declared[variable] = {**table, **declared.get(variable, {})}
        if text and text.startswith("#"):
            break  # an assistant's, which comes before an instruction of that name
    offered: list[tuple[str, str]] = []
    for variable, table in declared.items():
        help, choices = _in_line(table.get("description", "")), table.get("choices")
        values = choices if isinstance(choices, list) else [""]
        offered += [(f"{variable}={value}", help) for value in values]
    return offered


def _definition_named(words: list[str]) -> str:
    """The assistant or instruction that a command line names."""
    for option in ("-i", "--instruction"):
        if option in words[:-1]:
            return words[words.index(option) + 1]
    known = {name for name, _ in (*assistants(words), *instructions(words))}
    return next((word for word in words if word in known or word.endswith(".toml")), "")


def _kept_definition(name: str, words: list[str]) -> str:
    """The newest definition of an assistant that this machine knows."""
    query = (
        "SELECT '# ' || char(10) || definition, '' FROM revisions JOIN assistants"
        " ON id = assistant_id AND number = revision WHERE name = ?"
    )
    profile = chosen_profile(words)
    found = []
    if profile is None or profile.store == "local":
        found = _rows(ASSISTANTS_DATABASE, query, name)
    if not found and (profile is None or profile.store != "local"):
        line = f'%name = "{name}"' + chr(10) + "%"
        query = "SELECT text, '' FROM definitions WHERE text LIKE ? ORDER BY rowid DESC LIMIT 1"
        found = _rows(FILE_CACHE, query, line)
    return found[0][0] if found else ""


def _instruction_texts(name: str) -> list[str]:
    """The text of an instruction, then of what it extends, level by level."""
    import tomllib

    texts: list[str] = []
    directories, given = _instruction_directories(), name
    seen: set[str] = set()
    while given and len(texts) < _MOST_LEVELS:
        places = [given] if given.endswith(".toml") else []
        places = places or [os.path.join(d, f"{given}.toml") for d in directories]
        place = next((p for p in places if p not in seen and os.path.isfile(p)), "")
        if not place:
            break
        seen.add(place)
        try:
            with open(place, encoding="utf-8-sig") as stream:
                texts.append(stream.read())
            extends = tomllib.loads(texts[-1]).get("extends")
        except (OSError, ValueError):
            break
        given = extends if isinstance(extends, str) else ""
    return texts


def profiles(_: list[str]) -> list[tuple[str, str]]:
    """The built-in profiles and those of config.toml."""
    described = {"openai": "OpenAI", "local": "the embedded model"}
    for name, table in configured_profiles().items():
        url = str(table.get("base_url") or described.get(name, ""))
        described[name] = url.rpartition("@")[2]  # without a password
    return list(described.items())


def config_keys(_: list[str]) -> list[tuple[str, str]]:
    """The keys of `config set`, with the names of existing profiles."""
    from gptasst.config.known_keys import KNOWN_KEYS

    names = sorted({"openai", *configured_profiles()})
    own = [key for key in KNOWN_KEYS if not key.startswith("profiles.")]
    inner = [key for key in KNOWN_KEYS if key.startswith("profiles.")]
    return [(key, "") for key in [*own, *(k.replace("NAME", n) for n in names for k in inner)]]


def config_values(words: list[str]) -> list[tuple[str, str]]:
    """The possible values of the key before the cursor, if they are known."""
    key = words[-1] if words else ""
    if key == "profile":
        return profiles(words)
    table, _, inner = key.rpartition(".")
    name = table.removeprefix("profiles.").strip("\"'")
    if table == name:  # not a profile's key
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
    "variable": variables,
    "unfinished-batch": unfinished_batches,
}
