"""Tests of assistants: what is asked, and what came of each case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gptasst.api.types import Usage
from gptasst.inputs.screening import SCREENED, Screening
from gptasst.values import dataclass

if TYPE_CHECKING:
    from gptasst.assistants.types import Resolved
    from gptasst.definitions.cases import Case
    from gptasst.errors import GptasstError
    from gptasst.models.prices import Budget

CaseStatus = Literal[
    "held",
    "failed",  # the answer is not as it must be, or the model gave none
    "error",  # nothing can be said of it: see `CaseResult.error`
    "not_run",  # the command ended before its turn
]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is tested: a definition with its cases. `directory` is where their files are."""

    name: str
    resolved: Resolved
    cases: tuple[Case, ...]
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class TestJob:
    """What the user asked of a test.

    Only cases whose names fit one of the `patterns` run, all where there is none. `model` and
    `timeout` (seconds) override what the definition and the profile say, `judge_model` what the
    cases say. `force` asks again what was answered before. With `retrieval_only` only what is
    found in the knowledge is looked at, and no model is asked. `budget` is what may be spent.
    """

    __test__ = False  # pytest takes it for tests of its own

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
    """A check that did not hold: what it wanted, what there was, and a unified diff, if any."""

    check: str
    expected: str
    got: str
    diff: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model said to a yes-or-no question about an answer."""

    question: str
    holds: bool
    reason: str
    model: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one case.

    `usage` and `cost` (US dollars, `None`: the price is not known) are what it took now:
    nothing, where the answer was remembered (`asked` is false). `seconds` is what the answer took.
    `sources` are the knowledge files that it rests on, or that were found.
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
        """What it is about, for a message."""
        return f"`{self.name}`, case `{self.case}`"


@dataclass(frozen=True, slots=True)
class TestSummary:
    """What came of all cases. `judges` are the models that judged; `seconds` all that it took.

    `cost` is in US dollars; `None` where the price of a model is not known.
    """

    __test__ = False

    cases: int
    held: int
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
    """A test that is over."""

    __test__ = False

    cases: tuple[CaseResult, ...]
    summary: TestSummary

    @property
    def holds(self) -> bool:
        """Whether every case ran, and held."""
        return bool(self.cases) and all(result.status == "held" for result in self.cases)

    @property
    def failed(self) -> Sequence[CaseResult]:
        return [result for result in self.cases if result.status == "failed"]


@dataclass(frozen=True, slots=True)
class Compared:
    """What two definitions make of one input. `diff` is a unified diff of the two answers."""

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
