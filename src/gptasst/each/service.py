"""Run an assistant over many files. All are prepared before anything is sent."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from gptasst.api.limits import OnLimits
from gptasst.api.types import TextDelta, Usage
from gptasst.assistants.types import Resolved
from gptasst.each.files import EachFiles, EachInput
from gptasst.each.journal import FinishedRun, RunJournal
from gptasst.each.pace import Pace
from gptasst.each.planning import job_plan, planned_files, refuse_documents
from gptasst.each.types import EachJob, FileResult, FileTarget, JobPlan, named_paths
from gptasst.errors import (
    GptasstError,
    InvalidInput,
    LimitReached,
    NoAnswer,
    UsageError,
    unexpected,
)
from gptasst.inputs.encoding import WESTERN
from gptasst.inputs.reading import input_kind
from gptasst.models.prices import Window, total
from gptasst.runs.preparation import ABOUT_KNOWLEDGE
from gptasst.runs.service import RunService
from gptasst.runs.types import RunResult, content_digest

if TYPE_CHECKING:
    from gptasst.each.deferred import Deferral, DeferredRun


class EachService:
    """Runs an assistant or instruction over many files.

    Args:
        journal: the journal of finished runs.
        open_runs: returns the service for single runs, whose requests are paced here.
        most_jobs: the most concurrent requests of the endpoint, if known.
        open_deferral: opens what deferred runs need; `None`: the endpoint has none.
    """

    def __init__(
        self,
        journal: RunJournal,
        open_runs: Callable[[OnLimits], RunService],
        most_jobs: int | None = None,
        open_deferral: Callable[[], Deferral] | None = None,
    ) -> None:
        self._journal = journal
        self._open_runs = open_runs
        self._most_jobs = most_jobs
        self._open_deferral = open_deferral

    def start(self, job: EachJob) -> EachRun | DeferredRun:
        """Prepare a job; errors that every file would have are raised before anything is sent.

        Raises:
            NotFound: no assistant or instruction has that name.
            UsageError: a file to change is not text, no model is set, or the job has a budget and
                the model's price is not known.
            LimitReached: the estimate is above the job's budget.
        """
        pace = Pace(min(job.jobs, self._most_jobs or job.jobs))
        runs = self._open_runs(pace.observe)
        resolved, files = self._prepare(job, runs)
        deferral = self._deferral() if job.by else None
        self._admit(job, runs, resolved, files, job.by or "now")
        warnings = runs.warnings(job.asked, resolved)
        if deferral is not None:
            from gptasst.each.deferred import DeferredRun

            return DeferredRun(job, runs, resolved, files, self._journal, deferral, warnings)
        return EachRun(job, runs, resolved, files, self._journal, pace, warnings)

    def _deferral(self) -> Deferral:
        if self._open_deferral is None:
            raise UsageError("the embedded model has no deferred runs", hint="leave out --by")
        return self._open_deferral()

    def admit(self, job: EachJob, window: Window) -> None:
        """Refuse a job that is estimated above its budget, if it has one.

        Args:
            job: what was asked.
            window: within which time the answers are to come.

        Raises:
            LimitReached: it may cost too much.
            UsageError: a price is not known.
        """
        if job.asked.budget is not None:
            runs = self._open_runs(lambda _: None)
            self._admit(job, runs, *self._prepare(job, runs), window)

    @staticmethod
    def _admit(
        job: EachJob, runs: RunService, resolved: Resolved, files: EachFiles, window: Window
    ) -> None:
        if job.asked.budget is not None:
            planned = planned_files(job, runs, resolved, files, window)
            job.asked.budget.admit([each for _, each in planned if each], whole_job=True)

    def plan(self, job: EachJob) -> JobPlan:
        """The plan for each file, and for all together. Sends and writes nothing.

        Raises:
            GptasstError: the errors of `start`.
            InvalidInput: no file can be used.
        """
        runs = self._open_runs(lambda _: None)
        resolved, files = self._prepare(job, runs)
        found = list(planned_files(job, runs, resolved, files))
        planned = [file for file, _ in found]
        refused = [file.error for file in planned if file.error]
        if refused and len(refused) == len(planned):
            raise refused[0]
        return job_plan(planned, [each for _, each in found if each], runs.spending)

    def sampled_plan(self, job: EachJob, most: int) -> JobPlan:
        """The same from at most so many of the files, as if the others were like these."""
        if len(job.targets) <= most:
            return self.plan(job)
        step = len(job.targets) / most
        some = tuple(job.targets[int(number * step)] for number in range(most))
        return self.plan(replace(job, targets=some)).times(len(job.targets) / most)

    def _prepare(self, job: EachJob, runs: RunService) -> tuple[Resolved, EachFiles]:
        if job.purpose in ("replace", "check"):
            refuse_documents(job)
        resolved = runs.resolve(job.asked.name)
        basis = runs.basis(job.asked, resolved)
        edits = resolved.definition.edit is not None
        return resolved, EachFiles(job, basis, self._journal, edits=edits)


_LONGEST_SLEEP = 0.5  # so that a stop is noticed on all systems


@dataclass(eq=False, slots=True)
class _Ask:
    """One request, for all inputs with the same content."""

    inputs: list[EachInput]
    attempt: int = 0
    not_before: float = 0.0
    sent_at: float = 0.0
    spent: list[tuple[Usage, float | None]] = field(default_factory=list)
    """Tokens and price of each attempt: an edit that fails in one part has paid for the others."""


@dataclass(frozen=True, slots=True)
class _Arrival:
    """The result of a request: an answer that is in the journal, or an error."""

    ask: _Ask
    outcome: FinishedRun | GptasstError


@dataclass(eq=False)
class EachRun:
    """A running job. `results` drives it; `stop` may be called from elsewhere.

    `ended_by` is the error that ended it early, because every file would get it. `warnings` apply
    to all files.
    """

    _job: EachJob
    _runs: RunService
    _resolved: Resolved
    _files: EachFiles
    _journal: RunJournal
    _pace: Pace
    warnings: tuple[str, ...] = ()
    ended_by: GptasstError | None = None
    stopped: bool = False
    _again: list[_Ask] = field(default_factory=list)
    _in_flight: dict[str, _Ask] = field(default_factory=dict)
    _arrivals: SimpleQueue[_Arrival | None] = field(default_factory=SimpleQueue)
    _settled: deque[_Arrival] = field(default_factory=deque)
    _connected: bool = False
    _without_passages: dict[str, list[str]] = field(default_factory=dict)

    def notes(self) -> tuple[str, ...]:
        """Notes on assumptions about files, after they were read."""
        about = {f"read as {WESTERN}": list(self._files.guessed)}
        if not self._runs.takes_documents:
            paths = [target.path for target in self._job.targets]
            about["sent as text"] = [str(p) for p in paths if input_kind(p) == "document"]
        about.update({note: sorted(paths) for note, paths in self._without_passages.items()})
        return tuple(f"{what}: {named_paths(paths)}" for what, paths in about.items() if paths)

    def waited_longest_for(self) -> tuple[str, float] | None:
        """The path of the file that has been waited for longest, and for how many seconds.

        May be called from any thread.
        """
        asks = list(self._in_flight.values())
        if not asks:
            return None
        first = min(asks, key=lambda ask: ask.sent_at)
        return str(first.inputs[0].target.path), time.monotonic() - first.sent_at

    def stop(self) -> None:
        """Start nothing more and stop waiting; may be called from a signal handler."""
        self.stopped = True
        self._arrivals.put(None)

    def results(self) -> Generator[FileResult]:
        """The result of each file, as it arrives; every file once."""
        waiting = deque(self._job.targets)
        while not self._is_over(waiting):
            self._take_arrivals()
            # Requests start before outputs are written: the server must not wait.
            if self._may_start(waiting):
                yield from self._start_next(waiting)
            elif self._settled:
                yield from self._settle(self._settled.popleft())
            else:
                self._take_arrivals(self._seconds_to_wait())
        self._take_arrivals()
        while self._settled:
            yield from self._settle(self._settled.popleft())
        self._journal.prune()
        unfinished = [given.target for ask in self._asks() for given in ask.inputs]
        for target in [*unfinished, *waiting]:
            yield self._files.result(target, "not_run")

    def _asks(self) -> list[_Ask]:
        return [*self._in_flight.values(), *self._again]

    def _is_over(self, waiting: deque[FileTarget]) -> bool:
        if self.stopped:
            return True
        if self.ended_by is not None:  # at a limit, requests in flight may still be answered
            return not (isinstance(self.ended_by, LimitReached) and self._in_flight)
        return not (waiting or self._again or self._in_flight or self._settled)

    def _may_start(self, waiting: deque[FileTarget]) -> bool:
        budget = self._job.asked.budget
        if budget is not None and budget.is_taken:
            stuck = budget.reached or not self._in_flight
            if stuck and (waiting or self._again):
                self.ended_by = self.ended_by or budget.stopped()
            return False
        if self.ended_by or len(self._in_flight) >= self._pace.limit or self._pace.wait() > 0:
            return False
        return bool(waiting) or any(ask.not_before <= time.monotonic() for ask in self._again)

    def _seconds_to_wait(self) -> float:
        """How long to wait for an arrival when nothing can start."""
        moments = [_LONGEST_SLEEP]
        if len(self._in_flight) < self._pace.limit:
            moments.append(self._pace.wait() or _LONGEST_SLEEP)
            moments += [ask.not_before - time.monotonic() for ask in self._again]
        return max(min(moments), 0.001)

    def _take_arrivals(self, seconds: float = 0.0) -> None:
        """Handle all arrivals; with `seconds`, wait that long for the first."""
        with contextlib.suppress(Empty):
            arrival = (
                self._arrivals.get(timeout=seconds) if seconds else self._arrivals.get_nowait()
            )
            while True:
                if arrival is not None:
                    self._note(arrival)
                arrival = self._arrivals.get_nowait()

    def _note(self, arrival: _Arrival) -> None:
        """Count a finished request, and decide whether to send it again."""
        ask, outcome = arrival.ask, arrival.outcome
        self._in_flight.pop(ask.inputs[0].run)
        tokens = None
        if isinstance(outcome.usage, Usage):
            ask.spent.append((outcome.usage, outcome.cost))
            tokens = outcome.usage.input + outcome.usage.output
        if isinstance(outcome, FinishedRun) or tokens:
            self._pace.answered(tokens)
        if isinstance(outcome, FinishedRun):
            self._settled.append(arrival)
        elif self.ended_by is None and self._pace.may_ask_again(outcome, ask.attempt):
            now = time.monotonic()
            ask.not_before = now + self._pace.refused(outcome, ask.sent_at, ask.attempt)
            ask.attempt += 1
            self._again.append(ask)
        else:
            if self._pace.ends_all(outcome):
                self.ended_by = self.ended_by or outcome
            self._settled.append(arrival)

    def _settle(self, arrival: _Arrival) -> Iterator[FileResult]:
        """Apply the result of a request to each of its files."""
        ask, outcome = arrival.ask, arrival.outcome
        for number, given in enumerate(ask.inputs):
            first = number == 0  # the others share its tokens
            if isinstance(outcome, GptasstError):
                result = self._files.result(given.target, "failed", asked=True, error=outcome)
            else:
                result = self._files.apply(given, outcome, asked=first)
            if first and ask.spent:
                usage = sum((usage for usage, _ in ask.spent), Usage(0, 0))
                result = replace(result, usage=usage, cost=total([cost for _, cost in ask.spent]))
            yield result

    def _start_next(self, waiting: deque[FileTarget]) -> Iterator[FileResult]:
        now = time.monotonic()
        due = max(
            (ask for ask in self._again if ask.not_before <= now),
            key=lambda ask: ask.attempt,  # while a server restarts, each attempt pauses the others
            default=None,
        )
        if due is not None:
            self._again.remove(due)
            yield from self._send(due)
            return
        given = self._files.to_ask(waiting.popleft())
        if isinstance(given, FileResult):
            yield given
            return
        same = next((ask for ask in self._asks() if ask.inputs[0].run == given.run), None)
        if same is not None:
            same.inputs.append(given)
        else:
            yield from self._send(_Ask([given]))

    def _send(self, ask: _Ask) -> Iterator[FileResult]:
        first = ask.inputs[0]
        try:
            events = self._runs.stream(self._job.request(first.file), self._resolved)
            if not self._connected:
                self._runs.connect(self._pace.limit)
                self._connected = True
        except GptasstError as error:
            if not isinstance(error, InvalidInput):
                self.ended_by = error
            for given in ask.inputs:
                yield self._files.result(given.target, "failed", error=error)
            return
        ask.sent_at = self._pace.sent()
        self._in_flight[first.run] = ask
        threading.Thread(target=self._receive, args=(ask, events), daemon=True).start()

    def _receive(self, ask: _Ask, events: Generator[TextDelta | RunResult]) -> None:
        """Read an answer completely and save it. Runs in its own thread."""
        outcome: FinishedRun | GptasstError
        try:
            result = _last(events)
            outcome = _finished(result)
            self._journal.record(ask.inputs[0].run, outcome)
            for note in ABOUT_KNOWLEDGE.intersection(result.warnings):
                paths = self._without_passages.setdefault(note, [])
                paths += [str(given.target.path) for given in ask.inputs]
        except GptasstError as error:
            outcome = error
        except Exception as error:  # noqa: BLE001  # a thread's boundary
            outcome = unexpected(error)
        self._arrivals.put(_Arrival(ask, outcome))


def _last(events: Generator[TextDelta | RunResult]) -> RunResult:
    with contextlib.closing(events):
        return next(event for event in events if isinstance(event, RunResult))


def _finished(result: RunResult) -> FinishedRun:
    try:
        content = result.answer.encode("utf-8")
    except UnicodeEncodeError:
        raise NoAnswer("the answer contains invalid characters", hint="run it again") from None
    sha256 = content_digest(content)
    return FinishedRun(result.answer, sha256, result.model, result.usage, result.kept, result.cost)
