"""llama.cpp's HTTP server on this machine, for as long as this process needs it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from gptasst.api.types import Endpoint
from gptasst.config.settings import LocalModelSettings
from gptasst.embedded.waiting import waited_for
from gptasst.errors import AccessDenied, InvalidInput, ServiceError, UsageError
from gptasst.hints import cmd, install_command
from gptasst.processes.programs import neutral_directory, neutral_environ

_NO_PYTHON = "the embedded model runs in a Python of its own, and this program has none to start"
# Headers may hold a key as well.
_SECRET = re.compile(
    "KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|AUTH|HEADERS|COOKIE|WEBHOOK|_PAT$", re.IGNORECASE
)
_PASSWORD_IN_URL = re.compile(r"://[^/\s]*@")


def _install_hint() -> str:
    return f"{install_command('local')} installs it; --profile NAME means a server"


def _first_hint() -> str:
    install = install_command("local")
    return f"{cmd('auth login')} keeps a key of OpenAI's; without an account: {install}"


def is_installed() -> bool:
    """Whether the extra `local` is there. Does not load it."""
    return importlib.util.find_spec("xllamacpp") is not None


def require_installed(*, chosen: bool) -> None:
    """Refuse, with what to do, where the engine is missing.

    Args:
        chosen: somebody chose the embedded model; else it is used for want of a key.

    Raises:
        UsageError: it was chosen.
        AccessDenied: it was not, so what is missing is a key.
    """
    if not is_installed():
        missing = "the embedded model's engine is not installed"
        if not chosen:
            raise AccessDenied(f"no key is set, and {missing}", hint=_first_hint(), code="no_key")
        raise UsageError(missing, hint=_install_hint(), code="no_local_engine")


class EmbeddedEngine:
    """A GGUF model behind `/v1/responses` on a free loopback port.

    llama.cpp has a process of its own, which ends with this one: it keeps Python from doing
    anything else while it loads, and a model that it can't bear does not take this process along.
    Only this process knows the key, so that other programs on the machine can't use it.
    """

    def __init__(
        self, model: Path, settings: LocalModelSettings, *, embeddings: bool = False
    ) -> None:
        if not sys.executable:  # Python as a part of another program
            raise ServiceError(_NO_PYTHON, code="no_python")
        self._key = secrets.token_hex(16)
        self._model = model
        # What lies in the working directory is no module of ours (-P), and no part of llama.cpp,
        # which looks for its libraries there, too.
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
            "threads": settings.threads,
            "key": self._key,
            "embeddings": embeddings,
        }
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it ended at once: that shows when it is asked
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()

    def endpoint(self) -> Endpoint:
        """Where the model is served, as soon as it is loaded.

        Raises:
            InvalidInput: llama.cpp can't load the file.
            ServiceError: llama.cpp itself can't be loaded, or the command's time is over before.
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
                hint=f"is it a GGUF file that is whole? {cmd('local status')} shows it",
                code="bad_model_file",
            )
        return Endpoint(
            base_url=f"{answer['address']}/v1",
            name="the embedded model",
            api_key=self._key,
            context_window=answer["context"],
            embedded=True,
        )

    def close(self) -> None:
        """Stop the server and free the model."""
        self._process.kill()
        self._process.communicate()


def _answer(line: bytes) -> dict[str, Any]:
    if not line:
        return {"refused": "it crashed"}
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError:  # `sys.executable` is a program that has Python in it
        raise ServiceError(_NO_PYTHON, code="no_python") from None
    return answer


def _environ() -> dict[str, str]:
    """The environment without what looks like a secret, which llama.cpp has no use for."""
    kept = {
        name: value
        for name, value in neutral_environ(os.environ).items()
        if not _SECRET.search(name) and not _PASSWORD_IN_URL.search(value)
    }
    # libgomp: idle threads spin otherwise, and answers on few cores take several times as long.
    return {"OMP_WAIT_POLICY": "passive", **kept}
