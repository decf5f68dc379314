"""Run cases: get answers concurrently or from the cache, and check them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue

from gptasst.api.types import Usage
from gptasst.assistants.store import AssistantStore
from gptasst.assistants.types import Resolved
from gptasst.cases.answers import KnownAnswer, KnownAnswers
from gptasst.cases.checks import Given, failures_of, retrieval_failures
from gptasst.cases.judging import JUDGE, judge_request, judgement
from gptasst.cases.types import (
    CaseResult,
    CaseStatus,
    CheckFailure,
    Judgement,
    Subject,
    TestJob,
    TestReport,
    TestSummary,
)
from gptasst.definitions.types import Case
from gptasst.each.pace import Pace
from gptasst.errors import GptasstError, NoAnswer, unexpected
from gptasst.knowledge.question import Question
from gptasst.models.prices import BudgetBusy, Prices
from gptasst.runs.inputs import STDIN_NAME
from gptasst.runs.service import RunService
from gptasst.runs.types import RunRequest, RunResult, content_digest, run_digest

Task = tuple[Subject, Case, RunRequest | GptasstError]  # or why the case can't be run
_Ready = tuple[Subject, Case, RunRequest]

_LONGEST_SLEEP = 0.2  # seconds, short enough to notice a stop
_MOST_FOUND = 10  # passages, the same number as in `assistant search`
# Errors caused by the model: the case fails. For other errors there is no result.
_NO_GOOD_ANSWER = (
    "refused",
    "incomplete",
    "empty",
    "schema_mismatch",
    "nothing_taken",
    "control_character",
)


class _Stopped(Exception):
    """The command ends before this case is finished."""


@dataclass(slots=True)
class _Spent:
    """The usage of one case in this test."""

    requests: int = 0
    usage: Usage | None = None
    cost: float | None = 0.0

    def add(self, usage: Usage | None, cost: float | None) -> None:
        self.requests += 1
        self.usage = self.usage + usage if self.usage and usage else usage or self.usage
        self.cost = None if self.cost is None or cost is None else self.cost + cost


@dataclass(eq=False)
class TestRun:
    """A running test. `results` drives it; `stop` may be called from elsewhere.

    `ended_by` is the error that ended it early, because every case would get it.
    """

    __test__ = False

    _job: TestJob
    tasks: Sequence[Task]
    _runs: RunService
    _open_store: Callable[[], AssistantStore]
    _answers: KnownAnswers
    _pace: Pace
    _prices: Prices
    ended_by: GptasstError | None = None
    stopped: bool = False
    requests: int = 0
    remembered: int = 0
    judges: set[str] = field(default_factory=set)
    _begun: float = field(default_factory=time.monotonic)
    _results: list[CaseResult] = field(default_factory=list)
    _fresh: dict[str, KnownAnswer] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _in_flight: int = 0
    _waiting: list[tuple[int, float]] = field(default_factory=list)
    """The attempts, and the times before which they are not sent, of requests without a turn."""
    _turn: threading.Condition = field(default_factory=threading.Condition)

    @property
    def _at_once(self) -> int:
        return min(self._pace.limit, len(self.tasks))

    def warnings(self) -> tuple[str, ...]:
        """Warnings about a subject, such as a shutdown of its model."""
        found: list[str] = []
        if not self._job.retrieval_only:
            for subject, _, request in self.tasks:
                if isinstance(request, RunRequest):
                    found += self._runs.warnings(request, subject.resolved)
        return tuple(dict.fromkeys(found))

    def stop(self) -> None:
        """Start nothing more and stop waiting; may be called from a signal handler."""
        self.stopped = True

    def results(self) -> Generator[CaseResult]:
        """The result of each case, as it arrives; every case once."""
        todo = deque(enumerate(self.tasks))
        came: SimpleQueue[tuple[int, CaseResult | None]] = SimpleQueue()
        jobs = min(self._job.jobs, len(todo))
        for _ in range(jobs):
            threading.Thread(target=self._work, args=(todo, came), daemon=True).start()
        left = dict(enumerate(self.tasks))
        idle = 0
        while left and idle < jobs and not self.stopped:
            try:
                number, result = came.get(timeout=_LONGEST_SLEEP)
            except Empty:
                continue
            if result is None:
                idle += 1
            else:
                del left[number]
                self._results.append(result)
                yield result
        for subject, case, _ in left.values():
            result = CaseResult(subject.name, case.name, "not_run")
            self._results.append(result)
            yield result
        self._answers.prune()

    def report(self) -> TestReport:
        """The complete report, in the order of the cases; call it after `results` ends."""
        places = {(s.name, c.name): number for number, (s, c, _) in enumerate(self.tasks)}
        results = sorted(self._results, key=lambda r: places[r.name, r.case])
        return TestReport(tuple(results), self._summary(results))

    def _summary(self, results: Sequence[CaseResult]) -> TestSummary:
        counts = dict.fromkeys(("passed", "failed", "error", "not_run"), 0)
        for result in results:
            counts[result.status] += 1
        usage = sum((r.usage for r in results if r.usage), Usage(0, 0))
        costs = [r.cost for r in results if r.status != "not_run"]
        return TestSummary(
            cases=len(results),
            passed=counts["passed"],
            failed=counts["failed"],
            errors=counts["error"],
            not_run=counts["not_run"],
            requests=self.requests,
            remembered=self.remembered,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cost=None if None in costs else sum(cost or 0.0 for cost in costs),
            models=tuple(sorted({r.model for r in results if r.model})),
            judges=tuple(sorted(self.judges)),
            seconds=round(time.monotonic() - self._begun, 3),
        )

    def _work(
        self, todo: deque[tuple[int, Task]], came: SimpleQueue[tuple[int, CaseResult | None]]
    ) -> None:
        """Process one case after the other. Runs in its own thread."""
        while not self.stopped and self.ended_by is None:
            try:
                number, task = todo.popleft()
            except IndexError:
                break
            with contextlib.suppress(_Stopped):
                came.put((number, self._result(task)))
        came.put((-1, None))

    def _result(self, task: Task) -> CaseResult:
        spent, (subject, case, request) = _Spent(), task
        if isinstance(request, GptasstError):
            return CaseResult(subject.name, case.name, "error", error=request, cost=0.0)
        try:
            if self._job.retrieval_only:
                return self._retrieved((subject, case, request))
            return self._examined((subject, case, request), spent)
        except _Stopped:
            raise
        except GptasstError as error:
            known = error
        except Exception as error:  # noqa: BLE001  # a thread's boundary
            known = unexpected(error)
        if self._pace.ends_all(known):
            self.ended_by = self.ended_by or known
        return CaseResult(
            subject.name, case.name, "error", error=known,
            asked=spent.requests > 0, usage=spent.usage, cost=spent.cost,
        )  # fmt: skip

    def _examined(self, task: _Ready, spent: _Spent) -> CaseResult:
        """Get the answer to a case, and check it."""
        subject, case, request = task
        given = CaseResult(subject.name, case.name, "passed")
        failures: list[CheckFailure] = []
        judgements: list[Judgement] = []
        try:
            known = self._known(request, subject.resolved, spent)
        except NoAnswer as error:
            if error.code not in _NO_GOOD_ANSWER:
                raise
            failures.append(CheckFailure("answer", "an answer", error.message))
        else:
            usage = known.usage
            source = request.files[0].text if request.files else request.stdin
            failures = failures_of(
                case,
                Given(
                    answer=known.answer,
                    input=source,
                    path=request.files[0].path if request.files else STDIN_NAME,
                    sources=known.sources,
                    tokens=usage.input + usage.output if usage else None,
                    cost=self._cost(known),
                    seconds=known.seconds,
                ),
            )
            judgements = [self._judged(each, case, request, known, spent) for each in case.judge]
            for each in judgements:
                if not each.holds:
                    failures.append(CheckFailure("judge", each.question, f"no: {each.reason}"))
            given = replace(
                given,
                answer=known.answer,
                model=known.model,
                seconds=round(known.seconds, 3),
                sources=known.sources,
                judgements=tuple(judgements),
            )
        return replace(
            given,
            status="failed" if failures else "passed",
            failures=tuple(failures),
            asked=spent.requests > 0,
            usage=spent.usage,
            cost=spent.cost,
        )

    def _retrieved(self, task: _Ready) -> CaseResult:
        """Search the knowledge for a case, and check the results."""
        subject, case, request = task
        resolved = subject.resolved.filled(case.vars)
        inputs = (request.stdin, *(file.text for file in request.files))
        asked = case.text or case.input or resolved.definition.default_text or ""
        question = Question(asked, (), tuple(text for text in inputs if text))
        assert resolved.assistant is not None
        limit = resolved.definition.tools.search.max_results or _MOST_FOUND
        passages = self._open_store().search(resolved.assistant, question, limit)
        sources = tuple(dict.fromkeys(passage.path for passage in passages))
        failures = tuple(retrieval_failures(case, sources))
        status: CaseStatus = "failed" if failures else "passed"
        return CaseResult(subject.name, case.name, status, failures, sources=sources, cost=0.0)

    def _judged(
        self, question: str, case: Case, request: RunRequest, known: KnownAnswer, spent: _Spent
    ) -> Judgement:
        """A model's judgement of an answer."""
        asked = judge_request(question, request, known.answer)
        asked = replace(asked, model=self._job.judge_model or case.judge_model)
        said = self._known(asked, Resolved(JUDGE), spent)
        self.judges.add(said.model)
        return judgement(question, said.answer, said.model)

    def _known(self, request: RunRequest, resolved: Resolved, spent: _Spent) -> KnownAnswer:
        """The answer to a run, from the cache or the model."""
        run = self._digest(request, resolved)
        with self._turn:
            lock = self._locks.setdefault(run, threading.Lock())
        with lock:  # two cases may have the same request
            known = self._fresh.get(run) or (None if self._job.force else self._answers.find(run))
            if known is None:
                try:
                    known = self._ask(request, resolved)
                except GptasstError as error:
                    if isinstance(error.usage, Usage):  # it was answered, and is paid for
                        self._count(spent, error.usage, error.cost)
                    raise
                self._answers.record(run, known)
                self._count(spent, known.usage, known.cost)
            else:
                with self._turn:
                    self.remembered += 1
            self._fresh[run] = known
        return known

    def _count(self, spent: _Spent, usage: Usage | None, cost: float | None) -> None:
        spent.add(usage, cost)
        with self._turn:
            self.requests += 1

    def _cost(self, known: KnownAnswer) -> float | None:
        """The cost of an answer, even if its price was unknown when it was saved."""
        return self._prices.cost(known.usage, known.model) if known.cost is None else known.cost

    def _digest(self, request: RunRequest, resolved: Resolved) -> str:
        """The digest of everything that shapes an answer."""
        basis = self._runs.basis(request, resolved)
        target = resolved.assistant
        if target is not None and target.vector_store_id and target.knowledge_sha256:
            basis += " searched by the server"
        file = request.files[0] if request.files else None
        if file is None:
            content, kind = (request.stdin or "").encode("utf-8", "surrogatepass"), "stdin"
        else:
            text = (file.text or "").encode("utf-8", "surrogatepass")
            content, kind = file.data or text, f"{file.kind} {file.path}"
        return run_digest(basis, content_digest(content), kind)

    def _ask(self, request: RunRequest, resolved: Resolved) -> KnownAnswer:
        """Send a request, with retries."""
        attempt, needed, not_before = 0, 0.0, 0.0
        while True:
            self._wait_for_turn(needed, attempt, not_before)
            sent_at = self._pace.sent()
            try:
                result = self._answer(request, resolved)
            except BudgetBusy as busy:
                needed = busy.needed
                continue
            except GptasstError as error:
                if not self._pace.may_ask_again(error, attempt) or self.ended_by is not None:
                    raise
                now = time.monotonic()
                not_before = now + self._pace.refused(error, sent_at, attempt)
            else:
                usage = result.usage
                self._pace.answered(usage.input + usage.output if usage else None)
                found = result.citations or result.passages
                sources = tuple(dict.fromkeys(each.path for each in found))
                total = result.timings.total
                return KnownAnswer(result.answer, result.model, total, usage, result.cost, sources)
            finally:
                with self._turn:
                    self._in_flight -= 1
                    self._turn.notify_all()
            attempt += 1

    def _answer(self, request: RunRequest, resolved: Resolved) -> RunResult:
        request = replace(request, budget=self._job.budget)
        with contextlib.closing(self._runs.stream(request, resolved)) as events:
            self._runs.connect(self._at_once)
            return next(event for event in events if isinstance(event, RunResult))

    def _wait_for_turn(self, needed: float, attempt: int, not_before: float) -> None:
        """Wait until the next request may be sent; `needed` is its cost, as far as known.

        Of several, the one that was sent most often is first: while a server restarts, each attempt
        pauses the others.
        """
        own = (attempt, not_before)
        with self._turn:
            self._waiting.append(own)
            try:
                while not self._has_turn(needed, own):
                    wait = max(self._pace.wait(), not_before - time.monotonic())
                    self._turn.wait(min(wait, _LONGEST_SLEEP) or _LONGEST_SLEEP)
                self._in_flight += 1
            finally:
                self._waiting.remove(own)
                self._turn.notify_all()

    def _has_turn(self, needed: float, own: tuple[int, float]) -> bool:
        if self.stopped or self.ended_by is not None:
            raise _Stopped
        budget, now = self._job.budget, time.monotonic()
        if budget is not None and budget.is_taken:
            if budget.reached or not self._in_flight:
                raise budget.stopped()
            return False
        if budget is not None and self._in_flight and not budget.fits(needed):
            return False  # those under way may leave enough of it
        due = [attempt for attempt, not_before in self._waiting if not_before <= now]
        if own[1] > now or own[0] < max(due):
            return False
        return self._in_flight < self._pace.limit and self._pace.wait() <= 0
