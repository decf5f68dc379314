"""Build a definition from another format, and list what can't be carried over."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

from gptasst.definitions.formats.types import Format, LeftBehind, ModelEnd, NotTaken, Reading
from gptasst.definitions.formats.yaml_text import written
from gptasst.definitions.schemas import check_schema, parse_schema
from gptasst.definitions.toml import dump_definition, parse_definition
from gptasst.definitions.types import (
    Definition,
    ModelSettings,
    ReasoningEffort,
    ReasoningSummary,
    ServiceTier,
    Tools,
    Variable,
    Verbosity,
)
from gptasst.definitions.variables import variable_name_problem
from gptasst.errors import InvalidDefinition
from gptasst.values import dataclass

# The placeholder for the input of a run, in tools that put it in the middle of a text.
INPUT = "input"
INPUT_DEFAULT = "(the input that follows)"
INPUT_VARIABLE = Variable(
    INPUT, INPUT_DEFAULT, "what to work on, if a run is not given it as text, file or stdin"
)
# The instructions for a prompt whose only text is the message.
PLAIN_INSTRUCTIONS = "Do the task in the message."

NO_SUCH_KEY = "definitions have no such key"
NO_THREAD = "`chat` and `--conversation` keep the history"
_SETTINGS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "topp": "top_p",
    "max_tokens": "max_output_tokens",
    "maxtokens": "max_output_tokens",
    "max_output_tokens": "max_output_tokens",
    "maxoutputtokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning_effort",
    "reasoningeffort": "reasoning_effort",
    "effort": "reasoning_effort",
    "reasoning_summary": "reasoning_summary",
    "verbosity": "verbosity",
    "service_tier": "service_tier",
    "max_tool_calls": "max_tool_calls",
    "compact_threshold": "compact_threshold",
}
_CHOICES: Mapping[str, Any] = {
    "reasoning_effort": ReasoningEffort,
    "reasoning_summary": ReasoningSummary,
    "verbosity": Verbosity,
    "service_tier": ServiceTier,
}
_RANGES = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0)}
_LEAST = {"max_output_tokens": 16, "max_tool_calls": 1, "compact_threshold": 1000}
_OTHER_MODELS = re.compile(
    r"(?i)(claude|gemini|gemma|sonnet|opus|haiku|fable|inherit$|llama|mistral|mixtral|phi-|qwen|"
    r"deepseek|command-|grok|jamba)"
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of a prompt: `system`, `user` or `assistant`; `line` is its first line."""

    role: str
    text: str
    line: int | None = None


class Draft:
    """A definition that is being read.

    Args:
        name: its name, which may not be usable.
        format: its original format.
        model_end: knows the shutdown dates of models.
    """

    def __init__(self, name: str, format: Format, model_end: ModelEnd) -> None:
        self.name = name
        self.format = format
        self.description = ""
        self.instructions = ""
        self.default_text: str | None = None
        self.model: str | None = None
        self.schema: Mapping[str, Any] | None = None
        self.unwrap_fence = False
        self.tools = Tools()
        self.knowledge: tuple[str, ...] = ()
        self.cases: list[Mapping[str, Any]] = []
        self.notes: list[str] = []
        self.left: list[LeftBehind] = []
        self.variables: dict[str, Variable] = {}
        self._settings: dict[str, Any] = {}
        self._model_end = model_end

    def leave(self, kind: str, name: str, reason: str) -> None:
        """List something that is not carried over, without its value, which may be secret."""
        left = LeftBehind(kind, name, reason)
        if left not in self.left:
            self.left.append(left)

    def leave_keys(
        self, values: Mapping[str, Any], known: Sequence[str], kind: str = "key"
    ) -> None:
        """List the unknown keys."""
        for key in values:
            if key not in known:
                self.leave(kind, key, NO_SUCH_KEY)

    def leave_set(self, values: Mapping[str, Any], kind: str) -> None:
        """List settings that definitions do not have, unless they are null."""
        for key, value in values.items():
            if value is not None:
                self.leave(kind, key, "definitions have no such setting")

    def set(self, own: str, value: object) -> None:
        """Set a value that was checked."""
        self._settings[own] = value

    def take_text(self, values: Mapping[str, Any], key: str) -> str | None:
        """A text; a blank one counts as missing.

        Raises:
            NotTaken: it is a list or a table.
        """
        value = values.get(key)
        if isinstance(value, (dict, list)):
            raise NotTaken(f"key `{key}` is not a text")
        text = written(value)
        return text if text.strip() else None

    def turn_on(self, tool: str) -> None:
        """Turn on one of a definition's tools."""
        told: dict[str, Any] = {tool: True}
        self.tools = replace(self.tools, **told)

    def add_model(self, name: str | None) -> None:
        """Use a model that is still available; others are listed."""
        if not name:
            return
        publisher, _, bare = name.rpartition("/")
        if publisher not in ("", "openai", "azure", "azure-openai") or _OTHER_MODELS.match(bare):
            reason = "not an OpenAI model; set one that your server has with `model = …` or `-m`"
            self.leave("model", name, reason)
            return
        end = self._model_end(bare)
        today = datetime.datetime.now(datetime.UTC).date()
        if end is not None and end[0] <= today:
            successor = f"; its successor is `{end[1]}`" if end[1] else ""
            reason = f"it was shut down on {end[0]}; the profile's is used{successor}"
            self.leave("model", name, reason)
            return
        self.model = bare
        if bare != name:
            self.notes.append(f"model `{name}` became `{bare}`")

    def add_settings(self, values: object, kind: str = "parameter") -> None:
        """Use the settings that the API has; others are listed."""
        if not isinstance(values, Mapping):
            return
        for key, value in values.items():
            own = _SETTINGS.get(key.lower())
            if value is None:
                continue
            try:
                if own is None:
                    raise NotTaken("definitions have no such setting")
                self._settings[own] = _setting(own, value)
            except NotTaken as problem:
                self.leave(kind, key, str(problem))

    def add_schema(self, found: object, kind: str, name: str) -> None:
        """Use a JSON Schema, given directly, as text, or wrapped like in the API."""
        try:
            schema = parse_schema(found) if isinstance(found, str) else found
            if not isinstance(schema, dict):
                raise ValueError("is no JSON object")  # noqa: TRY004  # one kind of failure
            for wrapping in ("json_schema", "schema"):
                inner = schema.get(wrapping)
                if isinstance(inner, dict) and "properties" not in schema:
                    schema = inner
            check_schema(schema)
        except ValueError as error:
            self.leave(kind, name, f"its schema {error}")
            return
        self.schema = schema

    def add_response_format(self, form: object) -> None:
        """Use `response_format` or `text.format`, in all their forms."""
        kind = form.get("type") if isinstance(form, Mapping) else form
        if kind in (None, "auto", "text"):
            return
        if kind == "json_schema" and isinstance(form, Mapping):
            self.add_schema(form, "response_format", "json_schema")
            return
        self.leave(
            "response_format", str(kind), "there is no JSON mode without a schema; add a `schema`"
        )

    def add_variable(
        self,
        name: str,
        default: str | None = None,
        description: str = "",
        choices: Sequence[str] = (),
    ) -> None:
        """Declare a variable, or add to its declaration.

        Raises:
            NotTaken: its name can't be used.
        """
        problem = variable_name_problem(name)
        if problem:
            raise NotTaken(f"the variable `{name[:80]}` {problem}")
        known = self.variables.get(name, Variable(name))
        if not all(choices):
            self.notes.append(
                f"variable `{name}`: a blank choice can't be one, so any value is taken"
            )
            choices = ()
        if choices and default is not None and default not in choices:
            self.notes.append(
                f"variable `{name}`: its default is not among its choices, so it has none"
            )
            default = None
        self.variables[name] = replace(
            known,
            default=known.default if default is None else default,
            description=known.description or description,
            choices=known.choices or tuple(choices),
        )

    def use(self, names: Sequence[str]) -> None:
        """Declare the variables in a text."""
        for name in names:
            if name == INPUT and name not in self.variables:
                self.variables[name] = INPUT_VARIABLE
            else:
                self.add_variable(name)

    def add_turns(self, turns: Sequence[Turn]) -> None:
        """Convert a prompt's messages to the parts of a definition.

        System messages become the instructions, the last user message becomes `default_text`, and
        turns before it become an example in the instructions. A message that is only `{{input}}` is
        dropped, because a run adds its input anyway.
        """
        turns = [turn for turn in turns if turn.text.strip()]
        system = [turn.text for turn in turns if turn.role == "system"]
        said = [turn for turn in turns if turn.role != "system"]
        while said and said[-1].role == "assistant":
            said.pop()
            self.leave("message", "assistant", "gptasst can't begin the model's answer")
        task = said.pop().text if said else None
        self.instructions = system[0] if len(system) == 1 else "\n\n".join(map(str.strip, system))
        if said:
            self.notes.append(f"{len(said)} earlier messages became an example in the instructions")
            told = "\n".join(f"{turn.role}: {turn.text.strip()}" for turn in said)
            before = f"{self.instructions.strip()}\n\n" if self.instructions.strip() else ""
            self.instructions = f"{before}<example>\n{told}\n</example>\n"
        if task is not None and task.strip() == f"{{{{{INPUT}}}}}":
            self.notes.append(
                "its user message is only `{{input}}`, which is what you give to a run"
            )
            task = None
        self.place_task(task)
        if INPUT in self.variables and f"{{{{{INPUT}}}}}" not in self._texts():
            del self.variables[INPUT]

    def place_task(self, task: str | None) -> None:
        """Use a task without instructions that refers to the input as the instructions.

        So a run's own text adds to it, instead of replacing it.
        """
        if task is not None and not self.instructions.strip() and INPUT in self.variables:
            self.instructions, task = task, None
        if not self.instructions.strip():
            self.instructions = PLAIN_INSTRUCTIONS
        self.default_text = task

    def _texts(self) -> str:
        return f"{self.instructions}\n{self.default_text or ''}"

    def definition(self) -> Definition:
        """The definition, validated like TOML.

        Raises:
            NotTaken: it has no instructions, or is invalid.
        """
        if not self.instructions.strip():
            raise NotTaken("it has no text for instructions")
        made = Definition(
            name="imported",
            description=self.description.rstrip("\n"),
            instructions=self.instructions,
            model=self.model,
            default_text=self.default_text,
            unwrap_fence=self.unwrap_fence,
            schema=self.schema,
            tools=self.tools,
            settings=ModelSettings(**self._settings),
            knowledge=self.knowledge,
            variables=tuple(self.variables.values()),
        )
        try:
            read = parse_definition(dump_definition(made), source="", schema_checked=True)
        except InvalidDefinition as error:
            raise NotTaken(f"no definition can be made of it: {error.problem}") from None
        return replace(read, name=self.name)

    def reading(self) -> Reading:
        """The result."""
        for name in list(self.variables):
            if f"{{{{{name}}}}}" not in self._texts():
                del self.variables[name]
                self.leave("variable", name, "it is not used in the text")
        definition = self.definition()
        for key in sorted(self._settings.keys() & _RANGES.keys()):
            self.notes.append(f"{key} is kept; models that reason refuse it")
        return Reading(
            self.format, definition, tuple(self.notes), tuple(self.left), tuple(self.cases)
        )


def _setting(own: str, value: Any) -> Any:
    """The value of a setting in the API's form.

    Raises:
        NotTaken: the value is not valid in the API; the message has the reason.
    """
    if own in _CHOICES:
        if value not in get_args(_CHOICES[own]):
            raise NotTaken(f"it is none of {', '.join(get_args(_CHOICES[own]))}")
        return value
    try:
        number = float("" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError):
        raise NotTaken("it is not a number") from None
    if own in _LEAST:
        if not number >= _LEAST[own]:
            raise NotTaken(f"it is less than {_LEAST[own]:,}")
        return int(min(number, 10**9))
    low, high = _RANGES[own]
    if not low <= number <= high:
        raise NotTaken(f"it is not from {low:g} to {high:g}")
    return number


def described(text: str, limit: int = 100) -> str:
    """The first sentence of a text that is not a heading, as a description; empty if none."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in paragraph.splitlines()]
        said = " ".join(line for line in lines if line and line[0] not in "#-*|>`<=")
        if not said:
            continue
        sentence = re.split(r"(?<=[.!?])\s", said, maxsplit=1)[0]
        if len(sentence) <= limit:
            return sentence
        return sentence[: limit - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"
    return ""


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping, or an empty one for other values."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def listed(value: object) -> Sequence[Any]:
    """A list, or an empty one for other values."""
    return value if isinstance(value, list) else ()
