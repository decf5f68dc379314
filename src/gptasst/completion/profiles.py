"""The profile of a command line, as far as completion depends on it.

`gptasst.config.settings` decides the same with full reasons, but loads too slowly for a key press;
a test compares the two.
"""

from __future__ import annotations

import os

from gptasst.storage.paths import user_directories

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OPENAI_URL = "https://api.openai.com/v1"
_OPENAI_HOST = "api.openai.com"
_OPENAI_VARIABLES = ("GPTASST_BASE_URL", "GPTASST_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY")


class ChosenProfile:
    """The store of a profile's assistants, and the cache scope of its server."""

    __slots__ = ("model", "name", "on_openai", "scope", "store")

    def __init__(self, name: str, table: dict[str, Any]) -> None:
        url = _base_url(name, table)
        project = os.environ.get("OPENAI_PROJECT_ID") if name == "openai" else None
        self.name = name
        self.model = str(table.get("model") or "")
        self.on_openai = _is_openai(url)
        self.scope = _kept(url) + (f"#{project}" if project else "")
        usual = "openai" if name == "openai" or self.on_openai else "local"
        self.store = os.environ.get("GPTASST_STORE") or str(table.get("store") or usual)


def configured_profiles() -> dict[str, dict[str, Any]]:
    """The tables of the profiles in config.toml, by name."""
    return tables(read_config(), "profiles")


def chosen_profile(words: list[str]) -> ChosenProfile | None:
    """The profile from words and environment; `None` if there is neither a profile nor a key.

    Then the command may set a key itself, and the profile is unknown.
    """
    config = read_config()
    configured = tables(config, "profiles")
    name = _asked(words) or os.environ.get("GPTASST_PROFILE") or config.get("profile")
    if not name and _has_key(configured.get("openai", {})):
        name = "openai"
    return ChosenProfile(str(name), configured.get(str(name), {})) if name else None


def named_profile(name: str) -> ChosenProfile:
    """A profile by its name."""
    return ChosenProfile(name, configured_profiles().get(name, {}))


def _asked(words: list[str]) -> str:
    asked, value_follows = "", False
    for word in words:
        if value_follows:
            asked = word
        elif word == "--":
            break
        elif word.startswith("--profile="):
            asked = word.partition("=")[2]
        value_follows = word == "--profile"
    return asked


def _has_key(table: dict[str, Any]) -> bool:
    """Whether a key or URL for OpenAI is in the environment, or a key is stored."""
    if any(map(os.environ.get, _OPENAI_VARIABLES)):
        return True
    keys = os.path.join(user_directories(os.environ)[0], "keys.json")
    try:
        with open(keys, encoding="utf-8") as stream:
            return f'"{_base_url("openai", table)}"' in stream.read()
    except (OSError, ValueError):
        return False


def _base_url(name: str, table: dict[str, Any]) -> str:
    if name == "local":
        return ""
    given = os.environ.get("GPTASST_BASE_URL")
    configured = str(table.get("base_url") or "")
    if not given and name == "openai":
        given = os.environ.get("OPENAI_BASE_URL") or configured or _OPENAI_URL
    return given or configured


def _kept(url: str) -> str:
    """A URL in its stored form, without password and query."""
    if not url:
        return str(None)
    scheme, _, rest = url.partition("://")
    place, _, path = rest.partition("?")[0].partition("/")
    user, at, host = place.rpartition("@")
    path = path.rstrip("/").removesuffix("responses").rstrip("/") if path else ""
    slash = "/" if path else ""
    return f"{scheme.lower()}://{user.partition(':')[0]}{at}{host}{slash}{path}"


def _is_openai(url: str) -> bool:
    place = url.partition("://")[2].partition("?")[0].partition("/")[0]
    host = place.rpartition("@")[2].partition(":")[0].lower()
    return host == _OPENAI_HOST or host.endswith(f".{_OPENAI_HOST}")


_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")

_WORDS = {"true": True, "false": False}


def read_config() -> dict[str, Any]:
    """The contents of the file; empty if it can't be read."""
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
    """The tables of a simple TOML document; `None` if it needs a full parser."""
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
