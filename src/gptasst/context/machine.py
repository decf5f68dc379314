"""The parts on this machine: directories, configuration, keys, instructions, caches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gptasst.errors import GptasstError
from gptasst.hints import cmd
from gptasst.storage.paths import (
    Paths,
    leaves_project_out,
    shipped_instructions,
    user_paths,
)
from gptasst.threads import cached_property

if TYPE_CHECKING:
    from gptasst.config.editing import ConfigurationService
    from gptasst.config.keys import AuthService
    from gptasst.config.profile import Profile
    from gptasst.config.settings import Settings
    from gptasst.config.stored_keys import StoredKeys
    from gptasst.definitions.formats.export import InstructionExporter
    from gptasst.definitions.formats.service import InstructionImporter
    from gptasst.definitions.library import InstructionLibrary
    from gptasst.definitions.service import InstructionService
    from gptasst.definitions.toml import Origin
    from gptasst.definitions.types import McpServer
    from gptasst.each.journal import RunJournal
    from gptasst.embedded.service import LocalModelService, ModelFile
    from gptasst.models.usage import Kind, UsageJournal
    from gptasst.storage.database import Database
    from gptasst.uploads.cache import FileCache

# A smaller GGUF file has a model that can edit sentences, but not documents.
_SMALL_BYTES = 600_000_000


class MachineContext:
    """Everything built from files and the environment, without a server."""

    def __init__(
        self,
        environ: Mapping[str, str],
        profile_name: str | None = None,
        note: Callable[[str], None] = lambda _: None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self.environ = environ
        self._warn = warn or note
        self.profile_option = profile_name
        self._note = note
        self.used_by: Kind = "run"  # what counts as having asked for runs
        self._opened = contextlib.ExitStack()

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
        from gptasst.config.settings import Settings

        return Settings(self.paths.config_file, self.environ, self.keys)

    @cached_property
    def keys(self) -> StoredKeys:
        from gptasst.config.stored_keys import StoredKeys

        return StoredKeys(self.paths.keys_file)

    @cached_property
    def profile(self) -> Profile:
        return self.settings.profile(self.profile_option)

    @cached_property
    def library(self) -> InstructionLibrary:
        from gptasst.definitions.library import InstructionLibrary

        own: list[tuple[Origin, Path]] = [
            *(("path", directory) for directory in self.settings.instruction_path()),
            ("user", self.paths.user_instructions),
            ("shipped", shipped_instructions()),
        ]
        if not leaves_project_out(self.environ):
            own.insert(0, ("project", Path("instructions")))
        return InstructionLibrary(own, self._warn)

    @cached_property
    def model_file(self) -> ModelFile:
        from gptasst.embedded.service import model_file

        return model_file(self.settings.local_model(), self.paths.embedded_models)

    @property
    def has_small_model(self) -> bool:
        """Whether the embedded model can only handle a sentence at a time."""
        file = self.model_file
        try:
            return file.is_default or file.path.stat().st_size < _SMALL_BYTES
        except OSError:  # not downloaded yet
            return False

    @cached_property
    def local_model(self) -> LocalModelService:
        from gptasst.embedded.service import LocalModelService

        context = self.settings.local_model().context
        return LocalModelService(self.model_file, context, self.paths.locks)

    def fallback_note(self) -> str | None:
        """The note for users whose runs use the embedded model because no key is set."""
        if self.profile.chosen != "fallback":
            return None
        model = self.local_model.status()
        if not model.engine_installed:
            return None
        note = f"no key is set, so this runs on the embedded model {model.model}"
        if not model.is_default or model.size is not None:  # not the first run
            return note
        advice = f"good for small corrections only; for real work, {cmd('auth login')} stores a key"
        return f"{note}: {advice}"

    def first_step(self) -> str:
        """The suggestion for a user who called `gptasst` without a command."""
        run = cmd("run MarkdownLinter -f FILE")
        try:
            if self.profile.chosen != "fallback":
                return f"next: {run}"
            engine = self.local_model.status().engine_installed
        except GptasstError:
            return f"next: {cmd('doctor')}, as something in the configuration is wrong"
        if engine:
            meanwhile = "until then a tiny model answers, which is good for small corrections only"
            return f"next: {cmd('auth login')} stores an OpenAI key; {meanwhile}"
        return f"next: {cmd('auth login')} stores an OpenAI key"

    @cached_property
    def run_journal(self) -> RunJournal:
        from gptasst.each.journal import RunJournal

        journal = RunJournal(self.paths.run_journal, self._note)
        self._opened.callback(journal.close)
        return journal

    @cached_property
    def usage_journal(self) -> UsageJournal:
        """What this machine ran."""
        from gptasst.models.usage import UsageJournal

        journal = UsageJournal(self.paths.usage_journal, self._note)
        self._opened.callback(journal.close)
        return journal

    @cached_property
    def machine_mark(self) -> str:
        """The mark that distinguishes this machine's uploads from others'."""
        from gptasst.api.upload_marks import machine_mark

        return machine_mark(self.paths.machine_mark)

    def mcp_key(self, server: McpServer) -> str:
        """The key of an MCP server whose definition names a variable; see `McpKeys.key`."""
        return self.settings.mcp_keys.key(server.label, server.url, server.key_env or "")

    def user_mark(self) -> str:
        """What tells whoever runs this from others: the account, on this machine."""
        import getpass

        try:
            account = getpass.getuser()
        except (OSError, KeyError):  # a user without a name
            account = ""
        return f"{self.machine_mark} {account}"

    @cached_property
    def file_cache(self) -> FileCache:
        from gptasst.uploads.cache import FileCache

        cache = FileCache(self.paths.file_cache, self._note)
        self._opened.callback(cache.close)
        return cache

    @cached_property
    def _conversations_database(self) -> Database:
        from gptasst.conversations.local import CONVERSATIONS
        from gptasst.storage.database import Database

        database = Database(self.paths.conversations_database, CONVERSATIONS)
        self._opened.callback(database.close)
        return database

    @cached_property
    def configuration(self) -> ConfigurationService:
        from gptasst.config.editing import ConfigurationService

        return ConfigurationService(
            self.settings, self.paths.config_file, self.environ, self.profile_option
        )

    @cached_property
    def auth(self) -> AuthService:
        from gptasst.config.keys import AuthService

        return AuthService(self.settings, self.keys, self.profile_option)

    @cached_property
    def instructions(self) -> InstructionService:
        from gptasst.definitions.service import InstructionService

        return InstructionService(
            self.library, project=Path("instructions"), user=self.paths.user_instructions
        )

    @cached_property
    def instruction_importer(self) -> InstructionImporter:
        from gptasst.definitions.formats.service import InstructionImporter
        from gptasst.models.ends import model_end

        return InstructionImporter(
            self.library,
            project=Path("instructions"),
            user=self.paths.user_instructions,
            model_end=model_end,
        )

    @cached_property
    def instruction_exporter(self) -> InstructionExporter:
        from gptasst.definitions.formats.export import InstructionExporter

        return InstructionExporter(self.library)
