"""Where instructions are found, by name."""

from __future__ import annotations

import codecs
import os
import shlex
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gptasst.config.toml import TomlDocument
from gptasst.definitions.cases import CASES_ENDING
from gptasst.definitions.toml import (
    Origin,
    name_problem,
    parse_definition,
    without_name,
)
from gptasst.definitions.types import Definition, DefinitionChanges, Instruction, SearchSettings
from gptasst.errors import GptasstError, InvalidDefinition, NotFound, UsageError
from gptasst.hints import cmd, did_you_mean, nearest
from gptasst.inputs.reading import kind_of
from gptasst.storage.atomic_files import open_private, private_directory

if TYPE_CHECKING:
    pass


# A request takes 10,485,760 characters, each of up to four bytes.
_MOST_BYTES = 44_000_000


def read_definition_file(
    path: Path, *, name: str | None = None, schema_checked: bool = False
) -> Definition:
    """Read one TOML file; see `parse_definition`.

    Raises:
        InvalidDefinition: it can't be read, is not UTF-8, or breaks the format.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidDefinition(f"can't be read: {error.strerror}", file=path) from None
    if len(content) > _MOST_BYTES:
        problem = f"it is larger than {_MOST_BYTES:,} bytes"
        raise InvalidDefinition(f"can't be read: {problem}", file=path)
    return definition_of(content, path, name=name, schema_checked=schema_checked)


def definition_of(
    content: bytes, path: Path, *, name: str | None = None, schema_checked: bool = False
) -> Definition:
    """The definition in what was read from a path; see `parse_definition`.

    Raises:
        InvalidDefinition: it is not UTF-8, or breaks the format.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDefinition(f"not UTF-8 at byte {error.start}", file=path, line=1) from None
    return parse_definition(text, source=str(path), name=name, schema_checked=schema_checked)


class InstructionLibrary:
    """The instructions that `-i` and `run` find by name: directories of `NAME.toml`.

    Args:
        directories: where to look, nearest first; a name found in one hides the same name
            in those after it. A directory that does not exist is empty.
        warn: told, once for each, of instructions of the project that are used and hide others
            or turn on tools of the server.
    """

    def __init__(
        self,
        directories: Sequence[tuple[Origin, Path]],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._directories = directories
        self._warn = warn
        self._warned = set[str]()

    def names(self) -> list[str]:
        return sorted(self._files())

    def find(self, name: str) -> Instruction:
        """One instruction by name, or by the path of a TOML file.

        Raises:
            NotFound: no such instruction; the hint has the nearest name.
            InvalidDefinition: it is there and breaks the format.
        """
        found = self._read(name, schema_checked=False)
        notice = found.notice()
        if notice and notice not in self._warned:
            self._warned.add(notice)
            self._warn(f"{notice}; use `--no-project` to ignore it")
        return found

    def of_project(self) -> tuple[list[Instruction], list[InvalidDefinition]]:
        """The instructions of the working directory, and the errors of those that can't be read."""
        found, broken = self.all()
        project = [instruction for instruction in found if instruction.origin == "project"]
        return project, broken

    def locate(self, name: str) -> tuple[Path, Origin]:
        """The file of an instruction, unread, and which library it is in.

        Raises:
            NotFound: no such instruction; the hint has the nearest name.
        """
        if name.endswith(".toml"):
            if not Path(name).is_file():
                raise NotFound(f"no instruction file `{name}`")
            return Path(name), "file"
        if os.sep in name and os.path.exists(name) and not os.path.isdir(name):
            return Path(name), "file"  # a pipe, as `<(command)` makes it
        try:
            origin, path = self._files()[name]
        except KeyError:
            raise self._missing(name) from None
        return path, origin

    def all(self) -> tuple[list[Instruction], list[InvalidDefinition]]:
        """Every instruction by name, and the errors of those that can't be read."""
        found, broken = [], []
        for name in self.names():
            try:
                found.append(self._read(name, schema_checked=True))
            except InvalidDefinition as error:
                broken.append(error)
        return found, broken

    def _read(self, name: str, *, schema_checked: bool) -> Instruction:
        path, origin = self.locate(name)
        if origin == "project":
            refuse_not_regular(path)
        definition = read_definition_file(path, name=path.stem, schema_checked=schema_checked)
        if origin != "file" and definition.name != name:
            raise TomlDocument(path.read_text("utf-8-sig"), str(path)).error(
                ("name",),
                f"the key `name` says `{definition.name}`, the file `{name}`",
                hint="remove the key `name`, or rename the file",
            )
        hidden = None if origin == "file" else self._hidden(name, origin)
        hides = None if hidden is None or _say_the_same(path, hidden) else str(hidden)
        return Instruction(definition, str(path), origin, hides)

    def _hidden(self, name: str, origin: Origin) -> Path | None:
        """The file of that name in the libraries after one."""
        order = [known for known, _ in self._directories]
        for _, directory in self._directories[order.index(origin) + 1 :]:
            path = directory / f"{name}.toml"
            if path.exists():
                return path
        return None

    def _files(self) -> dict[str, tuple[Origin, Path]]:
        files: dict[str, tuple[Origin, Path]] = {}
        for origin, directory in self._directories:
            for path in directory.glob("*.toml"):
                if path.name.endswith(CASES_ENDING):
                    continue
                files.setdefault(path.stem, (origin, path))
        return files

    def _missing(self, name: str) -> NotFound:
        names = list(self.names())
        listing = f"{cmd('instruction list')} shows what there is"
        return NotFound(
            f"no instruction `{name}`",
            hint=did_you_mean(name, names, listing),
            near=nearest(name, names),
        )


def _say_the_same(one: Path, other: Path) -> bool:
    """Whether two files are one, or hold the same text: Git may have changed its line ends."""
    try:
        return one.samefile(other) or _text_of(one) == _text_of(other)
    except OSError:
        return False


def _text_of(path: Path) -> bytes:
    return path.read_bytes().removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")


def refuse_not_regular(path: Path) -> None:
    """Refuse what a stranger may have put among instructions: a device, a pipe, a link out.

    Raises:
        InvalidDefinition: it is no regular file of that directory.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InvalidDefinition(f"can't be read: {error.strerror}", file=path) from None
    if not stat.S_ISREG(mode):
        raise InvalidDefinition(f"can't be read: it is {kind_of(mode)}", file=path)
    if not Path(os.path.realpath(path)).is_relative_to(Path.cwd().resolve()):
        raise InvalidDefinition(
            "is not read: it is a link that leads out of the working directory", file=path
        )


_TEMPLATE = """\
description = "what it does, in one line"
# model = "…"                  # without it: the model of the profile
default_text = "Do it."        # the task of a run that brings files and no text
unwrap_fence = false           # true takes one code fence around the whole answer off

instructions = '''
You are …

Answer with … and nothing else.
'''
"""


@dataclass(frozen=True, slots=True)
class Validation:
    """Which definitions were checked: the paths that are right, and what is wrong with others."""

    valid: tuple[str, ...]
    errors: tuple[GptasstError, ...]


class InstructionService:
    """What can be done with instructions.

    Args:
        library: where they are looked up.
        project: the project's own directory of instructions.
        user: the user's directory of instructions.
    """

    def __init__(self, library: InstructionLibrary, *, project: Path, user: Path) -> None:
        self._library = library
        self._project = project
        self._user = user

    def list(self) -> tuple[Sequence[Instruction], Sequence[InvalidDefinition]]:
        """Every instruction by name, and the errors of those that can't be read."""
        return self._library.all()

    def get(self, name: str) -> Instruction:
        return self._library.find(name)

    def new(self, name: str, *, source: str | None = None, in_project: bool = False) -> Path:
        """Make the file of a new instruction and give its path.

        Args:
            name: the instruction's name, and the file's.
            source: an instruction to copy in place of the empty form.
            in_project: put it into `./instructions`, not the user's directory.

        Raises:
            UsageError: the name can't be used, or its file exists.
            NotFound: there is no instruction `source`.
        """
        problem = name_problem(name)
        if problem:
            raise UsageError(f"the name `{name}` {problem}", code="bad_name")
        text = _TEMPLATE
        if source is not None:
            text = without_name(Path(self._library.find(source).path).read_text("utf-8-sig"))
        path = (self._project if in_project else self._user) / f"{name}.toml"
        try:
            if in_project:
                path.parent.mkdir(parents=True, exist_ok=True)
            else:
                private_directory(path.parent)
            with path.open("xb") if in_project else open_private(path, "xb") as stream:
                stream.write(text.encode("utf-8"))
        except FileExistsError:
            raise UsageError(
                f"`{path}` already exists",
                hint=f"{cmd(f'instruction edit {shlex.quote(name)}')} changes it",
                code="name_taken",
            ) from None
        except OSError as error:
            raise UsageError(f"`{path}` can't be written: {error.strerror}") from None
        return path

    def edit(self, name: str, open_editor: Callable[[Path], None]) -> Instruction:
        """Let the user edit an instruction, and check what came out.

        One that ships with the package is copied to the user's directory first, where it
        hides the shipped one.

        Raises:
            InvalidDefinition: what was written breaks the format; the file is kept as it is.
        """
        path, origin = self._library.locate(name)
        if origin == "shipped":
            self._edit_copy(path, open_editor)
        else:
            open_editor(path)
        return self._library.find(name)

    def _edit_copy(self, shipped: Path, open_editor: Callable[[Path], None]) -> None:
        copy = self._user / shipped.name
        private_directory(copy.parent)
        with open_private(copy, "wb") as stream:
            stream.write(shipped.read_bytes())
        try:
            open_editor(copy)
        except BaseException:
            if copy.read_bytes() == shipped.read_bytes():
                copy.unlink()
            raise

    def validate(self, words: Sequence[str] = ()) -> Validation:
        """Check instructions by name or file, all that there are without any."""
        valid: list[str] = []
        errors: list[GptasstError] = []
        for word in words or self._library.names():
            try:
                valid.append(self._library.find(word).path)
            except GptasstError as error:
                errors.append(error)
        return Validation(tuple(valid), tuple(errors))


def with_changes(definition: Definition, changes: DefinitionChanges) -> Definition:
    """A definition with changes made to it.

    Raises:
        UsageError: the new name can't be used, or no instructions are left.
    """
    problem = name_problem(changes.name) if changes.name is not None else None
    if problem:
        raise UsageError(f"the name `{changes.name}` {problem}", code="bad_name")
    tools = replace(
        definition.tools, **_given(changes, "file_search", "code_interpreter", "web_search")
    )
    if tools.file_search is False:
        tools = replace(tools, search=SearchSettings())
    changed = replace(
        definition,
        **_given(changes, "name", "instruction", "instructions", "model", "description", "schema"),
        tools=tools,
        settings=replace(definition.settings, **_given(changes, "reasoning_effort")),
    )
    if not changed.instructions.strip():
        raise UsageError("an assistant needs an instruction, or instructions of its own")
    return changed


def _given(changes: DefinitionChanges, *names: str) -> dict[str, Any]:
    values = {name: getattr(changes, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
