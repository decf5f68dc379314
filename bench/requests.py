"""How many requests commands send, and what they are billed: `python -m bench.requests`.

A project has so many vector stores of other programs, with a file in each. A loopback server plays
OpenAI, and two machines share the project. The bill is of a prompt cache as OpenAI's, in prices of
an input token.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.measuring import output_of
from tests.loopback import LoopbackServer
from tests.loopback.prompt_cache import bill
from tests.loopback.world import Attachment, Store, StoredFile

_LINE = "This is text number {}.\n"
_LONG = "Write plainly, and keep every name as it is. " * 240


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.requests", description=__doc__)
    parser.add_argument("--stores", type=int, default=2000, help="of other programs")
    parser.add_argument("--files", type=int, default=200, help="that --each runs over")
    asked = parser.parse_args()
    with LoopbackServer() as server, tempfile.TemporaryDirectory() as directory:
        bench = Bench(server, Path(directory))
        bench.requests(asked.stores)
        bench.bills(asked.files)


class Bench:
    """Commands in processes of their own."""

    def __init__(self, server: LoopbackServer, work: Path) -> None:
        self._server = server
        self._work = work
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GPTASST_", "OPENAI_"))}
        self._environ = kept | {
            "OPENAI_BASE_URL": server.base_url,
            "OPENAI_API_KEY": "sk-bench",
            "GPTASST_MODEL": "gpt-6-luna",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }

    def _run(self, machine: str, words: str, **environ: str) -> str:
        home = {"GPTASST_HOME": str(self._work / machine)}
        command = ["-m", "gptasst", *words.split()]
        return output_of(command, self._work, self._environ | home | environ)

    def requests(self, stores: int) -> None:
        sys.stdout.write(f"{f'among {stores:,} stores of others':42} requests\n")
        self._add_stores(stores)
        rows = [
            ("one", "assistant create A -i DocWriter", "the first create"),
            ("one", "assistant create B -i DocWriter", "another"),
            ("two", "run MarkdownLinter -t x", "the first run of a machine"),
            ("two", "run MarkdownLinter -t x", "a run of an instruction"),
            ("two", "run A -t x", "a run of an assistant"),
            ("one", "assistant create C -i DocWriter", "a third create"),
            ("two", "run C -t x", "a run of what a colleague made"),
            ("two", "assistant list", "assistant list"),
            ("two", "assistant list --all-stores", "assistant list --all-stores"),
            ("two", "assistant create D -i DocWriter -f d.md", "a create with knowledge"),
            ("two", "doctor", "doctor"),
            ("two", "file prune -n", "file prune"),
            ("two", "file list", "the first file list of a machine"),
            ("two", "file list", "file list"),
            ("two", "file show d.md", "file show"),
            ("two", "assistant delete D -y", "assistant delete"),
            ("two", "batch list", "batch list"),
        ]
        (self._work / "d.md").write_text("Something to know.\n")
        for machine, words, title in rows:
            self._server.requests.clear()
            self._run(machine, words)
            sys.stdout.write(f"{title:42} {len(self._server.requests):8,}\n")

    def _add_stores(self, count: int) -> None:
        for number in range(count):
            about: dict[str, Any] = {
                "id": f"vs_{number:032x}",
                "object": "vector_store",
                "created_at": int(time.time()) - count + number,
                "name": f"theirs {number}",
                "metadata": {},
                "last_active_at": 0,
            }
            file = StoredFile(self._file(number), b"x")
            held = Attachment(file, about["id"], {}, about["created_at"], attached=0.0)
            self._server.files[file.about["id"]] = file
            self._server.stores[about["id"]] = Store(about, {file.about["id"]: held})

    def _file(self, number: int) -> dict[str, Any]:
        return {
            "id": f"file-{number:032x}",
            "object": "file",
            "bytes": 1,
            "created_at": int(time.time()),
            "filename": f"theirs {number}.md",
            "purpose": "assistants",
        }

    def bills(self, files: int) -> None:
        (self._work / "in").mkdir()
        for number in range(files):
            (self._work / f"in/{number}.md").write_text(_LINE.format(number) * 200)
        sys.stdout.write(f"\n{f'--each over {files:,} files':42} {'off':>10} {'explicit':>10}\n")
        for title, told in (("short instructions", "Write plainly."), ("long ones", _LONG)):
            definition = f'name = "Own"\ninstructions = "{told}"\n'
            (self._work / "own.toml").write_text(definition)
            billed = [self._bill(mode) for mode in ("off", "explicit")]
            sys.stdout.write(f"{title:42} {billed[0]:10,.0f} {billed[1]:10,.0f}\n")

    def _bill(self, mode: str) -> float:
        self._server.prompt_cache.clear()
        words = "run own.toml --each -f in -o out --force --json"
        ran = self._run("one", words, GPTASST_PROMPT_CACHE=mode, GPTASST_STORE="local")
        summary = json.loads(ran)["summary"]
        keys = ("input_tokens", "cached_tokens", "written_tokens")
        return bill(*(summary[key] for key in keys))


if __name__ == "__main__":
    main()
