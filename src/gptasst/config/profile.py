"""A profile: an endpoint, a store and defaults, as everything else in the program gets it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from gptasst.config.headers import Headers
from gptasst.config.urls import (
    is_openai,
    kept_url,
    shown_url,
)
from gptasst.errors import AccessDenied, UsageError
from gptasst.hints import cmd

if TYPE_CHECKING:
    pass


DEFAULT_TIMEOUT = 600.0

MAX_TIMEOUT = 604_800.0  # a week: sockets take no number of seconds of any size

StoreKind = Literal["openai", "local"]

PromptCache = Literal["explicit", "off"]


@dataclass(frozen=True, slots=True)
class LocalModelSettings:
    """The embedded model: a GGUF's path or URL (`None`: the default one).

    `context` is in tokens; `threads` of 0 means one a core.
    """

    model: str | None = None
    sha256: str | None = None
    context: int = 8192
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Profile:
    """An endpoint, a store and their defaults. `base_url=None` is the embedded model.

    `chosen` says why this profile was taken; `key_source` names where the key comes from (or
    should come from), `model_source` the variable that holds the model; `timeout` is seconds
    for a whole answer. `batch_file_search`: the server is known to take file search inside a
    batch; `function_tools`: its models are offered to search the knowledge. `context` is how many
    tokens its models take together with their answer, where that was set. `embedding_model` makes
    vectors of the knowledge in the local store. `prompt_cache` is `None` where nothing was set.
    """

    name: str
    base_url: str | None = field(repr=False)  # it may hold a password
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
        """Endpoint and project: what file ids and assistants' ids belong to.

        Without a password: it is kept in files.
        """
        url = kept_url(self.base_url) if self.base_url else str(None)
        return f"{url}#{self.project}" if self.project else url

    def sets_breakpoints(self, *, model_takes_them: bool) -> bool:
        """Whether requests say what the server's prompt cache keeps."""
        if self.prompt_cache is None:
            return bool(self.base_url) and is_openai(self.base_url or "") and model_takes_them
        return self.prompt_cache == "explicit" and not self.embedded

    @property
    def embedded(self) -> bool:
        return self.base_url is None

    @property
    def is_openai(self) -> bool:
        """Whether the server is OpenAI's own, so that what is known of its models holds."""
        return self.name == "openai" or (self.base_url is not None and is_openai(self.base_url))

    @property
    def endpoint(self) -> str:
        """The endpoint's name in messages."""
        return shown_url(self.base_url) if self.base_url else "embedded model"

    @property
    def lacks_key(self) -> bool:
        """Whether the endpoint wants a key or a header that is not there."""
        return bool(self.key_source and not self.api_key) or bool(self.headers.missing)

    def require_key(self) -> None:
        """Raise `AccessDenied` if the endpoint wants a key or a header and there is none."""
        if self.key_source and not self.api_key:
            raise AccessDenied(
                f"no key for {self.endpoint}: {self.key_source} is not set",
                hint=f"export {self.key_source}=…, or {cmd('auth login')} keeps a key;"
                " --profile local runs without",
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
    """Refuse a timeout that nothing can wait for.

    Raises:
        UsageError: the message begins with `said`.
    """
    if not 0 < seconds <= MAX_TIMEOUT:
        raise UsageError(
            f"{said}, which is not a number of seconds above 0 and up to {MAX_TIMEOUT:,.0f}",
            variable=variable,
        )
