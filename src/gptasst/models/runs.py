"""One run: what was asked, what is sent, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gptasst.models.definitions import ModelSettings
from gptasst.models.knowledge import Excerpt


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of an answer. `place` and `quote` are empty where the server does not say."""

    path: str
    place: str = ""
    quote: str = ""
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of one run, read and checked.

    Exactly one of `text` (kind `text`) and `data` (the others) is set. `encoding` is what
    the text was decoded from; `size` is the file's, in bytes.
    """

    path: str
    kind: Literal["text", "document", "image"]
    media_type: str
    size: int
    text: str | None = None
    encoding: str | None = None
    data: bytes | None = None


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
class ModelRequest:
    """One request to a model, in the terms of the Responses API. `timeout` is in seconds.

    A conversation goes on by its `conversation_id` where the server keeps it, else by `past`.
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
    past: tuple[PastMessage, ...] = ()
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them: `input` with `cached`, `output` with `reasoning`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The end of a stream: a whole answer. Anything less is raised as `NoAnswer`."""

    text: str
    model: str
    response_id: str
    usage: Usage | None = None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the user asked of one run.

    `files` are read already; `text` is the task and `stdin` what was piped in (`None`: nothing).
    `model`, `schema` and `timeout` (seconds) override the definition and the profile. `past` is
    what was said before, oldest first. Without `file_search` the knowledge is left alone.
    `allow_secrets`: private keys may be sent.
    """

    name: str
    files: tuple[InputFile, ...] = ()
    text: str | None = None
    stdin: str | None = None
    model: str | None = None
    schema: Mapping[str, Any] | None = None
    timeout: float | None = None
    past: tuple[PastMessage, ...] = ()
    file_search: bool = True
    allow_secrets: bool = False


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """An input as a dry run shows it. `size` is in bytes, `sent_as` the form it would take."""

    path: str
    kind: str
    size: int
    sent_as: Literal["text", "inline", "upload"]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run would send, with notes. `estimated_tokens` counts the text, to about a fifth."""

    name: str
    source: Literal["assistant", "instruction"]
    profile: str
    endpoint: str
    model: str
    inputs: tuple[PlannedInput, ...]
    excerpts: tuple[Excerpt, ...]
    instructions_characters: int
    input_characters: int
    estimated_tokens: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds from the request to the first piece of the answer and to its end."""

    first_token: float | None
    total: float


@dataclass(frozen=True, slots=True)
class RunResult:
    """An answer and where it came from; `warnings` are what its user should know besides.

    `conversation` is the id of the conversation it belongs to; `left_out` counts the messages of
    it that did not fit into the model's context any more.
    """

    name: str
    answer: str
    model: str
    profile: str
    response_id: str
    timings: Timings
    usage: Usage | None = None
    citations: tuple[Citation, ...] = ()
    warnings: tuple[str, ...] = ()
    conversation: str | None = None
    left_out: int = 0
