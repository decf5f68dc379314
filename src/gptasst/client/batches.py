"""`Client.batches`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from gptasst.api.types import Batch
from gptasst.batches.types import Fetched, Submission
from gptasst.client.arguments import each_job
from gptasst.client.options import Files, MapOptions, spelled_out
from gptasst.context import AppContext
from gptasst.errors import UsageError
from gptasst.hints import shown


class Batches:
    """Many files within 24 hours at half price, where the server has batches."""

    def __init__(self, context: AppContext, note: Callable[[str], None]) -> None:
        self._context = context
        self._note = note

    @spelled_out
    def submit(self, name: str, files: Files, **options: Unpack[MapOptions]) -> Submission:
        """Submit files, each as a run of its own; `fetch` gets the answers.

        It needs `output` or `in_place`.

        Args:
            name: an assistant's name or id, else an instruction's name.
            files: paths, patterns, directories.
            options: see `MapOptions`.

        Raises:
            UsageError: there is no place for the answers, or the server has no batches.

        Examples:
            >>> handed_in = client.batches.submit("MarkdownLinter", "docs", output="linted")
            >>> handed_in.submitted, len(handed_in.batches)
            (1, 1)
        """
        job = each_job(name, files, options, self._note)
        if job.purpose not in ("write", "replace"):
            raise UsageError(
                "a batch needs a place for the answers",
                hint="`output` or `in_place`",
                code="no_output",
            )
        command = f"client.batches.submit({name!r}, …)"
        made = self._context.batches.submit(job, command, lambda _: None)
        return replace(made, warnings=tuple(shown(text, None) for text in made.warnings))

    def list(self) -> Sequence[Batch]:
        """The batches that gptasst submitted, newest first; from any machine.

        Examples:
            >>> client.batches.list()
            []
        """
        return self._context.batches.all()

    def get(self, batch_id: str) -> Batch:
        """Where a batch stands.

        Raises:
            NotFound: there is none of that id.

        Examples:
            >>> handed_in = client.batches.submit("MarkdownLinter", "docs", output="linted")
            >>> client.batches.get(handed_in.batches[0].id).metadata["assistant"]
            'MarkdownLinter'
        """
        return self._context.batches.get(batch_id)

    def wait(self, batches: Sequence[Batch]) -> Sequence[Batch]:
        """Stay until batches are done, as they are then. A day may pass.

        Examples:
            >>> handed_in = client.batches.submit("MarkdownLinter", "docs", output="linted")
            >>> [batch.is_final for batch in client.batches.wait(handed_in.batches)]
            [True]
        """
        return self._context.batches.wait(batches, lambda _: None)

    def fetch(self, batch: Batch | str, directory: str | os.PathLike[str] | None = None) -> Fetched:
        """Put the answers of a batch in their places; any number of times.

        Args:
            batch: which, or its id.
            directory: put all answers below it instead.

        Examples:
            >>> handed_in = client.batches.submit("DocWriter", "docs", output="written")
            >>> (done,) = client.batches.wait(handed_in.batches)
            >>> [result.status for result in client.batches.fetch(done).results]
            ['written']
        """
        found = self.get(batch) if isinstance(batch, str) else batch
        return self._context.batches.fetch(found, None if directory is None else Path(directory))

    def cancel(self, batch_id: str) -> Batch:
        """Cancel a batch. Answers that are there already can be fetched, and are paid for.

        Raises:
            UsageError: it is over already.

        Examples:
            >>> handed_in = client.batches.submit("MarkdownLinter", "docs", output="linted")
            >>> client.batches.cancel(handed_in.batches[0].id).id == handed_in.batches[0].id
            True
        """
        return self._context.batches.cancel(batch_id)
