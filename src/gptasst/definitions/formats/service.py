"""Import instructions from other tools: find, read, show, and write them as TOML."""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gptasst.config.toml import TomlDocument
from gptasst.definitions.cases import cases_in
from gptasst.definitions.formats.finding import MOST_BYTES, STDIN_NAME, Found, find, standard_input
from gptasst.definitions.formats.recognition import Source, name_of, read_prompts
from gptasst.definitions.formats.types import (
    Action,
    ImportedInstruction,
    InstructionImport,
    ModelEnd,
    NoPrompt,
    NotTaken,
    Reading,
)
from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.toml import dump_definition, file_name_problem, name_problem, without_name
from gptasst.definitions.types import CASES_ENDING
from gptasst.errors import (
    GptasstError,
    InvalidDefinition,
    InvalidInput,
    NotFound,
    PartlyDone,
    UsageError,
)
from gptasst.hints import cmd
from gptasst.inputs.reading import Refusal, read_regular
from gptasst.inputs.screening import Screening
from gptasst.storage.atomic_files import replace_file, replace_private

STANDARD_INPUT = "-"
_LONGEST_NAME = (
    100  # characters, which leaves room for `.cases.toml` within the limits of file systems
)
# Names reserved by Windows.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


class InstructionImporter:
    """Reads prompts of other tools and writes them as instructions.

    Args:
        library: the existing instructions.
        project: the project's own directory of instructions.
        user: the user's directory of instructions.
        model_end: knows the shutdown dates of models.
    """

    def __init__(
        self, library: InstructionLibrary, *, project: Path, user: Path, model_end: ModelEnd
    ) -> None:
        self._library = library
        self._project = project
        self._user = user
        self._model_end = model_end

    def plan(
        self,
        words: Sequence[str],
        screening: Screening,
        *,
        name: str | None = None,
        in_project: bool = False,
        force: bool = False,
    ) -> InstructionImport:
        """What an import would write. Writes nothing.

        Args:
            words: files, patterns and directories; `-` is standard input.
            screening: files that look secret are skipped.
            name: a name for a single instruction, instead of its own.
            in_project: write to `./instructions`, instead of the user's directory.
            force: replace existing instructions.

        Raises:
            InvalidInput: a word matches no file, or a named file looks secret.
            UsageError: `name` can't be used, or there are several instructions.
        """
        problem = file_name_problem(name) if name is not None else None
        if problem:
            raise UsageError(f"the name `{name}` {problem}", code="bad_name")
        found = Found()
        for word in words:
            if word == STANDARD_INPUT:
                found.sources.append(standard_input(screening))
            else:
                find(word, screening, found, in_project=in_project)
        read = list(self._readings(found))
        if name is not None and len(read) > 1:
            raise UsageError(
                f"`--name` names one instruction, and there are {len(read)}",
                hint="import one file at a time, or leave out `--name`",
            )
        directory = self._project if in_project else self._user
        made: list[ImportedInstruction] = []
        taken: dict[str, str] = {}
        for source, reading in read:
            try:
                planned = self._planned(source, reading, name, directory, taken, force=force)
            except NotTaken as error:
                found.refused.append(Refusal(str(source.path), str(error)))
            else:
                taken[planned.name.casefold()] = planned.source
                made.append(planned)
        return InstructionImport(
            dry_run=True,
            imported=tuple(made),
            refused=tuple(found.refused),
            skipped=tuple(sorted(found.skipped, key=lambda each: each.path)),
        )

    def write(self, plan: InstructionImport, *, in_project: bool = False) -> InstructionImport:
        """Write the planned files, each completely or not at all.

        Returns the written instructions; failures are in `refused`.
        """
        written: list[ImportedInstruction] = []
        refused = list(plan.refused)
        for each in plan.imported:
            try:
                if each.action != "unchanged":
                    if each.cases_path and each.cases_toml:
                        _write(Path(each.cases_path), each.cases_toml, in_project=in_project)
                    _write(Path(each.path), each.toml, in_project=in_project)
            except OSError as error:
                refused.append(Refusal(each.path, f"can't be written: {error.strerror}"))
            except InvalidInput as error:
                refused.append(Refusal(each.path, error.message))
            else:
                written.append(each)
        return replace(plan, dry_run=False, imported=tuple(written), refused=tuple(refused))

    def _readings(self, found: Found) -> Iterator[tuple[Source, Reading]]:
        for source in found.sources:
            try:
                readings = read_prompts(source, self._model_end)
            except NoPrompt as error:
                listed = found.refused if source.named else found.skipped
                listed.append(Refusal(str(source.path), str(error)))
            except NotTaken as error:
                found.refused.append(Refusal(str(source.path), str(error)))
            else:
                for reading in readings:
                    if isinstance(reading, NotTaken):
                        found.refused.append(Refusal(str(source.path), str(reading)))
                    else:
                        yield source, reading

    def _planned(
        self,
        source: Source,
        reading: Reading,
        name: str | None,
        directory: Path,
        taken: Mapping[str, str],
        *,
        force: bool,
    ) -> ImportedInstruction:
        """The planned file of a reading.

        Raises:
            NotTaken: the name exists, and may not be replaced.
        """
        called, notes = _named(source, reading, name, taken)
        path = directory / f"{called}.toml"
        definition = replace(reading.definition, name=called)
        text = without_name(dump_definition(definition))
        action = _action(path, text, force=force)
        beside = path.with_name(f"{called}{CASES_ENDING}")
        cases_path = beside if reading.cases else None
        cases_toml = None
        if cases_path is None and action != "unchanged" and os.path.lexists(beside):
            notes += (f"the cases in `{beside}` stay: check that they fit, or delete the file",)
        if cases_path is not None:
            cases_toml = _cases_text(reading, cases_path)
            of_cases = _action(cases_path, cases_toml, force=force)
            action = "replace" if action == "unchanged" != of_cases else action
        notes += (*reading.notes, *self._hiding(called, path))
        if definition.knowledge:
            words = shlex.join([called, "-i", called, "-f", *definition.knowledge])
            notes += (
                f"{cmd(f'assistant create {words}')} creates an assistant with its knowledge",
            )
        return ImportedInstruction(
            name=called,
            format=reading.format,
            source=str(source.path),
            path=str(path),
            action=action,
            variables=definition.variables,
            hosted_tools=definition.tools.hosted,
            knowledge=definition.knowledge,
            cases=len(reading.cases),
            cases_path=None if cases_path is None else str(cases_path),
            notes=tuple(notes),
            left_behind=reading.left_behind,
            toml=text,
            cases_toml=cases_toml,
        )

    def _hiding(self, name: str, path: Path) -> Iterator[str]:
        """A note if a name also refers to something else."""
        try:
            other, origin = self._library.locate(name)
        except NotFound:
            return
        if other == path:
            return
        if origin == "shipped" or (origin == "user" and path.parent != self._user):
            yield f"`{name}` hides the instruction `{other}`"
        else:
            yield f"`{name}` is hidden by the instruction `{other}`"


def failure_of(done: InstructionImport) -> GptasstError | None:
    """The error of an import that refused something, or found nothing."""
    count = len(done.refused)
    if not done.imported and count == 1:
        refused = done.refused[0]
        return InvalidInput(
            f"`{refused.path}` can't be imported: {refused.reason}", code="not_imported"
        )
    if not done.imported and count:
        return InvalidInput(f"none of {count} prompts could be imported", code="not_imported")
    if not done.imported:
        return InvalidInput(
            "no prompts found",
            hint="--verbose lists why; hidden directories have to be named",
            code="not_imported",
        )
    if count:
        total = count + len(done.imported)
        return PartlyDone(f"{count} of {total:,} prompts could not be imported")
    return None


def _named(
    source: Source, reading: Reading, name: str | None, taken: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """The name of an instruction, and notes about it.

    Raises:
        NotTaken: another one of this import has the same name.
    """
    said = reading.definition.name
    if name is not None:
        return name, ()
    is_unnamed = source.path.name == said == STDIN_NAME
    own = "" if is_unnamed else usable_name(said) or usable_name(name_of(source.path))
    if not own:
        raise NotTaken("it has no usable name: `--name` gives it one")
    notes: tuple[str, ...] = ()
    if own != said:
        shown = said if said.isprintable() else "".join(filter(str.isprintable, said))
        notes = (f"its name `{shown[:80]}` became `{own}`",)
    if own.casefold() not in taken:
        return own, notes
    other = usable_name(name_of(source.path))
    if other and other.casefold() not in taken:
        return other, (f"named after its file, as `{taken[own.casefold()]}` is `{own}`, too",)
    raise NotTaken(
        f"`{taken[own.casefold()]}` has the same name, `{own}`: `--name` gives it another"
    )


def usable_name(name: str) -> str:
    """A name that is a valid file name on every system; empty if nothing is left."""
    kept = unicodedata.normalize("NFC", name)
    kept = re.sub(r"[/\\:*?\"<>|]+", "-", kept)
    kept = "".join(letter if letter.isprintable() else " " for letter in kept)
    kept = " ".join(kept.split()).lstrip("-. ")[:_LONGEST_NAME].rstrip(". ")
    while len(kept.encode("utf-8", "ignore")) > 2 * _LONGEST_NAME:
        kept = kept[:-1]
    while kept.lower().endswith((".toml", ".cases")):
        kept = kept.rpartition(".")[0]
    if _DEVICES.fullmatch(kept):
        kept = f"{kept}_"
    return "" if name_problem(kept) else kept


def _action(path: Path, text: str, *, force: bool) -> Action:
    """The action for a file.

    Raises:
        NotTaken: it exists and may not be replaced.
    """
    if path.is_symlink():
        raise NotTaken(f"`{path}` is a symbolic link, which gptasst does not write through")
    try:
        there = read_regular(path, MOST_BYTES * 4)
    except FileNotFoundError:
        return "create"
    except OSError as error:
        raise NotTaken(f"`{path}` exists, but can't be read: {error.strerror}") from None
    if there == text.encode("utf-8"):
        return "unchanged"
    if not force:
        raise NotTaken(f"`{path}` already exists with other content; `--force` replaces it")
    return "replace"


def _cases_text(reading: Reading, path: Path) -> str:
    """The content of the file of cases of a prompt.

    Raises:
        NotTaken: they are invalid.
    """
    import tomli_w

    text = tomli_w.dumps({"case": [dict(case) for case in reading.cases]}, multiline_strings=True)
    try:
        cases_in(TomlDocument(text, str(path)))
    except InvalidDefinition as error:
        raise NotTaken(f"its test data can't be cases: {error.problem}") from None
    return text


def _write(path: Path, text: str, *, in_project: bool) -> None:
    content = text.encode("utf-8")
    if in_project:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    else:
        replace_private(path, content)
