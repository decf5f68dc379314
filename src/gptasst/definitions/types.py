"""The values of definitions and instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from gptasst.values import dataclass

CASES_ENDING = ".cases.toml"  # of files with cases beside an instruction

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
ReasoningSummary = Literal["auto", "concise", "detailed"]
Verbosity = Literal["low", "medium", "high"]
ServiceTier = Literal["auto", "default", "fast", "priority", "scale", "ultrafast"]


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """The settings of search. `None` is the default.

    `max_results` is the most passages (1 to 50). `score_threshold` is the lowest score (0 to 1) and
    `text_weight` the weight of words against meaning (0 to 1), both only on servers. `filters` are
    patterns as in `.gitignore`: only matching files are searched.
    """

    max_results: int | None = None
    score_threshold: float | None = None
    filters: tuple[str, ...] = ()
    text_weight: float | None = None


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How the web is searched. What is empty is left to the server.

    `allowed_domains` are all that may be searched, with their subdomains; `context_size` is how
    much of what is found the model reads. `country` is an ISO code of two letters, `timezone` an
    IANA name.
    """

    allowed_domains: tuple[str, ...] = ()
    context_size: Literal["low", "medium", "high"] | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class CodeSettings:
    """Where code runs: with how much memory, and without a network if `network` is false."""

    memory: Literal["1g", "4g", "16g", "64g"] | None = None
    network: bool | None = None


@dataclass(frozen=True, slots=True)
class McpServer:
    """A server of tools that the model's server calls, by the Model Context Protocol.

    `key_env` names the environment variable with its key. Without `allowed_tools` all of its tools
    may be called. With `approval` `always`, each call is asked for first.
    """

    label: str
    url: str
    description: str = ""
    allowed_tools: tuple[str, ...] = ()
    approval: Literal["never", "always"] = "always"
    key_env: str | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of an assistant. `file_search=None`: if it has knowledge.

    `search`, `web` and `code` say how these work.
    """

    file_search: bool | None = None
    code_interpreter: bool = False
    web_search: bool = False
    search: SearchSettings = field(default_factory=SearchSettings)
    web: WebSettings = field(default_factory=WebSettings)
    code: CodeSettings = field(default_factory=CodeSettings)
    mcp: tuple[McpServer, ...] = ()

    @property
    def hosted(self) -> tuple[str, ...]:
        """The hosted tools that reach further than the knowledge."""
        names = ("code_interpreter", "web_search")
        servers = tuple(f"mcp:{server.label}" for server in self.mcp)
        return (*(name for name in names if getattr(self, name)), *servers)

    @property
    def names(self) -> tuple[str, ...]:
        return (*(("file_search",) if self.file_search else ()), *self.hosted)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Settings that are passed to the model. `None` is the server's default.

    `temperature` is 0..2, `top_p` 0..1, `max_output_tokens` at least 16. `max_tool_calls` limits
    the calls of hosted tools in one answer. `tool_choice` is `none`, `auto`, `required`,
    `file_search`, `code_interpreter` or `mcp:LABEL`. A conversation on the server is compacted from
    `compact_threshold` tokens on (at least 1,000). `safety_identifier` tells users apart, as a
    hash: a text, or `True` for whoever runs it.
    """

    reasoning_effort: ReasoningEffort | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    verbosity: Verbosity | None = None
    reasoning_summary: ReasoningSummary | None = None
    service_tier: ServiceTier | None = None
    max_tool_calls: int | None = None
    tool_choice: str | None = None
    compact_threshold: int | None = None
    safety_identifier: str | Literal[True] | None = None


Keep = Literal["code", "urls", "front_matter", "html", "numbers", "structure", "placeholders"]
EditUnit = Literal["document", "block", "sentence"]
KEEP_BY_DEFAULT: tuple[Keep, ...] = (
    "code",
    "urls",
    "front_matter",
    "html",
    "numbers",
    "structure",
)


@dataclass(frozen=True, slots=True)
class EditSettings:
    """The settings of edits, whose answer is a changed input.

    `keep` is what must not change; `max_change` is the share of a block's characters that may
    change; from 1 on, all may. `unit` is what a model gets at a time (`None`: depends on its size).
    A small model gets single sentences with `sentence_instructions` and `examples`, pairs of a
    sentence and its answer.
    """

    keep: tuple[Keep, ...] = KEEP_BY_DEFAULT
    max_change: float = 0.3
    unit: EditUnit | None = None
    sentence_instructions: str | None = None
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a definition: `{{NAME}}` in its texts.

    Without a `default` (`None`) it is required; with `choices` it must be one of them.
    """

    name: str
    default: str | None = None
    description: str = ""
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        return self.default is None


@dataclass(frozen=True, slots=True)
class Case:
    """An input, and checks of the answer.

    `input` is the input text, named `file` if it has a name; a `file` without `input` is read from
    disk. `text` is the task, `vars` are values of variables. All others are checks. `json` maps
    paths (`items[0].name`) to values. `max_tokens` counts input and output, `max_cost` is in US
    dollars, `max_seconds` from request to end. `judge` is a question that `judge_model` answers
    with yes or no.
    """

    name: str
    input: str | None = None
    file: str | None = None
    text: str | None = None
    vars: Mapping[str, str] = field(default_factory=dict)
    equals: str | None = None
    contains: tuple[str, ...] = ()
    not_contains: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    not_matches: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    json: Mapping[str, Any] = field(default_factory=dict)
    unchanged: bool = False
    keeps: tuple[Keep, ...] = ()
    max_change: float | None = None
    cites: tuple[str, ...] = ()
    not_cites: tuple[str, ...] = ()
    max_tokens: int | None = None
    max_cost: float | None = None
    max_seconds: float | None = None
    judge: tuple[str, ...] = ()
    judge_model: str | None = None

    @property
    def needs_file(self) -> bool:
        """Whether its input is read from disk."""
        return self.file is not None and self.input is None

    @property
    def is_retrieval(self) -> bool:
        """Whether the case checks the search in the knowledge."""
        return bool(self.cites or self.not_cites)


@dataclass(frozen=True, slots=True)
class Definition:
    """The definition of an assistant or instruction.

    `instruction` is the instruction that it was created from; `default_text` is the task of a run
    with files and without text; `unwrap_fence` removes a code fence around the whole answer;
    `schema` is the JSON Schema of the answer; `knowledge` are the directories and patterns that a
    sync reads again; `edit` is set if the answer is an edit of its input; `variables` are in the
    order of the document; `cases` test it, and are never sent to a model with it.

    `extends` is the instruction that provides all missing keys, and `instructions_append` is added
    to its instructions. Only a document that was read by itself has them, and then `instructions`
    may be
    empty: the library resolves them (see `toml.put_together`), and stores only contain resolved
    definitions.
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
    knowledge: tuple[str, ...] = ()
    edit: EditSettings | None = None
    variables: tuple[Variable, ...] = ()
    extends: str | None = None
    instructions_append: str | None = None
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class DefinitionChanges:
    """Changes to a definition when an assistant is created or edited; `None` changes nothing.

    `instruction` is an instruction to start from, `instructions` the text itself; `variables` are
    new defaults of its variables.
    """

    name: str | None = None
    instruction: str | None = None
    instructions: str | None = None
    model: str | None = None
    description: str | None = None
    file_search: bool | None = None
    code_interpreter: bool | None = None
    web_search: bool | None = None
    reasoning_effort: ReasoningEffort | None = None
    schema: Mapping[str, Any] | None = None
    cases: tuple[Case, ...] | None = None
    variables: Mapping[str, str] | None = None


InstructionOrigin = Literal["project", "path", "user", "shipped", "file"]


@dataclass(frozen=True, slots=True)
class ExtendedInstruction:
    """An instruction that another one extends; see `Instruction`."""

    name: str
    path: str
    origin: InstructionOrigin
    hides: str | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """A definition in the instruction library, with its file and library.

    `hides` is the file with the same name that it shadows, if that differs. `extended` are the
    instructions that it extends, nearest first.
    """

    definition: Definition
    path: str
    origin: InstructionOrigin
    hides: str | None = None
    extended: tuple[ExtendedInstruction, ...] = ()

    def notices(self) -> tuple[str, ...]:
        """Warnings for users in a stranger's repository."""
        own = self._notice()
        name = self.definition.name
        return (*((own,) if own else ()), *notices_of(self.extended, name, self.origin))

    @property
    def needs_consent(self) -> bool:
        """Whether a repository replaced something that the user may have meant."""
        own = bool(self.hides) and self.origin == "project"
        return own or bool(notices_of(self.extended, self.definition.name, self.origin))

    def _notice(self) -> str | None:
        hosted = self.definition.tools.hosted
        if self.origin != "project" or not (self.hides or hosted):
            return None
        uses = f"turns on {' and '.join(hosted)}" if hosted else ""
        hides = f"hides `{self.hides}`" if self.hides else ""
        does = " and ".join(filter(None, (hides, uses)))
        return f"the instruction `{self.path}` of the working directory {does}"


def notices_of(
    extended: tuple[ExtendedInstruction, ...], name: str, origin: InstructionOrigin
) -> tuple[str, ...]:
    """Warnings about repository instructions that `name` unexpectedly extends.

    Args:
        extended: the extended instructions, nearest first.
        name: the name of the definition.
        origin: its library; a repository's own instruction may extend others of it.
    """
    told = []
    for base in extended:
        if base.origin == "project" and (base.hides or origin != "project"):
            hides = f" hides `{base.hides}`, and" if base.hides else ""
            told.append(
                f"the instruction `{base.path}` of the working directory{hides} is part of `{name}`"
            )
    return tuple(told)
