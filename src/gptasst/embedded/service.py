"""The embedded model: what there is of it on this machine, and fetching it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gptasst.embedded.download import Report
from gptasst.embedded.engine import is_installed, require_installed
from gptasst.embedded.model_file import ModelFile, ensure_present


@dataclass(frozen=True, slots=True)
class LocalModelStatus:
    """The embedded model as it is here. `size` is in bytes, `None` while it is not there."""

    model: str
    path: str
    source: str | None
    is_default: bool
    engine_installed: bool
    size: int | None
    context: int


class LocalModelService:
    """Looks after the file of the embedded model.

    Args:
        model: the file.
        context: tokens that it is run with.
        locks: the directory of the locks between processes.
    """

    def __init__(self, model: ModelFile, context: int, locks: Path) -> None:
        self._model = model
        self._locks = locks
        self._context = context

    @property
    def sha256(self) -> str | None:
        """What the file's sha256 should be, where that is known."""
        return self._model.sha256

    def status(self) -> LocalModelStatus:
        model = self._model
        return LocalModelStatus(
            model=model.name,
            path=str(model.path),
            source=model.shown_source,
            is_default=model.is_default,
            engine_installed=is_installed(),
            size=model.path.stat().st_size if model.path.is_file() else None,
            context=self._context,
        )

    def require_engine(self) -> None:
        """Refuse, before anything is fetched, what could not be used.

        Raises:
            UsageError: the engine is not installed.
        """
        require_installed(chosen=True)

    def ensure(self, report: Report) -> Path:
        """The path of the model's file, after fetching it where it has to be."""
        return ensure_present(self._model, self._locks, report)
