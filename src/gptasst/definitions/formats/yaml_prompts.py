"""Prompts as YAML documents: `.prompt.yml` of GitHub Models, templates of llm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gptasst.definitions.formats.draft import INPUT, Draft, Turn, mapping
from gptasst.definitions.formats.templates import of_braces, of_dollars, role_of
from gptasst.definitions.formats.types import ModelEnd, NotTaken, Reading
from gptasst.definitions.formats.yaml_text import written
from gptasst.definitions.variables import fill

_PROMPT_KEYS = (
    "name",
    "description",
    "model",
    "modelParameters",
    "messages",
    "responseFormat",
    "jsonSchema",
    "testData",
    "evaluators",
)
LLM_KEYS = (
    "prompt",
    "system",
    "model",
    "defaults",
    "options",
    "extract",
    "extract_last",
    "schema_object",
    "attachments",
    "attachment_types",
    "fragments",
    "system_fragments",
    "tools",
    "functions",
    "name",
)


def read_prompt_yaml(name: str, values: Mapping[str, Any], model_end: ModelEnd) -> Reading:
    """A `.prompt.yml` of GitHub Models.

    Raises:
        NotTaken: it has no messages, or a value has the wrong type.
    """
    draft = Draft(written(values.get("name")).strip() or name, "prompt-yml", model_end)
    draft.description = draft.take_text(values, "description") or ""
    draft.add_model(draft.take_text(values, "model"))
    draft.add_settings(values.get("modelParameters"), "modelParameters")
    _take_format(draft, values)
    turns = []
    for message in _messages(values.get("messages")):
        filled = of_braces(written(message.get("content")), "braces", None)
        draft.use(filled.names)
        turns.append(Turn(role_of(message.get("role")), filled.text))
    draft.add_turns(turns)
    if not turns:
        raise NotTaken("it has no messages")
    draft.leave_keys(values, _PROMPT_KEYS)
    _take_tests(draft, values)
    return draft.reading()


def _messages(found: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise NotTaken("key `messages` is not a list of messages")
    return found


def _take_format(draft: Draft, values: Mapping[str, Any]) -> None:
    form = values.get("responseFormat")
    schema = values.get("jsonSchema")
    if schema is not None:
        draft.add_schema(schema, "key", "jsonSchema")
    elif form is not None:
        draft.add_response_format(form)


def _take_tests(draft: Draft, values: Mapping[str, Any]) -> None:
    """Convert test data and evaluators to cases."""
    data = [row for row in _list(values.get("testData")) if isinstance(row, Mapping)]
    tests: list[_Test] = []
    for evaluator in _list(values.get("evaluators")):
        tests += _tests(draft, mapping(evaluator))
    if not tests:
        if data:
            draft.leave("testData", f"{len(data)} inputs", "no evaluator checks the answers")
        return
    if not data:
        for called, _, _ in tests:
            draft.leave("evaluator", called, "there is no test data")
    if data and any(check == "judge" for _, check, _ in tests):
        draft.notes.append("evaluators that ask a model became `judge` checks")
    for number, row in enumerate(data, start=1):
        draft.cases.append(_case(draft, number, row, tests))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


# The name of an evaluator, the matching check, and the template of its value.
_Test = tuple[str, str, str]

_BUILT_IN = {
    "github/similarity": "Does the answer say the same as this?\n\n{{expected}}",
    "github/relevance": "Does the answer address what was asked?",
    "github/groundedness": "Is everything in the answer supported by what it was given?",
    "github/coherence": "Is the answer coherent, so that its sentences follow from each other?",
    "github/fluency": "Is the answer fluent, in language that is correct and easy to read?",
}


def _tests(draft: Draft, evaluator: Mapping[str, Any]) -> Iterator[_Test]:
    called = written(evaluator.get("name")) or "evaluator"
    known = 0
    for check, wanted in mapping(evaluator.get("string")).items():
        if check in _CHECKS:
            known += 1
            yield called, check, written(wanted)
        else:
            draft.leave("evaluator", called, f"there is no check `{check}`")
    if written(evaluator.get("uses")) in _BUILT_IN:
        yield called, "judge", _BUILT_IN[written(evaluator["uses"])]
    elif "uses" in evaluator:
        draft.leave("evaluator", called, f"there is no `{written(evaluator['uses'])}`")
    asked = mapping(evaluator.get("llm"))
    if asked and _is_yes_or_no(asked.get("choices")):
        question = f"{written(asked.get('systemPrompt'))}\n{written(asked.get('prompt'))}"
        yield called, "judge", question.replace("{{completion}}", "the answer").strip()
    elif asked:
        draft.leave("evaluator", called, "its choices are not yes and no; write a `judge` check")
    elif not known and "uses" not in evaluator:
        draft.leave("evaluator", called, "it has no check that is known here")


def _is_yes_or_no(choices: object) -> bool:
    """Whether an evaluator asks a model for yes (good) or no."""
    scores = {
        written(mapping(each).get("choice")).lower(): mapping(each).get("score")
        for each in _list(choices)
    }
    good, bad = scores.get("yes"), scores.get("no")
    is_number = isinstance(good, (int, float)) and isinstance(bad, (int, float))
    return scores.keys() == {"yes", "no"} and is_number and good > bad  # type: ignore[operator]


# GitHub's checks, with the matching ones here.
_CHECKS: Mapping[str, Callable[[str], tuple[str, str]]] = {
    "equals": lambda text: ("equals", text),
    "contains": lambda text: ("contains", text),
    "startsWith": lambda text: ("matches", rf"\A{re.escape(text)}"),
    "endsWith": lambda text: ("matches", rf"{re.escape(text)}\Z"),
    "judge": lambda text: ("judge", text),
}


def _case(
    draft: Draft, number: int, row: Mapping[str, Any], tests: Sequence[_Test]
) -> Mapping[str, Any]:
    """A case from one input."""
    case: dict[str, Any] = {"name": f"test {number}"}
    told = {key: written(value) for key, value in row.items()}
    if told.get(INPUT):
        case["input"] = told[INPUT]
    values = {key: told[key] for key in draft.variables if key in told and key != INPUT}
    if values:
        case["vars"] = values
    if "input" not in case:
        task = draft.default_text or "Begin."
        case["text"] = fill(task, values) if values else task
    used = {INPUT, *values}
    for called, check, wanted in tests:
        missing = "{{expected}}" in wanted and not told.get("expected")
        if missing:
            draft.leave("evaluator", called, "there is no `expected` answer to compare with")
            continue
        used |= {key for key in told if f"{{{{{key}}}}}" in wanted}
        key, text = _CHECKS[check](fill(wanted, told))
        if key == "equals":
            case[key] = text
        elif text:
            case.setdefault(key, []).append(text)
    for key in told:
        if key not in used:
            draft.leave("testData", key, "it is not used by a variable or evaluator")
    return case


def is_llm_template(values: Mapping[str, Any]) -> bool:
    """Whether a YAML mapping has only keys of llm's templates."""
    has_text = any(isinstance(values.get(key), str) for key in ("prompt", "system"))
    return has_text and all(key in LLM_KEYS for key in values)


def read_llm(name: str, values: Mapping[str, Any], model_end: ModelEnd) -> Reading:
    """A template of llm.

    Raises:
        NotTaken: a value has the wrong type.
    """
    draft = Draft(name, "llm", model_end)
    draft.add_model(draft.take_text(values, "model"))
    draft.add_settings(values.get("options"), "option")
    if values.get("schema_object") is not None:
        draft.add_schema(values["schema_object"], "key", "schema_object")
    for key, default in mapping(values.get("defaults")).items():
        draft.add_variable(key, written(default))
    system = of_dollars(draft.take_text(values, "system") or "")
    prompt = of_dollars(draft.take_text(values, "prompt") or "")
    draft.use((*system.names, *prompt.names))
    draft.instructions = system.text
    task = prompt.text if prompt.text.strip() else None
    if task is not None and task.strip() == f"{{{{{INPUT}}}}}" and system.text.strip():
        draft.notes.append("its prompt is only `$input`, which is what you give to a run")
        if f"{{{{{INPUT}}}}}" not in system.text:
            del draft.variables[INPUT]
        task = None
    draft.place_task(task)
    _leave_rest(draft, values)
    if values.get("extract") or values.get("extract_last"):
        draft.unwrap_fence = True
        draft.notes.append(
            "`extract` became `unwrap_fence`, which only removes a fence around the whole answer"
        )
    return draft.reading()


def _leave_rest(draft: Draft, values: Mapping[str, Any]) -> None:
    reasons = {
        "attachments": "pass files to `run`",
        "attachment_types": "pass files to `run`",
        "fragments": "pass files to `run`, or put the text into the instructions",
        "system_fragments": "put the text into the instructions",
        "tools": "there is no such tool",
    }
    for key, reason in reasons.items():
        for found in _list(values.get(key)):
            called = written(found.get("value") if isinstance(found, Mapping) else found)
            draft.leave(key, called, reason)
    if values.get("functions"):
        draft.leave(
            "functions", "functions", "code is not imported: gptasst runs no code of a template"
        )
    draft.leave_keys(values, LLM_KEYS)
