"""Run many files within hours, at a discount: send all, then poll for the answers.

Sent requests are remembered by the digests of their runs. So repeating the command after an
interrupt, a crash or a day waits for their answers and sends nothing twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from gptasst.api.deferred import Deferred, DeferredGateway
from gptasst.api.types import CompletionWindow, ModelAnswer, Usage
from gptasst.assistants.types import Resolved
from gptasst.definitions.schemas import check_answer
from gptasst.each.files import EachFiles, EachInput
from gptasst.each.journal import DeferredRecords, FinishedRun, RunJournal
from gptasst.each.pace import Pace
from gptasst.each.types import EachJob, FileResult, FileTarget, named_paths
from gptasst.errors import GptasstError, InvalidInput, LimitReached, NoAnswer, NotFound, unexpected
from gptasst.inputs.encoding import WESTERN
from gptasst.models.prices import Window
from gptasst.models.usage import UsedNow
from gptasst.runs.answer_text import GivenTexts, answer_text, refuse_unusable
from gptasst.runs.edits import edited_text
from gptasst.runs.preparation import PreparedRun
from gptasst.runs.service import RunService
from gptasst.runs.types import Kept, content_digest
from gptasst.threads import workers
from gptasst.values import dataclass

_HOURS: dict[CompletionWindow, int] = {"2h": 2, "8h": 8}
_GRACE = 3600.0  # seconds after the window
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 60.0
_AT_ONCE = 8
_ATTEMPTS = 10
_ROUNDS_IN_VAIN = 10


@dataclass(frozen=True, slots=True)
class Deferral:
    """The parts that only deferred runs need.

    Args:
        gateway: sends them.
        records: the records of sent requests.
        scope: endpoint and project, as in the records.
        lacking: called if the server does not support deferred runs.
    """

    gateway: DeferredGateway
    records: DeferredRecords
    scope: str
    lacking: Callable[[], None]


@dataclass(slots=True)
class _Sent:
    """A request that was sent, for all inputs with the same content."""

    inputs: list[EachInput]
    prepared: PreparedRun
    id: str
    window: Window
    until: float  # Unix time
    deferred: Deferred | None = None  # answered at once


@dataclass(slots=True)
class _Ask:
    inputs: list[EachInput]
    prepared: PreparedRun


class DeferredRun:
    """A running job, with the interface of `EachRun`: `results` drives it, `stop` ends it.

    Args:
        job: the job, with the window in `by`.
        runs: prepares requests.
        resolved: the assistant or instruction.
        files: the files of the job.
        journal: the journal of finished runs.
        deferral: the parts for deferred runs.
        warnings: warnings that apply to all files.
    """

    def __init__(
        self,
        job: EachJob,
        runs: RunService,
        resolved: Resolved,
        files: EachFiles,
        journal: RunJournal,
        deferral: Deferral,
        warnings: tuple[str, ...],
    ) -> None:
        assert job.by is not None
        self._job, self._window = job, job.by
        self._runs, self._resolved, self._files = runs, resolved, files
        self._journal, self._deferral = journal, deferral
        self._stop = threading.Event()
        self._pace = Pace(job.jobs)
        self._in_vain = 0
        self._awaited = 0
        self._answered_at_once = False
        self._waits_for: tuple[str, float] | None = None
        self.warnings = warnings
        self.ended_by: GptasstError | None = None
        self.stopped = False

    def notes(self) -> tuple[str, ...]:
        """Notes about assumptions, and about requests under way."""
        found = []
        if self._files.guessed:
            found.append(f"read as {WESTERN}: {named_paths(list(self._files.guessed))}")
        if self._answered_at_once:
            found.append("the server answered at once and may have charged the full price")
        if self._awaited and (self.stopped or self.ended_by):
            found.append(
                f"{self._awaited:,} under way on the server; the same command waits for them"
            )
        return tuple(found)

    def waited_longest_for(self) -> tuple[str, float] | None:
        """The path of the file with the longest wait, and the seconds."""
        return self._waits_for

    def stop(self) -> None:
        """Send nothing more and stop waiting; may be called from a signal handler."""
        self.stopped = True
        self._stop.set()

    def results(self) -> Generator[FileResult]:
        """The result of each file, as it arrives; every file once."""
        asks: dict[str, _Ask] = {}
        for target in self._job.targets:
            result = self._ready(target, asks)
            if result is not None:
                yield result
        sent: list[_Sent] = []
        for ask, outcome in self._hand_over(list(asks.values())):
            if isinstance(outcome, _Sent):
                sent.append(outcome)
            elif outcome is None:
                yield from (self._files.result(g.target, "not_run") for g in ask.inputs)
            else:
                yield from self._failed(ask.inputs, outcome)
        yield from self._wait_for(sent)
        self._journal.prune()

    def _ready(self, target: FileTarget, asks: dict[str, _Ask]) -> FileResult | None:
        """Prepare a file, or return its result if it needs no request."""
        given = self._files.to_ask(target)
        if isinstance(given, FileResult):
            return given
        if given.run in asks:
            asks[given.run].inputs.append(given)
            return None
        try:
            prepared = self._runs.prepare(self._job.request(given.file), self._resolved)
        except InvalidInput as error:
            return self._files.result(target, "failed", error=error)
        asks[given.run] = _Ask([given], prepared.without_functions())
        return None

    def _hand_over(
        self, asks: Sequence[_Ask]
    ) -> Iterator[tuple[_Ask, _Sent | GptasstError | None]]:
        """Send a request that the server does not have yet; `None` if the command ended."""
        with workers(min(_AT_ONCE, self._job.jobs)) as pool:
            yield from zip(asks, pool.map(self._hand_over_one, asks), strict=True)

    def _hand_over_one(self, ask: _Ask) -> _Sent | GptasstError | None:
        run, deferral = ask.inputs[0].run, self._deferral
        known = deferral.records.find(deferral.scope, run)
        if known is not None and self._job.force:
            deferral.records.remove(deferral.scope, run)
            deferral.gateway.cancel(known[0])
        elif known is not None:
            ident, window, sent_at = known
            return _Sent(ask.inputs, ask.prepared, ident, window, _limit(window, sent_at))
        try:
            made = self._create(ask.prepared)
        except GptasstError as error:
            if self._pace.ends_all(error):
                self.ended_by = self.ended_by or error
            return error
        except Exception as error:  # noqa: BLE001  # a thread's boundary
            return unexpected(error)
        if made is None:
            return None
        self._pace.answered(None)
        if made.answer is not None or made.failure is not None:
            return _Sent(ask.inputs, ask.prepared, made.id, "now", 0.0, made)
        deferral.records.add(deferral.scope, run, made.id, self._window)
        until = _limit(self._window, time.time())
        return _Sent(ask.inputs, ask.prepared, made.id, self._window, until)

    def _create(self, prepared: PreparedRun) -> Deferred | None:
        """Send one request, and retry if the server did not process it."""
        for attempt in range(_ATTEMPTS):
            if self.stopped or self.ended_by is not None:
                return None
            try:
                return self._deferral.gateway.create(prepared.model_request, self._window)
            except GptasstError as error:
                if not error.transient or attempt == _ATTEMPTS - 1:
                    raise
                wait = error.retry_after
                self._stop.wait(min(2.0**attempt / 2, _LONGEST_PAUSE) if wait is None else wait)
        return None

    def _wait_for(self, sent: list[_Sent]) -> Iterator[FileResult]:
        """Poll until all answers are there."""
        pause, started = _FIRST_PAUSE, time.monotonic()
        while sent and not self.stopped and self.ended_by is None:
            self._awaited = len(sent)
            self._waits_for = str(sent[0].inputs[0].target.path), time.monotonic() - started
            with workers(_AT_ONCE) as pool:
                found = list(zip(sent, pool.map(self._look, sent), strict=True))
            sent = [each for each, outcome in found if outcome is None]
            for each, outcome in found:
                if outcome is not None:
                    yield from self._settle(each, outcome)
            if len(sent) < len(found):
                pause = _FIRST_PAUSE
            if sent:
                self._stop.wait(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
        self._awaited = len(sent)
        for each in sent:
            yield from (self._files.result(given.target, "not_run") for given in each.inputs)

    def _look(self, sent: _Sent) -> FinishedRun | GptasstError | None:
        """The result of a request; `None` if there is none yet. Runs in a thread."""
        received: list[str] = []
        answer: ModelAnswer | None = None
        try:
            answer = self._answer(sent, received)
            self._in_vain = 0
            return None if answer is None else self._finished(sent, answer)
        except NotFound:
            return NoAnswer("the server has deleted the answer", hint="run it again", code="gone")
        except NoAnswer as error:
            if answer is not None:  # it can't be used, but is billed
                error.usage = answer.usage
            error.cost = self._cost(sent, _usage(error))
            return self._part(sent, "".join(received), error)
        except GptasstError as error:
            self._in_vain += 1
            passes = isinstance(error, LimitReached) or error.code in _PASSING
            if not passes or self._in_vain >= _ROUNDS_IN_VAIN * max(self._awaited, 1):
                self.ended_by = self.ended_by or error
            return None
        except Exception as error:  # noqa: BLE001  # a thread's boundary
            return unexpected(error)

    def _answer(self, sent: _Sent, received: list[str]) -> ModelAnswer | None:
        if sent.deferred is not None:
            self._answered_at_once = True
            if sent.deferred.failure is not None:
                raise sent.deferred.failure
            return sent.deferred.answer
        model = sent.prepared.model_request.model
        answer = self._deferral.gateway.get(sent.id, model, received)
        if answer is None and time.time() > sent.until:
            hint = "the same command looks for it again"
            raise NoAnswer("no answer within its time", hint=hint, code="expired")
        return answer

    def _finished(self, sent: _Sent, answer: ModelAnswer) -> FinishedRun:
        """An answer in the form for a file."""
        prepared, request = sent.prepared, sent.prepared.request
        schema = prepared.model_request.schema
        given = GivenTexts() if schema else GivenTexts.of(request)
        unwrap = prepared.definition.unwrap_fence or schema is not None
        text = answer_text(answer.text, given, unwrap=unwrap)
        refuse_unusable(text)
        found: tuple[Kept, ...] = ()
        if prepared.edit is not None:
            edited = prepared.edit.inputs[0]
            text, found = edited_text(edited.path, edited.text, answer.text, prepared.edit.rules)
        if schema is not None:
            check_answer(text, schema)
        cost = self._cost(sent, answer.usage, answer.model)
        sha256 = content_digest(text.encode("utf-8", "surrogatepass"))
        return FinishedRun(text, sha256, answer.model, answer.usage, found, cost)

    def _cost(self, sent: _Sent, usage: Usage | None, *models: str) -> float | None:
        """The cost of an answer in US dollars; `models` are its names besides the requested one."""
        asked = sent.prepared.model_request.model
        return self._runs.spending.prices.cost(usage, *models, asked, window=sent.window)

    @staticmethod
    def _part(sent: _Sent, received: str, error: NoAnswer) -> FinishedRun | GptasstError:
        """The complete part of a truncated edit, if there is one."""
        plan = sent.prepared.edit
        if plan is None or not received or error.code != "incomplete":
            return error
        edited = plan.inputs[0]
        try:
            text, kept = edited_text(edited.path, edited.text, received, plan.rules, cut=True)
        except NoAnswer:
            return error
        sha256 = content_digest(text.encode("utf-8", "surrogatepass"))
        model = sent.prepared.model_request.model
        return FinishedRun(text, sha256, model, _usage(error), kept, error.cost)

    def _settle(self, sent: _Sent, outcome: FinishedRun | GptasstError) -> Iterator[FileResult]:
        """Save an answer, delete it on the server, and write it to its output."""
        run, deferral = sent.inputs[0].run, self._deferral
        self._record(sent, outcome)
        if isinstance(outcome, FinishedRun):
            self._journal.record(run, outcome)
        if not (isinstance(outcome, GptasstError) and outcome.code == "expired"):
            deferral.records.remove(deferral.scope, run)
            if sent.id:
                deferral.gateway.delete(sent.id)
        if sent.deferred is not None:
            deferral.lacking()
        if isinstance(outcome, GptasstError):
            yield from self._failed(sent.inputs, outcome)
            return
        for number, given in enumerate(sent.inputs):
            usage = outcome.usage if number == 0 else None
            yield self._files.apply(given, outcome, asked=number == 0, usage=usage)

    def _record(self, sent: _Sent, outcome: FinishedRun | GptasstError) -> None:
        usage = _usage(outcome)
        if usage is None:
            return
        spending, asked = self._runs.spending, sent.prepared.model_request.model
        name = sent.prepared.request.name
        spending.record(UsedNow(name, asked, spending.profile, "deferred", 1, usage, outcome.cost))

    def _failed(self, inputs: Sequence[EachInput], error: GptasstError) -> Iterator[FileResult]:
        for number, given in enumerate(inputs):
            result = self._files.result(given.target, "failed", asked=True, error=error)
            if number == 0:  # the others share its tokens
                result = replace(result, usage=_usage(error), cost=error.cost)
            yield result


def _usage(outcome: FinishedRun | GptasstError) -> Usage | None:
    return outcome.usage if isinstance(outcome.usage, Usage) else None


# Transient errors while polling.
_PASSING = ("unreachable", "timeout", "service_error", "broken_off", "not_an_api")


def _limit(window: CompletionWindow, sent_at: float) -> float:
    return sent_at + _HOURS[window] * 3600 + _GRACE
