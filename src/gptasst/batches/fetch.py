"""Fetch the answers of a batch: read in any order, save in the journal, write to their outputs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from gptasst.api.batches import BatchGateway
from gptasst.api.types import Batch, BatchAnswer
from gptasst.batches.records import RecordedBatch
from gptasst.batches.types import BatchItem
from gptasst.definitions.schemas import check_answer
from gptasst.each.files import EachFiles, place
from gptasst.each.journal import FinishedRun, RunJournal
from gptasst.each.targets import refuse_links
from gptasst.each.types import EachJob, FileResult, FileTarget, Purpose
from gptasst.edits.types import Rules
from gptasst.errors import GptasstError, InvalidInput, NoAnswer
from gptasst.inputs.reading import input_of, read_content
from gptasst.runs.answer_text import GivenTexts, answer_text, refuse_unusable
from gptasst.runs.edits import edited_text
from gptasst.runs.types import Kept, RunRequest, content_digest
from gptasst.threads import workers

Outcome = FinishedRun | GptasstError

# Answers that are journalled in one step, and files that are written concurrently: each write waits
# for the disk, which can serve several at once. Two groups are in memory: while one is written, the
# next is read.
GROUP = 128
_WRITERS = 16


def batch_answers(
    gateway: BatchGateway, batch: Batch, recorded: RecordedBatch, journal: RunJournal
) -> Iterator[list[tuple[str, Outcome]]]:
    """The result of each run of a batch, by its digest, in groups.

    The answers of a group are already in the journal.
    """
    items = {item.run: item for item in reversed(recorded.items)}
    lines = iter(gateway.answers(batch, recorded.manifest.model))
    while group := list(itertools.islice(lines, GROUP)):
        outcomes = [
            (line.custom_id, _outcome(line, recorded, items.get(line.custom_id))) for line in group
        ]
        journal.record_all(
            (run, outcome) for run, outcome in outcomes if isinstance(outcome, FinishedRun)
        )
        yield outcomes


def _outcome(line: BatchAnswer, recorded: RecordedBatch, item: BatchItem | None) -> Outcome:
    if line.answer is None:
        failure = NoAnswer(line.failure or "no reason given")
        return failure if line.part is None else _part(line, recorded, item, failure)
    schema = recorded.manifest.schema
    given = GivenTexts() if schema is not None or item is None else _given(item, recorded)
    try:
        text = answer_text(
            line.answer.text, given, unwrap=recorded.manifest.unwrap_fence or schema is not None
        )
        refuse_unusable(text)
        kept: tuple[Kept, ...] = ()
        if item is not None and given.texts and recorded.manifest.edit is not None:
            text, kept = edited_text(
                item.input, given.texts[0], line.answer.text, _rules(recorded.manifest.edit)
            )
        if schema is not None:
            check_answer(text, schema)
        sha256 = content_digest(text.encode("utf-8"))
    except UnicodeEncodeError:
        return NoAnswer("the answer contains invalid characters")
    except GptasstError as error:
        return error
    return FinishedRun(text, sha256, line.answer.model, line.answer.usage, kept)


def _part(
    line: BatchAnswer, recorded: RecordedBatch, item: BatchItem | None, failure: NoAnswer
) -> Outcome:
    """The complete part of a truncated edit, if there is one."""
    given = _given(item, recorded) if item is not None else GivenTexts()
    if item is None or not given.texts or recorded.manifest.edit is None:
        return failure
    try:
        rules = _rules(recorded.manifest.edit)
        text, kept = edited_text(item.input, given.texts[0], line.part or "", rules, cut=True)
    except NoAnswer:
        return failure
    sha256 = content_digest(text.encode("utf-8"))
    return FinishedRun(text, sha256, recorded.manifest.model, None, kept)


def _rules(edit: Mapping[str, Any]) -> Rules:
    return Rules(tuple(edit["keep"]), edit["max_change"])


def _given(item: BatchItem, recorded: RecordedBatch) -> GivenTexts:
    """The input as it was submitted, if it is unchanged on disk."""
    path = (recorded.directory or Path()) / item.input
    if not path.is_file():  # reading a named pipe would never end
        return GivenTexts()
    try:
        content = read_content(path)
        file = input_of(path, content, recorded.manifest.encoding)
    except InvalidInput:
        return GivenTexts()
    if file.text is None or content_digest(content) != item.content:
        return GivenTexts()
    return GivenTexts.named([(item.input, file.text)])


def uncounted(outcome: Outcome) -> Outcome:
    """An answer without its tokens, which another file with the same content counts."""
    return replace(outcome, usage=None, cost=None) if isinstance(outcome, FinishedRun) else outcome


def why_unanswered(batch: Batch) -> NoAnswer:
    """Why the result files of an ended batch lack a run."""
    if batch.status == "failed":
        return NoAnswer(f"the batch failed: {'; '.join(batch.errors[:3]) or 'no reason given'}")
    if batch.status == "expired":
        return NoAnswer("not processed within 24 hours", code="expired")
    if batch.status == "cancelled":
        return NoAnswer("the batch was cancelled before it was processed", code="cancelled")
    return NoAnswer("the server returned neither an answer nor a reason")


class AnswerPlacer:
    """Writes the answers of a batch to the files that `run --each` would have written.

    Args:
        recorded: the batch, as it was submitted.
        journal: the journal of finished runs.
        directory: a directory for all answers instead, each at its relative path.
    """

    def __init__(
        self, recorded: RecordedBatch, journal: RunJournal, directory: Path | None
    ) -> None:
        manifest = recorded.manifest
        self._revises = manifest.purpose == "replace" and directory is None
        purpose: Purpose = "replace" if self._revises else "write"
        job = EachJob(RunRequest(manifest.name, encoding=manifest.encoding), (), purpose)
        self._files = EachFiles(job, manifest.basis, journal)
        self._base = recorded.directory
        self._directory = directory

    def place_all(
        self, groups: Iterable[Mapping[int, tuple[BatchItem, Outcome]]]
    ) -> Iterator[tuple[int, FileResult]]:
        """Write the answers of inputs; a result has the reason if that failed.

        While a group is written, the next one is read.

        Args:
            groups: the items and their outcomes, by number.
        """
        with workers(_WRITERS) as pool:
            before: Iterable[tuple[int, FileResult]] = ()
            for group in groups:
                placed = pool.map(lambda pair: self._place(*pair), group.values())
                yield from before
                before = zip(group, placed, strict=True)
            yield from before

    def _place(self, item: BatchItem, outcome: Outcome) -> FileResult:
        try:
            target = self._target(item)
        except InvalidInput as error:
            return FileResult(item.input, None, "failed", error=error)
        if isinstance(outcome, GptasstError):
            return self._files.result(target, "failed", error=outcome)
        if self._revises:
            return self._revise(item, target, outcome)
        assert outcome.answer is not None
        try:
            written = place(target, "write", b"", outcome.answer.encode("utf-8"))
        except GptasstError as error:
            return self._files.result(target, "failed", error=error)
        result = self._files.result(
            target, "written" if written else "unchanged", asked=True, usage=outcome.usage
        )
        return replace(result, cost=outcome.cost)

    def _revise(self, item: BatchItem, target: FileTarget, outcome: FinishedRun) -> FileResult:
        given = self._files.read(target)
        if isinstance(given, FileResult):
            known = given.error or InvalidInput(f"`{target.path}` is now empty")
            return self._files.result(target, "failed", error=known)
        if given.run == item.run:
            return self._files.apply(given, outcome, asked=True, usage=outcome.usage)
        if self._files.is_result(given):
            result = self._files.result(target, "unchanged", asked=True, usage=outcome.usage)
            return replace(result, cost=outcome.cost)
        error = InvalidInput(
            f"`{target.path}` changed after it was submitted; not overwritten",
            hint="run the same command again to use the new content",
            code="changed_meanwhile",
        )
        return self._files.result(target, "failed", error=error)

    def _target(self, item: BatchItem) -> FileTarget:
        output = PurePath(item.output)
        if self._base is None and any(p.startswith(".") and p != ".." for p in output.parts):
            # Hidden files are often configuration of other programs.
            raise InvalidInput(f"`{item.output}` is hidden", hint="fetch it where it was submitted")
        if self._directory is not None:
            parts = [part for part in output.parts if part not in (output.anchor, "..")]
            below = self._directory.joinpath(*parts)
            refuse_links(below, self._directory)
            return FileTarget(Path(item.input), below)
        if self._base is not None:
            base = Path() if self._base == Path.cwd() else self._base
            return FileTarget(base / item.input, base / output)
        # Anybody who may submit in the project can write this path, so it must stay below here.
        if output.anchor or ".." in output.parts:
            raise InvalidInput(
                f"`{item.output}` is outside of this directory",
                hint="-o DIR writes the answers below DIR",
                code="outside",
            )
        refuse_links(Path(output), Path())
        return FileTarget(Path(item.input), Path(output))
