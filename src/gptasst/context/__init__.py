"""The parts of the program, each built when it is first used.

Three layers, each built on the ones below: the machine, the server, the services.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gptasst.context.server import ServerContext
from gptasst.errors import UsageError
from gptasst.threads import cached_property

if TYPE_CHECKING:
    from datetime import date

    from gptasst.api.gateway import OpenAIGateway
    from gptasst.api.limits import OnLimits
    from gptasst.api.probes import ProbeGateway
    from gptasst.api.types import Endpoint
    from gptasst.apply.service import ApplyService
    from gptasst.assistants.service import AssistantService
    from gptasst.assistants.store import AssistantStore
    from gptasst.batches.service import BatchService
    from gptasst.cases.answers import KnownAnswers
    from gptasst.cases.service import CaseService
    from gptasst.cases.trial import Follow, TestedChanges
    from gptasst.cases.types import TestJob
    from gptasst.conversations.dialogue import Dialogue
    from gptasst.conversations.server import OpenAIConversations
    from gptasst.conversations.service import ConversationService
    from gptasst.conversations.types import Conversation
    from gptasst.doctor.types import Diagnosis
    from gptasst.each.deferred import Deferral
    from gptasst.each.service import EachService
    from gptasst.embedded.download import Report
    from gptasst.models.ends import ModelEnds
    from gptasst.models.service import EndpointCapabilities, ModelChoice, ModelService
    from gptasst.models.usage import Kind
    from gptasst.project_files.cache import CacheService
    from gptasst.project_files.service import FileService
    from gptasst.project_files.upload import UploadService
    from gptasst.runs.edits import Progress
    from gptasst.runs.inputs import Gateway, OpenGateway
    from gptasst.runs.service import RunService
    from gptasst.runs.spending import Spending
    from gptasst.runs.tools import Approve
    from gptasst.uploads.cache import FileCache


class AppContext(ServerContext):
    """The services of the program, for one profile.

    Args:
        environ: the environment variables.
        profile_name: the requested profile; `None` uses the default.
        note: called with messages for the user that are in no result.
    """

    approve: Approve | None = None
    """Asks whether a model may call a tool of an MCP server, where somebody can be asked."""

    def with_options(
        self,
        profile: str | None,
        note: Callable[[str], None],
        warn: Callable[[str], None] | None = None,
        *,
        no_project: bool = False,
    ) -> AppContext:
        environ = {**self.environ, "GPTASST_NO_PROJECT": "1"} if no_project else self.environ
        return AppContext(environ, profile or self.profile_option, note, warn)

    def examine(self) -> Diagnosis:
        """Check everything; see `doctor`."""
        from gptasst.doctor.service import examine

        with ReadOnlyContext(self.environ, self.profile_option) as program:
            return examine(program)

    @cached_property
    def models(self) -> ModelService:
        from gptasst.models.ends import known_end
        from gptasst.models.service import EmbeddedModels, ModelService

        known = functools.partial(known_end, self.profile)
        if self.profile.embedded:
            return ModelService(lambda: EmbeddedModels(self.model_file.name), known)
        return ModelService(lambda: self.gateway.models, known, self.project_cache.remember_models)

    @cached_property
    def model_ends(self) -> ModelEnds:
        """Shutdown dates of models, including those that the server reported before."""
        from gptasst.models.ends import ModelEnds

        @functools.cache
        def said(model: str) -> date | None:
            if self.profile.embedded or not self.paths.file_cache.exists():
                return None
            return self.project_cache.end_of_model(model)

        return ModelEnds(self.profile, said)

    @cached_property
    def files(self) -> FileService:
        from gptasst.project_files.service import FileService, OwnUploads

        gateway = self.gateway
        return FileService(
            gateway.files,
            gateway.vector_stores,
            self.file_cache,
            self.project_cache,
            OwnUploads(lambda: self.machine_mark, self.paths.knowledge_lock),
            self._note,
        )

    @cached_property
    def uploads(self) -> UploadService:
        from gptasst.project_files.upload import UploadService

        return UploadService(self.gateway.files, self.file_cache, self.project_cache, self.uploader)

    @cached_property
    def cache(self) -> CacheService:
        from gptasst.project_files.cache import CacheService

        return CacheService(
            self.file_cache,
            None if self.profile.embedded else self.project_cache,
            lambda: self.gateway.files,
            lambda: self._all_knowledge(whole_list=True),
            lambda: self.machine_mark,
        )

    @cached_property
    def assistants(self) -> AssistantService:
        from gptasst.assistants.service import AssistantService

        return AssistantService(self.store, self.library, lambda: self.file_cache)

    @cached_property
    def assistants_as_code(self) -> ApplyService:
        from gptasst.apply.service import ApplyService

        return ApplyService(
            self.store, self.library, lambda: self.file_cache, lambda: self.machine_mark
        )

    @cached_property
    def batches(self) -> BatchService:
        from gptasst.batches.records import BatchRecords
        from gptasst.batches.service import BatchService
        from gptasst.batches.submit import Submitter

        records = BatchRecords(self.paths.batch_records, self._note)
        self._opened.callback(records.close)
        gateway, scope = self.gateway, self.profile.scope
        return BatchService(
            gateway=gateway,
            submitter=Submitter(gateway.batches, self.uploader, records, scope, self.paths.data),
            records=records,
            journal=self.run_journal,
            scope=scope,
            open_runs=lambda: self.runs(lambda *_: None),
            capabilities=self.capabilities,
            takes_file_search=self.profile.batch_file_search,
            profile=self.profile.name if self.profile.chosen == "named" else None,
            prices=self.prices,
            record=self.usage_journal.record_batch if self.settings.records_usage() else None,
            usage_profile=self.profile.name,
        )

    def each(self, report: Report) -> EachService:
        """The service that runs assistants over many files; for `report` see `runs`."""
        from gptasst.each.service import EachService

        return EachService(
            self.run_journal,
            lambda on_limits: self.runs(
                report, on_limits, kind="each" if self.used_by == "run" else None
            ),
            most_jobs=self.embedded_slots if self.profile.embedded else None,
            open_deferral=None if self.profile.embedded else lambda: self._deferral,
        )

    @cached_property
    def _deferral(self) -> Deferral:
        """What deferred runs need.

        Raises:
            UsageError: the server is known to have none.
        """
        from gptasst.each.deferred import Deferral
        from gptasst.each.journal import DeferredRecords

        if not self.capabilities.takes_deferred():
            raise UsageError(
                f"{self.profile.endpoint} has no deferred runs",
                hint="leave out --by: it answers at once",
                code="tool_not_available",
            )
        records = DeferredRecords(self.paths.deferred_records, self._note)
        self._opened.callback(records.close)
        lacking = self.capabilities.lacks_deferred
        return Deferral(self.gateway.deferred, records, self.profile.scope, lacking)

    def cases(self, report: Report, store: AssistantStore | None = None) -> CaseService:
        """The service that tests assistants; `report` and `store` are as in `runs`."""
        from gptasst.cases.service import CaseService

        return CaseService(
            self.library,
            lambda: store or self.store,
            lambda on_limits: self.runs(report, on_limits, store=store, kind="test"),
            self._case_answers,
            most_jobs=self.embedded_slots if self.profile.embedded else None,
            prices=self.prices,
        )

    def tested_changes(self, report: Report, job: TestJob, follow: Follow) -> TestedChanges:
        """What changes assistants once their cases hold.

        Args:
            report: as in `runs`.
            job: how to test.
            follow: lets a test run to its end.
        """
        from gptasst.cases.trial import TestedChanges

        return TestedChanges(self.store, lambda store: self.cases(report, store), job, follow)

    @cached_property
    def _case_answers(self) -> KnownAnswers:
        from gptasst.cases.answers import KnownAnswers

        answers = KnownAnswers(self.paths.case_answers, self._note)
        self._opened.callback(answers.close)
        return answers

    @cached_property
    def _model_choice(self) -> ModelChoice:
        from gptasst.models.service import ModelChoice

        models, cache = lambda: self.gateway.models, lambda: self.project_cache
        by = self.settings.url_variable(self.profile.name)
        return ModelChoice(self.profile, models, cache, self._note, by)

    @cached_property
    def capabilities(self) -> EndpointCapabilities:
        """The tools of the profile's server."""
        from gptasst.models.service import EndpointCapabilities

        return EndpointCapabilities(
            self.profile, lambda: self.gateway.probes, lambda: self.project_cache
        )

    def runs(
        self,
        report: Report,
        on_limits: OnLimits | None = None,
        progress: Progress = lambda _done, _all: None,
        store: AssistantStore | None = None,
        kind: Kind | None = None,
    ) -> RunService:
        """The service that runs assistants.

        Args:
            report: called with the progress of a model download.
            on_limits: if given, the caller paces requests; see `OpenAIGateway.paced`.
            progress: called with the number of finished requests of an edit, and of all.
            store: where assistants are, if not where the profile has them.
            kind: what usage counts it as; without it, as what uses the context.
        """
        from gptasst.runs.preparation import RunPreparation, resolve
        from gptasst.runs.service import RunService

        embedded, local = self.profile.embedded, self.settings.local_model()
        preparation = RunPreparation(
            profile=self.profile,
            context_window=local.context if embedded else self.profile.context,
            embedded_model=self.model_file.name if embedded else None,
            open_store=lambda: store or self.store,
            small_model=embedded and self.has_small_model,
            choice=None if embedded else self._model_choice,
            capabilities=None if embedded else self.capabilities,
        )
        preparation.mcp_key, preparation.user_mark = self.mcp_key, self.user_mark
        open_gateway = _once(lambda at_once: self._gateway_for_runs(report, on_limits, at_once))
        found = functools.partial(resolve, lambda: store or self.store, self.library)
        runs = RunService(
            self.profile,
            found,
            preparation,
            open_gateway,
            self.model_ends,
            progress,
            spending=self._spending(kind or self.used_by),
        )
        runs.keeper = lambda: self.run_journal
        runs.approve = self.approve
        return runs

    def _spending(self, kind: Kind) -> Spending:
        """What counts runs, and writes down what they took unless that is turned off."""
        from gptasst.runs.spending import Spending

        spending = Spending(self.prices, profile=self.profile.name, kind=kind)
        if self.settings.records_usage():
            journal = self.usage_journal
            spending = replace(spending, record=journal.record, typical=journal.typical)
        return spending

    @cached_property
    def conversations(self) -> ConversationService:
        from gptasst.conversations.local import ConversationIndex, LocalConversations
        from gptasst.conversations.service import ConversationService

        database = self._conversations_database
        local = LocalConversations(database, self.profile.name)
        return ConversationService(
            self.profile, ConversationIndex(database), local, lambda: self._openai_conversations
        )

    @cached_property
    def _openai_conversations(self) -> OpenAIConversations:
        from gptasst.config.urls import is_openai_or_azure
        from gptasst.conversations.server import OpenAIConversations

        gateway, profile = self.gateway.conversations, self.profile
        # OGX removes a deleted turn from the list, but still passes it to the model.
        forgets = is_openai_or_azure(profile.base_url or "")
        return OpenAIConversations(gateway, self._conversations_database, profile, forgets=forgets)

    def dialogue(self, conversation: Conversation | None, report: Report) -> Dialogue:
        """A conversation to continue (`None`: start one), with the service that answers."""
        from gptasst.conversations.dialogue import Dialogue

        return Dialogue(self.runs(report), self.conversations, conversation)


def _once(make: Callable[[int], Gateway]) -> OpenGateway:
    """A thread-safe function that calls `make` once and returns its result each time."""
    lock = threading.Lock()
    made: list[Gateway] = []

    def get(at_once: int = 1) -> Gateway:
        with lock:
            if not made:
                made.append(make(at_once))
            return made[0]

    return get


_PATIENCE = 15.0  # seconds for a response of a server that may have to wake up first


class ReadOnlyContext(AppContext):
    """The same services, which change nothing here and don't wait for a dead server."""

    @cached_property
    def file_cache(self) -> FileCache:
        import sqlite3

        from gptasst.uploads.cache import FileCache

        try:
            cache = FileCache.copy_of(self.paths.file_cache)
        except sqlite3.Error:
            cache = FileCache(self.paths.file_cache, only_memory=True)
        self._opened.callback(cache.close)
        return cache

    @cached_property
    def gateway(self) -> OpenAIGateway:
        from gptasst.api.gateway import OpenAIGateway

        # Of thousands of requests about a large project, one may fail and work a second later.
        gateway = OpenAIGateway(self._impatient_endpoint)
        self._opened.callback(gateway.close)
        return gateway

    @cached_property
    def probes(self) -> ProbeGateway:
        from gptasst.api.connection import Connection
        from gptasst.api.probes import ProbeGateway

        connection = Connection(self._impatient_endpoint, retries=False)
        self._opened.callback(connection.close)
        return ProbeGateway(connection)

    @property
    def _impatient_endpoint(self) -> Endpoint:
        return replace(self.endpoint, timeout=_PATIENCE)
