"""The package is the server that gptasst's own tests use, `tests/loopback`, without their tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_NOT_PART = ("test_*.py", "conftest.py", "driving.py")


class LoopbackFiles(BuildHookInterface[Any]):
    """Puts the files where the wheel and the sdist have them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        del version
        root = Path(self.root)
        unpacked = root / "src/openai_loopback"  # in an sdist
        source = unpacked if unpacked.is_dir() else root.parents[1] / "tests/loopback"
        place = "src/openai_loopback" if self.target_name == "sdist" else "openai_loopback"
        if self.target_name == "sdist" and source == unpacked:
            return
        for path in sorted(source.iterdir()):
            if path.is_file() and not any(path.match(pattern) for pattern in _NOT_PART):
                build_data["force_include"][str(path)] = f"{place}/{path.name}"
