"""A profile: an endpoint, a store and defaults, in the form that the program uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from gptasst.config.toml import TomlDocument
from gptasst.config.urls import is_openai, kept_url, shown_url
from gptasst.errors import AccessDenied, UsageError
from gptasst.hints import cmd
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.config.stored_keys import StoredKeys

HEADER_NAME = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers by name.

    `values` are the values to send. `sources` has the variable or file of each secret header.
    `missing` has the headers without a value, with the variable that should have it.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    sources: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def secret(self) -> Mapping[str, str]:
        """The values of the secret headers."""
        return {name: self.values[name] for name in self.sources}


def read_headers(
    document: TomlDocument,
    table: tuple[str, ...],
    environ: Mapping[str, str],
    keys: StoredKeys | None,
    base_url: str | None,
    *,
    with_variables: bool,
) -> Headers:
    """The headers of a profile.

    Args:
        document: config.toml.
        table: the profile's table in it.
        environ: the environment variables.
        keys: the values stored by `auth login --header`.
        base_url: the server; `None` is the embedded model, which gets no headers.
        with_variables: whether the server is the one in config.toml, to which `header_env` applies.

    Raises:
        InvalidDefinition: a header is invalid, or is given twice.
        AccessDenied: a variable has a value that is invalid in a header.
    """
    if base_url is None:
        return Headers()
    values = _plain(document, table)
    variables = _variables(document, table, values) if with_variables else {}
    sources: dict[str, str] = {}
    kept = {name.lower(): name for name in (keys.headers(base_url) if keys else ())}
    for name, variable in variables.items():
        value = environ.get(variable, "").strip()
        if value:
            _check_value(name, variable, value)
            values[name], sources[name] = value, variable
            kept.pop(name.lower(), None)
    for name in kept.values():
        values = {k: v for k, v in values.items() if k.lower() != name.lower()}
        assert keys is not None
        values[name] = keys.get(base_url, name) or ""
        sources[name] = keys.source(base_url, name) or ""
    there = {name.lower() for name in sources}
    missing = {n: variable for n, variable in variables.items() if n.lower() not in there}
    return Headers(values, sources, missing)


def _plain(document: TomlDocument, table: tuple[str, ...]) -> dict[str, str]:
    headers = document.table(*table, "headers")
    found = {key: document.value(str, *table, "headers", key) or "" for key in headers}
    for key, value in found.items():
        if not (re.fullmatch(HEADER_NAME, key) and value.isascii() and value.isprintable()):
            raise document.error(
                (*table, "headers", key), "this header holds what no header can hold"
            )
    return found


def _variables(
    document: TomlDocument, table: tuple[str, ...], plain: Mapping[str, str]
) -> dict[str, str]:
    """The variable of each header in `header_env`."""
    found: dict[str, str] = {}
    names = {name.lower() for name in plain}
    for name in document.table(*table, "header_env"):
        path = (*table, "header_env", name)
        variable = document.text_value(*path) or ""
        if not re.fullmatch(HEADER_NAME, name):
            raise document.error(path, f"`{name}` is not the name of a header")
        if not variable.isidentifier():
            raise document.error(
                path,
                f"`header_env.{name}` is not the name of a variable",
                hint='for example: header_env = { "api-key" = "AZURE_KEY" }',
            )
        if name.lower() in names:
            raise document.error(path, f"the header `{name}` is given twice")
        names.add(name.lower())
        found[name] = variable
    return found


def _check_value(name: str, variable: str, value: str) -> None:
    if not (value.isascii() and value.isprintable()):
        raise AccessDenied(
            f"`{variable}` holds characters that the header `{name}` can't have",
            hint="copy the value again",
            code="wrong_key",
            variable=variable,
        )


DEFAULT_TIMEOUT = 600.0

MAX_TIMEOUT = 604_800.0  # a week: sockets don't accept arbitrarily large timeouts

StoreKind = Literal["openai", "local"]

PromptCache = Literal["explicit", "off"]


@dataclass(frozen=True, slots=True)
class LocalModelSettings:
    """The embedded model: the path or URL of a GGUF file (`None`: the default model).

    `context` is in tokens; 0 `threads` means one per core.
    """

    model: str | None = None
    sha256: str | None = None
    context: int = 8192
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """An endpoint, a store and their defaults. `base_url=None` is the embedded model.

    `chosen` is why this profile was selected; `key_source` is where the key comes from (or should
    come from), `model_source` the variable with the model; `timeout` is in seconds for a whole
    answer. `batch_file_search`: the server supports file search in batches; `function_tools`: its
    models may search the knowledge with a function. `context` is the context size in tokens,
    including the answer, if it was set. `embedding_model` embeds the knowledge in the local store.
    `prompt_cache` is `None` if it was not set.
    """

    name: str
    base_url: str | None = field(repr=False)  # may contain a password
    model: str | None
    chosen: Literal["named", "key", "fallback"]
    store: StoreKind = "local"
    api_key: str | None = field(default=None, repr=False)
    key_source: str | None = None
    headers: Headers = field(default_factory=Headers, repr=False)
    timeout: float = DEFAULT_TIMEOUT
    input_file: bool = False
    input_image: bool = True
    batch_file_search: bool = False
    function_tools: bool = False
    context: int | None = None
    embedding_model: str | None = None
    prompt_cache: PromptCache | None = None
    project: str | None = None
    model_source: str | None = None

    @property
    def scope(self) -> str:
        """The endpoint and project to which the ids of files and assistants belong.

        It has no password, because it is stored in files.
        """
        url = kept_url(self.base_url) if self.base_url else str(None)
        return f"{url}#{self.project}" if self.project else url

    def sets_breakpoints(self, *, model_takes_them: bool) -> bool:
        """Whether requests set breakpoints for the server's prompt cache."""
        if self.prompt_cache is None:
            return bool(self.base_url) and is_openai(self.base_url or "") and model_takes_them
        return self.prompt_cache == "explicit" and not self.embedded

    @property
    def embedded(self) -> bool:
        return self.base_url is None

    @property
    def is_openai(self) -> bool:
        """Whether the server is OpenAI's own, so that facts about its models apply."""
        return self.name == "openai" or (self.base_url is not None and is_openai(self.base_url))

    @property
    def endpoint(self) -> str:
        """The endpoint's name in messages."""
        return shown_url(self.base_url) if self.base_url else "the embedded model"

    @property
    def lacks_key(self) -> bool:
        """Whether the endpoint needs a key or a header that is missing."""
        return bool(self.key_source and not self.api_key) or bool(self.headers.missing)

    def require_key(self) -> None:
        """Raise `AccessDenied` if the endpoint needs a key or a header that is missing."""
        if self.key_source and not self.api_key:
            raise AccessDenied(
                f"no key for {self.endpoint}: {self.key_source} is not set",
                hint=f"export {self.key_source}=…, or {cmd('auth login')} stores a key;"
                " --profile local needs none",
                code="no_key",
                variable=self.key_source,
            )
        for name, variable in self.headers.missing.items():
            login = cmd(f"auth login --header {name}")
            raise AccessDenied(
                f"no value for the header `{name}` of {self.endpoint}: {variable} is not set",
                hint=f"export {variable}=…, or {login} keeps one",
                code="no_key",
                variable=variable,
            )


def check_timeout(seconds: float, said: str, variable: str | None = None) -> None:
    """Raise if a timeout is invalid.

    Raises:
        UsageError: with a message that starts with `said`.
    """
    if not 0 < seconds <= MAX_TIMEOUT:
        raise UsageError(
            f"{said}, which is not a number of seconds above 0 and up to {MAX_TIMEOUT:,.0f}",
            variable=variable,
        )
