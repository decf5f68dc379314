"""Where gptasst keeps things on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The user's directories of gptasst. `config` is edited by people, `data` is not."""

    config: Path
    data: Path

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def user_instructions(self) -> Path:
        return self.config / "instructions"

    @property
    def assistants_database(self) -> Path:
        return self.data / "assistants.sqlite3"

    @property
    def file_cache(self) -> Path:
        return self.data / "cache.sqlite3"

    @property
    def embedded_models(self) -> Path:
        return self.data / "models"


def user_paths(environ: Mapping[str, str]) -> Paths:
    """The directories of this platform, or those below `GPTASST_HOME`."""
    home = environ.get("GPTASST_HOME")
    if home:
        root = Path(home).expanduser().absolute()
        return Paths(config=root / "config", data=root / "data")
    import platformdirs

    return Paths(
        config=platformdirs.user_config_path("gptasst", appauthor=False),
        data=platformdirs.user_data_path("gptasst", appauthor=False),
    )


def shipped_instructions() -> Path:
    """The instructions that come with the package (in a checkout: its top-level folder)."""
    package = Path(__file__).parent
    installed = package / "instructions"
    return installed if installed.is_dir() else package.parents[1] / "instructions"


def private_directory(path: Path) -> Path:
    """Make a directory that only its owner can enter; leave one that exists as it is."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
