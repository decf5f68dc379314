"""Combine `config.toml`, the environment and the options into one profile.

Precedence: option, `GPTASST_*` variable, `OPENAI_*` variable, `config.toml`, default. The
`OPENAI_*` variables describe OpenAI's own endpoint, so only the profile `openai` reads them:
a key for OpenAI never reaches another server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlsplit

from gptasst.config.known_keys import (
    INSTRUCTION_KEYS,
    INSTRUCTIONS_PATH,
    LOCAL_KEYS,
    MCP_KEYS,
    PRICE_KEYS,
    PROFILE_KEYS,
    PROMPT_CACHES,
    STORES,
    USAGE_KEYS,
)
from gptasst.config.mcp_keys import McpKeys
from gptasst.config.profile import (
    DEFAULT_TIMEOUT,
    MAX_TIMEOUT,
    Headers,
    LocalModelSettings,
    Profile,
    PromptCache,
    StoreKind,
    check_timeout,
    read_headers,
)
from gptasst.config.toml import TomlDocument
from gptasst.config.urls import (
    api_url,
    is_base_url,
    is_openai,
    is_openai_or_azure,
    refuse_open_channel,
)
from gptasst.errors import AccessDenied, InvalidDefinition, NotFound, UsageError
from gptasst.hints import cmd, did_you_mean, nearest

if TYPE_CHECKING:
    from gptasst.config.stored_keys import StoredKeys


OPENAI_BASE_URL = "https://api.openai.com/v1"
# The default for editing text in November 2026: $0.10 in, $0.50 out per million tokens.
OPENAI_MODEL = "gpt-6-luna"
BUILT_IN = ("openai", "local")
_HIGHEST_PRICE = 1e6
_TABLES = ("profile", "profiles", "local", "prices", "usage", "instructions", MCP_KEYS)


class Settings:
    """The configuration of this machine.

    Args:
        config_file: `config.toml`, which may not exist.
        environ: the environment variables.
        keys: the keys stored by `gptasst auth login`; a key in the environment overrides them.
        text: text to read instead of the file.

    Raises:
        InvalidDefinition: the file is invalid; the message starts with `FILE:LINE:`.
    """

    def __init__(
        self,
        config_file: Path,
        environ: Mapping[str, str],
        keys: StoredKeys | None = None,
        text: str | None = None,
    ) -> None:
        self._environ = environ
        self._keys = keys
        self._document = (
            _read_config(config_file) if text is None else TomlDocument(text, str(config_file))
        )
        document = self._document
        document.only_keys((), _TABLES)
        document.only_keys(("usage",), USAGE_KEYS)
        document.only_keys(("instructions",), INSTRUCTION_KEYS)
        document.only_keys(("local",), LOCAL_KEYS)
        for model in document.table("prices"):
            document.only_keys(("prices", model), PRICE_KEYS)
        for name in document.table("profiles"):
            document.only_keys(("profiles", name), PROFILE_KEYS)

    def check(self) -> None:
        """Check every value, of all profiles.

        Raises:
            GptasstError: a value is invalid; see `profile` and the class.
        """
        self.local_model()
        self.prices()
        self.records_usage()
        self.instruction_path()
        self.mcp_keys.hosts()
        for name in self.profile_names():
            self._build(name, "named")
        default = self._document.text_value("profile")
        if default is not None:
            self._build(default, "named")

    def place(self, *path: str) -> str | None:
        """`FILE:LINE` of a key of `config.toml`, if it is set there."""
        document, (*tables, key) = self._document, path
        if key not in document.table(*tables):
            return None
        return f"{document.source}:{document.line_of(*path)}"

    def profile_names(self) -> list[str]:
        return sorted({*BUILT_IN, *self._document.table("profiles")})

    def local_model(self) -> LocalModelSettings:
        document = self._document
        model = self._environ.get("GPTASST_LOCAL_MODEL") or document.text_value("local", "model")
        return LocalModelSettings(
            model=model,
            sha256=document.text_value("local", "sha256"),
            context=document.number(int, 512, None, "local", "context") or 8192,
            threads=document.number(int, 0, None, "local", "threads") or 0,
        )

    def prices(self) -> Mapping[str, Mapping[str, float]]:
        """The prices of models by name, in US dollars per million tokens, for each key that is set.

        Raises:
            InvalidDefinition: a price is not a number of at least 0.
        """
        document = self._document
        found: dict[str, dict[str, float]] = {}
        for model, table in document.table("prices").items():
            document.table("prices", model)
            for key in table:
                value = document.number(float, 0.0, _HIGHEST_PRICE, "prices", model, key)
                if value is not None:
                    found.setdefault(model, {})[key] = value
        return found

    def records_usage(self) -> bool:
        """Whether runs are counted in the journal of usage."""
        return self._document.value(bool, "usage", "record") is not False

    def instruction_path(self) -> tuple[Path, ...]:
        """The directories where instructions are looked for before the user's own.

        Raises:
            UsageError: one in the variable is relative, and so would be another one in every
                working directory.
            InvalidDefinition: the same of one in the file.
        """
        given = self._environ.get(INSTRUCTIONS_PATH)
        words = self._configured_path() if given is None else given.split(os.pathsep)
        paths = [Path(word).expanduser() for word in words if word]
        relative = next((path for path in paths if not path.is_absolute()), None)
        if relative is None:
            return tuple(dict.fromkeys(paths))
        hint = "it takes absolute paths, and those that begin with `~/`"
        if given is not None:
            message = f"{INSTRUCTIONS_PATH} has `{relative}`, which is relative"
            raise UsageError(message, hint=hint, variable=INSTRUCTIONS_PATH, code="bad_value")
        message = f"key `instructions.path` has `{relative}`, which is relative"
        raise self._document.error(("instructions", "path"), message, hint=hint)

    @property
    def mcp_keys(self) -> McpKeys:
        """The keys of MCP servers, and which of them may get which."""
        return McpKeys(self._document, self._environ)

    def _configured_path(self) -> Sequence[str]:
        if isinstance(self._document.table("instructions").get("path"), list):
            return self._document.texts("instructions", "path")
        return (self._document.text_value("instructions", "path") or "").split(os.pathsep)

    def named(self, name: str | None = None) -> str | None:
        """The requested name, or the one in `GPTASST_PROFILE` or `config.toml`."""
        return name or self._environ.get("GPTASST_PROFILE") or self._document.text_value("profile")

    def profile(self, name: str | None = None) -> Profile:
        """The requested profile, or the default for this machine.

        Without a name, it is `GPTASST_PROFILE` or the key `profile`; else `openai` if the
        environment has a key or base URL for OpenAI, or a key for it is stored; else `local`.

        Raises:
            NotFound: no profile has that name.
            UsageError: a variable has an invalid value.
            AccessDenied: the key would be sent over plain http to another machine.
        """
        asked = self.named(name)
        if asked:
            by_variable = not name and asked == self._environ.get("GPTASST_PROFILE")
            return self._build(asked, "named", ", which GPTASST_PROFILE names" * by_variable)
        openai_variables = (
            "GPTASST_BASE_URL",
            "GPTASST_API_KEY",
            "OPENAI_BASE_URL",
            "OPENAI_API_KEY",
        )
        if any(self._environ.get(variable) for variable in openai_variables):
            return self._build("openai", "key")
        if self._keys and self._keys.source(self._base_url("openai") or ""):
            return self._build("openai", "key")
        return self._build("local", "fallback")

    def _build(
        self, name: str, chosen: Literal["named", "key", "fallback"], named_by: str = ""
    ) -> Profile:
        if name not in self.profile_names():
            names = self.profile_names()
            raise NotFound(
                f"no profile `{name}`{named_by}",
                hint=did_you_mean(name, names, _known_profiles(name, names)),
                near=nearest(name, names),
            )
        document, environ, table = self._document, self._environ, ("profiles", name)
        base_url = self._base_url(name)
        api_key, key_source = self._key(name, base_url)
        if base_url and not api_key and self._keys and self._keys.source(base_url):
            api_key, key_source = self._keys.get(base_url), self._keys.source(base_url)
        headers = self._headers(name, table, base_url)
        if base_url:
            refuse_open_channel(
                base_url, key_source if api_key else None, headers.values, headers.sources
            )
        own = base_url is not None and is_openai(base_url)
        model = environ.get("GPTASST_MODEL") or document.text_value(*table, "model")
        input_file = document.value(bool, *table, "input_file")
        input_image = document.value(bool, *table, "input_image")
        return Profile(
            name=name,
            base_url=base_url,
            model=model or (OPENAI_MODEL if own else None),
            chosen=chosen,
            store=self._store(name, base_url),
            project=environ.get("OPENAI_PROJECT_ID") if name == "openai" else None,
            api_key=api_key,
            key_source=key_source,
            headers=headers,
            timeout=self._timeout(table),
            input_file=bool(base_url and is_openai_or_azure(base_url))
            if input_file is None
            else bool(base_url) and input_file,
            context=document.number(int, 256, None, *table, "context"),
            embedding_model=environ.get("GPTASST_EMBEDDING_MODEL")
            or document.text_value(*table, "embedding_model"),
            batch_file_search=bool(document.value(bool, *table, "batch_file_search")),
            function_tools=bool(base_url)
            and document.value(bool, *table, "function_tools") is not False,
            input_image=bool(base_url) and (True if input_image is None else input_image),
            prompt_cache=cast(
                "PromptCache | None",
                self._chosen("GPTASST_PROMPT_CACHE", PROMPT_CACHES, *table, "prompt_cache"),
            ),
            model_source="GPTASST_MODEL" if environ.get("GPTASST_MODEL") else None,
        )

    def _base_url(self, name: str) -> str | None:
        configured = self._document.text_value("profiles", name, "base_url")
        environ = self._environ
        if name == "local":
            if configured:
                raise self._document.error(
                    ("profiles", name, "base_url"),
                    "the profile `local` is the embedded model and takes no `base_url`",
                    hint="give that server a profile with another name",
                )
            return None
        variable = self.url_variable(name)
        default = OPENAI_BASE_URL if name == "openai" else None
        url = environ[variable] if variable else configured or default
        if not url:
            raise self._document.error(
                ("profiles", name, "base_url"), f"missing key `profiles.{name}.base_url`"
            )
        if not is_base_url(url):
            said = f"`{url.rpartition('@')[2]}` is not a base URL"  # a password before the @
            hint = "it looks like http://127.0.0.1:11434/v1"
            if variable:
                raise UsageError(f"{variable}: {said}", hint=hint, variable=variable)
            raise self._document.error(("profiles", name, "base_url"), said, hint=hint)
        return api_url(url)

    def base_url(self, name: str) -> str | None:
        """A profile's base URL; `None` is the embedded model.

        Raises:
            GptasstError: it is invalid.
        """
        return self._base_url(name)

    def url_variable(self, name: str) -> str | None:
        """The variable that sets a profile's base URL, if there is one."""
        variables = ("GPTASST_BASE_URL", "OPENAI_BASE_URL")[: 2 if name == "openai" else 1]
        return next((v for v in variables if self._environ.get(v)), None)

    def _key(self, name: str, base_url: str | None) -> tuple[str | None, str | None]:
        """The key and its source."""
        if base_url is None:
            return None, None
        named = self._document.text_value("profiles", name, "api_key_env")
        if self._environ.get("GPTASST_API_KEY"):
            return self._key_in("GPTASST_API_KEY"), "GPTASST_API_KEY"
        elsewhere = self._environ.get("GPTASST_BASE_URL")
        if elsewhere and not self._is_configured_host(name, elsewhere):
            named = None  # that key belongs to the server in config.toml
        if named is None and is_openai(base_url):
            named = "OPENAI_API_KEY"
        if named is None:
            own = name == "openai" and not elsewhere and self._environ.get("OPENAI_BASE_URL")
            if not (own and self._environ.get("OPENAI_API_KEY")):
                return None, None
            named = "OPENAI_API_KEY"
        return self._key_in(named), named

    def _key_in(self, variable: str) -> str | None:
        key = self._environ.get(variable, "").strip()
        if not key.isascii() or not key.isprintable():
            raise AccessDenied(
                f"`{variable}` holds characters that no key has",
                hint="copy the key again",
                code="wrong_key",
                variable=variable,
            )
        return key or None

    def _is_configured_host(self, name: str, url: str) -> bool:
        configured = self._document.text_value("profiles", name, "base_url")
        return urlsplit(url).netloc == urlsplit(configured or OPENAI_BASE_URL).netloc

    def _store(self, name: str, base_url: str | None) -> StoreKind:
        """The requested store; by default, OpenAI projects keep their assistants on the server."""
        variable = self._environ.get("GPTASST_STORE")
        asked = self._chosen("GPTASST_STORE", STORES, "profiles", name, "store")
        if asked == "openai" and base_url is None:
            raise UsageError(
                "the embedded model has no server to keep assistants on",
                hint="use the store `local`, or --profile openai",
                variable="GPTASST_STORE" if variable else None,
            )
        own = name == "openai" or (base_url is not None and is_openai(base_url))
        return cast("StoreKind", asked or ("openai" if own else "local"))

    def _chosen(self, variable: str, choices: tuple[str, ...], *path: str) -> str | None:
        """One of several words, from a variable or config.toml."""
        asked = self._environ.get(variable)
        if asked and asked not in choices:
            hint = f"it can be: {', '.join(choices)}"
            raise UsageError(f"{variable} is `{asked}`", hint=hint, variable=variable)
        return asked or self._document.choice(choices, *path)

    def _headers(self, name: str, table: tuple[str, ...], base_url: str | None) -> Headers:
        elsewhere = self._environ.get("GPTASST_BASE_URL")
        meant = not elsewhere or self._is_configured_host(name, elsewhere)
        return read_headers(
            self._document, table, self._environ, self._keys, base_url, with_variables=meant
        )

    def _timeout(self, table: tuple[str, ...]) -> float:
        variable = self._environ.get("GPTASST_TIMEOUT")
        if variable:
            seconds = float(variable) if re.fullmatch(r"\d+(\.\d+)?", variable) else 0.0
            check_timeout(seconds, f"GPTASST_TIMEOUT is `{variable}`", "GPTASST_TIMEOUT")
            return seconds
        configured = self._document.number(float, 0.001, MAX_TIMEOUT, *table, "timeout")
        return configured or DEFAULT_TIMEOUT


def _known_profiles(unknown: str, names: Sequence[str]) -> str:
    adding = f"{cmd(f'config set profiles.{unknown}.base_url URL')} adds one"
    known = f"known profiles: {', '.join(names)}"
    return f"{known}; {adding}" if re.fullmatch(r"[A-Za-z0-9_-]+", unknown) else known


def _read_config(path: Path) -> TomlDocument:
    try:
        return TomlDocument(path.read_bytes().decode("utf-8-sig"), str(path))
    except FileNotFoundError:
        return TomlDocument("", str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidDefinition(f"can't be read: {error}", file=path) from None
