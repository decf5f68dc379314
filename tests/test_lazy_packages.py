"""Packages whose modules are imported when they are asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loopback import LoopbackServer
from tests.test_startup import below, modules

_LAZY = "from gptasst.processes.lazy_packages import import_lazily\nimport_lazily('shapes')\n"
_NO_CUBE = "AttributeError: module 'shapes' has no attribute 'Cube'"


def run(code: str, directory: Path) -> str:
    """What a program prints that has `directory` among its modules, or the end of its error."""
    command = [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(directory)!r})\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout or done.stderr.splitlines()[-1]


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A package that gathers the names of two modules and of a package in it."""
    solid = tmp_path / "shapes" / "solid"
    solid.mkdir(parents=True)
    (solid.parent / "__init__.py").write_text(
        "from __future__ import annotations\n\n"
        "from .circle import Circle as Circle, area\nfrom .solid import Ball as Ball\n"
    )
    (solid.parent / "circle.py").write_text("class Circle: pass\ndef area(): return 3\n")
    (solid.parent / "square.py").write_text("SIDES = 4\n")
    (solid / "__init__.py").write_text("from .ball import Ball\n")
    (solid / "ball.py").write_text("from ..circle import Circle\nclass Ball(Circle): pass\n")
    return tmp_path


class TestNames:
    @pytest.mark.parametrize(
        ("code", "printed"),
        [
            ("import shapes\nprint(shapes.area())", "3\n"),
            ("from shapes import Circle, Ball\nprint(issubclass(Ball, Circle))", "True\n"),
            ("from shapes import *\nprint(Ball.__name__, area())", "Ball 3\n"),
            ("from shapes import square\nprint(square.SIDES)", "4\n"),
            ("import shapes.square\nprint(shapes.square.SIDES)", "4\n"),
            ("import shapes\nprint(shapes.Circle is shapes.circle.Circle)", "True\n"),
            ("import shapes\nprint(hasattr(shapes, 'Cube'))", "False\n"),
            ("import shapes\nshapes.Cube", _NO_CUBE),
        ],
    )  # fmt: skip
    def test_are_there(self, shapes: Path, code: str, printed: str) -> None:
        assert run(_LAZY + code, shapes) == printed
        assert run(code, shapes) == printed  # as without

    def test_only_what_is_asked_for_is_imported(self, shapes: Path) -> None:
        loaded = "print(sorted(m for m in sys.modules if m.startswith('shapes')))"
        assert run(f"{_LAZY}import shapes\n{loaded}", shapes) == "['shapes']\n"
        assert run(f"{_LAZY}from shapes import area\n{loaded}", shapes) == (
            "['shapes', 'shapes.circle']\n"
        )


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("from .circle import Circle\nprint('imported')\n", "Circle"),
        ("from .circle import Circle\nWIDTH = 3\n", "WIDTH"),
        ("from .circle import *\n", "area"),
        ("from .area import area\n", "area"),  # its module would be taken for it
        ("import json\n", "json"),
    ],
)
def test_a_package_that_does_more_is_imported_as_ever(
    shapes: Path, package: str, name: str
) -> None:
    (shapes / "shapes" / "__init__.py").write_text(package)
    (shapes / "shapes" / "area.py").write_text("def area(): return 3\n")
    code = f"import shapes\nprint({name!r} in vars(shapes))"
    assert run(_LAZY + code, shapes) == run(code, shapes)


def test_the_types_of_the_sdk_are_the_same(tmp_path: Path) -> None:
    code = """
import importlib, json, pkgutil, openai.types
found = {}
for module in [*pkgutil.walk_packages(openai.types.__path__, "openai.types.")]:
    module = importlib.import_module(module.name)
    names = getattr(module, "__all__", None) or vars(module)
    found[module.__name__] = sorted(
        f"{name}: {getattr(module, name).__module__}" for name in names
        if isinstance(getattr(module, name), type)
    )
print(json.dumps(found))
"""
    lazy = (
        "from gptasst.processes.lazy_packages import import_lazily\nimport_lazily('openai.types')\n"
    )
    found = json.loads(run(lazy + code, tmp_path))
    assert len(found) > 400
    assert found == json.loads(run(code, tmp_path))


@pytest.mark.parametrize(
    "words", [["run", "MarkdownLinter", "-t", "hello"], ["file", "list"]], ids=" ".join
)
def test_a_command_imports_few_of_them(server: LoopbackServer, words: list[str]) -> None:
    loaded = modules(*words)
    assert server.requests
    assert 0 < len(below(loaded, "openai.types")) < 100
    assert below(loaded, "openai.types.responses.response", "openai.types.beta") == []
