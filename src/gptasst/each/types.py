"""One assistant over many files: what was asked, and what came of each file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gptasst.api.types import Usage
from gptasst.errors import GptasstError
from gptasst.inputs.types import InputFile
from gptasst.runs.types import Kept, RunRequest

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

    `jobs` is how many may be in flight at once; `force` does again what was finished before;
    `model`, `schema`, `timeout` (seconds for one answer), `file_search` and `allow_secrets` are as
    in `RunRequest`; `encoding` is that of all text files, where it was named.
    """

    name: str
    targets: tuple[FileTarget, ...]
    purpose: Purpose
    text: str | None = None
    model: str | None = None
    schema: Mapping[str, Any] | None = None
    timeout: float | None = None
    file_search: bool = True
    allow_secrets: bool = False
    encoding: str | None = None
    jobs: int = 8
    force: bool = False

    def request(self, *files: InputFile) -> RunRequest:
        """The run that was asked for, on these files."""
        return RunRequest(
            self.name,
            files,
            self.text,
            model=self.model,
            schema=self.schema,
            timeout=self.timeout,
            file_search=self.file_search,
            allow_secrets=self.allow_secrets,
        )


@dataclass(frozen=True, slots=True)
class FileResult:
    """What came of one file.

    `asked` tells whether the model was asked for it now; `usage` is what that took. `diff` is
    a unified diff, where the purpose is to change or compare; `answer` is there with `collect`;
    `kept` are the blocks that an edit left as they were, where the model was asked now.
    """

    path: str
    output: str | None
    status: FileStatus
    asked: bool = False
    usage: Usage | None = None
    error: GptasstError | None = None
    diff: str | None = None
    answer: str | None = None
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file as a dry run shows it. `estimated_tokens` counts the text that would be sent."""

    path: str
    output: str | None
    state: Literal["to_do", "finished", "skipped"]
    estimated_tokens: int
