"""Commands and near names in messages, as people can type them.

A text for people holds a command in a form of its own (`cmd`), so that nothing has to be
looked for among its words: whoever shows the text adds the `--profile` of the call (`shown`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

# Those for which it makes a difference which profile is in force.
USING_A_PROFILE = (
    "run",
    "chat",
    "assistant",
    "apply",
    "file",
    "conversation",
    "batch",
    "model",
    "auth",
    "doctor",
    "cache",
    "config show",
)
# Unicode's noncharacters: no name and no text that people write has them.
_BEGIN, _END = "\ufdd0", "\ufdd1"
# `re` compiles it, and the others of modules that every command imports, when it is first used.
_COMMAND = f"{_BEGIN}([^{_END}]*){_END}"


def cmd(words: str) -> str:
    """A command of gptasst for a message or hint.

    Args:
        words: what follows `gptasst`, as a shell takes it: `assistant show 'My Writer'`.
    """
    return f"{_BEGIN}{words}{_END}"


def commands_in(text: str) -> tuple[str, ...]:
    """The commands that a text holds, each as it is typed."""
    return tuple(f"gptasst {words}" for words in re.findall(_COMMAND, text))


def shown(text: str, profile: str | None, *, quote: str = "`") -> str:
    """A text as people read it.

    Args:
        text: what may hold commands made by `cmd`.
        profile: the `--profile` of the call, which the commands then carry; without it, the
            next call finds the same profile by itself.
        quote: what stands before and behind a command; nothing where the text is to be pasted.
    """
    if _BEGIN not in text:
        return text
    return re.sub(_COMMAND, lambda found: f"{quote}{_with(profile, found[1])}{quote}", text)


def _with(profile: str | None, words: str) -> str:
    if not profile or not _uses_a_profile(words):
        return f"gptasst {words}"
    import shlex

    # Before the command's name it is in nobody's way: `FILE...` and a text may stand at the end.
    return f"gptasst --profile {shlex.quote(profile)} {words}"


def _uses_a_profile(words: str) -> bool:
    return any(words == name or words.startswith(f"{name} ") for name in USING_A_PROFILE)


def nearest(word: str, names: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name that a mistyped word may have been meant for, whatever its case."""
    import difflib

    known = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=likeness)
    return known[near[0]] if near else None


def suggestion(name: object) -> str:
    """The hint that a name which is there may have been meant."""
    return f"did you mean `{name}`?"


def did_you_mean(word: str, names: Iterable[str], otherwise: str) -> str:
    """A hint for a name that is not there.

    Args:
        word: what was typed.
        names: what there is.
        otherwise: the hint where no name is near.
    """
    near = nearest(word, names)
    return suggestion(near) if near else otherwise


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
