"""Shell completion, answered from tables and files before Typer is imported.

The shell calls `gptasst __complete SHELL WORD…` with the words after the program's name; the last
is the one at the cursor. The first line of the output is `words` or `files` (the shell adds its
own paths); each further line is a candidate, a tab, and its meaning.
"""

from __future__ import annotations

import sys

from gptasst.completion.candidates import complete, rest_of_word, shell_words


def answer(arguments: list[str]) -> None:
    """Print the candidates at the cursor. Never fails, never prints anything else."""
    try:
        shell, *given = arguments
        words = shell_words(shell, given)
        kind, found = complete(words[:-1], words[-1])
        lines = [kind] + [f"{rest_of_word(shell, given, name)}\t{help}" for name, help in found]
    except Exception:  # noqa: BLE001  # an error in the middle of a command line helps nobody
        lines = ["files"]
    try:
        # On Windows, output would not be UTF-8 with plain line ends by default.
        sys.stdout.buffer.write("".join(line + "\n" for line in lines).encode("utf-8", "replace"))
        sys.stdout.buffer.flush()
    except (OSError, AttributeError):  # the shell stopped reading
        sys.stdout = sys.stderr = None
