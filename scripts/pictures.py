#!/usr/bin/env python3
"""Draw docs/pictures/terminal.svg: a real session of gptasst on a terminal.

The model is played by the server of the tests, which gives the answers that stand below. Run it
after changing what these commands print; a test compares the text.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.loopback import LoopbackServer  # noqa: E402

PICTURE = ROOT / "docs" / "pictures" / "terminal.svg"
COLUMNS = 92
SESSION = (
    "gptasst run MarkdownLinter examples/messy-guide.md --each --diff",
    "gptasst assistant create DocWriter-1 -i DocWriter -f examples/style-guide.md",
    "gptasst run DocWriter-1 -f examples/billing.py -o billing.md",
    "gptasst assistant list",
)
CORRECTIONS = {
    "Geting": "Getting",
    "show you": "shows you",
    "instal the": "install the",
    "makes you're": "make your",
    "dont": "doesn't",
    "then five minute": "than five minutes",
    "you needs": "you need",
}
DOCUMENTED = """\
# billing

Turns the hours that were worked in a month into invoices, one for each customer.

| function | what it does |
| --- | --- |
| `invoices(month)` | yields an invoice for each customer with hours in that month |
| `total(invoice)` | the sum of an invoice in euros, rounded to cents |

An hour that has no customer raises `ValueError`.
"""
_CONTROL = re.compile(r"\x1b\[(?P<code>[?0-9;]*)(?P<letter>[A-Za-z])")
# As rich has it, without the fonts from another server.
_SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<title>gptasst on a terminal</title>
<style>
.{unique_id}-matrix {{
    font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
    font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def answer(body: dict[str, Any]) -> str:
    """What the model answers: the corrected guide, or documentation of the module."""
    text: str = body["input"][-1]["content"][-1]["text"]
    if "billing.py" in text:
        return DOCUMENTED
    for wrong, right in CORRECTIONS.items():
        text = text.replace(wrong, right)
    return text


def session() -> str:
    """The screen after all commands, with the colours as ANSI sequences."""
    with tempfile.TemporaryDirectory() as directory, LoopbackServer() as server:
        server.answer = answer
        shutil.copytree(ROOT / "examples", Path(directory, "examples"))
        shown = []
        for command in SESSION:
            written = on_terminal(command.split(), Path(directory), server.base_url)
            shown.append(f"\x1b[1;32m$\x1b[0m \x1b[1m{command}\x1b[0m\n{screen(written)}")
        return "\n".join(shown)


def on_terminal(words: list[str], directory: Path, base_url: str) -> str:
    """What a command writes to a terminal.

    Raises:
        SystemExit: the command failed.
    """
    environ = {
        "HOME": str(directory),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
        "GPTASST_HOME": str(directory / ".gptasst"),
        "GPTASST_BASE_URL": base_url,
        "GPTASST_API_KEY": "sk-picture",
        "GPTASST_MODEL": "gpt-6-luna",
    }
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(directory)
        os.execve(sys.executable, [sys.executable, "-P", "-m", "gptasst", *words[1:]], environ)
    written = b""
    while True:
        try:
            block = os.read(terminal, 65536)
        except OSError:  # Linux: the command has ended
            break
        if not block:
            break
        written += block
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    text = written.decode()
    if status:
        raise SystemExit(f"{' '.join(words)} failed:\n{text}")
    return text


def screen(written: str) -> str:
    """What stays on the screen once progress has been drawn and removed."""
    lines = [""]
    row = at = 0
    while at < len(written):
        control = _CONTROL.match(written, at)
        if control:
            at = control.end()
            if control["letter"] == "A":
                row = max(0, row - int(control["code"] or 1))
            elif control["letter"] == "K":
                lines[row] = ""
            elif control["letter"] == "m":
                lines[row] += control[0]
            continue
        character = written[at]
        at += 1
        if character == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif character != "\r":
            lines[row] += character
    return "\n".join(line.rstrip() for line in lines).rstrip("\n") + "\n"


def plain(shown: str) -> str:
    """The text of a screen without its colours."""
    return Text.from_ansi(shown).plain


def drawn(shown: str) -> str:
    """A screen as an SVG document."""
    console = Console(
        width=COLUMNS, file=io.StringIO(), record=True, force_terminal=True, highlight=False
    )
    console.print(Text.from_ansi(shown), end="")
    svg = console.export_svg(title="gptasst", code_format=_SVG, unique_id="gptasst")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(session()), "utf-8")
