"""The directories and files of gptasst on this machine.

For start-up time it only needs `os`: shell completion asks for a directory and exits before
`pathlib` would be loaded.
"""

from __future__ import annotations

import os
import sys

# Names instead of values: type checkers know them, and nothing is imported.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Paths:
    """The user's directories. People edit `config`, but not `data`."""

    __slots__ = ("config", "data")

    def __init__(self, config: Path, data: Path) -> None:
        self.config = config
        self.data = data

    @property
    def config_file(self) -> Path:
        return self.config / "config.toml"

    @property
    def keys_file(self) -> Path:
        return self.config / "keys.json"

    @property
    def user_instructions(self) -> Path:
        return self.config / "instructions"

    @property
    def assistants_database(self) -> Path:
        return self.data / ASSISTANTS_DATABASE

    @property
    def file_cache(self) -> Path:
        return self.data / FILE_CACHE

    @property
    def run_journal(self) -> Path:
        return self.data / "runs.sqlite3"

    @property
    def deferred_records(self) -> Path:
        return self.data / "deferred.sqlite3"

    @property
    def usage_journal(self) -> Path:
        return self.data / "usage.sqlite3"

    @property
    def case_answers(self) -> Path:
        return self.data / "cases.sqlite3"

    @property
    def conversations_database(self) -> Path:
        return self.data / CONVERSATIONS_DATABASE

    @property
    def chat_history(self) -> Path:
        return self.data / "chat_history"

    @property
    def batch_records(self) -> Path:
        return self.data / BATCH_RECORDS

    @property
    def machine_mark(self) -> Path:
        return self.data / "machine"

    @property
    def locks(self) -> Path:
        return self.data / "locks"

    @property
    def knowledge_lock(self) -> Path:
        """The lock that is held while uploaded knowledge is not attached yet."""
        return self.locks / "knowledge.lock"

    @property
    def embedded_models(self) -> Path:
        return self.data / "models"

    @property
    def embedded_prefixes(self) -> Path:
        """What the embedded model computed for instructions."""
        return self.data / "prefixes"


ASSISTANTS_DATABASE = "assistants.sqlite3"
FILE_CACHE = "cache.sqlite3"
BATCH_RECORDS = "batches.sqlite3"
CONVERSATIONS_DATABASE = "conversations.sqlite3"


def user_directories(environ: Mapping[str, str]) -> tuple[str, str]:
    """The directories for config and data: the platform's, or below `GPTASST_HOME`.

    The same as platformdirs, for shell completion, which is too fast to load that. Except on
    Windows and macOS these are the XDG base directories; as specified, relative paths in their
    variables are ignored.
    """
    root = environ.get("GPTASST_HOME")
    if root:
        root = os.path.abspath(os.path.expanduser(root))
        return os.path.join(root, "config"), os.path.join(root, "data")
    if sys.platform == "win32":
        local = environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
        return os.path.join(local, "gptasst"), os.path.join(local, "gptasst")
    if sys.platform == "darwin":
        support = os.path.expanduser("~/Library/Application Support/gptasst")
        return support, support
    config = _xdg(environ, "XDG_CONFIG_HOME", "~/.config")
    return config, _xdg(environ, "XDG_DATA_HOME", "~/.local/share")


def _xdg(environ: Mapping[str, str], variable: str, default: str) -> str:
    given = environ.get(variable, "")
    base = given if os.path.isabs(given) else os.path.expanduser(default)
    return os.path.join(base, "gptasst")


def user_paths(environ: Mapping[str, str]) -> Paths:
    """The platform's directories, or those below `GPTASST_HOME`.

    Raises:
        StateError: there is no home directory.
    """
    from pathlib import Path

    if environ.get("GPTASST_HOME"):
        config, data = user_directories(environ)
        return Paths(Path(config), Path(data))
    import platformdirs

    try:
        return Paths(
            platformdirs.user_config_path("gptasst", appauthor=False),
            platformdirs.user_data_path("gptasst", appauthor=False),
        )
    except RuntimeError:
        from gptasst.errors import StateError

        raise StateError(
            "there is no home directory: HOME is not set",
            hint="GPTASST_HOME=DIRECTORY sets where gptasst keeps its files",
            code="no_home",
        ) from None


def leaves_project_out(environ: Mapping[str, str]) -> bool:
    """Whether to ignore the instructions of the working directory."""
    said = environ.get("GPTASST_NO_PROJECT", "").strip().lower()
    return said not in ("", "0", "false", "no", "off")


def shipped_instructions() -> Path:
    """The shipped instructions (in a checkout: the top-level folder)."""
    from pathlib import Path

    return Path(shipped_directory())


def shipped_directory() -> str:
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = os.path.join(package, "instructions")
    if os.path.isdir(installed):
        return installed
    return os.path.join(os.path.dirname(os.path.dirname(package)), "instructions")
