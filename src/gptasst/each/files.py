"""The files of one command: read them, find finished ones, and apply answers."""

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
    """A file that was read; `run` is the digest of its run."""

    target: FileTarget
    file: InputFile
    content: bytes
    sha256: str
    run: str


class EachFiles:
    """Decides for each file whether it is finished, and applies its answer.

    A run is *finished* once its answer is in the journal; the output is written from there as often
    as needed. With `replace` and `check`, a file whose content is the result of such an answer is
    finished as well, so that no file is corrected twice. `guessed` are the files whose encoding was
    guessed.

    Args:
        job: the job.
        basis: the digest of everything that shapes an answer, except the input.
        journal: the journal of finished runs.
        edits: whether answers are edits, written in the encoding of their inputs.
    """

    def __init__(
        self, job: EachJob, basis: str, journal: RunJournal, *, edits: bool = False
    ) -> None:
        self._job = job
        self._basis = basis
        self._journal = journal
        self._revises = job.purpose in ("replace", "check")
        self._edits = edits
        self.guessed: dict[str, None] = {}  # each once, though files may be read again

    def to_ask(self, target: FileTarget) -> EachInput | FileResult:
        """The input to send to a model, or the result of a file that needs no request."""
        given = self.read(target)
        if isinstance(given, FileResult):
            return given
        finished = self.finished(given)
        if finished is not None:
            return self.apply(given, finished, asked=False)
        return self.hindrance(given) or given

    def read(self, target: FileTarget) -> EachInput | FileResult:
        """The input, or the result of a file that can't be one; empty files are skipped."""
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
            self.guessed[file.path] = None
        kind = f"{file.kind} {encoding}" if encoding else file.kind
        return EachInput(target, file, content, sha256, run_digest(self._basis, sha256, kind))

    def hindrance(self, given: EachInput) -> FileResult | None:
        """The result of a file that is not sent: it is secret, or its output can't be written."""
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
        """The answer in the journal, unless everything is to be repeated."""
        if self._job.force:
            return None
        kept = self._journal.result(self._basis, given.sha256) if self._revises else None
        if kept is not None:
            assert given.file.text is not None
            return FinishedRun(given.file.text, given.sha256, model="", kept=kept)
        known = self._journal.find(given.run)
        if known is None:
            return None
        if known.answer is not None:  # an earlier version saved answers that must not be written
            return known if is_usable(known.answer) else None
        return known if self._is_written(given.target, known.sha256) else None

    def is_result(self, given: EachInput) -> bool:
        """Whether the file's content is the result of an answer."""
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
        """Apply the answer of a finished run; errors become the file's result."""
        target = given.target
        if finished.answer is None:  # its text was pruned, and its output exists
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
            # The same content may have been answered under another name.
            kept = tuple(replace(each, path=given.file.path) for each in finished.kept)
            result = replace(result, kept=kept)
        cost = None if usage is None else finished.cost
        return replace(result, asked=asked, usage=usage, cost=cost)

    def _bring_about(
        self, given: EachInput, answer: str, kept: Sequence[Kept]
    ) -> tuple[bool, str | None]:
        """Write an answer, and return whether and how that changed the output."""
        refuse_unusable(answer)
        target, diff = given.target, None
        if self._revises:
            text, new = revised_content(given.file, given.content, answer)
            old = given.file.text or ""
            diff = unified_diff(target.path.as_posix(), old, text)
            # Recorded first: it stays true if this process ends now.
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
        """The result of a file, in terms of the job."""
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
    """Kept blocks, with their lines in the new text."""
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
    """Raise, before it is read, if an existing file can't be overwritten."""
    if path.exists() and not path.is_file():
        raise InvalidInput(f"`{path}` is not a file, so it can't be changed", code="not_a_file")


_LINE_END = re.compile(r"(\r\n|\r|\n)")


def revised_text(old: str, answer: str) -> str:
    """The new text of a file from an answer, with details that models drop restored.

    Lines keep their line ends, and new lines get those of their neighbours. A final line end is
    kept. An answer that differs only in the final line end changes nothing. Everything else comes
    from the answer.
    """
    lines, ends = _split(old)
    new, given = _split(answer)
    if len(ends) < len(lines):  # the last line has no line end
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
    """The line ends of new lines, taken from the lines that they were made from."""
    found: list[str] = []
    for _, i1, i2, j1, j2 in opcodes(lines, new):
        ends_here = ends[i1:i2] or ends[max(i1 - 1, 0) : i1 or 1]
        found += [ends_here[min(k, len(ends_here) - 1)] for k in range(j2 - j1)]
    return found


def _split(text: str) -> tuple[list[str], list[str]]:
    """Lines without their ends, and the ends, the last of which may be empty."""
    parts = _LINE_END.split(text)
    lines, ends = parts[::2], parts[1::2]
    return (lines if lines[-1] else lines[:-1]), ends


def revised_content(file: InputFile, content: bytes, answer: str) -> tuple[str, bytes]:
    """The new text of a file from an answer, and its bytes in the file's encoding.

    Raises:
        InvalidInput: the encoding lacks a character of the answer.
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
    """Write new content, completely or not at all; `False` if it is there already.

    Args:
        target: the output.
        purpose: `check` and `collect` write nothing.
        old: the input, as it was read.
        new: the new content of the output.

    Raises:
        InvalidInput: it can't be written, or the file to replace has changed.
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
    """The diff in git's format, for `git apply`; empty if there is no difference."""
    names = _header_name(f"a/{path}"), _header_name(f"b/{path}")
    lines = difflib.unified_diff(_lines(old), _lines(new), *names)
    marked = (
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return "".join(marked)


def _header_name(name: str) -> str:
    """A file name for the header of a diff, always on one line.

    Names with control characters, quotes or undecodable bytes are quoted like git does. A tab ends
    a name with blanks.
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
    """Lines as in a diff: only LF ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)
