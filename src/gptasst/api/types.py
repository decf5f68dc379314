"""The values that go to the API and come back, independent of the SDK's types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from gptasst.api.capabilities import Capability
from gptasst.definitions.types import (
    CodeSettings,
    McpServer,
    ModelSettings,
    SearchSettings,
    WebSettings,
)
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of an answer. `place` and `quote` are empty if the server does not send them."""

    path: str
    place: str = ""
    quote: str = ""
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class FoundText:
    """A passage of knowledge that a search found for an answer. A higher `score` is better."""

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
    """A document or image that is sent unchanged: `data`, or an uploaded `file_id`."""

    kind: Literal["document", "image"]
    filename: str
    media_type: str
    data: bytes | None = None
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class PastMessage:
    """An earlier message of a conversation, in the form that is sent to the model."""

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
    """A call that a model requests. `arguments` is the JSON text that it wrote."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """A call and its output."""

    call: FunctionCall
    output: str


@dataclass(frozen=True, slots=True)
class ToolApproval:
    """A call of an MCP server's tool that has to be allowed. `arguments` is JSON text."""

    id: str
    label: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to a model, in terms of the Responses API. `timeout` is in seconds.

    `conversation_id` continues a conversation that the server keeps, `past` any other. `search` has
    the settings of file search; with `search_paths`, only files at these paths are searched.
    `web` and `code` have the settings of these tools, `mcp_keys` the keys of MCP servers by label;
    `safety_identifier` is the hash that is sent.
    `carried` are items that follow the question, as the API has them.
    `functions` may be called unless `calls_over`; `answered` are the calls so far, oldest first.
    `breakpoints` sets what the server caches (see `requests`), `of_many` that many requests start
    like this one. `slot` is the embedded model's that takes it.
    """

    model: str
    instructions: str
    parts: tuple[TextPart | FilePart, ...]
    timeout: float
    settings: ModelSettings = field(default_factory=ModelSettings)
    code_interpreter: bool = False
    web_search: bool = False
    web: WebSettings = field(default_factory=WebSettings)
    code: CodeSettings = field(default_factory=CodeSettings)
    mcp: tuple[McpServer, ...] = ()
    mcp_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    safety_identifier: str | None = None
    schema: Mapping[str, Any] | None = None
    vector_store_id: str | None = None
    search: SearchSettings = field(default_factory=SearchSettings)
    search_paths: tuple[str, ...] | None = None
    past: tuple[PastMessage, ...] = ()
    conversation_id: str | None = None
    functions: tuple[FunctionTool, ...] = ()
    answered: tuple[AnsweredCall, ...] = ()
    carried: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    breakpoints: bool = False
    of_many: bool = False
    calls_over: bool = False
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted by the server. `input` includes `cached`, `output` includes `reasoning`.

    Of the input, `cached` was read from the server's cache and `written` was written to it.
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
    """The end of a stream: a complete answer. An incomplete one is raised as `NoAnswer`.

    `tools` has each hosted tool that was offered: whether it is there; `None` if the answer
    does not show it. With `calls` the model asks for more before it answers; then `text` is a
    remark. `passages` are the search results from the knowledge, best first, cited or not.
    `reasoning` is the model's summary of its reasoning. With `approvals` the model wants to call
    tools of MCP servers first; `carried` are the items that the next request repeats then.
    """

    text: str
    model: str
    response_id: str
    usage: Usage | None = None
    citations: tuple[Citation, ...] = ()
    tools: Mapping[Capability, bool | None] = field(default_factory=dict)
    calls: tuple[FunctionCall, ...] = ()
    approvals: tuple[ToolApproval, ...] = ()
    carried: tuple[Mapping[str, Any], ...] = ()
    passages: tuple[FoundText, ...] = ()
    reasoning: str = ""


# The time within which the answer of a deferred run comes.
CompletionWindow = Literal["2h", "8h"]

# The API's limits for a batch: requests, and bytes of its file.
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
        """Whether the batch has ended."""
        return self.status in ("completed", "failed", "expired", "cancelled")

    @property
    def all_requests(self) -> int:
        """How many requests it has, even before the server has counted them."""
        return self.requests or self.told("requests")

    def told(self, key: str) -> int:
        """A number in the metadata; 0 if it is missing."""
        number = self.metadata.get(key, "")
        return int(number) if number.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The result of one request of a batch: an answer, or why there is none.

    `part` is the text of a truncated answer.
    """

    custom_id: str
    answer: ModelAnswer | None = None
    failure: str | None = None
    part: str | None = None


# Marks a truncated answer, for the model and for readers of the conversation.
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
    """A file on the server. `size` is in bytes; without `expires_at` it never expires."""

    id: str
    filename: str
    size: int
    purpose: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """A file on disk to upload, in the state in which it was hashed.

    `filename` is its name on the server, `size` is in bytes, `sha256` is that of its content, and
    `expires_after` is in seconds (3,600 to 2,592,000; `None`: the server's default).
    """

    file: Path
    filename: str
    size: int
    sha256: str
    purpose: Purpose
    media_type: str = "application/octet-stream"
    expires_after: int | None = None


IndexStatus = Literal["in_progress", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class VectorStore:
    """A vector store. `files` counts all files, `in_progress` and `completed` those in that state.

    `usage_bytes` is the size of its index, `active_at` its last use in Unix time.
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
    """A file in a vector store. `error` is why it could not be indexed."""

    id: str
    status: IndexStatus
    attributes: Mapping[str, str | float | bool]
    created_at: datetime
    error: str | None = None
    error_code: str | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A passage of a file that a search of a vector store found."""

    filename: str
    attributes: Mapping[str, str | float | bool]
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to attach to a vector store, with its attributes."""

    file_id: str
    attributes: Mapping[str, str | float | bool]


@dataclass(frozen=True, slots=True)
class ServerModel:
    """A model of a server. Without a `shutdown_date`, none is known."""

    id: str
    owner: str
    created_at: datetime | None
    shutdown_date: date | None = None


_LONGEST_SILENCE = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server with `/v1/responses`, and what it supports.

    `timeout` is the time limit of one operation and `silence` the read timeout, both in seconds.
    `context_window` is in tokens, if known. With `openai_environment` the SDK uses `OPENAI_ORG_ID`,
    `OPENAI_PROJECT_ID` and `OPENAI_CUSTOM_HEADERS`. `key_hint` is where a key is expected,
    `key_headers` the headers that contain one, `table` the table of config.toml with its settings.
    `on_moved` is called with the base URL that works if the given one lacks `/v1`. With
    `local_store`, assistants and conversations are not kept there.
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
        """Read timeout in seconds, for lookups."""
        return min(self.timeout, _LONGEST_SILENCE)
