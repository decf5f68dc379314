"""The values of tests: jobs and results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gptasst.api.types import Usage
from gptasst.inputs.screening import SCREENED, Screening
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.assistants.types import Resolved
    from gptasst.definitions.types import Case
    from gptasst.errors import GptasstError
    from gptasst.models.prices import Budget

CaseStatus = Literal[
    "passed",
    "failed",  # a check failed, or the model gave no answer
    "error",  # there is no result, see `CaseResult.error`
    "not_run",  # the command ended before this case
]


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a test: a definition with its cases. `directory` has their files."""

    name: str
    resolved: Resolved
    cases: tuple[Case, ...]
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class TestJob:
    """The job of a test.

    Only cases whose names fit one of the `patterns` run, all where there is none. `model` and
    `timeout` (seconds) override what the definition and the profile say, `judge_model` what the
    cases say. `force` asks again what was answered before. With `retrieval_only` only what is
    found in the knowledge is looked at, and no model is asked. `budget` is what may be spent.
    """

    __test__ = False  # keeps pytest from collecting it

    subjects: tuple[Subject, ...]
    patterns: tuple[str, ...] = ()
    model: str | None = None
    judge_model: str | None = None
    jobs: int = 8
    timeout: float | None = None
    force: bool = False
    retrieval_only: bool = False
    budget: Budget | None = None
    screening: Screening = SCREENED


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """A failed check: expected, got, and a unified diff, if there is one."""

    check: str
    expected: str
    got: str
    diff: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A model's answer to a yes-or-no question about an answer."""

    question: str
    holds: bool
    reason: str
    model: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of a case.

    `usage` and `cost` (US dollars, `None`: the price is unknown) are those of this test, which are
    zero for an earlier answer (`asked` is false). `seconds` is the duration of the answer.
    `sources` are the knowledge files that it cites, or that were found.
    """

    name: str
    case: str
    status: CaseStatus
    failures: tuple[CheckFailure, ...] = ()
    answer: str | None = None
    model: str | None = None
    asked: bool = False
    usage: Usage | None = None
    cost: float | None = None
    seconds: float | None = None
    sources: tuple[str, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    error: GptasstError | None = None

    @property
    def place(self) -> str:
        """Its name for messages."""
        return f"`{self.name}`, case `{self.case}`"


@dataclass(frozen=True, slots=True)
class TestSummary:
    """The totals of a test. `judges` are the judging models; `seconds` is the duration.

    `cost` is in US dollars; `None` if the price of a model is unknown.
    """

    __test__ = False

    cases: int
    passed: int
    failed: int
    errors: int
    not_run: int
    requests: int
    remembered: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    models: tuple[str, ...]
    judges: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class TestReport:
    """A finished test."""

    __test__ = False

    cases: tuple[CaseResult, ...]
    summary: TestSummary

    @property
    def holds(self) -> bool:
        """Whether every case ran and passed."""
        return bool(self.cases) and all(result.status == "passed" for result in self.cases)

    @property
    def failed(self) -> Sequence[CaseResult]:
        return [result for result in self.cases if result.status == "failed"]


@dataclass(frozen=True, slots=True)
class Compared:
    """The answers of two definitions to one input. `diff` is empty if they are equal."""

    case: str
    old: CaseResult
    new: CaseResult
    diff: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two definitions side by side, by the names that they were tested under."""

    old: str
    new: str
    compared: tuple[Compared, ...]
    summary: TestSummary

    @property
    def changed(self) -> Sequence[Compared]:
        return [each for each in self.compared if each.changed]
