"""What edits cost, and what the embedded model corrects: `python -m bench.edits`.

First, aligning and checking an answer for a Markdown text of 1 MB in which one paragraph in a
hundred, in twenty and in four is corrected, in seconds of one processor (at most 0.2 is wanted).
Then, for each text in `bench/messy`, what `gptasst run MarkdownLinter` makes of it on the embedded
model: mistakes corrected, mistakes changed but still wrong, changes where there was no mistake, and
seconds, of the clock and of processors. The model is fetched first, if it is not there. In these
texts a mistake is written `{wrong|right|also right}`.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gptasst.edits.blocks import forget_sections, parse
from gptasst.edits.difference import opcodes
from gptasst.edits.document import EditedText

_ROOT = Path(__file__).parents[1]
_MISTAKE = re.compile(r"\{([^{}|]+)\|([^{}]+)\}")
_WORD = re.compile(r"[\w'’]+|\s+|.", re.DOTALL)  # noqa: RUF001  # both apostrophes are in use
_LOWER = re.compile(r"(?<![^ ])[a-z]{4,}(?![^ ,])")
_BYTES = 1_000_000


@dataclass(frozen=True)
class Mistake:
    """Where a mistake is in a text, and what would be right."""

    start: int
    end: int
    right: tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-model", action="store_true", help="only aligning and checking")
    given = parser.parse_args()
    for each in (100, 20, 4):
        seconds = min(overhead(each) for _ in range(given.rounds))
        print(
            f"edits: aligning and checking 1 MB, one paragraph in {each} corrected: {seconds:.2f} s"
        )
    if given.no_model:
        return
    for path in sorted((_ROOT / "bench/messy").glob("*.md")):
        text, mistakes = read_marked(path.read_text("utf-8"))
        result, seconds, computing = _linted(text)
        corrected, wrong, needless = compared(text, mistakes, result)
        print(
            f"{path.stem}: {corrected} of {len(mistakes)} corrected, {wrong} wrongly changed,"
            f" {needless} needless, {seconds:.1f} s ({computing:.1f} s of processors)"
        )


def overhead(each: int = 20) -> float:
    """Seconds of computing to take over an answer for a text of 1 MB.

    Args:
        each: one paragraph of so many has a mistake, which is corrected.
    """
    pages = [path.read_text("utf-8") for path in sorted((_ROOT / "docs").rglob("*.md"))]
    once = "\n\n".join(pages)
    copies = [_as_other(once, number) for number in range(_BYTES // len(once) + 1)]
    text = "\n\n".join(copies)[:_BYTES]
    damaged = _damaged(text, each)
    forget_sections()
    started = time.process_time()
    edited = EditedText(damaged)
    edited.propose(text)
    edited.result()
    return time.process_time() - started


def _as_other(text: str, number: int) -> str:
    """A text with its own first words of lines, as few blocks of a document are the same."""
    return re.sub(r"^(\W*[a-zA-Z]+)", rf"\g<1>{chr(97 + number)}", text, flags=re.MULTILINE)


def _damaged(text: str, each: int) -> str:
    """A text with two letters swapped in one block of so many."""
    pieces, place = [], 0
    blocks = [block for block in parse(text).blocks if block.fields and block.kind == "paragraph"]
    for block in blocks[::each]:
        span = block.fields[0][0]
        word = _LOWER.search(text, span.start, span.end)
        if word:
            start = word.start() + 1
            pieces += [text[place:start], text[start + 1], text[start]]
            place = start + 2
    return "".join([*pieces, text[place:]])


def read_marked(marked: str) -> tuple[str, list[Mistake]]:
    """A text as it is given to the model, and its mistakes."""
    pieces: list[str] = []
    mistakes: list[Mistake] = []
    length = place = 0
    for match in _MISTAKE.finditer(marked):
        before = marked[place : match.start()]
        start = length + len(before)
        pieces += [before, match[1]]
        length = start + len(match[1])
        mistakes.append(Mistake(start, length, tuple(match[2].split("|"))))
        place = match.end()
    return "".join([*pieces, marked[place:]]), mistakes


def compared(text: str, mistakes: list[Mistake], result: str) -> tuple[int, int, int]:
    """Mistakes that are corrected, those that are still wrong but changed, and other changes."""
    changes = list(_changes(text, result))
    corrected = wrong = 0
    for mistake in mistakes:
        touching = [c for c in changes if c[0] < mistake.end and c[1] > mistake.start]
        if touching:
            start = min(mistake.start, *(c[0] for c in touching))
            end = max(mistake.end, *(c[1] for c in touching))
            became = _applied(text, start, end, touching)
            before, after = text[start : mistake.start], text[mistake.end : end]
            good = any(became == before + right + after for right in mistake.right)
            corrected, wrong = corrected + good, wrong + (not good)
    needless = sum(
        not any(start < m.end and end > m.start for m in mistakes) for start, end, _ in changes
    )
    return corrected, wrong, needless


def _changes(text: str, result: str) -> list[tuple[int, int, str]]:
    old, new = _WORD.findall(text), _WORD.findall(result)
    places = [0]
    for word in old:
        places.append(places[-1] + len(word))
    found = []
    for tag, i1, i2, j1, j2 in opcodes(old, new):
        if tag == "replace" and i2 - i1 == j2 - j1:
            pairs = zip(range(i1, i2), new[j1:j2], strict=True)
            found += [(places[i], places[i + 1], word) for i, word in pairs if old[i] != word]
        elif tag != "equal":
            found.append((places[i1], places[i2], "".join(new[j1:j2])))
    return found


def _applied(text: str, start: int, end: int, changes: list[tuple[int, int, str]]) -> str:
    pieces, place = [], start
    for begin, stop, word in sorted(changes):
        pieces += [text[place:begin], word]
        place = stop
    return "".join([*pieces, text[place:end]])


def _linted(text: str) -> tuple[str, float, float]:
    """What comes of a text, in how many seconds, and in how many of one processor."""
    command = [sys.executable, "-m", "gptasst", "--profile", "local"]
    subprocess.run([*command, "local", "setup", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "messy.md")
        path.write_text(text, "utf-8")
        before, started = _children(), time.perf_counter()
        ran = subprocess.run(
            [*command, "run", "MarkdownLinter", str(path)],
            check=True,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
        return ran.stdout.decode("utf-8"), seconds, _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
