"""What the doctor looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gptasst.api.probes import ProbeGateway
    from gptasst.assistants.service import AssistantService
    from gptasst.config.keys import StoredKeys
    from gptasst.config.login import AuthService
    from gptasst.config.settings import Profile, Settings
    from gptasst.definitions.library import InstructionLibrary
    from gptasst.embedded.service import LocalModelService
    from gptasst.models.service import ModelService
    from gptasst.project_files.service import FileService
    from gptasst.storage.paths import Paths
    from gptasst.uploads.cache import FileCache


class Patient(Protocol):
    """The parts of the program, put together so that looking at them changes nothing.

    Each is had when it is asked for, and asking raises what is wrong with it. `profile_option`
    is the profile that was asked for by option.
    """

    environ: Mapping[str, str]
    profile_option: str | None

    @property
    def paths(self) -> Paths: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def keys(self) -> StoredKeys: ...
    @property
    def profile(self) -> Profile: ...
    @property
    def auth(self) -> AuthService: ...
    @property
    def library(self) -> InstructionLibrary: ...
    @property
    def local_model(self) -> LocalModelService: ...
    @property
    def file_cache(self) -> FileCache: ...
    @property
    def probes(self) -> ProbeGateway: ...
    @property
    def assistants(self) -> AssistantService: ...
    @property
    def files(self) -> FileService: ...
    @property
    def models(self) -> ModelService: ...
