"""What goes to the API and what comes from it, without the SDK's types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from gptasst.definitions.types import ModelSettings, SearchSettings
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of an answer. `place` and `quote` are empty where the server does not say."""

    path: str
    place: str = ""
    quote: str = ""
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class FoundText:
    """A piece of knowledge that a search found for an answer. More `score` is better."""

    path: str
    text: str
    place: str = ""
    score: float | None = None
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document or image that goes to the model as it is; `data` or an uploaded `file_id`."""

    kind: Literal["document", "image"]
    filename: str
    media_type: str
    data: bytes | None = None
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class PastMessage:
    """What was said before in a conversation, as a model is given it."""

    role: Literal["user", "assistant"]
    parts: tuple[TextPart | FilePart, ...]


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function that a model may call; `parameters` is the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call that a model asks for. `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """A call, and what it gave."""

    call: FunctionCall
    output: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to a model, in the terms of the Responses API. `timeout` is in seconds.

    A conversation goes on by its `conversation_id` where the server keeps it, else by `past`.
    `search` says how the vector store is searched; with `search_paths`, only files of these paths.
    `functions` may be called unless `calls_over`; `answered` are the calls so far, oldest first.
    `breakpoints` say what the server keeps (see `prompt_cache`), `of_many` that many requests
    begin like this one.
    """

    model: str
    instructions: str
    parts: tuple[TextPart | FilePart, ...]
    timeout: float
    settings: ModelSettings = field(default_factory=ModelSettings)
    code_interpreter: bool = False
    web_search: bool = False
    schema: Mapping[str, Any] | None = None
    vector_store_id: str | None = None
    search: SearchSettings = field(default_factory=SearchSettings)
    search_paths: tuple[str, ...] | None = None
    past: tuple[PastMessage, ...] = ()
    conversation_id: str | None = None
    functions: tuple[FunctionTool, ...] = ()
    answered: tuple[AnsweredCall, ...] = ()
    breakpoints: bool = False
    of_many: bool = False
    calls_over: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them: `input` with `cached`, `output` with `reasoning`.

    Of the input, `cached` came from the server's cache, and `written` went into it.
    """

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0
    written: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
            self.written + other.written,
        )


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The end of a stream: a whole answer. Anything less is raised as `NoAnswer`.

    `tools` has each tool of the server's that the model was offered: whether it is there, and
    `None` where the answer shows no trace of it. With `calls` the model wants to know more before
    it answers; `text` is a remark then. `passages` are what the server found in the knowledge, best
    first, whether it is cited or not.
    """

    text: str
    model: str
    response_id: str
    usage: Usage | None = None
    citations: tuple[Citation, ...] = ()
    tools: Mapping[Capability, bool | None] = field(default_factory=dict)
    calls: tuple[FunctionCall, ...] = ()
    passages: tuple[FoundText, ...] = ()


# One batch takes so many requests, in a file of so many bytes.
MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch on the server.

    `status` is the API's: validating, in_progress, finalizing, completed, failed, expired,
    cancelling or cancelled. `requests`, `completed` and `failed` count requests, as far as the
    server has read them. `errors` is why a batch failed as a whole.
    """

    id: str
    status: str
    created_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    input_file_id: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None
    requests: int = 0
    completed: int = 0
    failed: int = 0
    errors: tuple[str, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in ("completed", "failed", "expired", "cancelled")

    @property
    def all_requests(self) -> int:
        """How many requests it has, also while the server has not read them."""
        return self.requests or self.told("requests")

    def told(self, key: str) -> int:
        """A number that the metadata tell; 0 if they don't."""
        number = self.metadata.get(key, "")
        return int(number) if number.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """What came of one request of a batch: an answer, or the reason why there is none.

    `part` is the text of an answer that was cut off.
    """

    custom_id: str
    answer: ModelAnswer | None = None
    failure: str | None = None
    part: str | None = None


# Marks an answer that broke off, for the model and for readers of the conversation.
BROKEN_OFF_MARK = "\n\n[this answer broke off here]"


@dataclass(frozen=True, slots=True)
class ConversationItem:
    """A message of a conversation: `role` is `user`, `assistant`, `developer` or `system`."""

    id: str
    role: str
    text: str


# `assistants` is for knowledge, `user_data` for the inputs of runs, `batch` for batch requests.
Purpose = Literal["assistants", "user_data", "batch"]


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of the project on the server. `size` is in bytes, `expires_at=None`: never."""

    id: str
    filename: str
    size: int
    purpose: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A file on disk that is to be uploaded, as it was when it was hashed.

    `filename` is what the server calls it, `size` is in bytes, `sha256` of the content, and
    `expires_after` in seconds (3,600 to 2,592,000; `None`: the server's default).
    """

    file: Path
    filename: str
    size: int
    sha256: str
    purpose: Purpose
    media_type: str = "application/octet-stream"
    expires_after: int | None = None


# A part of the API, by its name in messages.
Capability = Literal[
    "models",
    "responses",
    "input tokens",
    "vector stores",
    "files",
    "conversations",
    "batches",
    "previous response",
    "documents",
    "function tools",
    "file search",
    "web search",
    "code interpreter",
]
# Those that are paths of their own, so that asking for them costs nothing.
PATHS: tuple[Capability, ...] = (
    "models",
    "responses",
    "input tokens",
    "vector stores",
    "files",
    "conversations",
    "batches",
    "previous response",
)
CAPABILITIES: tuple[Capability, ...] = Capability.__args__  # type: ignore[attr-defined]


IndexStatus = Literal["in_progress", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class VectorStore:
    """A vector store. `files` counts all, `in_progress` and `completed` where they have got to.

    `usage_bytes` is what its index takes, `active_at` when it was last used, in Unix time.
    """

    id: str
    name: str
    metadata: Mapping[str, str]
    created_at: datetime
    files: int
    in_progress: int
    completed: int
    usage_bytes: int
    active_at: float = 0.0


@dataclass(frozen=True, slots=True)
class VectorStoreFile:
    """A file in a vector store. `error` says why it could not be indexed."""

    id: str
    status: IndexStatus
    attributes: Mapping[str, str | float | bool]
    created_at: datetime
    error: str | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A piece of a file that a search of a vector store found."""

    filename: str
    attributes: Mapping[str, str | float | bool]
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that is to be put into a vector store, with its attributes."""

    file_id: str
    attributes: Mapping[str, str | float | bool]


@dataclass(frozen=True, slots=True)
class ServerModel:
    """A model that a server has. Without a `shutdown_date` its end is not known."""

    id: str
    owner: str
    created_at: datetime | None
    shutdown_date: date | None = None


_LONGEST_SILENCE = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server with `/v1/responses`, and what it takes.

    `timeout` is how many seconds one thing that is asked of it may take, and `silence` how long it
    may say nothing. `context_window` is in tokens where it is known. `openai_environment` lets the
    SDK add what `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` and `OPENAI_CUSTOM_HEADERS` hold. `key_hint`
    says where a key is expected, `key_headers` are the headers that hold one, `table` which table
    of config.toml has its settings. `on_moved` gets the base URL that works when the given one
    lacks `/v1`. With `local_store` assistants and conversations are not kept there.
    """

    base_url: str = field(repr=False)
    name: str
    api_key: str | None = field(default=None, repr=False)
    key_hint: str | None = None
    table: str = "the profile"
    on_moved: Callable[[str], None] = field(default=lambda _: None, repr=False, compare=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key_headers: tuple[str, ...] = ()
    timeout: float = 600.0
    context_window: int | None = None
    openai_environment: bool = False
    embedded: bool = False
    local_store: bool = False

    @property
    def silence(self) -> float:
        """Seconds after which a server that says nothing is given up, where it only looks up."""
        return min(self.timeout, _LONGEST_SILENCE)
