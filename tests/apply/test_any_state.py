"""Any directory and any store: after an apply they agree, and a second one writes nothing.

By default two short seeds run on each store. `GPTASST_RANDOM_SEEDS=50` runs fifty long ones;
`GPTASST_RANDOM_SEEDS=7,` runs the seed 7 alone.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.apply.code import apply, definition, settled
from tests.conftest import Cli, Write
from tests.faults.test_two_machines import ASKED, seeds
from tests.loopback import LoopbackServer

FILES = ("a", "b", "c", "d")
NAMES = ("A", "B", "C", "D", "E")
KNOWN = ("docs/1.md", "docs/2.md", "docs/3.md", "more.md")
ROUNDS = 40 if ASKED else 6


class Machine:
    """Somebody who changes files, and assistants by hand, at random."""

    def __init__(self, cli: Cli, write: Write, seed: int) -> None:
        self._cli, self._write, self._random = cli, write, random.Random(seed)
        write("docs/0.md", "always here\n")

    def change_files(self) -> None:
        for _ in range(self._random.randint(0, 4)):
            self._random.choice((self._write_one, self._remove_one, self._swap, self._knowledge))()
        names: dict[str, Path] = {}
        for path in sorted(Path("code").glob("*.toml")):
            first = path.read_text().splitlines()[0]
            if names.setdefault(first, path) is not path:
                path.unlink()
        self._write("code/z.toml", definition("Z"))

    def _write_one(self) -> None:
        lines = [f'model = "m{self._random.randint(1, 2)}"'] if self._random.random() < 0.7 else []
        words = {0: [], 1: ["knowledge = []"], 2: ['knowledge = ["../docs"]']}
        lines += words.get(self._random.randint(0, 3), ['knowledge = ["../docs/*.md", "../m*.md"]'])
        if any("m*" in line for line in lines):
            self._write("more.md", f"more {self._random.randint(1, 2)}\n")
        file, name = self._random.choice(FILES), self._random.choice(NAMES)
        self._write(f"code/{file}.toml", definition(name, *lines))

    def _remove_one(self) -> None:
        Path(f"code/{self._random.choice(FILES)}.toml").unlink(missing_ok=True)

    def _swap(self) -> None:
        one, other = (Path(f"code/{file}.toml") for file in self._random.sample(FILES, 2))
        if one.exists() and other.exists():
            texts = one.read_text(), other.read_text()
            other.write_text(texts[0])
            one.write_text(texts[1])
        elif one.exists():
            one.rename(other)

    def _knowledge(self) -> None:
        path = Path(self._random.choice(KNOWN[:3]))
        if path.exists():
            path.unlink()
        else:
            self._write(str(path), f"{path} {self._random.randint(1, 2)}\n")

    def change_assistants(self) -> None:
        for _ in range(self._random.randint(0, 3)):
            one, other = self._random.choice(NAMES), self._random.choice(NAMES)
            self._cli(
                *self._random.choice(
                    (
                        ("assistant", "create", one, "-i", "DocWriter", "-f", "docs"),
                        ("assistant", "edit", one, "-m", "m2"),
                        ("assistant", "edit", one, "--rename", other),
                        ("assistant", "delete", one, "-y"),
                        ("assistant", "files", "set", one, "docs/0.md"),
                        ("assistant", "rollback", one, "1", "-y"),
                    )
                )
            )


@pytest.mark.parametrize("seed", seeds())
def test_a_second_apply_writes_nothing(
    cli: Cli, server: LoopbackServer, write: Write, seed: int
) -> None:
    machine = Machine(cli, write, seed)
    for _ in range(ROUNDS):
        machine.change_files()
        machine.change_assistants()
        prune = ["--prune"] * (seed % 2)
        apply(cli, "code", *prune)
        for path in Path("code").glob("*.toml"):
            name = path.read_text().splitlines()[0].split('"')[1]
            assert cli("assistant", "show", name, "--json").json.get("differs", []) == []
        settled(cli, server, "code", *prune)
