"""One run: what was asked, what is sent, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gptasst.api.types import Citation, FoundText, PastMessage, Usage
from gptasst.inputs.screening import SCREENED, Screening
from gptasst.inputs.types import InputFile
from gptasst.knowledge.types import Excerpt


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the user asked of one run.

    `files` are read already, as text of `encoding` where that was named; `text` is the task and
    `stdin` what was piped in (`None`: nothing). `model`, `schema` and `timeout` (seconds) override
    the definition and the profile. `past` is what was said before, oldest first. Without
    `file_search` the knowledge is left alone. `screening` tells what must not be sent.
    With `of_many`, other runs ask the same of other files.
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
    screening: Screening = SCREENED
    encoding: str | None = None
    of_many: bool = False


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """An input as a dry run shows it. `size` is in bytes, `sent_as` the form it would take."""

    path: str
    kind: str
    size: int
    sent_as: Literal["text", "inline", "upload"]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run would send, with notes. `estimated_tokens` counts the text only, to about a fifth.

    `definition` is the file of the instruction, where it is no assistant's; `tools` are those
    that it uses besides its knowledge, `functions` those that the model may call here.
    """

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
    definition: str | None = None
    tools: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds from the request to the first piece of the answer and to its end."""

    first_token: float | None
    total: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A block of an input that an edit left as it was, against the answer.

    `lines` are counted from 1, as in `3` or `3-5`.
    """

    path: str
    lines: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """An answer and where it came from; `warnings` are what its user should know besides.

    `definition` and `tools` are as in `RunPlan`.
    `conversation` is the id of the conversation it belongs to; `left_out` counts the messages of
    it that did not fit into the model's context any more; `kept` are the blocks that an edit left
    as they were. `encoding` is that of a file with the answer: of an edit, that of its input.
    `searches` are what the model itself looked for in the knowledge, `passages` what was found
    there for the answer, cited or not.
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
    definition: str | None = None
    tools: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    encoding: str = "utf-8"
    searches: tuple[str, ...] = ()
    passages: tuple[FoundText, ...] = ()
