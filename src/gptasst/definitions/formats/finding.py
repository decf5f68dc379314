"""Find files that may be prompts, with the files that belong to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from gptasst.definitions.formats.recognition import SKILL, SUFFIXES, SYSTEM, USER, Source
from gptasst.errors import GptasstError, InvalidInput
from gptasst.inputs.encoding import decode_text, is_guessed
from gptasst.inputs.reading import Refusal, read_regular, read_standard_input
from gptasst.inputs.screening import STDIN, Screening
from gptasst.inputs.words import names_a_file
from gptasst.values import dataclass

MOST_BYTES = 4_000_000
STDIN_NAME = "stdin"
# Names that only prompts have: if one can't be read, that is more than a file passed over.
_TELLING = (SKILL, SYSTEM, ".prompty", ".prompt", ".prompt.yml", ".prompt.yaml")
_STDIN_SECONDS = 600.0


@dataclass(slots=True)
class Found:
    """The files that words match: possible prompts, and others."""

    sources: list[Source] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    skipped: list[Refusal] = field(default_factory=list)


def standard_input(screening: Screening) -> Source:
    """Standard input, treated like a named file.

    Raises:
        InvalidInput: it looks secret, is not text, or is too large.
    """
    screening.refuse_file(STDIN)
    content = read_standard_input(_STDIN_SECONDS)
    screening.refuse_content(Path(STDIN_NAME), content)
    text, _ = decode_text(content, "standard input")
    return Source(Path(STDIN_NAME), text.replace("\r\n", "\n"), named=True)


def find(word: str, screening: Screening, found: Found, *, in_project: bool) -> None:
    """Add the files that a word matches to `found`.

    Args:
        word: a file, pattern or directory.
        screening: files that look secret are skipped.
        found: the result, which is extended.
        in_project: see `_files_of`.

    Raises:
        InvalidInput: it matches no file, or a named file looks secret.
    """
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
            found.skipped.append(Refusal(str(path), "its name is not a prompt's"))


def _beside(
    path: Path, paths: Sequence[Path], screening: Screening, found: Found
) -> Sequence[Path]:
    """The files of a skill whose `SKILL.md` alone was named."""
    try:
        screened = screening.files([str(path.parent)])
    except GptasstError as error:
        found.skipped.append(Refusal(str(path.parent), error.message))
        return paths
    found.skipped += screened.left_out
    return screened.paths


def _files_of(directory: Path, paths: Sequence[Path], *, in_project: bool) -> Mapping[str, str]:
    """The files of a skill by relative path, with the words for `knowledge`.

    The words are relative for project instructions, so that the project can be moved.
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
    """The text of `user.md` beside a `system.md`, if it is readable."""
    beside = path.with_name(USER)
    if not beside.is_file() or beside.is_symlink() or screening.of_file(beside):
        return None
    try:
        return _text_of(beside)[0]
    except (OSError, InvalidInput):
        return None


def _add(
    path: Path,
    found: Found,
    *,
    named: bool,
    user: str | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    is_meant = named or path.name.lower().endswith(_TELLING)
    listed = found.refused if is_meant else found.skipped
    try:
        text, _ = _text_of(path)
    except OSError as error:
        listed.append(Refusal(str(path), f"can't be read: {error.strerror}"))
        return
    except InvalidInput as error:
        listed.append(Refusal(str(path), error.message.removeprefix(f"`{path}` ")))
        return
    if not text.strip():
        listed.append(Refusal(str(path), "it is blank"))
        return
    found.sources.append(Source(path, text, user, files or {}, named))


def _text_of(path: Path) -> tuple[str, bool]:
    """The text with LF line ends, and whether its encoding was guessed."""
    text, encoding = decode_text(read_regular(path, MOST_BYTES), str(path))
    return text.replace("\r\n", "\n"), is_guessed(encoding)
