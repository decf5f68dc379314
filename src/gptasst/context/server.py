"""The profile's server or embedded engine, and the objects that it stores."""

from __future__ import annotations

import shlex
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from gptasst.config.urls import has_login, shown_url
from gptasst.context.machine import MachineContext
from gptasst.errors import AccessDenied, ServiceError, UsageError
from gptasst.hints import cmd
from gptasst.threads import cached_property

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from gptasst.api.gateway import OpenAIGateway
    from gptasst.api.limits import OnLimits
    from gptasst.api.types import Endpoint
    from gptasst.assistants.project_store import OpenAIStore
    from gptasst.assistants.store import AssistantStore
    from gptasst.config.profile import Profile
    from gptasst.embedded.download import Report
    from gptasst.embedded.prefixes import PrefixCache
    from gptasst.embedded.service import EmbeddedEngine
    from gptasst.knowledge.types import KnowledgeFile
    from gptasst.knowledge.vectors import Embedder
    from gptasst.models.prices import Prices
    from gptasst.runs.inputs import Gateway
    from gptasst.uploads.project_cache import ProjectCache
    from gptasst.uploads.uploader import Uploader


class ServerContext(MachineContext):
    """The connection, and the assistants and uploads behind it."""

    _engine: tuple[EmbeddedEngine, OpenAIGateway, PrefixCache] | None = None

    serves_many = False
    """Whether more runs may come than are known when the first begins, as in a library's."""

    @cached_property
    def gateway(self) -> OpenAIGateway:
        """The connection to the profile's server.

        Raises:
            AccessDenied: the server needs a key, and there is none.
        """
        return self._opened_gateway(replace(self.endpoint, on_moved=self._tell_moved))

    @property
    def endpoint(self) -> Endpoint:
        """The profile's server with its key."""
        return server_endpoint(self.profile, self.settings.url_variable(self.profile.name))

    def _tell_moved(self, url: str) -> None:
        """Print the base URL that works, and the command that sets it."""
        given, shown = self.profile.endpoint, shown_url(url)
        variable = self.settings.url_variable(self.profile.name)
        fix = f"set {variable}={shown}"
        if self.profile.base_url != given:  # it has a query or a password, which isn't printed
            fix = f"write `/v1` at the end of its path in {variable or self.endpoint.table}"
        elif variable is None:
            key = shlex.quote(f"profiles.{self.profile.name}.base_url")
            fix = cmd(f"config set {key} {shlex.quote(shown)}")
        self._note(f"{given} has no Responses API, but {shown} does; to begin there: {fix}")

    def begin_gateway(self) -> None:
        """Start importing the HTTP client in a thread, unless the key is missing."""
        import importlib

        if self.profile.lacks_key:
            return
        module = "gptasst.api.gateway"
        threading.Thread(target=importlib.import_module, args=(module,), daemon=True).start()

    def _gateway_for_runs(
        self, report: Report, on_limits: OnLimits | None, at_once: int
    ) -> Gateway:
        prefixes = None
        if self.profile.embedded:
            gateway, prefixes = self._engine_for_runs(report, at_once)
        else:
            gateway = self.gateway
        paced = gateway.paced(on_limits) if on_limits else gateway
        return prefixes.before(paced) if prefixes else paced

    def _opened_gateway(self, endpoint: Endpoint) -> OpenAIGateway:
        from gptasst.api.gateway import OpenAIGateway

        gateway = OpenAIGateway(endpoint)
        self._opened.callback(gateway.close)
        return gateway

    def _engine_for_runs(self, report: Report, at_once: int) -> tuple[OpenAIGateway, PrefixCache]:
        """The embedded model, which all runs share: each engine takes its own memory."""
        with self._engine_lock:
            if self._engine is None or not self._engine[0].is_running:
                self._engine = self._start_engine(report, at_once)
            return self._engine[1:]

    @cached_property
    def embedded_slots(self) -> int:
        """How many requests the embedded model takes at once on this machine."""
        from gptasst.embedded.capacity import most_slots

        return most_slots(self.model_file.path, self.settings.local_model())

    @cached_property
    def _engine_lock(self) -> threading.Lock:
        return threading.Lock()

    def _start_engine(
        self, report: Report, at_once: int
    ) -> tuple[EmbeddedEngine, OpenAIGateway, PrefixCache]:
        from gptasst.embedded.prefixes import PrefixCache
        from gptasst.embedded.service import EmbeddedEngine, require_installed
        from gptasst.embedded.slots import Slots

        require_installed(chosen=self.profile.chosen == "named")
        model = self.local_model.ensure(report)
        directory = self.paths.embedded_prefixes
        most = self.embedded_slots
        slots = most if self.serves_many else min(at_once, most)
        engine = EmbeddedEngine(model, self.settings.local_model(), prefixes=directory, slots=slots)
        self._opened.callback(engine.close)
        endpoint = engine.endpoint()

        def sha256() -> str:
            return self.file_cache.sha256(model).sha256

        prefixes = PrefixCache(directory, sha256, engine.version, Slots(slots))
        return engine, self._opened_gateway(endpoint), prefixes

    @cached_property
    def prices(self) -> Prices:
        """The prices of the profile's models."""
        from gptasst.models.prices import Prices, own_prices

        profile = self.profile
        own = own_prices(self.settings.prices())
        return Prices(own, built_in=profile.is_openai, free=profile.embedded)

    @cached_property
    def project_cache(self) -> ProjectCache:
        """The cache of the profile's project."""
        return self.file_cache.of(self.profile.scope)

    @cached_property
    def uploader(self) -> Uploader:
        from gptasst.uploads.uploader import Uploader

        return Uploader(
            self.gateway.files,
            self.project_cache,
            self._learn_uploads,
            self.paths.locks,
            lambda: self.machine_mark,
        )

    def _learn_uploads(self) -> None:
        from gptasst.assistants.known_uploads import learn_uploads, recover_begun

        cache = self.project_cache
        if not cache.is_synced():
            learn_uploads(self.gateway.files, self._all_knowledge, cache, self.machine_mark)
        recover_begun(self.gateway.files, cache, self.machine_mark)

    def _all_knowledge(self, *, whole_list: bool = False) -> list[KnowledgeFile]:
        """The knowledge of every assistant on the server."""
        try:
            found = self.openai_store.knowledge_of_all(whole_list=whole_list)
            return [file for _, files in found for file in files]
        except ServiceError:
            if self.profile.store == "openai":
                raise
            return []  # assistants are stored elsewhere, so the server may lack vector stores

    @cached_property
    def store(self) -> AssistantStore:
        if self.profile.store == "openai":
            return self.openai_store
        from gptasst.assistants.local_store import LocalStore

        store = LocalStore(self.paths.assistants_database, self._embedder(), self._note)
        self._opened.callback(store.close)
        return store

    def _embedder(self) -> Embedder | None:
        """The embedder of knowledge: `embedded`, or a model of the profile's server."""
        model = self.profile.embedding_model
        if model == "embedded":
            from gptasst.embedded.embeddings import EmbeddedEmbedder

            return EmbeddedEmbedder(
                lambda texts: self._embedding_gateway.embeddings.create(model, texts),
                self._fetched_embedding_model,
            )
        if not model or self.profile.embedded:
            return None
        return _ServerEmbedder(model, lambda: self.gateway)

    @cached_property
    def _embedding_gateway(self) -> OpenAIGateway:
        from gptasst.embedded.service import EmbeddedEngine

        path = self._fetched_embedding_model(lambda *_: None)
        engine = EmbeddedEngine(path, self.settings.local_model(), embeddings=True)
        self._opened.callback(engine.close)
        return self._opened_gateway(engine.endpoint())

    def _fetched_embedding_model(self, report: Report) -> Path:
        from gptasst.embedded.embeddings import embedding_model
        from gptasst.embedded.service import require_installed

        require_installed(chosen=True)
        models = self.paths.embedded_models
        if not any(models.glob("all-MiniLM*.gguf")):
            self._note("downloading the embedding model, once (84 MB)")
        return embedding_model(models, self.paths.locks, report)

    @cached_property
    def openai_store(self) -> OpenAIStore:
        from gptasst.assistants.knowledge_texts import KnowledgeTexts
        from gptasst.assistants.project_directory import AssistantDirectory
        from gptasst.assistants.project_knowledge import LONGEST_STALL, KnowledgeWriter
        from gptasst.assistants.project_store import OpenAIStore
        from gptasst.assistants.upload_removal import FileUsage, UploadRemover

        gateway, texts = self.gateway, KnowledgeTexts(self.paths.data)
        writer = KnowledgeWriter(
            gateway.files,
            gateway.vector_stores,
            self.uploader,
            gateway.pause,
            self.paths.knowledge_lock,
            texts,
            stall=min(self.profile.timeout, LONGEST_STALL),
        )
        directory = AssistantDirectory(
            gateway.vector_stores, gateway.conversations, self.project_cache
        )
        usage = FileUsage(gateway.vector_stores, self.project_cache, self._note)
        remover = UploadRemover(gateway.files, usage, self.project_cache)
        return OpenAIStore(gateway, directory, writer, remover, texts, lambda: self.machine_mark)


def server_endpoint(profile: Profile, variable: str | None) -> Endpoint:
    """A profile's server with its key; `variable` sets its base URL, if there is one.

    Raises:
        UsageError: the profile is the embedded model.
        AccessDenied: the server needs a key, and there is none; or the embedded model is used for
            lack of one.
    """
    from gptasst.api.types import Endpoint

    if profile.embedded:
        nothing = "the embedded model has no files and no assistants on a server"
        hint = "use --profile NAME for a server"
        if profile.chosen == "fallback":
            hint = f"{cmd('auth login')} stores an OpenAI key; {hint}"
            raise AccessDenied(f"no key is set, and {nothing}", hint=hint, code="no_key")
        raise UsageError(nothing, hint=hint, code="no_server")
    profile.require_key()
    assert profile.base_url is not None
    return Endpoint(
        base_url=profile.base_url,
        name=profile.endpoint,
        api_key=profile.api_key,
        key_hint=_key_hint(profile, variable),
        table=f"[profiles.{profile.name}] of config.toml",
        local_store=profile.store == "local",
        headers=profile.headers.values,
        key_headers=tuple(profile.headers.sources),
        timeout=profile.timeout,
        context_window=profile.context,
        openai_environment=profile.name == "openai",
    )


def _key_hint(profile: Profile, variable: str | None) -> str:
    """Where the key is expected; `variable` sets the base URL, if there is one.

    A key for one server is never sent to another.
    """
    if has_login(profile.base_url or ""):
        place = variable or f"[profiles.{profile.name}] of config.toml"
        return f"they are read from {place}, and sent in place of a key"
    if not profile.api_key and profile.headers.sources:
        sources = dict.fromkeys(profile.headers.sources.values())
        return f"it is read from {', '.join(sources)}"
    if profile.key_source:
        return f"it is read from {profile.key_source}"
    if variable == "OPENAI_BASE_URL":
        return "OPENAI_API_KEY or GPTASST_API_KEY holds it"
    if variable:
        return "GPTASST_API_KEY holds it"
    table = f"[profiles.{profile.name}]"
    return f"`api_key_env` in {table} of config.toml names the variable that holds it"


class _ServerEmbedder:
    """Embeds texts with a server's model."""

    only_english = False  # unknown

    def __init__(self, model: str, open_gateway: Callable[[], OpenAIGateway]) -> None:
        self.model = model
        self._open_gateway = open_gateway

    def prepare(self, report: Report) -> None:
        """Do nothing: the server needs no preparation."""

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        return self._open_gateway().embeddings.create(self.model, texts)
