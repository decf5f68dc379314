"""Everything the server knows: how it is told to behave, and the objects it keeps."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .outcomes import HttpAnswer, Outcome
from .wire import Call, Json, RequestRecord

AnswerSource: TypeAlias = str | Callable[[Json], str]
DEFAULT_MODELS = ("gpt-6-luna", "gpt-6.2-sol", "gpt-6.2-astra")


@dataclass
class StoredFile:
    """An uploaded file; `about` is the API's file object."""

    about: Json
    data: bytes

    @property
    def name(self) -> str:
        """Its name without what marks it as an upload of gptasst's."""
        return re.sub(r"\.gptasst-[a-z2-7]{26}-[0-9a-f]{6}", "", str(self.about["filename"]))


@dataclass
class PartedUpload:
    """An upload in parts; `about` is the API's upload object."""

    about: Json
    file_expires_at: int | None
    parts: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Attachment:
    """A file of a vector store; its status follows from its age, see `indexing`."""

    file: StoredFile
    store_id: str
    attributes: Json
    created_at: int
    attached: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    refused: bool = False
    lost_passages: bool = False


@dataclass
class Batch:
    """Files that were attached together."""

    id: str
    created_at: int
    attachments: list[Attachment]


@dataclass
class Store:
    """A vector store; `about` lacks what is computed when it is read.

    `lost` are ids that OGX still lists without having the file: the list, and what is asked about
    one of them, is refused.
    """

    about: Json
    files: dict[str, Attachment] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)


@dataclass
class Conversation:
    """A conversation and its items, oldest first."""

    about: Json
    items: list[Json] = field(default_factory=list)


@dataclass
class BatchJob:
    """A batch of requests, as `call` made it; its status follows from its age, see `batches`."""

    about: Json
    requests: bytes
    call: Call
    created: float = field(default_factory=time.monotonic)


@dataclass
class Disturbance:
    """What befalls the next requests of a route, after `skip` that it spares.

    `before` is done first. Unless that is all, `outcome` comes in place of the usual reply; with
    `done`, after the request took effect. With `for_good`, no later one is carried out.
    """

    method: str
    path: str
    outcome: HttpAnswer | None = None
    done: bool = False
    times: int = 1
    skip: int = 0
    before: Callable[[], object] | None = None
    for_good: bool = False


def last_input_text(body: Json) -> str:
    """The last text of the request's input."""
    given = body.get("input") or ""
    if isinstance(given, str):
        return given
    for item in reversed(given):
        if item.get("type") in ("function_call", "function_call_output"):
            continue
        content = item.get("content") or ""
        if isinstance(content, str):
            return content
        for part in reversed(content):
            if part.get("type") in ("input_text", "output_text"):
                return str(part["text"])
    return ""


@dataclass(eq=False, repr=False, kw_only=True)
class World:
    """Settings are read when a request needs them: change them at any time.

    `index_delay` is how long an attached file stays in_progress, `index_delays` the same for some
    by name; `index_failures` maps file names to (code, message). `refused_once` are file names that
    are unsupported at first and taken the next time. `batch_files` says what becomes of `files` in
    a file batch: other servers leave out their attributes, or the files. `keeps_content` as it was
    sent, and `file_lifetime` (seconds) where none is asked for, are OGX's
    ways, and so is that it `gives_files` of any purpose. With `keeps_entries`, a file that is
    deleted stays in the lists of vector stores. If it
    `finds_by_content`, as OGX does, a file that is detached takes the passages of equal ones along.
    A batch takes `batch_delay` seconds; its requests fail or expire whose last input text has
    `batch_fails_on` or `batch_expires_on` in it.
    An answer is cut off after `longest_answer` characters, and a request is refused whose last
    input text has more than `longest_input`. What is about the prompt cache is refused unless it
    `takes_prompt_cache`. A `tokenizer` counts tokens; without one, each has four characters.
    A background run takes
    `background_delay` seconds and is in `pending` until then; with `background` it is carried out
    at once instead, or refused. `crashes` holds the tracebacks of what went wrong in
    here.
    """

    answer: AnswerSource = last_input_text
    outcomes: deque[Outcome] = field(default_factory=deque)
    longest_answer: int | None = None
    longest_input: int | None = None
    latency: float = 0.0
    delta_size: int = 7
    delta_delay: float = 0.0
    models: list[str] = field(default_factory=lambda: list(DEFAULT_MODELS))
    api_key: str | None = None
    metadata_mode: Literal["merge", "replace"] = "replace"
    index_delay: float = 0.0
    index_delays: dict[str, float] = field(default_factory=dict)
    index_failures: dict[str, tuple[str, str]] = field(default_factory=dict)
    refused_once: set[str] = field(default_factory=set)
    batch_files: Literal["taken", "without attributes", "ignored"] = "taken"
    keeps_content: bool = False
    gives_files: bool = False
    keeps_entries: bool = False
    finds_by_content: bool = False
    file_lifetime: int | None = None
    batch_delay: float = 0.0
    batch_fails_on: str | None = None
    batch_expires_on: str | None = None
    takes_prompt_cache: bool = True
    tokenizer: Callable[[str], int] | None = None
    background_delay: float = 0.0
    background: Literal["taken", "ignored", "refused"] = "taken"
    batch_refused_tools: set[str] = field(default_factory=set)

    requests: list[RequestRecord] = field(default_factory=list)
    crashes: list[str] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)
    files: dict[str, StoredFile] = field(default_factory=dict)
    uploads: dict[str, PartedUpload] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)
    conversations: dict[str, Conversation] = field(default_factory=dict)
    batches: dict[str, BatchJob] = field(default_factory=dict)
    responses: dict[str, Json] = field(default_factory=dict)
    pending: dict[str, tuple[float, Json]] = field(default_factory=dict)
    prompt_cache: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def disturb(
        self,
        method: str,
        path: str,
        outcome: HttpAnswer | None = None,
        *,
        done: bool = False,
        times: int = 1,
        skip: int = 0,
        for_good: bool = False,
    ) -> None:
        """Spoil the next requests of any route, after `skip` that are spared.

        Method and path are patterns as of fnmatch. Without an outcome the connection is cut. With
        `done` the request takes effect and only its reply is lost. With `for_good` no request of
        any route is carried out after it: each gets the outcome.
        """
        found = Disturbance(method, path, outcome, done, times, skip, for_good=for_good)
        self.disturbances.append(found)

    def meanwhile(
        self, method: str, path: str, act: Callable[[], object], *, skip: int = 0
    ) -> None:
        """Let somebody else do something just before such a request is carried out."""
        self.disturbances.append(Disturbance(method, path, skip=skip, before=act))

    def answer_to(self, body: Json) -> str:
        return self.answer if isinstance(self.answer, str) else self.answer(body)
