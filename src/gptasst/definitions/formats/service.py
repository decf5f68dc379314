"""Instructions from other tools: found, read, shown, and written as TOML."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from gptasst.definitions.formats.recognition import (
    SKILL,
    SUFFIXES,
    SYSTEM,
    USER,
    Source,
    name_of,
    read_prompts,
)
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
from gptasst.definitions.toml import dump_definition, name_problem, without_name
from gptasst.errors import GptasstError, InvalidInput, NotFound, UsageError
from gptasst.hints import cmd
from gptasst.inputs.encoding import decode_text, is_guessed
from gptasst.inputs.reading import Refusal, read_regular, read_standard_input
from gptasst.inputs.screening import STDIN, Screening
from gptasst.inputs.words import names_a_file
from gptasst.storage.atomic_files import replace_file, replace_private
from gptasst.values import dataclass

STANDARD_INPUT = "-"
_STDIN_SECONDS = 600.0
_MOST_BYTES = 4_000_000
_LONGEST_NAME = 100  # in characters, with room for `.cases.toml` and what a disk takes
# Names that Windows keeps for devices.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@dataclass(slots=True)
class _Found:
    """What words mean: files that may be prompts, and what is none."""

    sources: list[Source] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    skipped: list[Refusal] = field(default_factory=list)


class InstructionImporter:
    """Reads prompts of other tools and writes them as instructions.

    Args:
        library: the instructions that are there.
        project: the project's own directory of instructions.
        user: the user's directory of instructions.
        model_end: tells which models are over.
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
        """What an import would write; nothing is written.

        Args:
            words: files, patterns and directories; `-` is standard input.
            screening: what counts as secret is left out.
            name: the one instruction's name in place of its own.
            in_project: they go into `./instructions`, not the user's directory.
            force: an instruction that is there may be replaced.

        Raises:
            InvalidInput: a word means no file, or a file that was named counts as secret.
            UsageError: `name` can't be used, or there are several to name.
        """
        problem = name_problem(name) if name is not None else None
        if problem:
            raise UsageError(f"the name `{name}` {problem}", code="bad_name")
        found = _Found()
        for word in words:
            if word == STANDARD_INPUT:
                found.sources.append(_standard_input(screening))
            else:
                _find(word, screening, found, in_project=in_project)
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
        """Write what was planned, each file whole or not at all.

        Returns: what was written; what could not be is refused.
        """
        written: list[ImportedInstruction] = []
        refused = list(plan.refused)
        for each in plan.imported:
            try:
                if each.action != "unchanged":
                    _write(Path(each.path), each.toml, in_project=in_project)
                if each.cases_path and each.cases_toml:
                    _write(Path(each.cases_path), each.cases_toml, in_project=in_project)
            except OSError as error:
                refused.append(Refusal(each.path, f"can't be written: {error.strerror}"))
            except InvalidInput as error:
                refused.append(Refusal(each.path, error.message))
            else:
                written.append(each)
        return replace(plan, dry_run=False, imported=tuple(written), refused=tuple(refused))

    def _readings(self, found: _Found) -> Iterator[tuple[Source, Reading]]:
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
        """The file that a reading becomes.

        Raises:
            NotTaken: there is one of that name, which may not be replaced.
        """
        called, notes = _named(source, reading, name, taken)
        path = directory / f"{called}.toml"
        definition = replace(reading.definition, name=called)
        text = without_name(dump_definition(definition))
        action = _action(path, text, force=force)
        notes += (*reading.notes, *self._hiding(called, path))
        if definition.knowledge:
            words = shlex.join([called, "-i", called, "-f", *definition.knowledge])
            notes += (f"{cmd(f'assistant create {words}')} makes an assistant with its knowledge",)
        return ImportedInstruction(
            name=called,
            format=reading.format,
            source=str(source.path),
            path=str(path),
            action=action,
            variables=definition.variables,
            hosted_tools=definition.tools.hosted,
            knowledge=definition.knowledge,
            cases_path=None,
            notes=tuple(notes),
            left_behind=reading.left_behind,
            toml=text,
        )

    def _hiding(self, name: str, path: Path) -> Iterator[str]:
        """That a name stands for something else as well."""
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


def _standard_input(screening: Screening) -> Source:
    screening.refuse_file(STDIN)
    content = read_standard_input(_STDIN_SECONDS)
    screening.refuse_content(Path("stdin"), content)
    text, _ = decode_text(content, "standard input")
    return Source(Path("stdin"), text.replace("\r\n", "\n"), named=True)


def _find(word: str, screening: Screening, found: _Found, *, in_project: bool) -> None:
    """Sort the files that a word means."""
    screened = screening.files([word])
    found.skipped += screened.left_out
    found.refused += screened.unreadable
    named = names_a_file(word)
    paths = list(screened.places)
    skills = {path.parent for path in paths if path.name.lower() == SKILL}
    patterns = {path.parent for path in paths if path.name.lower() == SYSTEM}
    for path in paths:
        skill = next((parent for parent in path.parents if parent in skills), None)
        if path.name.lower() == SKILL:
            beside = _beside(path, paths, screening, found) if named else paths
            files = _files_of(path.parent, beside, in_project=in_project)
            _add(path, found, named=named, files=files)
        elif skill is not None:
            continue  # it is part of it
        elif path.name.lower() == SYSTEM:
            _add(path, found, named=named, user=_user_of(path, screening))
        elif path.parent in patterns and path.name.lower() in (USER, "readme.md"):
            continue
        elif named or path.name.lower().endswith(SUFFIXES):
            _add(path, found, named=named)
        else:
            found.skipped.append(Refusal(str(path), "its name is not that of a prompt"))


def _beside(
    path: Path, paths: Sequence[Path], screening: Screening, found: _Found
) -> Sequence[Path]:
    """The files of a skill of which only `SKILL.md` was named."""
    try:
        screened = screening.files([str(path.parent)])
    except GptasstError as error:
        found.skipped.append(Refusal(str(path.parent), error.message))
        return paths
    found.skipped += screened.left_out
    return screened.paths


def _files_of(directory: Path, paths: Sequence[Path], *, in_project: bool) -> Mapping[str, str]:
    """The files of a skill by their place in it, with the words that mean them later.

    They are relative for what is shared with the project, so that it may lie anywhere.
    """
    files = {}
    here = Path.cwd()
    for path in paths:
        if path.is_relative_to(directory) and path.name.lower() != SKILL:
            whole = path.absolute()
            is_near = in_project and whole.is_relative_to(here)
            word = whole.relative_to(here) if is_near else whole
            files[path.relative_to(directory).as_posix()] = word.as_posix()
    return files


def _user_of(path: Path, screening: Screening) -> str | None:
    """The `user.md` beside a `system.md`, if it is one that can be read."""
    beside = path.with_name(USER)
    if not beside.is_file() or beside.is_symlink() or screening.of_file(beside):
        return None
    try:
        return _text_of(beside)[0]
    except (OSError, InvalidInput):
        return None


def _add(
    path: Path,
    found: _Found,
    *,
    named: bool,
    user: str | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    try:
        text, _ = _text_of(path)
    except OSError as error:
        found.refused.append(Refusal(str(path), f"can't be read: {error.strerror}"))
        return
    except InvalidInput as error:
        listed = found.refused if named or path.suffix.lower() != ".json" else found.skipped
        listed.append(Refusal(str(path), error.message.removeprefix(f"`{path}` ")))
        return
    if not text.strip():
        listed = found.refused if named else found.skipped
        listed.append(Refusal(str(path), "it is blank"))
        return
    found.sources.append(Source(path, text, user, files or {}, named))


def _text_of(path: Path) -> tuple[str, bool]:
    """A text with lines that end in LF, and whether its encoding was guessed."""
    text, encoding = decode_text(read_regular(path, _MOST_BYTES), str(path))
    return text.replace("\r\n", "\n"), is_guessed(encoding)


def _named(
    source: Source, reading: Reading, name: str | None, taken: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """What an instruction is called, and what to say of it.

    Raises:
        NotTaken: another one of the same import is called so.
    """
    said = reading.definition.name
    if name is not None:
        return name, ()
    own = usable_name(said) or usable_name(name_of(source.path))
    if not own:
        raise NotTaken("it has no name that can be used: `--name` gives it one")
    notes: tuple[str, ...] = ()
    if own != said:
        shown = said if said.isprintable() else "".join(filter(str.isprintable, said))
        notes = (f"its name `{shown[:80]}` is `{own}` here",)
    if own.casefold() not in taken:
        return own, notes
    other = usable_name(name_of(source.path))
    if other and other.casefold() not in taken:
        return other, (f"it is called `{other}`: `{own}` is `{taken[own.casefold()]}`",)
    raise NotTaken(f"`{taken[own.casefold()]}` is called `{own}`, too: `--name` gives it another")


def usable_name(name: str) -> str:
    """A name as one that is a file's on every system; nothing if nothing is left."""
    kept = unicodedata.normalize("NFC", name)
    kept = re.sub(r"[/\\:*?\"<>|]+", "-", kept)
    kept = "".join(letter if letter.isprintable() else " " for letter in kept)
    kept = " ".join(kept.split()).lstrip("-. ")[:_LONGEST_NAME].rstrip(". ")
    while len(kept.encode("utf-8", "ignore")) > 2 * _LONGEST_NAME:
        kept = kept[:-1]
    if kept.lower().endswith((".toml", ".cases")):
        kept = kept.rpartition(".")[0]
    if _DEVICES.fullmatch(kept):
        kept = f"{kept}_"
    return "" if name_problem(kept) else kept


def _action(path: Path, text: str, *, force: bool) -> Action:
    """What is to be done with a file.

    Raises:
        NotTaken: it is there and may not be replaced.
    """
    if path.is_symlink():
        raise NotTaken(f"`{path}` is a link, and not written through")
    try:
        there = read_regular(path, _MOST_BYTES * 4)
    except FileNotFoundError:
        return "create"
    except OSError as error:
        raise NotTaken(f"`{path}` is there, and can't be read: {error.strerror}") from None
    if there == text.encode("utf-8"):
        return "unchanged"
    if not force:
        raise NotTaken(f"`{path}` is there, and says something else: `--force` replaces it")
    return "replace"


def _write(path: Path, text: str, *, in_project: bool) -> None:
    content = text.encode("utf-8")
    if in_project:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    else:
        replace_private(path, content)
