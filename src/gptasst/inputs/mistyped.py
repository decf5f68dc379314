"""What a word was meant to be where no file has that name."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.hints import cmd, suggestion

_TYPOGRAPHIC = "“”„«»\u2018\u2019\u201a"
# A file name with more blanks would not be typed without quotes.
_MOST_PARTS = 8


def name_left_out(word: str) -> str | None:
    """The hint for a file where the name of an assistant or instruction belongs."""
    if not os.path.exists(word):
        return None
    return f"the name comes before the files: {cmd(f'run NAME {shlex.quote(word)}')}"


def meant_by(words: Sequence[str], number: int) -> InvalidInput | None:
    """The error for a word that is no file, if it is a known typing error.

    Args:
        words: all words that should be files.
        number: which of them is none.
    """
    word = words[number]
    if re.match(r"[a-z]+://", word):
        shown = re.sub(r"//[^/]*@", "//", word)  # without a password
        return InvalidInput(
            f"`{shown}` is a URL, and inputs are files",
            hint="download it first, for example with `curl -sSfLO`",
            code="no_such_file",
        )
    meant = next(_alternatives(words, number), None)
    hint = None if meant is None else suggestion(shlex.join(meant))
    if hint is None and set(word) & set(_TYPOGRAPHIC):
        hint = "the shell knows only the quotes \" and '"
    if hint is None:
        return None
    return InvalidInput(f"no such file: `{word}`", hint=hint, code="no_such_file")


def _alternatives(words: Sequence[str], number: int) -> Iterator[list[str]]:
    """Existing files that may have been meant."""
    word = words[number]
    for end in range(number + 2, min(number + _MOST_PARTS, len(words)) + 1):
        joined = " ".join(words[number:end])  # a name with blanks, without quotes
        if os.path.exists(joined):
            yield [joined]
    parts = [part.strip() for part in word.split(",")]
    for some in (
        parts if len(parts) > 1 and all(parts) else [],
        [word.strip(_TYPOGRAPHIC)],
        [_below_home(word)],
        [word.replace("\\", "/")],
    ):
        if some and some != [word] and all(map(os.path.exists, some)):
            yield some


def _below_home(word: str) -> str:
    """The file that is meant by `~`, which the shell leaves alone in quotes."""
    try:
        return str(Path(word).expanduser())
    except RuntimeError:  # no home directory, or no such user
        return word
