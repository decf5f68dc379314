"""Where things are, for the program and for shell completion alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gptasst.storage.paths import user_directories, user_paths


@pytest.mark.parametrize("config", [None, "/etc/me", "relative", ""])
@pytest.mark.parametrize("data", [None, "/srv/me"])
def test_completion_looks_where_the_program_does(
    monkeypatch: pytest.MonkeyPatch, config: str | None, data: str | None
) -> None:
    for name, value in (("XDG_CONFIG_HOME", config), ("XDG_DATA_HOME", data)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("GPTASST_HOME")
    paths = user_paths(os.environ)
    assert user_directories(os.environ) == (str(paths.config), str(paths.data))


def test_one_root_for_everything(home: Path) -> None:
    paths = user_paths(os.environ)
    assert (paths.config, paths.data) == (home / "config", home / "data")
