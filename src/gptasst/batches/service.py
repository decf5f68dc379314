"""Batches: submit many files at once, and fetch their answers later.

A request's `custom_id` is the digest of its run. So answers go into the journal of finished runs on
whatever machine fetches them, and repeating the command submits only what is missing. The batch's
manifest maps digests to inputs and outputs, see `records`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gptasst.api.files import START
from gptasst.api.gateway import OpenAIGateway
from gptasst.api.types import Batch, Usage
from gptasst.batches.fetch import (
    GROUP,
    AnswerPlacer,
    Outcome,
    batch_answers,
    uncounted,
    why_unanswered,
)
from gptasst.batches.records import BatchRecords, RecordedBatch, read_manifest
from gptasst.batches.submit import LIFETIME, MARK, MARK_VERSION, JobRequests, Submitter
from gptasst.batches.types import BatchItem, BatchManifest, Fetched, OnBatches, Submission
from gptasst.each.journal import FinishedRun, RunJournal
from gptasst.each.types import EachJob, FileResult
from gptasst.errors import NotFound, ServiceError, UsageError
from gptasst.hints import cmd, shown
from gptasst.models.prices import NO_PRICES, Prices, total
from gptasst.models.service import EndpointCapabilities
from gptasst.models.usage import UsedNow
from gptasst.runs.answer_text import is_usable
from gptasst.runs.service import RunService
from gptasst.uploads.types import OnTransfer
from gptasst.values import dataclass

# A batch ends after 24 hours; the rest is for writing its files.
_LONGEST_WAIT = 25 * 3600.0
# After this time the manifest of a batch is gone, so its answers belong to nothing.
_READABLE = timedelta(seconds=LIFETIME) + timedelta(days=1)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 60.0
# The manifest is gone, damaged, of another version, or not served.
_NO_MANIFEST = ("gone", "unknown_manifest", "bad_request", "no_endpoint", "not_an_api")


@dataclass(frozen=True, slots=True)
class BatchService:
    """The batches of one project that gptasst submitted.

    Args:
        gateway: the connection to the project.
        submitter: creates batches.
        records: the local records.
        journal: the journal of finished runs.
        scope: endpoint and project, as in the records.
        open_runs: returns the service that prepares requests.
        capabilities: knows whether the server supports batches of responses.
        takes_file_search: whether the server supports file search in batches.
        profile: the profile's name, unless it is the default.
        prices: what the project's models cost.
        record: writes down, once for each batch, what its answers took.
        usage_profile: the profile's name for `record`.
    """

    gateway: OpenAIGateway
    submitter: Submitter
    records: BatchRecords
    journal: RunJournal
    scope: str
    open_runs: Callable[[], RunService]
    capabilities: EndpointCapabilities
    takes_file_search: bool
    profile: str | None
    prices: Prices = NO_PRICES
    record: Callable[[str, UsedNow], None] | None = None
    usage_profile: str = ""

    def submit(self, job: EachJob, command: str, report: OnTransfer) -> Submission:
        """Submit the files that are neither answered nor in a running batch.

        Answers of earlier batches are written first, free of charge.

        Args:
            job: the job; its purpose is `write` or `replace`.
            command: the typed command, shown when the answers are fetched.
            report: called with the progress of uploads.

        Raises:
            NotFound: no assistant or instruction has that name, or its model was shut down.
            UsageError: the requests need file search, which batches may not support, or the server
                has no batches of responses, or no files.
            GptasstError: the server refused the batch; earlier ones stay submitted.
        """
        runs = self.open_runs()
        resolved = runs.resolve(job.asked.name)
        on_the_way: dict[str, str] = {}
        requests = JobRequests(
            job, runs, resolved, self.journal, on_the_way, takes_file_search=self.takes_file_search
        )
        requests.check()
        self._refuse_without_batches()
        earlier = self._running(requests.basis)
        if not job.force:
            for batch in earlier:
                known = self.records.runs(self.scope, batch.id)
                on_the_way.update(dict.fromkeys(known, batch.id))
        manifest = requests.manifest(command)
        lines = requests.lines(self.gateway.batches)
        try:
            made = tuple(self.submitter.submit(manifest, lines, report))
        except ServiceError as error:
            if error.code != "no_endpoint":
                raise
            raise self._no_batches("files, which batches need") from error
        for batch_id, item in requests.waiting:
            self.records.add_items(self.scope, batch_id, [item])
        awaited = {batch_id for batch_id, _ in requests.waiting}
        return Submission(
            batches=made,
            earlier=tuple(batch for batch in earlier if batch.id in awaited),
            submitted=requests.submitted,
            waiting=len(requests.waiting),
            results=tuple(requests.results),
            warnings=(*runs.warnings(job.asked, resolved), *requests.warnings()),
        )

    def _refuse_without_batches(self) -> None:
        """Raise, before anything is uploaded, if the server does not support such a batch."""
        if not self.capabilities.takes_batches():
            raise self._no_batches("batches of responses")

    def _no_batches(self, lacking: str) -> UsageError:
        return UsageError(
            f"{self.gateway.name} does not have {lacking}",
            hint="run it without --batch: the files are asked for at once then, many at a time",
            code="tool_not_available",
        )

    def _running(self, basis: str) -> list[Batch]:
        """The running batches with a basis; results of ended ones are read."""
        self._learn(basis)
        running = []
        for batch_id in self.records.running(self.scope, basis):
            try:
                batch = self.get(batch_id)
                if not batch.is_final:
                    running.append(batch)
                    continue
                self._read_answers(batch)
            except NotFound:  # the batch or its files are gone, and so are its answers
                pass
            self.records.mark_over(self.scope, batch_id)
        return running

    def _learn(self, basis: str) -> None:
        """Find batches that were submitted elsewhere, or by a process that was killed."""
        known = self.records.known(self.scope)
        oldest = datetime.now(UTC) - _READABLE
        before = START
        for batch in self.gateway.batches.list():
            # As all that follow, unless the server lists the oldest first.
            if START < batch.created_at < min(before, oldest):
                return
            before = batch.created_at
            if _is_own(batch) and batch.id not in known and batch.metadata.get("basis") == basis:
                try:
                    self._recorded(batch)
                except (NotFound, ServiceError) as error:
                    if error.code not in _NO_MANIFEST:  # its files might be submitted twice
                        raise

    def _read_answers(self, batch: Batch) -> None:
        recorded = self._recorded(batch)
        for _ in batch_answers(self.gateway.batches, batch, recorded, self.journal):
            pass

    def all(self) -> Iterator[Batch]:
        """The batches that gptasst submitted, newest first, as they arrive."""
        return filter(_is_own, self.gateway.batches.list())

    def get(self, batch_id: str) -> Batch:
        """One batch.

        Raises:
            NotFound: there is none of that id, or gptasst did not submit it.
        """
        batch = self.gateway.batches.get(batch_id)
        if not _is_own(batch):
            raise NotFound(
                f"batch `{batch_id}` was not submitted by gptasst",
                hint=f"{cmd('batch list')} lists those that were",
            )
        return batch

    def cancel(self, batch_id: str) -> Batch:
        """Cancel a batch. Finished answers can be fetched.

        Raises:
            UsageError: it has ended already.
        """
        batch = self.get(batch_id)
        if batch.is_final:
            raise UsageError(
                f"batch `{batch.id}` is {batch.status} and can't be cancelled",
                hint=f"{cmd(f'batch fetch {batch.id}')} writes its answers",
            )
        return self.gateway.batches.cancel(batch.id)

    def wait(self, batches: Sequence[Batch], report: OnBatches) -> list[Batch]:
        """Wait until all have ended.

        Raises:
            ServiceError: one is still running an hour after the server's limit.
        """
        end = time.monotonic() + _LONGEST_WAIT
        pause = _FIRST_PAUSE
        current = list(batches)
        report(current)
        while not all(batch.is_final for batch in current):
            if time.monotonic() > end:
                late = next(batch for batch in current if not batch.is_final)
                raise ServiceError(
                    f"batch `{late.id}` is still {late.status} after 25 hours",
                    hint=f"{cmd(f'batch show {late.id}')} shows its progress",
                    code="timeout",
                )
            self.gateway.pause(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            current = [b if b.is_final else self.gateway.batches.get(b.id) for b in current]
            report(current)
        return current

    def fetch(self, batch: Batch, directory: Path | None = None) -> Fetched:
        """Write the answers of an ended batch to their outputs; may be repeated.

        Args:
            batch: from `get` or `wait`.
            directory: a directory for all answers instead.

        Raises:
            ServiceError: the batch has not ended yet.
            NotFound: its files are gone from the server.
            UsageError: another machine submitted it, and no directory is given.
        """
        if not batch.is_final:
            raise _not_over(batch)
        recorded = self._recorded(batch)
        if directory is None and recorded.directory is None:
            raise _not_submitted_here(batch)
        missing = why_unanswered(batch)
        by_run: dict[str, list[int]] = {}
        for number, item in enumerate(recorded.items):
            by_run.setdefault(item.run, []).append(number)
        placer = AnswerPlacer(recorded, self.journal, directory)
        items, model = recorded.items, recorded.manifest.model

        def answered() -> Iterator[dict[int, tuple[BatchItem, Outcome]]]:
            for group in batch_answers(self.gateway.batches, batch, recorded, self.journal):
                yield {
                    n: (items[n], self._priced(uncounted(outcome) if again else outcome, model))
                    for run, outcome in group
                    for again, n in enumerate(by_run.get(run, ()))
                }

        def known() -> Iterator[dict[int, tuple[BatchItem, Outcome]]]:
            left = (number for number in range(len(items)) if number not in results)
            while numbers := list(itertools.islice(left, GROUP)):
                yield {
                    n: (items[n], self._priced(self._known(items[n].run) or missing, model))
                    for n in numbers
                }

        results = dict(placer.place_all(answered()))
        results.update(placer.place_all(known()))
        self.records.mark_over(self.scope, batch.id)
        manifest = recorded.manifest
        ordered = tuple(results[number] for number in sorted(results))
        self._record(batch, manifest, ordered)
        # Repeating the command may send files, which must go to the server that has this batch.
        typed = self._typed_again(manifest.command) if recorded.directory else ""
        return Fetched(batch, manifest.name, typed, ordered)

    def _record(self, batch: Batch, manifest: BatchManifest, results: Sequence[FileResult]) -> None:
        asked = [result for result in results if result.usage]
        if self.record is None or not asked:
            return
        used = UsedNow(
            name=manifest.name,
            model=manifest.model,
            profile=self.usage_profile,
            kind="batch",
            requests=len(asked),
            usage=sum((r.usage for r in asked if r.usage), Usage(0, 0)),
            cost=total(result.cost for result in asked),
        )
        self.record(f"{self.scope} {batch.id}", used)

    def _priced(self, outcome: Outcome, model: str) -> Outcome:
        if not isinstance(outcome, FinishedRun):
            return outcome
        return replace(
            outcome, cost=self.prices.cost(outcome.usage, outcome.model, model, window="24h")
        )

    def _known(self, run: str) -> FinishedRun | None:
        """A known answer that a file needs."""
        known = self.journal.find(run)
        return known if known and known.answer and is_usable(known.answer) else None

    def _typed_again(self, command: str) -> str:
        """The command in a manifest, with the profile in force; a Python call is unchanged."""
        words = command.removeprefix("gptasst ")
        return command if words == command else shown(cmd(words), self.profile, quote="")

    def submitted_here(self, batch: Batch) -> bool:
        """Whether this machine submitted a batch, so that its paths are valid here."""
        return self._recorded(batch).directory is not None

    def _recorded(self, batch: Batch) -> RecordedBatch:
        """A batch as it was submitted, from the records or the server."""
        known = self.records.find(self.scope, batch.id)
        if known is not None:
            return known
        file_id = batch.metadata.get("manifest")
        manifest, items = read_manifest(self.gateway.files.lines(file_id) if file_id else iter(()))
        learnt = RecordedBatch(manifest, None, tuple(items))
        self.records.add(self.scope, batch.id, manifest, learnt.items, None)
        return learnt


def _not_over(batch: Batch) -> ServiceError:
    return ServiceError(
        f"batch `{batch.id}` is {batch.status.replace('_', ' ')}:"
        f" {batch.completed + batch.failed:,} of {batch.all_requests:,} requests are done",
        hint=f"{cmd(f'batch fetch {batch.id} --wait')} waits for it",
        code="not_over",
    )


def _not_submitted_here(batch: Batch) -> UsageError:
    return UsageError(
        f"batch `{batch.id}` was not submitted from this machine, so its paths may not be yours",
        hint=f"{cmd(f'batch fetch {batch.id} -o DIR')} writes its answers below DIR",
        code="not_submitted_here",
    )


def _is_own(batch: Batch) -> bool:
    """Whether gptasst submitted a batch, on any machine."""
    return batch.metadata.get(MARK) == MARK_VERSION
