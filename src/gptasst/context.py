"""What a command needs, each part built when it is first asked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gptasst.built_once import cached_property
from gptasst.errors import ServiceError
from gptasst.paths import Paths, shipped_instructions, user_paths

if TYPE_CHECKING:
    from gptasst.definitions import InstructionLibrary
    from gptasst.embedded.fetching import Report
    from gptasst.embedded.model_file import ModelFile
    from gptasst.file_cache import FileCache
    from gptasst.models.conversations import Conversation
    from gptasst.models.endpoints import Endpoint
    from gptasst.models.knowledge import KnowledgeFile
    from gptasst.models.rate_limits import OnLimits
    from gptasst.openai_gateway import OpenAIGateway
    from gptasst.run_journal import RunJournal
    from gptasst.services.assistants import AssistantService
    from gptasst.services.auth import AuthService
    from gptasst.services.batch_runs import BatchService
    from gptasst.services.cache import CacheService
    from gptasst.services.configuration import ConfigurationService
    from gptasst.services.conversations import ConversationService
    from gptasst.services.dialogues import Dialogue
    from gptasst.services.each import EachService
    from gptasst.services.files import FileService
    from gptasst.services.instructions import InstructionService
    from gptasst.services.local_model import LocalModelService
    from gptasst.services.models import ModelService
    from gptasst.services.runs import RunService
    from gptasst.services.uploads import UploadService
    from gptasst.settings import Profile, Settings
    from gptasst.stored_keys import StoredKeys
    from gptasst.stores import AssistantStore
    from gptasst.stores.database import Database
    from gptasst.stores.openai import OpenAIStore
    from gptasst.stores.openai_conversations import OpenAIConversations
    from gptasst.uploads import Uploader


class AppContext:
    """The parts of the program, put together for one profile.

    Args:
        environ: the environment variables.
        profile_name: the profile that was asked for; `None` takes the one that fits.
        note: told what a user should know and no result says.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        profile_name: str | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.environ = environ
        self._profile_name = profile_name
        self._note = note
        self._opened = contextlib.ExitStack()

    def with_options(self, profile: str | None, note: Callable[[str], None]) -> AppContext:
        return AppContext(self.environ, profile or self._profile_name, note)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close connections and files, and stop the embedded engine."""
        self._opened.close()

    @cached_property
    def paths(self) -> Paths:
        return user_paths(self.environ)

    @cached_property
    def settings(self) -> Settings:
        from gptasst.settings import Settings

        return Settings(self.paths.config_file, self.environ, self.keys)

    @cached_property
    def keys(self) -> StoredKeys:
        from gptasst.stored_keys import StoredKeys

        return StoredKeys(self.paths.keys_file)

    @cached_property
    def configuration(self) -> ConfigurationService:
        from gptasst.services.configuration import ConfigurationService

        return ConfigurationService(
            self.settings, self.paths.config_file, self.environ, self._profile_name
        )

    @cached_property
    def auth(self) -> AuthService:
        from gptasst.services.auth import AuthService

        return AuthService(self.settings, self.keys, self._profile_name)

    @cached_property
    def models(self) -> ModelService:
        from gptasst.services.models import EmbeddedModels, ModelService

        if self.profile.embedded:
            return ModelService(lambda: EmbeddedModels(self.model_file.name))
        return ModelService(lambda: self.gateway.models)

    @cached_property
    def profile(self) -> Profile:
        return self.settings.profile(self._profile_name)

    @cached_property
    def library(self) -> InstructionLibrary:
        from gptasst.definitions import InstructionLibrary

        return InstructionLibrary(
            [
                ("project", Path("instructions")),
                ("user", self.paths.user_instructions),
                ("shipped", shipped_instructions()),
            ]
        )

    @cached_property
    def file_cache(self) -> FileCache:
        from gptasst.file_cache import FileCache

        cache = FileCache(self.paths.file_cache, self._note)
        self._opened.callback(cache.close)
        return cache

    @cached_property
    def store(self) -> AssistantStore:
        if self.profile.store == "openai":
            return self.openai_store
        from gptasst.stores.local import LocalStore

        store = LocalStore(self.paths.assistants_database)
        self._opened.callback(store.close)
        return store

    @cached_property
    def openai_store(self) -> OpenAIStore:
        from gptasst.stores.openai import OpenAIStore
        from gptasst.stores.openai_directory import AssistantDirectory
        from gptasst.stores.openai_knowledge import KnowledgeWriter

        gateway = self.gateway
        writer = KnowledgeWriter(gateway.files, gateway.vector_stores, self.uploader, gateway.pause)
        directory = AssistantDirectory(
            gateway.vector_stores, gateway.conversations, self.file_cache, self.profile.scope
        )
        return OpenAIStore(gateway, directory, writer)

    @cached_property
    def uploader(self) -> Uploader:
        from gptasst.uploads import Uploader

        return Uploader(
            self.gateway.files, self.file_cache, self.profile.scope, self._learn_uploads
        )

    def _learn_uploads(self) -> None:
        from gptasst.stores.upload_recovery import learn_uploads, recover_begun

        scope = self.profile.scope
        if not self.file_cache.is_synced(scope):
            learn_uploads(self.gateway.files, self._all_knowledge(), self.file_cache, scope)
        recover_begun(self.gateway.files, self.file_cache, scope)

    def _all_knowledge(self) -> list[KnowledgeFile]:
        """The knowledge of every assistant on the server."""
        try:
            return [file for _, files in self.openai_store.knowledge_of_all() for file in files]
        except ServiceError:
            if self.profile.store == "openai":
                raise
            return []  # assistants are kept elsewhere, so the server need not have vector stores

    @cached_property
    def files(self) -> FileService:
        from gptasst.services.files import FileService

        gateway = self.gateway
        return FileService(
            gateway.files, gateway.vector_stores, self.file_cache, self.profile.scope
        )

    @cached_property
    def uploads(self) -> UploadService:
        from gptasst.services.uploads import UploadService

        return UploadService(self.gateway.files, self.file_cache, self.profile.scope, self.uploader)

    @cached_property
    def cache(self) -> CacheService:
        from gptasst.services.cache import CacheService

        return CacheService(
            self.file_cache,
            None if self.profile.embedded else self.profile.scope,
            lambda: self.gateway.files,
            self._all_knowledge,
        )

    @cached_property
    def assistants(self) -> AssistantService:
        from gptasst.services.assistants import AssistantService

        return AssistantService(self.store, self.library, lambda: self.file_cache)

    @cached_property
    def instructions(self) -> InstructionService:
        from gptasst.services.instructions import InstructionService

        return InstructionService(
            self.library, project=Path("instructions"), user=self.paths.user_instructions
        )

    @cached_property
    def model_file(self) -> ModelFile:
        from gptasst.embedded.model_file import model_file

        return model_file(self.settings.local_model(), self.paths.embedded_models)

    @cached_property
    def local_model(self) -> LocalModelService:
        from gptasst.services.local_model import LocalModelService

        return LocalModelService(self.model_file, self.settings.local_model().context)

    def fallback_note(self) -> str | None:
        """What to tell somebody whose runs use the embedded model because no key is set."""
        installed = self.profile.chosen == "fallback" and self.local_model.status().engine_installed
        if not installed:
            return None
        advice = "it only shows the plumbing; for real work set OPENAI_API_KEY or see --profile"
        tail = f": {advice}" if self.model_file.is_default else ""
        return f"no key is set, so this runs on the embedded model {self.model_file.name}{tail}"

    @cached_property
    def run_journal(self) -> RunJournal:
        from gptasst.run_journal import RunJournal

        journal = RunJournal(self.paths.run_journal, self._note)
        self._opened.callback(journal.close)
        return journal

    @cached_property
    def batches(self) -> BatchService:
        from gptasst.batch_records import BatchRecords
        from gptasst.services.batch_runs import BatchService
        from gptasst.services.batch_submissions import Submitter

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
            takes_file_search=self.profile.batch_file_search,
        )

    def each(self, report: Report) -> EachService:
        """The service that runs assistants over many files; `report` is as in `runs`."""
        from gptasst.services.each import EachService

        return EachService(
            self.run_journal,
            lambda on_limits: self.runs(report, on_limits),
            most_jobs=1 if self.profile.embedded else None,
        )

    def runs(self, report: Report, on_limits: OnLimits | None = None) -> RunService:
        """The service that runs assistants.

        Args:
            report: told of a model being fetched.
            on_limits: where given, requests are paced by the caller; see `OpenAIGateway.paced`.
        """
        from gptasst.services.runs import RunService

        embedded = self.profile.embedded
        return RunService(
            profile=self.profile,
            context_window=self.settings.local_model().context if embedded else None,
            embedded_model=self.model_file.name if embedded else None,
            open_store=lambda: self.store,
            library=self.library,
            open_gateway=_once(lambda: self._gateway_for_runs(report, on_limits)),
        )

    @cached_property
    def conversations(self) -> ConversationService:
        from gptasst.services.conversations import ConversationService
        from gptasst.stores.conversation_index import ConversationIndex
        from gptasst.stores.local_conversations import LocalConversations

        database = self._conversations_database
        local = LocalConversations(database, self.profile.name)
        return ConversationService(
            self.profile, ConversationIndex(database), local, lambda: self._openai_conversations
        )

    @cached_property
    def _openai_conversations(self) -> OpenAIConversations:
        from gptasst.stores.openai_conversations import OpenAIConversations

        gateway = self.gateway.conversations
        return OpenAIConversations(gateway, self._conversations_database, self.profile)

    @cached_property
    def _conversations_database(self) -> Database:
        from gptasst.stores.conversation_index import CONVERSATIONS
        from gptasst.stores.database import Database

        database = Database(self.paths.conversations_database, CONVERSATIONS)
        self._opened.callback(database.close)
        return database

    def dialogue(self, conversation: Conversation | None, report: Report) -> Dialogue:
        """A conversation that goes on (`None`: begins), with the service that answers in it."""
        from gptasst.services.dialogues import Dialogue

        return Dialogue(self.runs(report), self.conversations, conversation)

    @cached_property
    def gateway(self) -> OpenAIGateway:
        """The connection to the profile's server.

        Raises:
            AccessDenied: the server wants a key, and there is none.
        """
        from gptasst.server_endpoints import server_endpoint

        return self._opened_gateway(server_endpoint(self.profile))

    def begin_gateway(self) -> None:
        """Begin to import the SDK in a thread, unless there is no key to go on with."""
        import importlib

        if self.profile.key_source and not self.profile.api_key:
            return
        module = "gptasst.openai_gateway"
        threading.Thread(target=importlib.import_module, args=(module,), daemon=True).start()

    def _gateway_for_runs(self, report: Report, on_limits: OnLimits | None) -> OpenAIGateway:
        embedded = self.profile.embedded
        gateway = self._opened_gateway(self._start_engine(report)) if embedded else self.gateway
        return gateway.paced(on_limits) if on_limits else gateway

    def _opened_gateway(self, endpoint: Endpoint) -> OpenAIGateway:
        from gptasst.openai_gateway import OpenAIGateway

        gateway = OpenAIGateway(endpoint)
        self._opened.callback(gateway.close)
        return gateway

    def _start_engine(self, report: Report) -> Endpoint:
        from gptasst.embedded.engine import EmbeddedEngine, require_installed

        named = self.profile.chosen == "named"
        require_installed("the profile is `local`" if named else "no key is set")
        model = self.local_model.ensure(report)
        engine = EmbeddedEngine(model, self.settings.local_model())
        self._opened.callback(engine.close)
        return engine.endpoint()


def _once(make: Callable[[], OpenAIGateway]) -> Callable[[], OpenAIGateway]:
    """What `make` gives the first time, every time; from any thread."""
    lock = threading.Lock()
    made: list[OpenAIGateway] = []

    def get() -> OpenAIGateway:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get
