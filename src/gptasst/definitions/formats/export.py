"""Write instructions in the formats of other tools."""

from __future__ import annotations

import json
import os
import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, fields
from pathlib import Path
from typing import Any, get_args

from gptasst.definitions.case_files import cases_of
from gptasst.definitions.formats.draft import INPUT, INPUT_VARIABLE, PLAIN_INSTRUCTIONS, described
from gptasst.definitions.formats.templates import NAME, to_dollars
from gptasst.definitions.formats.types import ExportFormat, InstructionExport, LeftBehind
from gptasst.definitions.formats.yaml_text import write_yaml
from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.types import Definition, ModelSettings, Tools
from gptasst.errors import InvalidInput, UsageError
from gptasst.hints import cmd
from gptasst.inputs.reading import read_regular
from gptasst.inputs.screening import Screening
from gptasst.storage.atomic_files import replace_file
from gptasst.values import dataclass

_LONGEST_SKILL_NAME = 64
_LONGEST_SKILL_DESCRIPTION = 1024
_MOST_BYTES = 50_000_000
_INPUT = f"{{{{{INPUT}}}}}"


@dataclass(slots=True)
class _Written:
    """The files to write, by relative path, and what they can't contain."""

    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left: list[LeftBehind] = field(default_factory=list)

    def leave(self, kind: str, name: str, reason: str) -> None:
        self.left.append(LeftBehind(kind, name, reason))


class InstructionExporter:
    """Writes instructions for other tools.

    Args:
        library: finds the instructions.
    """

    def __init__(self, library: InstructionLibrary) -> None:
        self._library = library

    def export(
        self,
        name: str,
        form: ExportFormat,
        directory: Path,
        screening: Screening,
        *,
        force: bool = False,
    ) -> InstructionExport:
        """Write an instruction to a directory, which is created if it is missing.

        Args:
            name: an instruction, or a TOML file.
            form: the format.
            directory: the directory.
            screening: the check for secrets.
            force: replace existing files with other content.

        Raises:
            NotFound: there is no such instruction.
            UsageError: there is no such format, or a file exists and may not be replaced.
            InvalidInput: it can't be written, its knowledge can't be read, or the format would
                take some of its text for variables.
        """
        if form not in get_args(ExportFormat):
            raise UsageError(
                f"there is no format `{form}`",
                hint=f"one of: {', '.join(get_args(ExportFormat))}",
                code="bad_value",
            )
        found = self._library.find(name)
        definition = found.definition
        if definition.name in (".", ".."):
            raise UsageError(
                f"the name `{definition.name}` can't be that of a file", code="bad_name"
            )
        if form == "skill":
            made = _skill(definition, screening)
        elif form == "llm":
            made = _llm(definition)
        else:
            _refuse_literal_braces(name, definition, form)
            made = _prompt_yaml(definition) if form == "prompt-yml" else _fabric(definition)
        cases = cases_of(found)
        if cases:
            made.leave("cases", f"{len(cases)} cases", "the format has no place for them")
        targets = {directory / path: content for path, content in made.files.items()}
        for path, content in targets.items():
            _refuse_other(path, content, force=force)
        try:
            for path, content in targets.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, content)
        except OSError as error:
            raise InvalidInput(f"`{directory}` can't be written: {error.strerror}") from None
        return InstructionExport(
            name=definition.name,
            format=form,
            paths=tuple(map(str, targets)),
            notes=tuple(made.notes),
            left_behind=tuple(made.left),
        )


def _refuse_other(path: Path, content: bytes, *, force: bool) -> None:
    if path.is_symlink():
        raise UsageError(
            f"`{path}` is a symbolic link, which gptasst does not write through", code="name_taken"
        )
    try:
        there = read_regular(path, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise InvalidInput(f"`{path}` exists, but can't be read: {error.strerror}") from None
    if there != content and not force:
        raise UsageError(
            f"`{path}` already exists with other content",
            hint="pass `--force` to replace it, or name another directory with `-o`",
            code="name_taken",
        )


def _skill(definition: Definition, screening: Screening) -> _Written:
    made = _Written()
    body, task = _texts(definition)
    name = skill_name(definition.name)
    if name != definition.name:
        made.notes.append(f"a skill's name has lower-case letters, digits and `-`: it is `{name}`")
    description = definition.description.strip() and definition.description
    if not description:
        description = described(body) or f"Instructions of {definition.name}"
        made.notes.append(f"a skill needs a description: `{description}`")
    if len(description) > _LONGEST_SKILL_DESCRIPTION:
        description = description[: _LONGEST_SKILL_DESCRIPTION - 1].rstrip() + "…"
        limit = f"a skill's has at most {_LONGEST_SKILL_DESCRIPTION:,} characters: it is cut"
        made.leave("key", "description", limit)
    # Readers take any `---` for the end of the front matter.
    head = write_yaml({"name": name, "description": description}, escaped="---")
    text = f"---\n{head}---\n\n{body}"
    made.files[f"{name}/SKILL.md"] = text.encode("utf-8")
    for place, content in _knowledge(definition.knowledge, screening):
        made.files[f"{name}/references/{place}"] = content
    if task is not None:
        made.leave("key", "default_text", _NO_KEY)
    _leave(made, definition, ("description", "default_text", "knowledge"))
    return made


def _texts(definition: Definition) -> tuple[str, str | None]:
    """The instructions and the task; a task may have no instructions."""
    if definition.instructions == PLAIN_INSTRUCTIONS and definition.default_text is not None:
        return definition.default_text, None
    return definition.instructions, definition.default_text


def _knowledge(words: Sequence[str], screening: Screening) -> Iterator[tuple[str, bytes]]:
    """The files of a definition's knowledge, each with its path below `references/`."""
    for path, place in screening.files(words).places.items():
        try:
            content = read_regular(path, _MOST_BYTES)
        except OSError as error:
            raise InvalidInput(f"`{path}` can't be read: {error.strerror}") from None
        parts = Path(os.path.normpath(path)).parts  # so that no `..` leads out of the skill
        if "references" in parts[:-1]:  # its path in the original skill
            at = len(parts) - parts[::-1].index("references")
            yield "/".join(parts[at:]), content
        else:
            yield place.as_posix(), content


def skill_name(name: str) -> str:
    """A name in the form of skills: `MarkdownLinter` becomes `markdown-linter`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    plain = unicodedata.normalize("NFKC", apart).lower()
    kept = re.sub(r"[\W_]+", "-", plain).strip("-")
    return kept[:_LONGEST_SKILL_NAME].strip("-") or "skill"


def _llm(definition: Definition) -> _Written:
    made = _Written()
    names = []
    for variable in definition.variables:
        if re.fullmatch(r"(?a:[_a-zA-Z]\w*)", variable.name):
            names.append(variable.name)
        else:
            made.leave("variable", variable.name, "llm's names have letters, digits and `_`")
    system: str | None = to_dollars(definition.instructions, names)
    prompt = None if definition.default_text is None else to_dollars(definition.default_text, names)
    if definition.instructions == PLAIN_INSTRUCTIONS and prompt is not None:
        system = None
    elif prompt is None and _INPUT in definition.instructions and INPUT in names:
        system, prompt = None, system
    defaults = {
        variable.name: variable.default
        for variable in definition.variables
        if variable.default is not None and variable.name in names and variable != INPUT_VARIABLE
    }
    for variable in definition.variables:
        if variable != INPUT_VARIABLE and (variable.description or variable.choices):
            made.leave("variable", variable.name, "llm keeps its default, and nothing else of it")
    values = {
        "model": definition.model,
        "system": system,
        "prompt": prompt,
        "defaults": defaults or None,
        "options": _settings(definition.settings, "temperature", "top_p", "max_tokens") or None,
        "extract": definition.unwrap_fence or None,
        "schema_object": definition.schema,
    }
    present = {key: value for key, value in values.items() if value is not None}
    made.files[f"{definition.name}.yaml"] = write_yaml(present).encode("utf-8")
    known = ("model", "default_text", "settings", "unwrap_fence", "schema")
    _leave(made, definition, (*known, "variables"))
    return made


def _settings(settings: ModelSettings, temperature: str, top_p: str, tokens: str) -> dict[str, Any]:
    found = {
        temperature: settings.temperature,
        top_p: settings.top_p,
        tokens: settings.max_output_tokens,
    }
    return {key: value for key, value in found.items() if value is not None}


def _prompt_yaml(definition: Definition) -> _Written:
    made = _Written()
    messages = [{"role": "system", "content": definition.instructions}]
    if definition.instructions == PLAIN_INSTRUCTIONS:
        messages.clear()
    messages.append({"role": "user", "content": definition.default_text or _INPUT})
    values: dict[str, Any] = {
        "name": definition.name,
        "description": definition.description or None,
        "model": definition.model,
        "modelParameters": _settings(definition.settings, "temperature", "topP", "maxTokens"),
        "messages": messages,
    }
    if definition.schema is not None:
        wrapped = {"name": skill_name(definition.name)[:60], "schema": definition.schema}
        values["responseFormat"] = "json_schema"
        values["jsonSchema"] = json.dumps(wrapped, indent=2, ensure_ascii=False)
    present = {key: value for key, value in values.items() if value}
    made.files[f"{definition.name}.prompt.yml"] = write_yaml(present).encode("utf-8")
    _leave_variables(made, definition)
    known = ("description", "model", "default_text", "settings", "schema")
    _leave(made, definition, (*known, "variables"))
    return made


def _fabric(definition: Definition) -> _Written:
    made = _Written()
    system, user = _texts(definition)
    made.files[f"{definition.name}/system.md"] = system.encode("utf-8")
    if user is not None:
        made.files[f"{definition.name}/user.md"] = user.encode("utf-8")
    _leave_variables(made, definition)
    if definition.description and definition.description != described(system):
        made.leave("key", "description", _NO_KEY)
    _leave(made, definition, ("description", "default_text", "variables"))
    return made


_BRACES = {
    "fabric": re.compile(r"\{\{[^{}\s]+\}\}"),
    "prompt-yml": re.compile(rf"\{{\{{\s*{NAME}\s*\}}\}}"),
}


def _refuse_literal_braces(name: str, definition: Definition, form: ExportFormat) -> None:
    """Raise if text in double braces would become a variable, which these formats can't escape.

    Raises:
        InvalidInput: there is some.
    """
    declared = {f"{{{{{variable.name}}}}}" for variable in definition.variables}
    for text in (definition.instructions, definition.default_text or ""):
        for found in _BRACES[form].finditer(text):
            if found[0] not in declared:
                words = f"instruction export {shlex.quote(name)} --format llm"
                raise InvalidInput(
                    f"`{found[0]}` is text in `{definition.name}`, and would be a variable in the"
                    f" format {form}, which has no way to escape it",
                    hint=f"{cmd(words)} keeps it as text; or declare it in [variables]",
                )


_NO_KEY = "the format has no place for it"
_PARAMETERS = ("temperature", "top_p", "max_output_tokens")  # of the formats with settings


def _leave_variables(made: _Written, definition: Definition) -> None:
    for variable in definition.variables:
        if variable != INPUT_VARIABLE and variable.default is not None:
            made.leave("variable", variable.name, "its default has no place in the format")


def _leave(made: _Written, definition: Definition, known: Sequence[str]) -> None:
    """List the parts of a definition that the format can't contain."""
    said: Mapping[str, object] = {
        "model": definition.model,
        "default_text": definition.default_text,
        "unwrap_fence": definition.unwrap_fence,
        "schema": definition.schema,
        "knowledge": definition.knowledge,
        "edits": definition.edit,
        "description": definition.description,
    }
    for key, value in said.items():
        if value and key not in known:
            made.leave("key", key, _NO_KEY)
    if "variables" not in known:
        for variable in definition.variables:
            made.leave("variable", variable.name, f"`{{{{{variable.name}}}}}` stays as it is")
    tools = definition.tools
    for tool in tools.names if tools != Tools() else ():
        made.leave("tool", tool, _NO_KEY)
    has_some = "settings" in known
    for key in (one.name for one in fields(definition.settings)):
        if getattr(definition.settings, key) is None or (has_some and key in _PARAMETERS):
            continue
        made.leave("setting", key, _NO_KEY)
