"""One assistant over many files: what was asked, and what came of each file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gptasst.api.types import Usage
from gptasst.errors import GptasstError
from gptasst.inputs.reading import InputFile
from gptasst.runs.types import Kept, RunRequest
from gptasst.values import dataclass

# `write`: into `FileTarget.output`; `replace`: over the input; `check`: nowhere, only compared;
# `collect`: nowhere, the answer is part of the result.
Purpose = Literal["write", "replace", "check", "collect"]

FileStatus = Literal[
    "written",  # the output was written
    "unchanged",  # there was nothing to write: it is there already
    "would_change",  # `check` only
    "answered",  # `collect` only
    "skipped",  # the input is empty
    "failed",  # see `FileResult.error`
    "not_run",  # the command ended before its turn
]


@dataclass(frozen=True, slots=True)
class FileTarget:
    """An input and the file that its answer goes to (`None`: to no file)."""

    path: Path
    output: Path | None


@dataclass(frozen=True, slots=True)
class EachJob:
    """What the user asked of many runs.

    `asked` is the run, without files; its `timeout` holds for each answer. `jobs` is how many may
    be in flight at once; `force` does again what was finished before.
    """

    asked: RunRequest
    targets: tuple[FileTarget, ...]
    purpose: Purpose
    jobs: int = 8
    force: bool = False

    def request(self, file: InputFile) -> RunRequest:
        """The run of one file."""
        return replace(self.asked, files=(file,), of_many=len(self.targets) > 1)


@dataclass(frozen=True, slots=True)
class FileResult:
    """What came of one file.

    `asked` tells whether the model was asked for it now; `usage` is what that took, and `cost` its
    price in US dollars (`None`: not known). `diff` is
    a unified diff, where the purpose is to change or compare; `answer` is there with `collect`;
    `kept` are the blocks that an edit left as they were, where the model was asked now.
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
    """A file as a dry run shows it. `estimated_tokens` counts the text that would be sent,
    `estimated_output_tokens` is a guess at the answer, and `estimated_cost` what both cost in US
    dollars if the answer is to come at once (`None`: the price is not known).

    One that is `refused` would fail unsent, for the reason in `error`.
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
    """The first of some paths, for a note about all of them."""
    return ", ".join(f"`{path}`" for path in paths[:3]) + (", …" if len(paths) > 3 else "")
