"""The frozen values that cross layers. They hold data and know nothing of where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools an assistant may use. `file_search=None` means: when it has knowledge."""

    file_search: bool | None = None
    code_interpreter: bool = False
    web_search: bool = False


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What is passed to the model as it is. `None` leaves the server's default.

    `temperature` is 0..2, `top_p` 0..1, `max_output_tokens` at least 16.
    """

    reasoning_effort: ReasoningEffort | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """One assistant or instruction, as its TOML document says it.

    `instruction` names the instruction it was made from; `default_text` is the task of a run
    that brings files and no text; `unwrap_fence` takes one code fence around the whole answer
    off; `schema` is the JSON Schema that the answer must fit.
    """

    name: str
    instructions: str
    description: str = ""
    model: str | None = None
    instruction: str | None = None
    default_text: str | None = None
    unwrap_fence: bool = False
    tools: Tools = field(default_factory=Tools)
    settings: ModelSettings = field(default_factory=ModelSettings)
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class DefinitionChanges:
    """What `assistant create` and `edit` change of a definition; `None` leaves it."""

    name: str | None = None
    instruction: str | None = None
    model: str | None = None
    description: str | None = None
    file_search: bool | None = None
    code_interpreter: bool | None = None
    web_search: bool | None = None
    reasoning_effort: ReasoningEffort | None = None
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """A definition in the instruction library: where it lies and which library that is."""

    definition: Definition
    path: str
    origin: Literal["project", "user", "shipped", "file"]


@dataclass(frozen=True, slots=True)
class KnowledgeFile:
    """One knowledge file of an assistant. `size` is in bytes, `sha256` is of the content."""

    id: str
    path: str
    size: int
    sha256: str
    added_at: datetime
    status: str = "completed"


@dataclass(frozen=True, slots=True)
class KnowledgeSource:
    """A file on disk that becomes knowledge. `path` is what it is known by, `/` between parts."""

    path: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Assistant:
    """A definition and its knowledge under a name that is unique in its store."""

    id: str
    definition: Definition
    revision: int
    created_at: datetime
    updated_at: datetime
    knowledge: tuple[KnowledgeFile, ...] = ()

    @property
    def name(self) -> str:
        return self.definition.name


@dataclass(frozen=True, slots=True)
class AssistantSummary:
    """A line of `assistant list`. `size` is the knowledge in bytes."""

    id: str
    name: str
    model: str | None
    instruction: str | None
    files: int
    size: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Revision:
    """One saved state of an assistant's definition; `number` counts from 1."""

    number: int
    definition: Definition
    created_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: `place` says where in it (`lines 10-24`, `page 3`)."""

    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage of knowledge that fits a task; `path` names the file."""

    path: str
    place: str
    text: str


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
class ModelRequest:
    """One request to a model, in the terms of the Responses API. `timeout` is in seconds."""

    model: str
    instructions: str
    parts: tuple[TextPart | FilePart, ...]
    timeout: float
    settings: ModelSettings = field(default_factory=ModelSettings)
    code_interpreter: bool = False
    web_search: bool = False
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them: `input` with `cached`, `output` with `reasoning`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0


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
    `model`, `schema` and `timeout` (seconds) override the definition and the profile.
    """

    name: str
    files: tuple[InputFile, ...] = ()
    text: str | None = None
    stdin: str | None = None
    model: str | None = None
    schema: Mapping[str, Any] | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """An input as a dry run shows it. `size` is in bytes, `sent_as` the form it would take."""

    path: str
    kind: str
    size: int
    sent_as: Literal["text", "inline", "upload"]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run would send. `estimated_tokens` counts the text only, to about a fifth."""

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


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds from the request to the first piece of the answer and to its end."""

    first_token: float | None
    total: float


@dataclass(frozen=True, slots=True)
class RunResult:
    """An answer and where it came from."""

    name: str
    answer: str
    model: str
    profile: str
    response_id: str
    timings: Timings
    usage: Usage | None = None
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server with `/v1/responses`, and what it takes.

    `context_window` is in tokens where it is known. `openai_environment` lets the SDK add what
    `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` and `OPENAI_CUSTOM_HEADERS` hold. `key_hint` says where
    a key is expected.
    """

    base_url: str
    name: str
    api_key: str | None = field(default=None, repr=False)
    key_hint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    context_window: int | None = None
    openai_environment: bool = False
    in_process: bool = False
