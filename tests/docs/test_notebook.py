"""The notebook of the examples runs from its first cell to its last, and leaves nothing behind."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import shutil
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tests.docs.pages import ROOT
from tests.docs.test_tutorial import corrected
from tests.loopback import LoopbackServer

NOTEBOOK = ROOT / "examples/notebook.ipynb"


def cells() -> list[str]:
    document = json.loads(NOTEBOOK.read_text("utf-8"))
    assert document["nbformat"] == 4
    return ["".join(c["source"]) for c in document["cells"] if c["cell_type"] == "code"]


async def run(cell: str, names: dict[str, Any]) -> Any:
    """What a notebook shows of a cell: the value of its last line, which may await."""
    body = ast.parse(cell).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    await _ran(compile(ast.Module(body, []), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if not isinstance(last, ast.Expr):
        return None
    whole = ast.Expression(last.value)
    return await _ran(compile(whole, "cell", "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)


async def _ran(code: CodeType, names: dict[str, Any]) -> Any:
    found = eval(code, names)
    return await found if inspect.iscoroutine(found) else found


def test_each_cell_runs(project: LoopbackServer, capsys: pytest.CaptureFixture[str]) -> None:
    project.answer = corrected
    shutil.copytree(ROOT / "examples", "examples")
    before = sorted(path.name for path in Path("examples").iterdir())
    os.chdir("examples")
    names: dict[str, Any] = {}

    async def all_cells() -> list[Any]:
        return [await run(cell, names) for cell in cells()]

    values = asyncio.run(all_cells())
    shown = capsys.readouterr().out
    assert values[0][0] == "openai"
    assert ("NotebookWriter", ["style-guide.md"]) in values
    assert "+If the instalation was succesful, you will see the version" in shown
    assert "style-guide.md: " in shown
    assert project.stores == {}
    assert sorted(path.name for path in Path().iterdir()) == before


def test_it_was_saved_without_results() -> None:
    document = json.loads(NOTEBOOK.read_text("utf-8"))
    for cell in document["cells"]:
        assert cell["id"]
        assert not cell.get("outputs")
