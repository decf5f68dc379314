"""From command-line words to named definitions with their knowledge."""

from __future__ import annotations

import functools
import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gptasst.apply.sources import SourceDirectory, source_directory
from gptasst.apply.types import CodedAssistant
from gptasst.assistants.knowledge_files import NamedSources, read_sources
from gptasst.config.toml import TomlDocument
from gptasst.definitions.case_files import cases_beside, cases_of, is_cases_file, with_cases
from gptasst.definitions.library import InstructionLibrary
from gptasst.definitions.types import CASES_ENDING, Definition, Instruction, notices_of
from gptasst.errors import GptasstError, InvalidDefinition, InvalidInput, UsageError
from gptasst.inputs.reading import kind_of, read_regular
from gptasst.inputs.screening import Screening
from gptasst.inputs.words import is_version_control, names_a_file, no_such_file
from gptasst.uploads.cache import FileCache
from gptasst.uploads.types import KnowledgeSource
from gptasst.values import dataclass

_MOST_BYTES = 44_000_000
_ROOT_MARK = "/./"


@dataclass(frozen=True, slots=True)
class ReadDirectories:
    """The definitions that were found.

    `whole` are the directories that were given themselves, instead of single files.
    """

    definitions: tuple[CodedAssistant, ...]
    directories: tuple[SourceDirectory, ...]
    whole: tuple[SourceDirectory, ...]
    passed_over: tuple[str, ...] = ()


def read_directories(
    words: Sequence[str],
    library: InstructionLibrary,
    open_cache: Callable[[], FileCache],
    screening: Screening,
    told: Callable[[GptasstError], None],
    machine: Callable[[], str],
) -> ReadDirectories:
    """Read every definition that has a `name`; its knowledge is found and hashed.

    Args:
        words: directories, whose `*.toml` are read, and files.
        library: finds the instructions that definitions extend.
        open_cache: opens the cache of file hashes.
        screening: the check for secrets.
        told: called for each unusable definition; the others are read nevertheless.
        machine: returns the mark of this machine.

    Raises:
        InvalidInput: a word is neither a directory nor a file.
    """
    directories: dict[str, SourceDirectory] = {}
    whole: dict[str, SourceDirectory] = {}
    found: list[CodedAssistant] = []
    passed_over: list[str] = []
    for path, named in _files(words):
        directory = source_directory(path.parent, machine)
        directories[directory.name] = directory
        try:
            coded = _read(path, directory, library, open_cache, screening, named=named)
        except GptasstError as error:
            told(error)
            continue
        if coded is None:
            passed_over.append(path.as_posix())
        else:
            found.append(coded)
    for word in words:
        if os.path.isdir(word):
            directory = source_directory(Path(word), machine)
            whole[directory.name] = directories[directory.name] = directory
            passed_over += _cases_of_none(Path(word))
    for double in _double(found):
        told(double)
    bases = {base for coded in found for base in coded.extended}
    return ReadDirectories(
        tuple(found),
        tuple(directories.values()),
        tuple(whole.values()),
        tuple(path for path in passed_over if os.path.realpath(path) not in bases),
    )


def _files(words: Iterable[str]) -> Iterator[tuple[Path, bool]]:
    """The files of definitions, each once, and whether they were named."""
    seen = set[str]()
    for word in words:
        path = Path(word)
        if path.is_dir():
            if is_version_control(path):
                raise InvalidInput(f"`{path}` belongs to version control")
            visible = (file for file in path.glob("*.toml") if not file.name.startswith("."))
            there = sorted(file for file in visible if not file.is_dir())
            below = [(file, False) for file in there if is_definition(file)]
        elif not os.path.lexists(path):
            raise no_such_file(path)
        elif is_definition(path):
            below = [(path, True)]
        else:
            raise UsageError(
                f"`{path}` is no definition", hint="name a directory, or files that end in .toml"
            )
        for file, named in below:
            real = str(Path(os.path.realpath(file.parent), file.name))
            if real not in seen:
                seen.add(real)
                yield file, named


def _cases_of_none(directory: Path) -> list[str]:
    """The files of cases without a definition beside them."""
    there = sorted(file for file in directory.glob("*.toml") if is_cases_file(file.name))
    ends = len(CASES_ENDING)
    return [
        file.as_posix()
        for file in there
        if not file.name.startswith(".")
        and not os.path.lexists(file.with_name(f"{file.name[:-ends]}.toml"))
    ]


def is_definition(path: Path) -> bool:
    """Whether a file name may be a definition's, and not that of cases."""
    return path.suffix == ".toml" and not is_cases_file(path.name)


def _read(
    path: Path,
    directory: SourceDirectory,
    library: InstructionLibrary,
    open_cache: Callable[[], FileCache],
    screening: Screening,
    *,
    named: bool,
) -> CodedAssistant | None:
    """A definition with its files; `None` if it has no `name`."""
    content = _content(path, directory, named=named)
    screening.refuse_content(path, content)
    document = _document(content, path)
    if "name" not in document.root:
        if named:
            raise document.error(
                ("name",), "missing key `name`", hint="an assistant needs one to be applied"
            )
        return None
    definition, extended = library.definition_of(content, path)
    if not named:
        _refuse_link_out(cases_beside(path), directory)
    definition = _with_cases(definition, path, screening, directory.bounds)
    for one in extended:
        if one.origin == "file":  # the library reports those of the working directory itself
            _refuse_link_out(Path(one.path), directory)
    knowledge = None
    if "knowledge" in document.root or definition.knowledge:
        try:
            knowledge = read_knowledge_words(definition.knowledge, path, open_cache, screening)
        except GptasstError as error:
            raise InvalidDefinition(
                f"key `knowledge`: {error.message}",
                file=path,
                line=document.line_of("knowledge"),
                hint=error.advice,
                code=error.code,
            ) from None
    return CodedAssistant(
        path=path.as_posix(),
        source=directory.source(path.name),
        line=document.line_of("name"),
        definition=definition,
        knowledge=knowledge,
        outside=() if knowledge is None else tuple(_outside(knowledge, directory)),
        knowledge_line=document.line_of("knowledge"),
        notes=notices_of(extended, definition.name, "file"),
        extended=tuple(os.path.realpath(one.path) for one in extended),
    )


def read_as_kept(path: Path, library: InstructionLibrary) -> tuple[Definition, bool]:
    """The definition of a file, with its knowledge words in the store's form.

    Also returns whether it sets its knowledge, which is not read.

    Raises:
        InvalidDefinition: the file can't be used.
    """
    content = _content(path, source_directory(path.parent, str), named=False)  # only its bounds
    document, (definition, _) = _document(content, path), library.definition_of(content, path)
    words = [_of_this_system(word, path.parent) for word in definition.knowledge]
    definition = _with_cases(definition, path, Screening())
    kept = replace(definition, knowledge=_collections(words, path.parent))
    return kept, "knowledge" in document.root or bool(words)


def _with_cases(
    definition: Definition, path: Path, screening: Screening, bounds: Path | None = None
) -> Definition:
    """A definition with the cases in the file beside it; their inputs must lie in the bounds."""
    found = Instruction(definition, str(path), "file")
    try:
        for case in cases_of(found) if bounds else ():
            real = Path(os.path.realpath(path.parent / (case.file or ".")))
            if bounds and case.input is None and not real.is_relative_to(bounds):
                problem = f"case `{case.name}`: `{case.file}` lies outside of `{bounds}`"
                raise InvalidDefinition(problem)
        return with_cases(found, screening)
    except InvalidDefinition as error:
        if error.file is not None:
            raise
        raise InvalidDefinition(
            error.problem, file=cases_beside(path), hint=error.advice, code=error.code
        ) from None


def _content(path: Path, directory: SourceDirectory, *, named: bool) -> bytes:
    """The content of a file, which in a stranger's checkout may be a device or a link out."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise InvalidDefinition(f"can't be read: it is {kind_of(mode)}", file=path)
        if not named:
            _refuse_link_out(path, directory)
        return read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise InvalidDefinition(f"can't be read: {error.strerror}", file=path) from None


def _refuse_link_out(path: Path, directory: SourceDirectory) -> None:
    bounds = directory.bounds
    if not Path(os.path.realpath(path)).is_relative_to(bounds):
        raise InvalidDefinition(
            f"is not read: it is a link that leads out of `{bounds}`", file=path
        )


def _document(content: bytes, path: Path) -> TomlDocument:
    try:
        return TomlDocument(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise InvalidDefinition(f"not UTF-8 at byte {error.start}", file=path, line=1) from None


def _double(found: Sequence[CodedAssistant]) -> Iterator[GptasstError]:
    """Errors for duplicate names."""
    first: dict[str, CodedAssistant] = {}
    for coded in found:
        other = first.setdefault(coded.definition.name, coded)
        if other is not coded:
            yield InvalidDefinition(
                f"the name `{coded.definition.name}` is that of `{other.path}`, too",
                file=coded.path,
                line=coded.line,
            )


# Knowledge


def known_word(word: str) -> str:
    """A word of `knowledge` in the store's form, which is the prefix of its files' paths.

    It is the path relative to the definition without leading `../`, or the part after a `/./`, as
    in
    rsync: `../docs` and `shared/./docs` both become `docs`.
    """
    _, rest = _split(word)
    return rest


def _split(word: str) -> tuple[str, str]:
    """Split a word into its base directory and the part that becomes the knowledge path."""
    word = word.replace(os.sep, "/")
    head, mark, rest = word.rpartition(_ROOT_MARK)
    if mark:
        root = "/" if rest.startswith("/") else ""  # for a file with an absolute path
        return head, root + _without_dots(rest)
    if word.startswith("/"):
        return "/", "/" + _without_dots(word)
    parts = os.path.normpath(word).replace(os.sep, "/").split("/")
    up = next((n for n, part in enumerate(parts) if part != ".."), len(parts))
    return "/".join(parts[:up]), "/".join(part for part in parts[up:] if part != ".")


def _without_dots(path: str) -> str:
    clean = os.path.normpath(path.lstrip("/") or ".").replace(os.sep, "/")
    return "" if clean == "." else clean


def read_knowledge_words(
    words: Sequence[str], path: Path, open_cache: Callable[[], FileCache], screening: Screening
) -> NamedSources:
    """The files that words match, relative to a definition.

    Args:
        words: the words of its `knowledge`.
        path: the definition's file.
        open_cache: opens the cache of file hashes.
        screening: the check for secrets.

    Raises:
        InvalidInput: a word matches no file, an unreadable or secret one, or a file of version
            control; or two files would have the same path.
    """
    found: dict[str, NamedSources] = {}
    words = [_of_this_system(word, path.parent) for word in words]
    for word in words:
        place = _place(word, path.parent)
        _refuse_version_control(place)
        known = functools.partial(_known_by, word, path.parent)
        found[word] = read_sources([place], open_cache(), screening, known)
    sources: dict[str, KnowledgeSource] = {}
    for source in (source for read in found.values() for source in read.sources):
        other = sources.setdefault(source.path, source)
        if os.path.realpath(other.file) != os.path.realpath(source.file):
            raise InvalidInput(
                f"`{other.file}` and `{source.file}` would both be known as `{source.path}`",
                hint="a `/./` in a path says where the name begins that a file is known by",
            )
    reads = found.values()
    return NamedSources(
        tuple(sources.values()),
        frozenset(path for read in reads for path in read.named),
        _collections(words, path.parent),
        tuple(one for read in reads for one in read.left_out),
        tuple(one for read in reads for one in read.unread),
    )


def _collections(words: Sequence[str], directory: Path) -> tuple[str, ...]:
    """The words that are directories or patterns, in the store's form for `files sync`."""
    found = (word for word in words if not names_a_file(_place(word, directory)))
    return tuple(dict.fromkeys(known_word(word) or "." for word in found))


def _of_this_system(word: str, directory: Path) -> str:
    r"""A word with this system's separators: `docs\*.md` comes from Windows."""
    if "\\" not in word or os.path.lexists(directory / word):
        return word
    return word.replace("\\", "/")


def _place(word: str, directory: Path) -> str:
    """The word, relative to the working directory."""
    if glob.has_magic(word) and not os.path.lexists(directory / word):
        return os.path.normpath(Path(glob.escape(str(directory)), word))
    return os.path.normpath(directory / word)


def _known_by(word: str, directory: Path, found: Path) -> str:
    """The knowledge path of a file that a word matches."""
    head, rest = _split(word)
    parts = rest.split("/")
    if not os.path.lexists(directory / word):
        fixed = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))
        parts = parts[:fixed]
    base = Path(directory, head, *(part for part in parts if part))
    below = os.path.relpath(found, base).replace(os.sep, "/")
    known = "/".join(part for part in parts if part)
    known = "/".join(part for part in (known, below) if part and part != ".")
    return "/" + known if rest.startswith("/") else known


def _refuse_version_control(place: str) -> None:
    """Raise for files of version control, which a definition may not name."""
    real = Path(os.path.realpath(place))
    if is_version_control(Path(place).parent) or is_version_control(real.parent):
        raise InvalidInput(f"`{place}` belongs to version control", code="not_knowledge")


def _outside(read: NamedSources, directory: SourceDirectory) -> Iterator[str]:
    """The files that lie outside of what is sent unasked."""
    bounds = directory.bounds
    for source in read.sources:
        if not Path(os.path.realpath(source.file)).is_relative_to(bounds):
            yield source.file.as_posix()


def nothing_named(words: Sequence[str], passed_over: Sequence[str]) -> InvalidInput:
    """The error if there is no definition with a name."""
    named = ", ".join(f"`{word}`" for word in words)
    passed_over = [path for path in passed_over if not is_cases_file(path)]
    why = f"; {len(passed_over)} without a `name` are passed over" if passed_over else ""
    return InvalidInput(
        f"there is no definition with a `name` in {named}{why}",
        hint='a definition with `name = "…"` is an assistant',
        code="no_such_file",
    )
