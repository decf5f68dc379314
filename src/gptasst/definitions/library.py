"""Find instructions by name, and resolve what they extend."""

from __future__ import annotations

import codecs
import os
import shlex
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from gptasst.config.toml import TomlDocument
from gptasst.definitions.toml import Origin, put_together, read_document
from gptasst.definitions.types import CASES_ENDING, Definition, ExtendedInstruction, Instruction
from gptasst.errors import InvalidDefinition, NotFound
from gptasst.hints import cmd, did_you_mean, nearest, suggestion
from gptasst.inputs.reading import kind_of

# A request has at most 10,485,760 characters, of up to four bytes each.
_MOST_BYTES = 44_000_000


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidDefinition(f"can't be read: {error.strerror}", file=path) from None
    if len(content) > _MOST_BYTES:
        problem = f"it is larger than {_MOST_BYTES:,} bytes"
        raise InvalidDefinition(f"can't be read: {problem}", file=path)
    return content


def document_of(content: bytes, path: Path) -> TomlDocument:
    """Parse the content of a path.

    Raises:
        InvalidDefinition: it is not UTF-8, or not TOML; or it is for cases.
    """
    if path.name.endswith(CASES_ENDING):
        beside = path.with_name(path.name.removesuffix(CASES_ENDING) + ".toml")
        option = () if beside.is_file() else ("NAME", "--cases")
        runs = cmd(shlex.join(("test", *option, str(path))))
        raise InvalidDefinition(
            "it has cases and no instructions", file=path, hint=f"{runs} runs the cases"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDefinition(f"not UTF-8 at byte {error.start}", file=path, line=1) from None
    return TomlDocument(text, str(path))


class InstructionLibrary:
    """The instructions that `-i` and `run` find by name: directories of `NAME.toml`.

    Args:
        directories: the directories, nearest first; a name in one shadows the same name in later
            ones. A missing directory is empty.
        warn: called once for each project instruction in use that shadows another or turns on
            hosted tools.
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
        """An instruction by name, or by the path of a TOML file.

        Its definition is complete: `extends` is resolved.

        Raises:
            NotFound: there is none; the hint suggests a similar name.
            InvalidDefinition: it is invalid, or extends a missing instruction.
        """
        found = self._read(name, schema_checked=False)
        for notice in found.notices():
            if notice not in self._warned:
                self._warned.add(notice)
                self._warn(f"{notice}; use `--no-project` to ignore it")
        return found

    def definition_of(
        self, content: bytes, path: Path, *, name: str | None = None
    ) -> tuple[Definition, tuple[ExtendedInstruction, ...]]:
        """The complete definition from the content of a path, and what it extends.

        Args:
            content: the document.
            path: its path, for errors; instructions beside it have precedence over the library.
            name: the name if the document has none; without it the key `name` is required.

        Raises:
            InvalidDefinition: it is not UTF-8, is invalid, or extends a missing instruction.
        """
        document, extended = self._whole(document_of(content, path), path, "file", name)
        return read_document(document, name=name), extended

    def of_project(self) -> tuple[list[Instruction], list[InvalidDefinition]]:
        """The instructions of the working directory, and the errors of unreadable ones.

        Others that extend one of these are among them.
        """
        found, broken = self.all()
        project = [
            instruction
            for instruction in found
            if "project" in (instruction.origin, *(each.origin for each in instruction.extended))
        ]
        return project, broken

    def in_directory(self, directory: Path) -> tuple[list[Instruction], list[InvalidDefinition]]:
        """The instructions in one of the directories, and the errors of unreadable ones."""
        paths = [path for _, path in self._files().values() if path.parent == directory]
        return self._read_all(sorted(path.stem for path in paths))

    def locate(self, name: str) -> tuple[Path, Origin]:
        """The file of an instruction, without reading it, and its library.

        Raises:
            NotFound: there is none; the hint suggests a similar name.
        """
        if name.endswith(".toml"):
            if not Path(name).is_file():
                near = nearest(Path(name).stem, self._files())
                hint = suggestion(near) if near else None
                raise NotFound(f"no instruction file `{name}`", hint=hint, near=near)
            return Path(name), "file"
        if os.sep in name and os.path.exists(name) and not os.path.isdir(name):
            return Path(name), "file"  # a pipe, as `<(command)` makes it
        try:
            origin, path = self._files()[name]
        except KeyError:
            raise self._missing(name) from None
        return path, origin

    def all(self) -> tuple[list[Instruction], list[InvalidDefinition]]:
        """Every instruction by name, and the errors of unreadable ones."""
        return self._read_all(self.names())

    def _read_all(self, names: Sequence[str]) -> tuple[list[Instruction], list[InvalidDefinition]]:
        found, broken = [], []
        for name in names:
            try:
                found.append(self._read(name, schema_checked=True))
            except InvalidDefinition as error:
                broken.append(error)
        return found, broken

    def _read(self, name: str, *, schema_checked: bool) -> Instruction:
        path, origin = self.locate(name)
        read = self._document(path, origin)
        document, extended = self._whole(read, path, origin, path.stem)
        definition = read_document(document, name=path.stem, schema_checked=schema_checked)
        if origin != "file" and definition.name != name:
            raise document.error(
                ("name",),
                f"the key `name` says `{definition.name}`, the file `{name}`",
                hint="remove the key `name`, or rename the file",
            )
        return Instruction(definition, str(path), origin, self._hides(path, origin), extended)

    def _document(self, path: Path, origin: Origin) -> TomlDocument:
        if origin == "project":
            refuse_not_regular(path)
        return document_of(_content(path), path)

    def _whole(
        self, document: TomlDocument, path: Path, origin: Origin, name: str | None
    ) -> tuple[TomlDocument, tuple[ExtendedInstruction, ...]]:
        """A document combined with all that it extends, and that list, nearest first."""
        if "extends" not in document.root:
            return document, ()
        chain = [(document, path, name)]
        extended: list[ExtendedInstruction] = []
        seen = [os.path.realpath(path)]
        while True:
            document, path, called = chain[-1]
            extends = read_document(document, name=called, schema_checked=True).extends
            if extends is None:
                break
            path, origin = self._extended(document, extends, path, origin)
            if os.path.realpath(path) in seen:
                raise _circle(chain[0][0], [*(each.stem for _, each, _ in chain), path.stem])
            seen.append(os.path.realpath(path))
            chain.append((self._document(path, origin), path, path.stem))
            hides = self._hides(path, origin)
            extended.append(ExtendedInstruction(extends, str(path), origin, hides))
        whole, _, _ = chain.pop()
        while chain:
            document, path, called = chain.pop()
            whole = put_together(whole, document)
            if chain:  # so that errors are about the document that contains them
                read_document(whole, name=called, schema_checked=True)
        return whole, tuple(extended)

    def _extended(
        self, document: TomlDocument, name: str, path: Path, origin: Origin
    ) -> tuple[Path, Origin]:
        """The file that a document extends; its own name means the one that it shadows."""
        after = 0
        if origin == "file":
            beside = path.parent / f"{name}.toml"
            if name != path.stem and beside.is_file():
                return beside, "file"
        elif name == path.stem:
            after = self._place(path) + 1
        for known, directory in self._directories[after:]:
            found = directory / f"{name}.toml"
            if found.exists():
                return found, known
        if after:
            raise _circle(document, [name, name])
        near = did_you_mean(name, self.names(), f"{cmd('instruction list')} shows what there is")
        raise document.error(
            ("extends",), f"it extends `{name}`, and there is no such instruction", hint=near
        )

    def _place(self, path: Path) -> int:
        """The directory that contains a file."""
        return [directory for _, directory in self._directories].index(path.parent)

    def _hides(self, path: Path, origin: Origin) -> str | None:
        """The file with the same name in a later library, if it differs."""
        if origin == "file":
            return None
        for _, directory in self._directories[self._place(path) + 1 :]:
            hidden = directory / path.name
            if hidden.exists():
                return None if _say_the_same(path, hidden) else str(hidden)
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


def _circle(document: TomlDocument, names: Sequence[str]) -> InvalidDefinition:
    way = " -> ".join(names)
    return document.error(
        ("extends",),
        f"it extends itself: {way}",
        hint="take `extends` out of one of them",
    )


def _say_the_same(one: Path, other: Path) -> bool:
    """Whether two files are the same, or have the same text, except for line ends."""
    try:
        return one.samefile(other) or _text_of(one) == _text_of(other)
    except OSError:
        return False


def _text_of(path: Path) -> bytes:
    return path.read_bytes().removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")


def refuse_not_regular(path: Path) -> None:
    """Raise for hostile files among instructions: devices, pipes, links out of the directory.

    Raises:
        InvalidDefinition: it is not a regular file of that directory.
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
