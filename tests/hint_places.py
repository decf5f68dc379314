"""Where the source has a command that is printed for people to type."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gptasst

SOURCE = Path(gptasst.__file__).parent
# Functions that make a printed command, and how one of a shell's begins.
_MAKERS = ("cmd", "install_command", "upgrade_command")
_SHELL = re.compile(r"(?:rm|mv|export|unset|mkdir|chmod) \S|python -P ")
_UNKNOWN = "{}"


@dataclass(frozen=True)
class Place:
    """One command in the source: `key` stays as it is when a module is moved or split."""

    key: str
    template: str
    file: Path
    lines: range

    @property
    def at(self) -> str:
        return f"{self.file.relative_to(SOURCE)}:{self.lines.start}"

    def makes(self, command: str) -> bool:
        """Whether a printed command can be of this place."""
        parts = map(re.escape, self.template.split(_UNKNOWN))
        return re.fullmatch(".*".join(parts), command, re.DOTALL) is not None


def places() -> Iterator[Place]:
    """All of them; the same command twice in one function is one place."""
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if file.name != "hints.py":
            yield from _places(tree, (), file)


def _places(node: ast.AST, within: tuple[str, ...], file: Path) -> Iterator[Place]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        within = (*within, node.name)
    elif isinstance(node, ast.Assign) and not within and isinstance(node.targets[0], ast.Name):
        within = (node.targets[0].id,)
    template = _template(node)
    if template is not None:
        assert isinstance(node, ast.expr)
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        key = f"{'.'.join(within)}: {template}"
        yield Place(key, template, file, lines)
        if isinstance(node, ast.Constant | ast.JoinedStr):
            return
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Expr) and isinstance(child, ast.Constant)):  # a docstring
            yield from _places(child, within, file)


def _template(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _MAKERS:
        if node.func.id == "cmd":
            return _text(node.args[0])
        return f"{node.func.id}({', '.join(map(_text, node.args))})"
    if isinstance(node, ast.Constant | ast.JoinedStr) and _SHELL.match(_text(node)):
        return _text(node).partition(" && ")[0].partition(", or ")[0].partition(" allows")[0]
    return None


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.IfExp):
        return _UNKNOWN
    return _UNKNOWN


if __name__ == "__main__":
    for place in places():
        print(f"{place.at:45} {place.key}")
