"""The files of one command: read, recognized where their work is done, given their answers."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gptasst.api.types import Usage
from gptasst.each.journal import FinishedRun, RunJournal
from gptasst.each.types import EachJob, FileResult, FileStatus, FileTarget, Purpose
from gptasst.edits.difference import opcodes
from gptasst.errors import GptasstError, InvalidInput, unexpected
from gptasst.inputs.encoding import encode_like, is_guessed
from gptasst.inputs.reading import InputFile, input_of, read_content
from gptasst.runs.answer_text import is_usable, refuse_unusable
from gptasst.runs.types import Kept, content_digest, run_digest
from gptasst.storage.atomic_files import check_output, refuse_read_only, replace_file
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class EachInput:
    """A file as it was read; `run` is the digest of the run that it asks for."""

    target: FileTarget
    file: InputFile
    content: bytes
    sha256: str
    run: str


class EachFiles:
    """Knows for each file what is done and what an answer makes of it.

    An answer is *finished* once it is in the journal; its output is brought about from there as
    often as needed. With `replace` and `check`, a file whose content such an answer made is
    finished too, so that a file is never corrected twice. `guessed` are the files whose encoding
    was guessed.

    Args:
        job: what was asked.
        basis: the digest of everything that shapes an answer but the input.
        journal: of finished runs.
        edits: answers are edits, and are written in the encoding of their inputs.
    """

    def __init__(
        self, job: EachJob, basis: str, journal: RunJournal, *, edits: bool = False
    ) -> None:
        self._job = job
        self._basis = basis
        self._journal = journal
        self._revises = job.purpose in ("replace", "check")
        self._edits = edits
        self.guessed: list[str] = []

    def to_ask(self, target: FileTarget) -> EachInput | FileResult:
        """The input that a model is to be asked about, or what came of the file without that."""
        given = self.read(target)
        if isinstance(given, FileResult):
            return given
        finished = self.finished(given)
        if finished is not None:
            return self.apply(given, finished, asked=False)
        return self.hindrance(given) or given

    def read(self, target: FileTarget) -> EachInput | FileResult:
        """The input, or what came of a file that can't be one: an empty one is skipped."""
        encoding = self._job.asked.encoding
        try:
            if self._job.purpose == "replace":
                _refuse_pipe(target.path)
            content = read_content(target.path)
            file = input_of(target.path, content, encoding)
            if self._revises and file.kind != "text":
                raise InvalidInput(f"`{target.path}` is not text", code="not_text")
        except InvalidInput as error:
            if error.code == "empty_input":
                return self.result(target, "skipped")
            return self.result(target, "failed", error=error)
        sha256 = content_digest(content)
        if is_guessed(file.encoding):
            self.guessed.append(file.path)
        kind = f"{file.kind} {encoding}" if encoding else file.kind
        return EachInput(target, file, content, sha256, run_digest(self._basis, sha256, kind))

    def hindrance(self, given: EachInput) -> FileResult | None:
        """What comes of a file that is secret, or whose answer could not be written: unsent."""
        target = given.target
        try:
            self._job.asked.screening.refuse_content(target.path, given.content)
            if self._job.purpose == "replace":
                check_output(target.path)
            elif self._job.purpose == "write" and target.output is not None:
                refuse_read_only(target.output)
        except InvalidInput as error:
            return self.result(target, "failed", error=error)
        return None

    def finished(self, given: EachInput) -> FinishedRun | None:
        """The answer that is there already, unless all is to be done again."""
        if self._job.force:
            return None
        kept = self._journal.result(self._basis, given.sha256) if self._revises else None
        if kept is not None:
            assert given.file.text is not None
            return FinishedRun(given.file.text, given.sha256, model="", kept=kept)
        known = self._journal.find(given.run)
        if known is None:
            return None
        if known.answer is not None:  # an earlier version kept what no file should get
            return known if is_usable(known.answer) else None
        return known if self._is_written(given.target, known.sha256) else None

    def is_result(self, given: EachInput) -> bool:
        """Whether the file's content is what an answer made of it."""
        return self._journal.result(self._basis, given.sha256) is not None

    def _is_written(self, target: FileTarget, sha256: str) -> bool:
        if self._job.purpose != "write" or target.output is None:
            return False
        try:
            return content_digest(target.output.read_bytes()) == sha256
        except OSError:
            return False

    def apply(
        self, given: EachInput, finished: FinishedRun, *, asked: bool, usage: Usage | None = None
    ) -> FileResult:
        """Bring about what a finished run is for; whatever goes wrong is this file's result."""
        target = given.target
        if finished.answer is None:  # its text was pruned, and its output is there
            return self.result(target, "unchanged")
        try:
            changed, diff = self._bring_about(given, finished.answer, finished.kept)
        except GptasstError as error:
            result = self.result(target, "failed", error=error)
        except Exception as error:  # noqa: BLE001  # the other files go on
            result = self.result(target, "failed", error=unexpected(error))
        else:
            answer = finished.answer if self._job.purpose == "collect" else None
            status = self._status(changed=changed)
            result = self.result(target, status, diff=diff, answer=answer)
            # The same content may have been answered for under another name.
            kept = tuple(replace(each, path=given.file.path) for each in finished.kept)
            result = replace(result, kept=kept)
        cost = None if usage is None else finished.cost
        return replace(result, asked=asked, usage=usage, cost=cost)

    def _bring_about(
        self, given: EachInput, answer: str, kept: Sequence[Kept]
    ) -> tuple[bool, str | None]:
        """Whether an answer changed its place, and how; all that can fail comes before that."""
        refuse_unusable(answer)
        target, diff = given.target, None
        if self._revises:
            text, new = revised_content(given.file, given.content, answer)
            old = given.file.text or ""
            diff = unified_diff(target.path.as_posix(), old, text)
            # Recorded first: it is true even if this process ends now.
            self._journal.record_result(self._basis, content_digest(new), moved(kept, old, text))
        elif self._edits and given.file.kind == "text":
            _, new = revised_content(given.file, given.content, answer)
        else:
            new = answer.encode("utf-8")
        return place(target, self._job.purpose, given.content, new), diff

    def _status(self, *, changed: bool) -> FileStatus:
        if self._job.purpose == "collect":
            return "answered"
        if not changed:
            return "unchanged"
        return "would_change" if self._job.purpose == "check" else "written"

    def result(
        self,
        target: FileTarget,
        status: FileStatus,
        *,
        asked: bool = False,
        usage: Usage | None = None,
        error: GptasstError | None = None,
        diff: str | None = None,
        answer: str | None = None,
    ) -> FileResult:
        """What came of a file, in the terms of the job."""
        output = None if target.output is None else str(target.output)
        return FileResult(
            str(target.path),
            output,
            status,
            asked=asked,
            usage=usage,
            error=error,
            diff=diff,
            answer=answer,
        )


def moved(kept: Sequence[Kept], old: str, new: str) -> tuple[Kept, ...]:
    """Blocks that were kept, with the lines that they have in the new text."""
    if not kept or old == new:
        return tuple(kept)
    matcher = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False)
    lines = {
        match.a + number + 1: match.b + number + 1
        for match in matcher.get_matching_blocks()
        for number in range(match.size)
    }
    ends = [[int(end) for end in each.lines.split("-")] for each in kept]
    return tuple(
        replace(each, lines="-".join(str(lines.get(line, line)) for line in numbers))
        for each, numbers in zip(kept, ends, strict=True)
    )


def _refuse_pipe(path: Path) -> None:
    """Refuse, before it is read, what is there but can't be written over."""
    if path.exists() and not path.is_file():
        raise InvalidInput(f"`{path}` is not a file, so it can't be changed", code="not_a_file")


_LINE_END = re.compile(r"(\r\n|\r|\n)")


def revised_text(old: str, answer: str) -> str:
    """The text that an answer makes of a file, with what models drop put back.

    Lines keep the ends that they have, and new ones get that of the lines around them. A file that
    ends in a line end keeps ending in one. An answer that differs from the file in nothing but a
    line end after its last line changes nothing. Everything else is as the answer has it.
    """
    lines, ends = _split(old)
    new, given = _split(answer)
    if len(ends) < len(lines):  # the last line has no end
        if new == lines:
            return old
        if not ends:
            return answer
        ends = [*ends, ends[-1]]
        ended = len(given) == len(new)
    else:
        ended = True
    new_ends = _ends(lines, ends, new) if len(set(ends)) > 1 else ends[:1] * len(new)
    if not ended:
        new_ends[-1:] = [""]
    return "".join(line + end for line, end in zip(new, new_ends, strict=True))


def _ends(lines: Sequence[str], ends: Sequence[str], new: Sequence[str]) -> list[str]:
    """The ends of new lines, after those of the lines that they were made from."""
    found: list[str] = []
    for _, i1, i2, j1, j2 in opcodes(lines, new):
        ends_here = ends[i1:i2] or ends[max(i1 - 1, 0) : i1 or 1]
        found += [ends_here[min(k, len(ends_here) - 1)] for k in range(j2 - j1)]
    return found


def _split(text: str) -> tuple[list[str], list[str]]:
    """Lines without their ends, and the ends; a last line may have none."""
    parts = _LINE_END.split(text)
    lines, ends = parts[::2], parts[1::2]
    return (lines if lines[-1] else lines[:-1]), ends


def revised_content(file: InputFile, content: bytes, answer: str) -> tuple[str, bytes]:
    """What an answer makes of a text file: the text, and its bytes in the file's own encoding.

    Raises:
        InvalidInput: the answer has a character that the encoding does not.
    """
    assert file.text is not None
    assert file.encoding is not None
    text = revised_text(file.text, answer)
    if text == file.text:
        return text, content
    if encode_like(file.text, content, file.encoding, file.path) != content:
        raise InvalidInput(
            f"`{file.path}` can't be changed: {file.encoding} can't represent it exactly",
            hint="`iconv -f NAME -t UTF-8` converts it",
            code="not_encodable",
        )
    return text, encode_like(text, content, file.encoding, file.path)


def place(target: FileTarget, purpose: Purpose, old: bytes, new: bytes) -> bool:
    """Put new content where it belongs, whole or not at all; `False` if it is there already.

    Args:
        target: names the output.
        purpose: with `check` and `collect` nothing is written.
        old: the input as it was read.
        new: the content of the output.

    Raises:
        InvalidInput: it can't be written, or the file to replace was changed meanwhile.
    """
    if purpose in ("check", "collect"):
        return new != old
    assert target.output is not None
    if purpose == "replace" and _content(target.path) != old:
        raise InvalidInput(
            f"`{target.path}` changed while its answer was being generated; not overwritten",
            hint="run the same command again to use the new content",
            code="changed_meanwhile",
        )
    if _content(target.output) == new:
        return False
    try:
        if not target.output.parent.is_dir():
            target.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"directory `{target.output.parent}` can't be created: {error.strerror}"
        ) from None
    replace_file(target.output, new)
    return True


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


def unified_diff(path: str, old: str, new: str) -> str:
    """The difference as git writes it, for `git apply`; empty if there is none."""
    names = _header_name(f"a/{path}"), _header_name(f"b/{path}")
    lines = difflib.unified_diff(_lines(old), _lines(new), *names)
    marked = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(marked)


def _header_name(name: str) -> str:
    """A file's name for the first lines of a diff: one line, whatever is in it.

    Quoted as git quotes it where it has control characters, quotes or bytes that are no text. A
    tab shows where a name with blanks ends.
    """
    quoted = "".join(map(_quoted, name))
    if quoted != name:
        return f'"{quoted}"'
    return f"{name}\t" if " " in name else name


def _quoted(char: str) -> str:
    escaped = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}.get(char)
    if escaped is None and (char < " " or char == "\x7f" or "\udc80" <= char <= "\udcff"):
        escaped = f"\\{os.fsencode(char)[0]:03o}"
    return escaped or char


def _lines(text: str) -> list[str]:
    """Lines as diff has them: only LF ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
