"""The library: everything that the command line does, from Python."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from gptasst.api.types import TextDelta
from gptasst.client.assistants import Assistants
from gptasst.client.instructions import Instructions
from gptasst.client.knowledge import tested_changes
from gptasst.client.options import (
    Files,
    MapOptions,
    RunOptions,
    TestOptions,
    case_job,
    each_job,
    run_request,
    spelled_out,
    words_of,
)
from gptasst.client.project import Batches, Cache, Conversations, ProjectFiles
from gptasst.context import AppContext
from gptasst.errors import UsageError
from gptasst.hints import shown
from gptasst.inputs.screening import Screening
from gptasst.runs.types import RunPlan, RunResult
from gptasst.threads import cached_property, time_limit

if TYPE_CHECKING:
    from gptasst.apply.types import ApplyPlan
    from gptasst.cases.types import TestReport
    from gptasst.config.profile import Profile, StoreKind
    from gptasst.conversations.dialogue import Dialogue
    from gptasst.each.deferred import DeferredRun
    from gptasst.each.service import EachRun
    from gptasst.each.types import FileResult
    from gptasst.runs.service import RunService

_JOBS = 8


class Client:
    """Assistants, instructions and runs of one profile.

    Defaults come from the environment and `config.toml`, as on the command line. A client can be
    used from any number of threads. For asyncio there is `AsyncClient`.

    Args:
        profile: the name of a profile (endpoint and store); `None` uses the default.
        base_url: the base URL of a server with `/responses`, including `/v1`.
        api_key: the server's key.
        model: the model, if neither a run nor an assistant sets one.
        store: where assistants are kept: `openai` (the project on the server) or `local`.
        environ: used instead of the process's environment variables.
        note: called with one line for each message that is in no result; by default they are
            logged as warnings of the logger `gptasst`.

    Attributes:
        assistants: create, list, get, search, update, delete; their files and history.
        instructions: list, get, import and export the definitions that can be run by name.
        conversations: start, list, get, delete.
        files: upload, list, get, delete files of the project on the server.
        cache: status, verify, rebuild, clear.
        batches: submit, list, get, wait, fetch, cancel.

    Examples:
        >>> with gptasst.Client(model="gpt-6.2-sol") as client:
        ...     result = client.run("MarkdownLinter", "guide.md")
        >>> result.answer.strip(), result.model
        ('# A guide', 'gpt-6.2-sol')
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        model: str | None = None,
        store: StoreKind | None = None,
        environ: Mapping[str, str] | None = None,
        note: Callable[[str], None] | None = None,
    ) -> None:
        variables = dict(os.environ if environ is None else environ)
        given = {"BASE_URL": base_url, "API_KEY": api_key, "MODEL": model, "STORE": store}
        variables |= {f"GPTASST_{key}": value for key, value in given.items() if value is not None}
        told = note or logging.getLogger("gptasst").warning
        self._note: Callable[[str], None] = lambda text: told(shown(text, None))
        self._context = AppContext(variables, profile, self._note)
        self._context.used_by = "client"
        self._context.serves_many = True
        self._submitted = contextlib.ExitStack()
        self.assistants = Assistants(self._context)
        self.instructions = Instructions(self._context)
        self.conversations = Conversations(self._context)
        self.files = ProjectFiles(self._context)
        self.cache = Cache(self._context)
        self.batches = Batches(self._context, self._note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the runs started by `submit`, then close connections and files.

        Examples:
            >>> client.close()
        """
        self._submitted.close()
        self._context.__exit__(None, None, None)

    @property
    def profile(self) -> Profile:
        """The endpoint and the store in use.

        Examples:
            >>> client.profile.store
            'openai'
        """
        return self._context.profile

    @spelled_out
    def run(self, name: str, files: Files = (), **options: Unpack[RunOptions]) -> RunResult:
        """Run an assistant, or an instruction of that name, with files and a task.

        Args:
            name: an assistant's name or id, else an instruction's name.
            files: the inputs: paths, patterns, directories.
            options: see `RunOptions`.

        Raises:
            NotFound: no assistant or instruction has that name.
            UsageError: there is no input, or no model is set.
            InvalidInput: the endpoint does not accept an input, or it is too long.
            NoAnswer: the model refused or failed, or its answer was cut off.
            GptasstError: the request was refused.

        Examples:
            >>> client.run("Translator", "guide.md", text="German").answer.strip()
            '# A guide'
        """
        with (
            time_limit(options.get("timeout")),
            contextlib.closing(self.stream(name, files, **options)) as events,
        ):
            return next(event for event in events if isinstance(event, RunResult))

    @spelled_out
    def stream(
        self, name: str, files: Files = (), **options: Unpack[RunOptions]
    ) -> Generator[TextDelta | RunResult]:
        """Like `run`, in pieces: each `TextDelta` as it arrives, the `RunResult` last.

        Errors that are found before anything is sent are raised here, not by the first piece.
        Closing the generator ends the run.

        Examples:
            >>> for event in client.stream("DocWriter", "guide.md"):
            ...     if isinstance(event, gptasst.TextDelta):
            ...         print(event.text, end="|")
            # A gui|de|
        """
        request = run_request(name, files, options, self._note)
        with time_limit(options.get("timeout")):
            dialogue = self._dialogue(options)
            return _readable(dialogue.say(request) if dialogue else self._runs.stream(request))

    @spelled_out
    def plan(self, name: str, files: Files = (), **options: Unpack[RunOptions]) -> RunPlan:
        """What `run` would send. Sends nothing, and needs no key.

        Examples:
            >>> client.plan("MarkdownLinter", "guide.md").inputs[0].size
            9
        """
        request = run_request(name, files, options, self._note)
        return (self._dialogue(options) or self._runs).plan(request)

    @spelled_out
    def submit(
        self, name: str, files: Files = (), **options: Unpack[RunOptions]
    ) -> Future[RunResult]:
        """Start a run in a thread of this process, without waiting for it.

        Up to eight run at a time; others wait. The process waits for all of them before it ends.

        Returns:
            A future; its `result(timeout)` waits up to `timeout` seconds, and raises what `run`
            raises, or `TimeoutError`.

        Examples:
            >>> future = client.submit("MarkdownLinter", "guide.md")
            >>> future.result(timeout=60).answer.strip()
            '# A guide'
        """
        return self._pool.submit(self.run, name, files, **options)

    @spelled_out
    def map(self, name: str, files: Files, **options: Unpack[MapOptions]) -> Generator[FileResult]:
        """Run each file by itself, several at a time; yield the results as they arrive.

        A failed file has `status` `failed` and an `error`; the others continue. Without an output,
        each answer is in its result's `answer`.

        Args:
            name: an assistant's name or id, else an instruction's name.
            files: paths, patterns, directories.
            options: see `MapOptions`.

        Raises:
            UsageError: there are two outputs, or a pattern is wrong.
            InvalidInput: a word matches no file, or an output can't be used.
            GptasstError: the error that ended everything: no access, a limit, no connection.

        Examples:
            >>> for result in client.map("DocWriter", ["guide.md", "docs"], output="written"):
            ...     print(result.status)
            written
            written
        """
        self._tell_fallback()
        job = each_job(name, files, options, self._note)
        run = self._context.each(lambda _done, _all: None).start(job)
        for warning in run.warnings:
            self._note(warning)
        return _results(run)

    def plan_apply(
        self, paths: Files, *, prune: bool = False, allow_secrets: bool = False
    ) -> ApplyPlan:
        """What `apply` would do. Nothing is changed.

        Args:
            paths: directories of definitions, and files.
            prune: whether to delete assistants that came from a directory and are gone from it.
            allow_secrets: whether to take files that count as secret.

        Raises:
            InvalidDefinition: a definition can't be used.
            InvalidInput: a path leads to nothing, or there is no definition.

        Examples:
            >>> plan = client.plan_apply("assistants")
            >>> [(one.action, one.name) for one in plan.changes]
            [('create', 'Editor')]
        """
        screening = Screening(allow_secrets=allow_secrets)
        return self._context.assistants_as_code.plan(words_of(paths), screening, prune=prune)

    def apply(
        self,
        paths: Files,
        *,
        prune: bool = False,
        allow_secrets: bool = False,
        allow_outside: bool = False,
        tested: bool = False,
    ) -> ApplyPlan:
        """Bring assistants in line with a directory of definitions.

        Args:
            paths: directories of definitions, and files.
            prune: whether to delete assistants that came from a directory and are gone from it.
            allow_secrets: whether to take files that count as secret.
            allow_outside: whether to send knowledge from outside of the repository and of the
                working directory.
            tested: whether each assistant is changed only if its cases hold on the result.

        Returns:
            What was done with each assistant.

        Raises:
            InvalidDefinition: a definition can't be used; nothing is changed.
            UsageError: files from outside would be sent.
            PartlyDone: some assistants failed; `done` is what was done.

        Examples:
            >>> [(one.name, one.status) for one in client.apply("assistants").assistants]
            [('Editor', 'done')]
        """
        plan = self.plan_apply(paths, prune=prune, allow_secrets=allow_secrets)
        if plan.outside and not allow_outside:
            raise UsageError(
                f"`{plan.outside[0]}` would be sent from outside of the repository",
                hint="pass allow_outside=True to allow that",
                code="needs_confirmation",
            )
        screening = Screening(allow_secrets=allow_secrets)
        how = tested_changes(self._context, screening) if tested else None
        return self._context.assistants_as_code.apply(plan, tested=how)

    @spelled_out
    def test(self, names: str | Sequence[str] = (), **options: Unpack[TestOptions]) -> TestReport:
        """Run the cases of assistants and instructions. Answers are remembered by content.

        Args:
            names: names, `NAME@REVISION` or files; none means your instructions with cases.
            options: see `TestOptions`.

        Returns:
            What came of each case; `report.holds` is true if all held.

        Raises:
            NotFound: a name is not there, or there is no case.
            InvalidDefinition: a definition or its cases can't be used.
            GptasstError: a case could not be tested: no access, a limit, no connection.

        Examples:
            >>> report = client.test("MarkdownLinter", cases="guide.cases.toml")
            >>> report.holds, [result.case for result in report.cases]
            (True, ['fixes a word'])
        """
        from gptasst.cases.service import tested

        self._tell_fallback()
        service = self._context.cases(lambda _done, _all: None)
        words = [names] if isinstance(names, str) else list(names)
        cases = options.get("cases")
        subjects = service.subjects(words, None if cases is None else Path(cases))
        return tested(service.start(case_job(subjects, options)))

    def _dialogue(self, options: RunOptions) -> Dialogue | None:
        from gptasst.conversations.dialogue import Dialogue

        conversation = options.get("conversation")
        if conversation is None:
            return None
        found = self.conversations.find(conversation)
        return Dialogue(self._runs, self._context.conversations, found)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(_JOBS, thread_name_prefix="gptasst")
        self._submitted.callback(pool.shutdown)
        return pool

    @cached_property
    def _runs(self) -> RunService:
        self._tell_fallback()
        return self._context.runs(lambda _done, _all: None)

    def _tell_fallback(self) -> None:
        note = self._context.fallback_note()
        if note:
            self._note(note)


def _readable(
    events: Generator[TextDelta | RunResult],
) -> Generator[TextDelta | RunResult]:
    """The result, with the commands in warnings written out."""
    with contextlib.closing(events):
        for event in events:
            if isinstance(event, RunResult):
                yield replace(event, warnings=tuple(shown(text, None) for text in event.warnings))
            else:
                yield event


def _results(run: EachRun | DeferredRun) -> Generator[FileResult]:
    try:
        yield from run.results()
    finally:
        run.stop()
    if run.ended_by is not None:
        raise run.ended_by
