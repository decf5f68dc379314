"""Search for untrusted regular expressions with a time limit, in a separate process.

Some patterns take years (`(a+)+$`), and Python can't interrupt a search.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from gptasst.errors import GptasstError

_SECONDS = 5.0  # seconds for the patterns of one case
# Without repetition, the time of a search is proportional to the text.
_REPEATS = re.compile(r"[*+?{]")
_PROGRAM = """
import json, re, sys
asked = json.load(sys.stdin)
for pattern in asked["patterns"]:
    print(int(re.search(pattern, asked["text"], re.MULTILINE) is not None), flush=True)
"""


class PatternTooSlow(GptasstError):
    """A search took too long."""

    exit_code = 2
    code = "bad_pattern"


def found_in(patterns: Sequence[str], text: str) -> list[bool]:
    """The patterns found in a text; `^` and `$` match at line ends.

    Raises:
        PatternTooSlow: one takes too long.
    """
    slow = [pattern for pattern in patterns if _REPEATS.search(pattern)]
    found = dict(zip(slow, _found_apart(slow, text), strict=True)) if slow else {}
    return [
        found[each] if each in found else re.search(each, text, re.MULTILINE) is not None
        for each in patterns
    ]


def _found_apart(patterns: Sequence[str], text: str) -> list[bool]:
    asked = json.dumps({"patterns": list(patterns), "text": text})
    # Don't import from the user's directories (-I).
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM]
    try:
        ran = subprocess.run(  # noqa: S603  # our own program
            command, input=asked.encode(), capture_output=True, timeout=_SECONDS, check=False
        )
        said, failure = ran.stdout, ran.stderr.decode("utf-8", "replace").strip()
    except subprocess.TimeoutExpired as error:
        said, failure = error.stdout or b"", "longer"
    answers = [line == b"1" for line in said.split()]
    if len(answers) < len(patterns):
        pattern = patterns[len(answers)]
        raise PatternTooSlow(
            f"the pattern `{pattern}` "
            + (f"took longer than {_SECONDS:g} s" if failure == "longer" else f"failed: {failure}"),
            hint="avoid repetitions inside of repetitions, such as `(a+)+`",
        )
    return answers
