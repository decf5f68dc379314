"""The configuration: the values in force and their sources, and changes to `config.toml`."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gptasst.config.known_keys import (
    HEADER_TABLES,
    INSTRUCTION_KEYS,
    INSTRUCTIONS_PATH,
    KNOWN_KEYS,
    LOCAL_KEYS,
    MCP_KEYS,
    PRICE_KEYS,
    PROFILE_KEYS,
    USAGE_KEYS,
    VARIABLES,
)
from gptasst.config.profile import Profile
from gptasst.config.settings import Settings
from gptasst.config.urls import listed_url, query_secrets
from gptasst.errors import InvalidDefinition, StateError, UsageError
from gptasst.hints import cmd, did_you_mean, nearest, suggestion
from gptasst.storage.atomic_files import replace_private
from gptasst.values import dataclass

_SECRET = re.compile(r"(?i)(^|[-_.])(api[-_]?key|key|token|secret|password|authorization)$")
# Looks like a key instead of a variable's name: long, with digits, without underscores.
_KEY_LIKE = re.compile(r"(?=.*\d)[A-Za-z0-9+/=.-]{20,}")
_PASSWORD = re.compile(r"[^:/]+://[^/@]*:[^/]*@")
_SECRET_VALUE = re.compile(r"\s*(sk-|Bearer\s)\S{8,}")


_Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """A value in force: `source` is a variable, `FILE:LINE`, an option, or `default`."""

    key: str
    value: _Value
    source: str


class ConfigurationService:
    """Shows and changes the configuration.

    Args:
        settings: the current settings.
        config_file: the file to change.
        environ: the environment variables.
        profile_name: the value of `--profile`.
    """

    def __init__(
        self,
        settings: Settings,
        config_file: Path,
        environ: Mapping[str, str],
        profile_name: str | None,
    ) -> None:
        self._settings = settings
        self._config_file = config_file
        self._environ = environ
        self._profile_name = profile_name

    def show(self) -> Sequence[ConfigValue]:
        """The values in force for the profile, and their sources."""
        profile = self._settings.profile(self._profile_name)
        return [
            ConfigValue("profile", profile.name, self._profile_source(profile)),
            *self._profile_values(profile),
            self._instruction_path(),
            *(
                ConfigValue(f"{MCP_KEYS}.{name}", host, self._source(MCP_KEYS, name))
                for name, host in self._settings.mcp_keys.hosts().items()
            ),
            *self._local_values(),
            ConfigValue(
                "usage.record", self._settings.records_usage(), self._source("usage", "record")
            ),
            *self._prices(),
        ]

    def _profile_source(self, profile: Profile) -> str:
        if self._profile_name:
            return "--profile"
        named = self._source("profile", variable="GPTASST_PROFILE")
        if named != "default":
            return named
        return "a key or base URL for OpenAI" if profile.chosen == "key" else "default: no key"

    def _profile_values(self, profile: Profile) -> Iterator[ConfigValue]:
        explicit = profile.sets_breakpoints(model_takes_them=True)
        values = {
            "base_url": listed_url(profile.base_url) if profile.base_url else None,
            "model": profile.model,
            "store": profile.store,
            "timeout": profile.timeout,
            "input_file": profile.input_file,
            "input_image": profile.input_image,
            "batch_file_search": profile.batch_file_search,
            "function_tools": profile.function_tools,
            "context": profile.context,
            "embedding_model": profile.embedding_model,
            "prompt_cache": "explicit" if explicit else "off",
        }
        for key, value in values.items():
            variable = VARIABLES.get(key)
            source = self._source("profiles", profile.name, key, variable=variable)
            if key == "base_url" and source != variable and profile.name == "openai":
                source = "OPENAI_BASE_URL" if self._environ.get("OPENAI_BASE_URL") else source
            if key == "base_url" and value is None:
                source = "default"
            yield ConfigValue(key, value, source)
        there = "set" if profile.api_key else None
        yield ConfigValue("key", there, profile.key_source or "no key is sent")
        headers = profile.headers
        for name in headers.values:  # values of headers may be secret
            place = self._source("profiles", profile.name, "headers", name)
            yield ConfigValue(f"headers.{name}", "set", headers.sources.get(name, place))
        for name, variable in headers.missing.items():
            yield ConfigValue(f"headers.{name}", None, f"{variable}, which is not set")

    def _local_values(self) -> Iterator[ConfigValue]:
        local = self._settings.local_model()
        for key in LOCAL_KEYS:
            variable = "GPTASST_LOCAL_MODEL" if key == "model" else None
            value = getattr(local, key)
            if key == "model":
                value = _shown(("local", "model"), value)
            yield ConfigValue(f"local.{key}", value, self._source("local", key, variable=variable))

    def _instruction_path(self) -> ConfigValue:
        paths = os.pathsep.join(map(str, self._settings.instruction_path()))
        source = self._source("instructions", "path")
        if INSTRUCTIONS_PATH in self._environ:
            source = INSTRUCTIONS_PATH
        return ConfigValue("instructions.path", paths or None, source)

    def _prices(self) -> Iterator[ConfigValue]:
        for model, prices in self._settings.prices().items():
            for key, value in prices.items():
                source = self._source("prices", model, key)
                yield ConfigValue(f"prices.{model}.{key}", value, source)

    def _source(self, *path: str, variable: str | None = None) -> str:
        if variable and self._environ.get(variable):
            return variable
        return self._settings.place(*path) or "default"

    def set(self, key: str, value: str) -> ConfigValue:
        """Set a key of `config.toml`; comments and everything else stay.

        Args:
            key: with dots: `profile`, `local.context`, `profiles.NAME.model`, `prices.MODEL.input`.
            value: as typed.

        Raises:
            UsageError: there is no such key, it is secret, or the value does not fit it.
            GptasstError: the changed file would not be valid for `Settings`.
            StateError: the file can't be written. After any error, it is unchanged.
        """
        import tomlkit

        path = _path(key)
        _refuse_secret(path, value, self._settings.profile_names())
        typed = _typed(path, key, value, self._settings.named(self._profile_name) or "openai")
        document = tomlkit.parse(self._text())
        table: Any = document
        for name in path[:-1]:
            if name not in table:
                table[name] = tomlkit.table(is_super_table=name in ("profiles", "prices"))
            table = table[name]
        table[path[-1]] = typed
        text = tomlkit.dumps(document)
        changed = Settings(self._config_file, {}, text=text)
        try:
            changed.check()
        except InvalidDefinition as error:
            # The error has the file and line of a file that was never written.
            raise UsageError(error.problem, hint=error.advice, code="bad_value") from None
        try:
            replace_private(self._config_file, text.encode("utf-8"))
        except OSError as error:
            raise StateError(f"`{self._config_file}` can't be written: {error.strerror}") from error
        return ConfigValue(key, _shown(path, typed), changed.place(*path) or "")

    def _text(self) -> str:
        if not self._config_file.exists():
            return ""
        return self._config_file.read_bytes().decode("utf-8-sig")


def _shown(path: tuple[str, ...], value: _Value) -> _Value:
    """A value with possible secrets masked."""
    if "headers" in path[2:3]:
        return "set"
    return listed_url(value) if isinstance(value, str) and "://" in value else value


def _path(key: str) -> tuple[str, ...]:
    """Split a dotted key into tables and key. Names may contain dots."""
    parts = key.split(".")
    if parts[0] not in ("profiles", "prices") or len(parts) < 3:
        return tuple(parts)
    if parts[0] == "prices":
        return ("prices", ".".join(parts[1:-1]), parts[-1])
    if len(parts) > 3 and parts[-2] in HEADER_TABLES:
        return ("profiles", ".".join(parts[1:-2]), parts[-2], parts[-1])
    return ("profiles", ".".join(parts[1:-1]), parts[-1])


def _refuse_secret(path: tuple[str, ...], value: str, profiles: Sequence[str]) -> None:
    if path[-1] == "base_url" and (_PASSWORD.match(value) or query_secrets(value)):
        what = "password" if _PASSWORD.match(value) else "key"
        raise UsageError(
            f"config.toml can't hold {what}s",
            hint=f"set GPTASST_BASE_URL to the URL with the {what} instead",
            code="secret",
        )
    names_variable = path[-1] == "api_key_env" or "header_env" in path[2:3]
    if path[0] == MCP_KEYS and not _SECRET_VALUE.match(value):
        return  # its values are names of hosts, which `Settings` checks
    is_key = _KEY_LIKE.fullmatch(value) if names_variable else _SECRET.search(path[-1])
    if is_key or _SECRET_VALUE.match(value):
        of_profile = path[1] if len(path) > 2 and path[1] in profiles else None
        option = f"--profile {shlex.quote(of_profile)} " if of_profile else ""
        login = cmd(f"{option}auth login")  # each key belongs to one server
        raise UsageError(
            "config.toml can't hold keys",
            hint=f"{login} keeps it; or `api_key_env` names the variable that holds it,"
            " `header_env` that of a header",
            code="secret",
        )


def _typed(path: tuple[str, ...], key: str, value: str, profile: str) -> str | int | float | bool:
    """A value, converted to the type of its key; a hint is for the `profile`.

    Raises:
        UsageError: there is no such key, or the value has another type.
    """
    kind = _kind(path)
    if kind is None:
        raise UsageError(
            f"there is no key `{key}`", hint=_nearest(key, profile), code="no_such_key"
        )
    if kind is bool:
        if value not in ("true", "false"):
            raise UsageError(f"`{key}` is true or false, not `{value}`", code="bad_value")
        return value == "true"
    try:
        return kind(value)  # type: ignore[no-any-return]  # str, int or float
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"`{key}` is {what}, not `{value}`", code="bad_value") from None


_TABLES = {"local": LOCAL_KEYS, "usage": USAGE_KEYS, "instructions": INSTRUCTION_KEYS}


def _kind(path: tuple[str, ...]) -> type | None:
    """The type of a key's value; `None` if there is no such key."""
    if path == ("profile",) or (path[0] == MCP_KEYS and len(path) == 2):
        return str
    if len(path) == 2:
        return _TABLES.get(path[0], {}).get(path[1])
    if path[0] == "prices" and len(path) == 3:
        return PRICE_KEYS.get(path[2])
    if path[0] != "profiles" or len(path) < 3:
        return None
    return PROFILE_KEYS.get(path[2] if len(path) > 3 else path[-1])


def _nearest(key: str, profile: str) -> str:
    if "." not in key:  # `config show` lists the keys of the profile so
        short = {k: f"profiles.{profile}.{k}" for k in PROFILE_KEYS} | {"profile": "profile"}
        if near := nearest(key, short):
            return suggestion(short[near])
    parts = key.split(".")
    middle = ".".join(parts[1:-1])
    named = {
        re.sub("NAME|MODEL|VARIABLE", lambda word: middle or word[0], k): k for k in KNOWN_KEYS
    }
    return did_you_mean(key, named, f"known: {', '.join(KNOWN_KEYS)}")
