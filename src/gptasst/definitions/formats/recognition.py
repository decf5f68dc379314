"""Recognize the format of a file by its content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from gptasst.definitions.formats.dotprompt import read_dotprompt
from gptasst.definitions.formats.draft import mapping
from gptasst.definitions.formats.markdown import read_agent, read_fabric, read_skill
from gptasst.definitions.formats.openai_json import kind_of_json, read_openai
from gptasst.definitions.formats.prompty import read_prompty
from gptasst.definitions.formats.saved_assistants import read_saved_assistant, saved_name
from gptasst.definitions.formats.templates import has_role_lines
from gptasst.definitions.formats.types import ModelEnd, NoPrompt, NotTaken, Reading
from gptasst.definitions.formats.yaml_prompts import is_llm_template, read_llm, read_prompt_yaml
from gptasst.definitions.formats.yaml_text import (
    FrontMatter,
    read_yaml,
    split_front_matter,
    written,
)
from gptasst.errors import InvalidDefinition
from gptasst.values import dataclass

SKILL, SYSTEM, USER = "skill.md", "system.md", "user.md"
# Suffixes of prompts in directories; a named file is always examined.
SUFFIXES = (".md", ".markdown", ".yml", ".yaml", ".json", ".prompty", ".prompt")
_YAML = (".yml", ".yaml")
_ENDS = (".prompt.yml", ".prompt.yaml", ".prompt.md", ".agent.md", *SUFFIXES, ".txt")

_OF_PROMPTY = ("inputs", "inputSchema", "outputSchema", "outputs", "sample", "template")
_OF_DOTPROMPT = ("config", "input", "output")
_OF_GITHUB = ("modelParameters", "responseFormat", "jsonSchema", "testData", "evaluators")
_OF_SKILLS = ("license", "compatibility", "metadata", "allowed-tools")
_HANDLEBARS = re.compile(r"\{\{\s*(role\s|#|>|history\s*\}|media\s)|<<<dotprompt:")
_LOOKS_LIKE_YAML = re.compile(r"(\s*#[^\n]*\n|\s*\n|---\s*\n)*[A-Za-z_$][\w$-]*[ \t]*:(\s|$)")
# What is broken and may be something else is a prompt if it has one of these.
_TELLS_A_PROMPT = re.compile(
    r"(?m)^(messages|prompt|system|model|tools)[ \t]*:"
    r'|"object"\s*:\s*"(response|prompt|assistant)"|"pmpt_|"instructions"\s*:'
)
_PATTERN = re.compile(r"\s*#+ *(IDENTITY|ROLE|GOAL|TASK)\b")


@dataclass(frozen=True, slots=True)
class Source:
    """A file that may be a prompt.

    `user` is the text of `user.md` beside a fabric pattern; `files` are those of a skill, with
    their words for `knowledge`. `named` is whether the user named the file.
    """

    path: Path
    text: str
    user: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    named: bool = False


def name_of(path: Path) -> str:
    """The name of a prompt without one, from its file or directory."""
    if path.name.lower() in (SKILL, SYSTEM):
        return path.parent.resolve().name
    lowered = path.name.lower()
    end = next((end for end in _ENDS if lowered.endswith(end) and lowered != end), "")
    return path.name[: len(path.name) - len(end)]


def read_prompts(source: Source, model_end: ModelEnd) -> Sequence[Reading | NotTaken]:
    """The prompts in a file: one, or several saved OpenAI objects.

    Of several, those that can't be imported are errors in the result.

    Raises:
        NoPrompt: it has none of the formats.
        NotTaken: it has one, but can't be imported.
    """
    name = name_of(source.path)
    named = _of_file_name(source, name, model_end)
    if named is not None:
        return [named]
    try:
        if source.path.suffix.lower() == ".json" or source.text.lstrip()[:1] in ("{", "["):
            return _of_json(source, name, model_end)
        return [_of_text(source, name, model_end)]
    except NotTaken as error:
        if source.named or _TELLS_A_PROMPT.search(source.text):
            raise
        raise NoPrompt(str(error)) from None  # it was only looked into for being there


def _of_file_name(source: Source, name: str, model_end: ModelEnd) -> Reading | None:
    """The prompt in a file whose name determines the format."""
    base, suffix = source.path.name.lower(), source.path.suffix.lower()
    matter = split_front_matter(source.text)
    if base == SYSTEM:
        return read_fabric(name, source.text, source.user, model_end)
    if base == USER and matter is None:
        raise NoPrompt("it belongs to a `system.md`, which is missing")
    if base == SKILL:
        if matter is None:
            raise NotTaken("it has no front matter between lines of `---`")
        return read_skill(name, matter, source.files, model_end)
    if suffix in (".prompty", ".prompt"):
        read = read_prompty if suffix == ".prompty" else read_dotprompt
        return read(name, matter or FrontMatter("", source.text, 1), model_end)
    return None


def _of_text(source: Source, name: str, model_end: ModelEnd) -> Reading:
    matter = split_front_matter(source.text)
    if matter is not None and matter.body.strip():
        return _of_front_matter(name, matter, model_end)
    if source.path.suffix.lower() in _YAML or _LOOKS_LIKE_YAML.match(source.text):
        return _of_yaml(source, name, model_end)
    if has_role_lines(source.text):
        return read_prompty(name, FrontMatter("", source.text, 1), model_end)
    if _PATTERN.match(source.text):
        return read_fabric(name, source.text, None, model_end)
    if source.path.suffix.lower() == ".toml":
        raise NoPrompt("it is TOML, which instructions are written in: it needs no import")
    raise NoPrompt("it is text, not in a known prompt format")


def _of_front_matter(name: str, matter: FrontMatter, model_end: ModelEnd) -> Reading:
    values, _ = matter.simple_values()
    model = values.get("model")
    if any(key in values for key in _OF_PROMPTY) or (
        isinstance(model, Mapping) and has_role_lines(matter.body)
    ):
        return read_prompty(name, matter, model_end)
    if any(isinstance(values.get(key), Mapping) for key in _OF_DOTPROMPT) or (
        _HANDLEBARS.search(matter.body) and "model" in values
    ):
        return read_dotprompt(name, matter, model_end)
    if written(values.get("name")) and written(values.get("description")):
        if any(key in values for key in _OF_SKILLS) and "model" not in values:
            return read_skill(name, matter, {}, model_end)
        return read_agent(name, matter, model_end)
    if has_role_lines(matter.body) and "model" in values:
        return read_prompty(name, matter, model_end)
    raise NoPrompt("its front matter is not a prompt's: an agent has `name` and `description`")


def _of_yaml(source: Source, name: str, model_end: ModelEnd) -> Reading:
    values = read_yaml(source.text)
    if isinstance(values, str) and source.named:
        return read_llm(name, {"prompt": values}, model_end)
    if not isinstance(values, dict):
        raise NoPrompt("it is YAML, not in a known prompt format")
    name_tells = source.path.name.lower().endswith((".prompt.yml", ".prompt.yaml"))
    return _of_mapping(values, name, model_end, "YAML", name_tells=name_tells)


def _of_mapping(
    values: Mapping[str, Any],
    name: str,
    model_end: ModelEnd,
    language: str,
    *,
    name_tells: bool = False,
) -> Reading:
    messages = values.get("messages")
    has_roles = isinstance(messages, list) and any("role" in mapping(each) for each in messages)
    if has_roles or name_tells or any(key in values for key in _OF_GITHUB):
        return read_prompt_yaml(name, values, model_end)
    if is_llm_template(values):
        return read_llm(name, values, model_end)
    if "jobs" in values and ("on" in values or "true" in values):
        raise NoPrompt("it is a GitHub Actions workflow, not a prompt")
    raise NoPrompt(f"it is {language}, not in a known prompt format")


def _of_json(source: Source, name: str, model_end: ModelEnd) -> Sequence[Reading | NotTaken]:
    try:
        found = json.loads(source.text)
    except RecursionError:
        raise NotTaken("not valid JSON: nested too deeply") from None
    except ValueError as error:
        if source.path.suffix.lower() != ".json":
            raise NoPrompt("it is text, not in a known prompt format") from None
        raise NotTaken(f"not valid JSON: {error}") from None
    listed = found.get("data") if isinstance(found, dict) else found
    if isinstance(listed, list) and listed and all(isinstance(each, dict) for each in listed):
        if all("role" in each for each in listed):  # the items of a conversation
            return [read_openai(name, {"input": listed}, "openai-prompt", model_end)]
        return list(_of_each(listed, source.path, name, model_end))
    if not isinstance(found, dict):
        raise NoPrompt("it is JSON, not in a known prompt format")
    return [_of_object(found, source.path, name, model_end)]


def _of_each(
    listed: Sequence[Mapping[str, Any]], path: Path, name: str, model_end: ModelEnd
) -> Iterator[Reading | NotTaken]:
    for number, each in enumerate(listed, 1):
        try:
            yield _of_object(each, path, name, model_end)
        except NotTaken as error:
            if len(listed) == 1:
                raise
            called = each.get("name") or each.get("id")
            shown = f" (`{called}`)" if isinstance(called, str) else ""
            yield NotTaken(f"number {number}{shown} of {len(listed)}: {error}")


def _of_object(found: Mapping[str, Any], path: Path, name: str, model_end: ModelEnd) -> Reading:
    kind = kind_of_json(found)
    if any(key in found for key in _OF_GITHUB) and isinstance(found.get("messages"), list):
        return read_prompt_yaml(name, found, model_end)
    if kind is None:
        inner = mapping(found.get("response")) or mapping(found.get("body"))
        if kind_of_json(inner):  # a line of a batch, an event of a stream
            return _of_object(inner, path, name, model_end)
        return _of_mapping(found, name, model_end, "JSON")
    if kind == "openai-assistant":
        try:
            named = saved_name(found, path) or name
            return read_saved_assistant(found, path, named, model_end)
        except InvalidDefinition as error:
            raise NotTaken(error.problem) from None
    return read_openai(name, found, kind, model_end)
