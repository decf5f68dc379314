"""The values of a run: request, plan and result."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from gptasst.api.types import Citation, FoundText, PastMessage, Usage
from gptasst.definitions.types import Definition, SearchSettings
from gptasst.inputs.reading import InputFile
from gptasst.inputs.screening import SCREENED, Screening
from gptasst.knowledge.types import Excerpt
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.models.prices import Budget


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The user's request for one run.

    `files` are read already, text in `encoding` if it was given; `text` is the task and `stdin` the
    piped text (`None`: nothing). `model`, `schema` and `timeout` (seconds) override the definition
    and the profile. `past` are earlier messages, oldest first. Without `file_search` the knowledge
    is not used. `screening` is the check for secrets. With `of_many`, other runs use the same
    definition for other files. `variables` are the values of the
    definition's variables; the others have their defaults. `budget` is what may be spent.
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
    variables: Mapping[str, str] = field(default_factory=dict)
    budget: Budget | None = None


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """An input in a dry run. `size` is in bytes, `sent_as` the form in which it would be sent."""

    path: str
    kind: str
    size: int
    sent_as: Literal["text", "inline", "upload"]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run would send, with notes.

    `estimated_tokens` counts the text that is sent, `estimated_output_tokens` is a guess at the
    answer. `estimated_cost` is in US dollars for each time within which the answer can come
    (`now`, `2h`, `8h`, `24h`), and empty where the price is not known.
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
    estimated_output_tokens: int = 0
    estimated_cost: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds from the request to the first piece of the answer and to its end."""

    first_token: float | None
    total: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A block that an edit kept unchanged, against the answer.

    `lines` count from 1: `3` or `3-5`.
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
    `cost` is in US dollars, `None` where usage or price is not known.
    `searches` are what the model itself looked for in the knowledge, `passages` what was found
    there for the answer, cited or not. `reasoning` is the model's summary of its reasoning.
    """

    name: str
    answer: str
    model: str
    profile: str
    response_id: str
    timings: Timings
    usage: Usage | None = None
    cost: float | None = None
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
    reasoning: str = ""


# Changed whenever the same definition and input produce a different request.
_FORMAT = 1


def basis_digest(
    definition: Definition,
    *,
    model: str,
    task: str | None,
    schema: Mapping[str, Any] | None,
    knowledge_sha256: str,
) -> str:
    """The sha256, in hex, of everything that shapes an answer, except the input.

    A definition's name and description don't reach the model and don't count; nor does the server,
    so that a model behind two addresses is the same.

    Args:
        definition: its instructions, tools, settings and treatment of the answer.
        model: the model in use.
        task: the task.
        schema: the schema of the answer.
        knowledge_sha256: the digest of the knowledge; empty without any.
    """
    basis: dict[str, Any] = {
        "format": _FORMAT,
        "model": model,
        "instructions": definition.instructions,
        "task": task,
        "schema": schema,
        "unwrap_fence": definition.unwrap_fence,
        "tools": dataclasses.asdict(definition.tools),
        "settings": dataclasses.asdict(definition.settings),
        "knowledge": knowledge_sha256,
    }
    if definition.tools.search == SearchSettings():
        del basis["tools"]["search"]  # the form before such settings existed
    for table in (basis["tools"], basis["settings"]):
        for key in [key for key in table if _is_new_and_unset(key, table[key])]:
            del table[key]
    for key in _NOT_THE_ANSWERS:
        basis["settings"].pop(key, None)
    if definition.edit is not None:
        basis["edit"] = dataclasses.asdict(definition.edit)
    return content_digest(json.dumps(basis, sort_keys=True, default=dict).encode())


# Newer settings count only where they are set, so that what was finished before stays finished.
_NEW = (
    "web", "code", "mcp", "verbosity", "reasoning_summary", "max_tool_calls", "tool_choice",
)  # fmt: skip
# These change when and for whom a model answers, not what.
_NOT_THE_ANSWERS = ("service_tier", "compact_threshold", "safety_identifier", "reasoning_summary")


def _is_new_and_unset(key: str, value: object) -> bool:
    inner = value.values() if isinstance(value, dict) else (value,)
    return key in _NEW and all(part in (None, (), []) for part in inner)


def run_digest(basis: str, content_sha256: str, kind: str) -> str:
    """The sha256, in hex, of one run: a basis, and the bytes of its input read as `kind`."""
    return content_digest(f"{basis} {kind} {content_sha256}".encode())


def content_digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
