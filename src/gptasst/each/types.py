"""A job: one assistant over many files, and the result of each file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gptasst.api.types import CompletionWindow, Usage
from gptasst.errors import GptasstError
from gptasst.inputs.reading import InputFile
from gptasst.runs.types import Kept, RunRequest
from gptasst.values import dataclass

# `write`: to `FileTarget.output`; `replace`: over the input; `check`: compare only;
# `collect`: return the answer in the result.
Purpose = Literal["write", "replace", "check", "collect"]

FileStatus = Literal[
    "written",  # the output was written
    "unchanged",  # the output was up to date
    "would_change",  # `check` only
    "answered",  # `collect` only
    "skipped",  # the input is empty
    "failed",  # see `FileResult.error`
    "not_run",  # the command ended before this file
]


@dataclass(frozen=True, slots=True)
class FileTarget:
    """An input and its output file (`None`: no file)."""

    path: Path
    output: Path | None


@dataclass(frozen=True, slots=True)
class EachJob:
    """A job of many runs.

    `asked` is the request without files; its `timeout` applies to each answer. `jobs` is the most
    requests in flight; `force` repeats finished runs. With `by`, runs are deferred: their answers
    come within that time.
    """

    asked: RunRequest
    targets: tuple[FileTarget, ...]
    purpose: Purpose
    jobs: int = 8
    force: bool = False
    by: CompletionWindow | None = None

    def request(self, file: InputFile) -> RunRequest:
        """The run of one file."""
        return replace(self.asked, files=(file,), of_many=len(self.targets) > 1)


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result of one file.

    `asked` is whether a request was sent now; `usage` its tokens and `cost` its price in US dollars
    (`None`: unknown). `diff` is a unified diff, if the purpose is `replace` or `check`; `answer` is
    set with `collect`; `kept` are the blocks that an edit kept unchanged.
    """

    path: str
    output: str | None
    status: FileStatus
    asked: bool = False
    usage: Usage | None = None
    cost: float | None = None
    error: GptasstError | None = None
    diff: str | None = None
    answer: str | None = None
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file in a dry run.

    `estimated_tokens` counts the text that would be sent, `estimated_output_tokens` guesses the
    answer, and `estimated_cost` is the price of both in US dollars if the answer comes at once
    (`None`: the price is not known).

    A `refused` file would fail without being sent, because of `error`.
    """

    path: str
    output: str | None
    state: Literal["to_do", "finished", "skipped", "refused"]
    estimated_tokens: int
    error: GptasstError | None = None
    estimated_output_tokens: int = 0
    estimated_cost: float | None = 0.0


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job as a dry run shows it: its files, and what they may take together.

    `requests` are fewer than files where some are finished or have the same content. `cost` is in
    US dollars for each time within which the answers can come (`now`, `2h`, `8h`, `24h`); it is
    empty where the price is not known, or nothing is to be done.
    """

    files: tuple[PlannedFile, ...]
    requests: int
    input_tokens: int
    output_tokens: int
    cost: Mapping[str, float]

    def times(self, factor: float) -> JobPlan:
        """The same for a job that is larger."""
        return JobPlan(
            self.files,
            round(self.requests * factor),
            round(self.input_tokens * factor),
            round(self.output_tokens * factor),
            {window: cost * factor for window, cost in self.cost.items()},
        )


def named_paths(paths: Sequence[str]) -> str:
    """The first of several paths, for a note about all of them."""
    return ", ".join(f"`{path}`" for path in paths[:3]) + (", …" if len(paths) > 3 else "")
