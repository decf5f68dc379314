"""Commands and near names in messages, as people can type them.

Text marks each command with `cmd`, so that nothing has to search prose for commands. Whoever
prints the text adds the `--profile` of the call with `shown`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

# Commands that depend on the profile.
USING_A_PROFILE = (
    "run",
    "chat",
    "test",
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
# Unicode noncharacters, which no name or text contains.
_BEGIN, _END = "\ufdd0", "\ufdd1"
# Compiled when it is first used, like other patterns in modules that every command imports.
_COMMAND = f"{_BEGIN}([^{_END}]*){_END}"


def cmd(words: str) -> str:
    """Mark a command of gptasst in a message or hint.

    Args:
        words: what follows `gptasst`, quoted for a shell: `assistant show 'My Writer'`.
    """
    return f"{_BEGIN}{words}{_END}"


def commands_in(text: str) -> tuple[str, ...]:
    """The commands in a text, each as it is typed."""
    return tuple(f"gptasst {words}" for words in re.findall(_COMMAND, text))


def shown(text: str, profile: str | None, *, quote: str = "`") -> str:
    """Text with its commands written out.

    Args:
        text: text that may contain commands marked by `cmd`.
        profile: the `--profile` of the call, which is added to the commands; without it, the
            next call finds the same profile by itself.
        quote: goes before and after each command; empty for text that is pasted.
    """
    if _BEGIN not in text:
        return text
    return re.sub(_COMMAND, lambda found: f"{quote}{_with(profile, found[1])}{quote}", text)


def _with(profile: str | None, words: str) -> str:
    if not profile or not _uses_a_profile(words):
        return f"gptasst {words}"
    import shlex

    # It goes before the command's name, because `FILE...` or text may be at the end.
    return f"gptasst --profile {shlex.quote(profile)} {words}"


def _uses_a_profile(words: str) -> bool:
    return any(words == name or words.startswith(f"{name} ") for name in USING_A_PROFILE)


def nearest(word: str, names: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name that is most like a mistyped word, ignoring case."""
    import difflib

    known = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), known, n=1, cutoff=likeness)
    return known[near[0]] if near else None


def suggestion(name: object) -> str:
    """The hint that suggests an existing name."""
    return f"did you mean `{name}`?"


def did_you_mean(word: str, names: Iterable[str], otherwise: str) -> str:
    """A hint for an unknown name.

    Args:
        word: what was typed.
        names: the existing names.
        otherwise: the hint if no name is similar.
    """
    near = nearest(word, names)
    return suggestion(near) if near else otherwise


# Files that an installer leaves in the environment of a program.
_PIPX, _UV = "pipx_metadata.json", "uv-receipt.toml"


def install_command(extra: str) -> str:
    """The command that adds an extra to this installation."""
    if _has(_PIPX):
        return f"pipx install --force 'gptasst[{extra}]'"
    return f"{'uv tool' if _has(_UV) else 'pip'} install 'gptasst[{extra}]'"


def upgrade_command() -> str:
    """The command that updates this installation."""
    if _has(_PIPX):
        return "pipx upgrade gptasst"
    return "uv tool upgrade gptasst" if _has(_UV) else "pip install -U gptasst"


def _has(file: str) -> bool:
    return Path(sys.prefix, file).exists()
