"""How this program was installed: hints name a command that reaches the same environment."""

from __future__ import annotations

import sys
from pathlib import Path

# What an installer leaves in the environment that it makes for one program.
_PIPX, _UV = "pipx_metadata.json", "uv-receipt.toml"


def install_command(extra: str) -> str:
    """What adds an extra to this installation."""
    if _has(_PIPX):
        return f"pipx install --force 'gptasst[{extra}]'"
    return f"{'uv tool' if _has(_UV) else 'pip'} install 'gptasst[{extra}]'"


def upgrade_command() -> str:
    """What brings this installation to the newest version."""
    if _has(_PIPX):
        return "pipx upgrade gptasst"
    return "uv tool upgrade gptasst" if _has(_UV) else "pip install -U gptasst"


def _has(file: str) -> bool:
    return Path(sys.prefix, file).exists()
