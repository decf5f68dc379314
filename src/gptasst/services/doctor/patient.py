"""What the doctor looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gptasst.file_cache import FileCache
    from gptasst.openai_gateway.probes import ProbeGateway
    from gptasst.paths import Paths
    from gptasst.services.assistants import AssistantService
    from gptasst.services.auth import AuthService
    from gptasst.services.files import FileService
    from gptasst.services.local_model import LocalModelService
    from gptasst.services.models import ModelService
    from gptasst.settings import Profile, Settings
    from gptasst.stored_keys import StoredKeys


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
