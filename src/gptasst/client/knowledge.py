"""The part of `Client.assistants` that is about their knowledge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gptasst.assistants.service import AssistantService
from gptasst.assistants.types import AssistantChange, KnowledgeOutcome
from gptasst.client.options import Files, words_of
from gptasst.context import AppContext
from gptasst.errors import UsageError
from gptasst.inputs.encoding import named_encoding
from gptasst.inputs.screening import Screening
from gptasst.knowledge.types import KnowledgePlan

if TYPE_CHECKING:
    from gptasst.cases.running import TestRun
    from gptasst.cases.trial import TestedChanges
    from gptasst.cases.types import TestReport


def tested_changes(context: AppContext, screening: Screening) -> TestedChanges:
    """The service that changes assistants if their cases hold; its errors have the report."""
    from gptasst.cases.types import TestJob

    return context.tested_changes(
        lambda _done, _all: None, TestJob((), screening=screening), run_to_end
    )


def run_to_end(run: TestRun) -> TestReport:
    for _ in run.results():
        pass
    return run.report()


class AssistantKnowledge:
    """Knowledge: added, removed, replaced, updated, and what each of these would do."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    @property
    def _service(self) -> AssistantService:
        return self._context.assistants

    def _made(
        self, change: AssistantChange, screening: Screening, *, tested: bool
    ) -> KnowledgeOutcome:
        """Make a planned change; with `tested`, only if the cases of the assistant hold."""
        if not tested:
            return self._service.carry_out(change)
        return tested_changes(self._context, screening).carry_out(change, lambda _: None)

    def add_files(
        self,
        name: str,
        files: Files,
        *,
        allow_secrets: bool = False,
        encoding: str | None = None,
        tested: bool = False,
    ) -> KnowledgeOutcome:
        """Add knowledge; existing paths get their new content.

        Args:
            name: its name or id.
            files: paths, patterns, directories.
            allow_secrets: whether to accept files that look secret.
            encoding: see the class.
            tested: see the class.

        Examples:
            >>> client.assistants.add_files("DocWriter-1", ["style.md", "docs/"]).plan.add[0].path
            'docs/billing.md'
        """
        service, screening = self._service, Screening(allow_secrets=allow_secrets)
        known = named_encoding(encoding)
        change = service.plan_add(service.current(name), words_of(files), screening, encoding=known)
        return self._made(change.change, screening, tested=tested)

    def remove_files(self, name: str, files: Files) -> KnowledgeOutcome:
        """Remove knowledge by path, id, pattern or directory. Files on disk stay.

        Examples:
            >>> client.assistants.remove_files("DocWriter-1", "style.md").assistant.knowledge
            ()
        """
        service = self._service
        return service.apply(service.plan_remove(service.current(name), words_of(files)))

    def set_files(
        self,
        name: str,
        files: Files,
        *,
        allow_secrets: bool = False,
        encoding: str | None = None,
        tested: bool = False,
    ) -> KnowledgeOutcome:
        """Replace the whole knowledge; without files, remove all of it.

        Args:
            name: its name or id.
            files: paths, patterns, directories.
            allow_secrets: whether to accept files that look secret.
            encoding: see the class.
            tested: see the class.

        Examples:
            >>> client.assistants.set_files("DocWriter-1", "docs").plan.remove[0].path
            'style.md'
        """
        service, screening = self._service, Screening(allow_secrets=allow_secrets)
        known = named_encoding(encoding)
        change = service.plan_set(service.current(name), words_of(files), screening, encoding=known)
        return self._made(change.change, screening, tested=tested)

    def sync(
        self,
        name: str,
        *,
        allow_secrets: bool = False,
        allow_outside: bool = False,
        encoding: str | None = None,
        tested: bool = False,
    ) -> KnowledgeOutcome:
        """Update the knowledge from the files on disk, relative to the working directory.

        Args:
            name: its name or id.
            allow_secrets: see the class.
            allow_outside: also send files from outside of the working directory. Anybody who may
                edit the assistant may have added their paths.
            encoding: the encoding of new text.
            tested: see the class.

        Raises:
            InvalidInput: none of its files is here.
            UsageError: files from outside of the working directory would be sent.

        Examples:
            >>> client.assistants.sync("DocWriter-1").plan.is_empty
            True
        """
        service = self._service
        screening, known = Screening(allow_secrets=allow_secrets), named_encoding(encoding)
        change = service.plan_sync(service.current(name), screening, encoding=known)
        if change.outside and not allow_outside:
            raise UsageError(
                f"`{change.outside[0]}` would be sent from outside of this directory",
                hint="pass allow_outside=True to allow that",
                code="needs_confirmation",
            )
        return self._made(change.change, screening, tested=tested)

    def plan_add(
        self,
        name: str,
        files: Files,
        *,
        allow_secrets: bool = False,
        encoding: str | None = None,
    ) -> KnowledgePlan:
        """What `add_files` would do. Changes nothing.

        Args:
            name: its name or id.
            files: paths, patterns, directories.
            allow_secrets: whether to accept files that look secret.
            encoding: see the class.

        Examples:
            >>> [source.path for source in client.assistants.plan_add("DocWriter-1", "docs").add]
            ['docs/billing.md']
        """
        service, screening = self._service, Screening(allow_secrets=allow_secrets)
        known = named_encoding(encoding)
        return service.plan_add(
            service.current(name), words_of(files), screening, encoding=known
        ).plan

    def plan_remove(self, name: str, files: Files) -> KnowledgePlan:
        """What `remove_files` would do. Changes no knowledge.

        Raises:
            NotFound: a word means none of its files.

        Examples:
            >>> client.assistants.plan_remove("DocWriter-1", "style.md").remove[0].path
            'style.md'
        """
        return self._service.plan_remove(self._service.current(name), words_of(files)).plan

    def plan_set(
        self,
        name: str,
        files: Files,
        *,
        allow_secrets: bool = False,
        encoding: str | None = None,
    ) -> KnowledgePlan:
        """What `set_files` would do. Changes nothing.

        Args:
            name: its name or id.
            files: paths, patterns, directories.
            allow_secrets: whether to accept files that look secret.
            encoding: see the class.

        Examples:
            >>> client.assistants.plan_set("DocWriter-1", "docs").remove[0].path
            'style.md'
        """
        service, screening = self._service, Screening(allow_secrets=allow_secrets)
        known = named_encoding(encoding)
        return service.plan_set(
            service.current(name), words_of(files), screening, encoding=known
        ).plan

    def plan_sync(
        self, name: str, *, allow_secrets: bool = False, encoding: str | None = None
    ) -> KnowledgePlan:
        """What `sync` would do. Changes nothing.

        Args:
            name: its name or id.
            allow_secrets: whether to accept files that look secret.
            encoding: the encoding of new text.

        Examples:
            >>> len(client.assistants.plan_sync("DocWriter-1").unchanged)
            1
        """
        service, screening = self._service, Screening(allow_secrets=allow_secrets)
        known = named_encoding(encoding)
        return service.plan_sync(service.current(name), screening, encoding=known).plan
