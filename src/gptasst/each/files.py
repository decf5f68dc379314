"""The files of one command: read, recognized where their work is done, given their answers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gptasst.api.types import Usage
from gptasst.each.answers import place, revised_content, unified_diff
from gptasst.each.journal import FinishedRun, RunJournal
from gptasst.each.types import EachJob, FileResult, FileStatus, FileTarget
from gptasst.errors import GptasstError, InvalidInput, unexpected
from gptasst.inputs.reading import input_of, read_content
from gptasst.inputs.types import InputFile
from gptasst.runs.answer_text import is_usable, refuse_unusable
from gptasst.runs.fingerprints import content_digest, run_digest


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
    finished too, so that a file is never corrected twice.

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

    def read(self, target: FileTarget) -> EachInput | FileResult:
        """The input, or what came of a file that can't be one: an empty one is skipped."""
        try:
            content = read_content(target.path)
            file = input_of(target.path, content)
            if self._revises and file.kind != "text":
                raise InvalidInput(f"`{target.path}` is not text", code="not_text")
        except InvalidInput as error:
            if error.code == "empty_input":
                return self.result(target, "skipped")
            return self.result(target, "failed", error=error)
        sha256 = content_digest(content)
        return EachInput(target, file, content, sha256, run_digest(self._basis, sha256, file.kind))

    def finished(self, given: EachInput) -> FinishedRun | None:
        """The answer that is there already, unless all is to be done again."""
        if self._job.force:
            return None
        if self._revises and self.is_result(given):
            assert given.file.text is not None
            return FinishedRun(given.file.text, given.sha256, model="")
        known = self._journal.find(given.run)
        if known is None:
            return None
        if known.answer is not None:  # an earlier version kept what no file should get
            return known if is_usable(known.answer) else None
        return known if self._is_written(given.target, known.sha256) else None

    def is_result(self, given: EachInput) -> bool:
        """Whether the file's content is what an answer made of it."""
        return self._journal.is_result(self._basis, given.sha256)

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
            changed, diff = self._bring_about(given, finished.answer)
        except GptasstError as error:
            return self.result(target, "failed", asked=asked, usage=usage, error=error)
        except Exception as error:  # noqa: BLE001  # the other files go on
            failed = unexpected(error)
            return self.result(target, "failed", asked=asked, usage=usage, error=failed)
        result = self.result(
            target,
            self._status(changed=changed),
            asked=asked,
            usage=usage,
            diff=diff,
            answer=finished.answer if self._job.purpose == "collect" else None,
        )
        return replace(result, kept=finished.kept)

    def _bring_about(self, given: EachInput, answer: str) -> tuple[bool, str | None]:
        """Whether an answer changed its place, and how; all that can fail comes before that."""
        refuse_unusable(answer)
        target, diff = given.target, None
        if self._revises:
            text, new = revised_content(given.file, given.content, answer)
            diff = unified_diff(target.path.as_posix(), given.file.text or "", text)
            # Noted first: should this process end now, it is true all the same.
            self._journal.record_result(self._basis, content_digest(new))
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
        return FileResult(str(target.path), output, status, asked, usage, error, diff, answer)
