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
# Up to the backquote that ends it: what is quoted in it, a text of the user's, is left alone.
_COMMAND = re.compile(
    rf"(^|`|&& )gptasst ((?:{'|'.join(USING_A_PROFILE)})\b"
    r"""(?:(?:'[^']*'|"[^"]*"|[^'"`])*`)?)"""
)


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
    option = f"gptasst --profile {shlex.quote(profile)} "
    return _COMMAND.sub(lambda found: found[1] + option + found[2], text)
