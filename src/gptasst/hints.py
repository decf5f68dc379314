"""The commands that people are told of: typed as they stand, they do what was said of them."""

from __future__ import annotations

import re

# Those for which it makes a difference which profile is in force.
USING_A_PROFILE = (
    "run",
    "chat",
    "assistant",
    "file",
    "conversation",
    "batch",
    "model",
    "auth",
    "doctor",
    "cache",
    "config show",
)
_USING = re.compile(rf"(?:{'|'.join(USING_A_PROFILE)})\b")
# The whole command: what is quoted in it, a text of the user's, is none.
_COMMAND = re.compile(r"""(^|`|&& )gptasst ((?:'[^']*'|"[^"]*"|[^'"`&])*)""")


def for_profile(text: str, profile: str | None) -> str:
    """A text whose commands carry the `--profile` of the call that they come from.

    Args:
        text: a command, or words with commands between backquotes.
        profile: what `--profile` was; without it, the next call finds the same profile by itself.
    """
    if not profile:
        return text
    import shlex

    # Before the command's name it is in nobody's way: `FILE...` and a text may stand at the end.
    option = f"--profile {shlex.quote(profile)} "

    def carrying(found: re.Match[str]) -> str:
        start, words = found.groups()
        return f"{start}gptasst {option if _USING.match(words) else ''}{words}"

    return _COMMAND.sub(carrying, text)
