"""Batches: many files handed to the server at once, their answers fetched when they are there.

A request's `custom_id` is the digest of its run, so that answers go into the journal of finished
runs whatever machine fetches them, and the same command, typed again, submits what is missing.
Which input and output belong to a digest is in the batch's manifest, see `manifests`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

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
from gptasst.batches.submit import MARK, MARK_VERSION, JobRequests, Submitter
from gptasst.batches.types import BatchManifest, Fetched, OnBatches, Submission
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

# A batch ends after 24 hours, whatever came of it; the rest is for writing its files.
_LONGEST_WAIT = 25 * 3600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 60.0
# A manifest that is gone, damaged, of another version, or never given out.
_NO_MANIFEST = ("gone", "unknown_manifest", "bad_request", "no_endpoint", "not_an_api")


@dataclass(frozen=True, slots=True)
class BatchService:
    """The batches of one project that gptasst submitted.

    Args:
        gateway: the connection to the project.
        submitter: makes batches.
        records: of batches.
        journal: of finished runs.
        scope: endpoint and project, as the records have them.
        open_runs: gives the service that makes requests.
        capabilities: tells whether the server takes batches of responses.
        takes_file_search: whether the server takes file search inside a batch.
        profile: the profile's name, unless it is the one that is found where none is named.
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
        """Submit the files whose answers are neither there nor on their way.

        Answers that arrived in earlier batches are put in place first, and for free.

        Args:
            job: what was asked; its purpose is `write` or `replace`.
            command: what was typed, for whoever fetches the answers.
            report: told how far uploads have come.

        Raises:
            NotFound: no assistant or instruction has that name, or its model was shut down.
            UsageError: the requests need file search, which batches are not known to take, or the
                server has no batches of responses.
            GptasstError: the server does not take the batch; earlier ones stay submitted.
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
        made = tuple(self.submitter.submit(manifest, lines, report))
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
        """Raise, before anything is uploaded, if the server is known to take no such batch."""
        if not self.capabilities.takes_batches():
            raise UsageError(
                f"{self.gateway.name} does not have batches of responses",
                hint="run it without --batch: the files are asked for at once then, many at a time",
                code="tool_not_available",
            )

    def _running(self, basis: str) -> list[Batch]:
        """The batches on a basis that are not over; what came of the others is read."""
        self._learn(basis)
        running = []
        for batch_id in self.records.running(self.scope, basis):
            try:
                batch = self.get(batch_id)
                if not batch.is_final:
                    running.append(batch)
                    continue
                self._read_answers(batch)
            except NotFound:  # the batch or its files are gone: so are its answers
                pass
            self.records.mark_over(self.scope, batch_id)
        return running

    def _learn(self, basis: str) -> None:
        """Learn of batches that were submitted elsewhere, or by a process that was killed."""
        known = self.records.known(self.scope)
        for batch in self.all():
            if batch.id not in known and batch.metadata.get("basis") == basis:
                try:
                    self._recorded(batch)
                except (NotFound, ServiceError) as error:
                    if error.code not in _NO_MANIFEST:  # what may be in it, would go up twice
                        raise

    def _read_answers(self, batch: Batch) -> None:
        recorded = self._recorded(batch)
        for _ in batch_answers(self.gateway.batches, batch, recorded, self.journal):
            pass

    def all(self) -> list[Batch]:
        """The batches that gptasst submitted, newest first."""
        return [b for b in self.gateway.batches.list() if b.metadata.get(MARK) == MARK_VERSION]

    def get(self, batch_id: str) -> Batch:
        """One batch.

        Raises:
            NotFound: there is none of that id, or gptasst did not submit it.
        """
        batch = self.gateway.batches.get(batch_id)
        if batch.metadata.get(MARK) != MARK_VERSION:
            raise NotFound(
                f"batch `{batch_id}` was not submitted by gptasst",
                hint=f"{cmd('batch list')} lists those that were",
            )
        return batch

    def cancel(self, batch_id: str) -> Batch:
        """Stop a batch; what was answered until then can be fetched.

        Raises:
            UsageError: it is over already.
        """
        batch = self.get(batch_id)
        if batch.is_final:
            raise UsageError(
                f"batch `{batch.id}` is {batch.status} and can't be cancelled",
                hint=f"{cmd(f'batch fetch {batch.id}')} writes its answers",
            )
        return self.gateway.batches.cancel(batch.id)

    def wait(self, batches: Sequence[Batch], report: OnBatches) -> list[Batch]:
        """Wait until all are over.

        Raises:
            ServiceError: one is not, an hour after the last moment that the server allows.
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
        """Put the answers of a batch that is over in their places; any number of times.

        Args:
            batch: as `get` or `wait` gave it.
            directory: where all of them go instead.

        Raises:
            ServiceError: the batch is not over yet.
            NotFound: its files are gone from the server.
            UsageError: another machine submitted it, and no directory is given.
        """
        if not batch.is_final:
            raise ServiceError(
                f"batch `{batch.id}` is {batch.status.replace('_', ' ')}:"
                f" {batch.completed + batch.failed:,} of {batch.all_requests:,} requests are done",
                hint=f"{cmd(f'batch fetch {batch.id} --wait')} waits for it",
                code="not_over",
            )
        recorded = self._recorded(batch)
        if directory is None and recorded.directory is None:
            raise UsageError(
                f"batch `{batch.id}` was not submitted from this machine, so its paths may not"
                " be yours",
                hint=f"{cmd(f'batch fetch {batch.id} -o DIR')} writes its answers below DIR",
                code="not_submitted_here",
            )
        missing = why_unanswered(batch)
        by_run: dict[str, list[int]] = {}
        for number, item in enumerate(recorded.items):
            by_run.setdefault(item.run, []).append(number)
        placer = AnswerPlacer(recorded, self.journal, directory)
        results: dict[int, FileResult] = {}

        def place(outcomes: dict[int, Outcome]) -> None:
            model = recorded.manifest.model
            pairs = [
                (recorded.items[number], self._priced(outcome, model))
                for number, outcome in outcomes.items()
            ]
            results.update(zip(outcomes, placer.place_all(pairs), strict=True))

        for group in batch_answers(self.gateway.batches, batch, recorded, self.journal):
            place(
                {
                    number: uncounted(outcome) if again else outcome
                    for run, outcome in group
                    for again, number in enumerate(by_run.get(run, ()))
                }
            )
        left = (number for number in range(len(recorded.items)) if number not in results)
        while numbers := list(itertools.islice(left, GROUP)):
            place(
                {number: self._known(recorded.items[number].run) or missing for number in numbers}
            )
        self.records.mark_over(self.scope, batch.id)
        manifest = recorded.manifest
        ordered = tuple(results[number] for number in sorted(results))
        self._record(batch, manifest, ordered)
        # Typed again, it may send files: to the server that has this batch, and to no other.
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
        """An answer that is here already, if a file should get it."""
        known = self.journal.find(run)
        return known if known and known.answer and is_usable(known.answer) else None

    def _typed_again(self, command: str) -> str:
        """The command of a manifest, with the profile in force; Python's own stays as it is."""
        words = command.removeprefix("gptasst ")
        return command if words == command else shown(cmd(words), self.profile, quote="")

    def submitted_here(self, batch: Batch) -> bool:
        """Whether this machine submitted a batch, so that its paths are meant for here."""
        return self._recorded(batch).directory is not None

    def _recorded(self, batch: Batch) -> RecordedBatch:
        """A batch as it was submitted, from the records or else from the server."""
        known = self.records.find(self.scope, batch.id)
        if known is not None:
            return known
        file_id = batch.metadata.get("manifest")
        manifest, items = read_manifest(self.gateway.files.lines(file_id) if file_id else iter(()))
        learnt = RecordedBatch(manifest, None, tuple(items))
        self.records.add(self.scope, batch.id, manifest, learnt.items, None)
        return learnt
