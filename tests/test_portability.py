"""Nothing in the package needs Linux: what only some systems have is asked for, never required."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from pathlib import Path

import pytest

from gptasst.cli.chat.prompts import typing_ahead

SOURCES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))
# The standard library's modules that Windows, or all but Windows, do without.
NOT_EVERYWHERE = {
    "curses", "fcntl", "grp", "msvcrt", "posix", "pty", "pwd", "readline", "resource", "syslog",
    "termios", "tty", "winreg",
}  # fmt: skip
# What `os`, `signal` and `socket` lack on Windows.
NOT_ON_WINDOWS = {
    "fork", "forkpty", "getuid", "geteuid", "getgid", "getpgid", "killpg", "setsid", "setpgid",
    "chown", "fchmod", "fchown", "mkfifo", "mknod", "openpty", "statvfs", "sched_getaffinity",
    "sysconf", "uname", "wait3", "wait4", "pread", "pwrite", "posix_fadvise", "sendfile",
    "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY", "O_SYNC", "O_TMPFILE",
    "SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGTSTP", "SIGUSR1", "SIGWINCH",
    "alarm", "pause", "setitimer", "AF_UNIX",
}  # fmt: skip
_MODULES = ("os", "signal", "socket")


def needed(tree: ast.AST) -> set[str]:
    """Names that a module can't do without, of those that are not everywhere."""
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try | ast.If) and _asks_first(node)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & NOT_EVERYWHERE
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} & NOT_EVERYWHERE
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in _MODULES:
            found |= {node.attr} & NOT_ON_WINDOWS
    return found


def _asks_first(node: ast.Try | ast.If) -> bool:
    """Whether what is in the body is known to be there, or may be missing."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "sys.platform != 'win32'"
    caught = [ast.unparse(handler.type) for handler in node.handlers if handler.type]
    return any("ImportError" in names for names in caught)


def test_nothing_is_needed_that_only_some_systems_have() -> None:
    found = {source.name: needed(ast.parse(source.read_text("utf-8"))) for source in SOURCES}
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import fcntl",
        "def f():\n    from termios import ECHO",
        "try:\n    import pwd\nexcept OSError:\n    pass",
        "try:\n    pass\nexcept ImportError:\n    import pwd",
        "import os\nos.killpg(1, 2)",
        "import sys\nif sys.platform == 'linux':\n    import fcntl",
    ],
)
def test_what_is_needed_is_seen(code: str) -> None:
    assert needed(ast.parse(code))


@pytest.mark.skipif(os.name == "nt", reason="looks for what Windows lacks where it is there")
def test_the_names_are_real() -> None:
    """A misspelt name would hold nothing."""
    for name in NOT_ON_WINDOWS:
        assert any(hasattr(importlib.import_module(m), name) for m in _MODULES), name


def test_no_terminal_is_needed_to_wait_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where there is no `termios`."""
    monkeypatch.setitem(sys.modules, "termios", None)
    with typing_ahead():
        pass
