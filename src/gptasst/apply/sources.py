"""The identity of a directory of definitions, equal in all checkouts of a repository.

An assistant that `apply` made stores its source: `DIRECTORY//FILE`, where the directory is
`HOST/PATH/OF/REMOTE//PATH/IN/REPOSITORY` (`github.com/acme/docs//assistants//writer.toml`). It is
independent of the location of a checkout and of the protocol. Without a remote, it contains the
mark of this machine and the repository's path, and without a repository the directory's
(`machine-a1b2c3:~/docs//assistants//writer.toml`). Earlier versions left out the machine.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.inputs.ignore import common_directory
from gptasst.inputs.reading import read_regular
from gptasst.values import dataclass

_MOST_BYTES = 1_000_000  # bytes of a repository's configuration
_LONGEST = 512  # characters per metadata value on a server

_SECTION = re.compile(r'\s*\[\s*remote\s+"((?:[^"\\]|\\.)*)"\s*\]')
_ANY_SECTION = re.compile(r"\s*\[")
_URL = re.compile(r"\s*url\s*=\s*(.*?)\s*$", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCP = re.compile(r"(?:[^@/:]+@)?([^/:]{2,}):(?!//)(.*)")  # a single letter is a Windows drive


@dataclass(frozen=True, slots=True)
class SourceDirectory:
    """A directory of definitions: its local path, and its identity.

    `root` is the top of the repository that it lies in; `None`: it is in none. `former` is its
    identity in earlier versions, which equal paths on two machines shared; `None`: the same as now.
    """

    path: Path
    name: str
    root: Path | None
    former: str | None = None

    @property
    def bounds(self) -> Path:
        """The directory outside of which nothing is sent unasked.

        That is the repository; else the working directory, if it contains the definitions. A
        repository or working directory that contains the user's whole home counts for nothing.
        """
        own, home = Path(os.path.realpath(self.path)), Path(os.path.realpath(Path.home()))
        here = self.root or Path(os.path.realpath("."))
        return here if own.is_relative_to(here) and not home.is_relative_to(here) else own

    def source(self, file: str) -> str:
        """The source of an assistant from a file of this directory.

        Raises:
            InvalidInput: it is too long to be kept, or holds what is no text.
        """
        source = f"{self.name}//{file}"
        if not source.isprintable():
            raise InvalidInput(f"the path `{self.path / file}` has characters that can't be kept")
        if len(source) > _LONGEST:
            raise InvalidInput(
                f"the path of `{self.path / file}` is too long: with the name of its repository it"
                f" has {len(source)} characters, and {_LONGEST} can be kept"
            )
        return source

    def holds(self, source: str) -> bool:
        """Whether an assistant comes from this directory."""
        return _is_below(self.name, source)

    def may_hold(self, source: str) -> bool:
        """Whether an earlier version wrote it, for this path on this machine or another one."""
        return self.former is not None and _is_below(self.former, source)

    def current(self, source: str) -> str:
        """A source as it is written now."""
        return (
            self.name + source[len(self.former) :]
            if self.former and self.may_hold(source)
            else source
        )


def _is_below(name: str, source: str) -> bool:
    return source.startswith(f"{name}//") and "//" not in source[len(name) + 2 :]


def source_directory(path: Path, machine: Callable[[], str]) -> SourceDirectory:
    """The identity of a directory; `machine` returns the mark of this machine."""
    real = Path(os.path.realpath(path))
    root = _top(real)
    if root is None:
        former, ending = _of_home(real), ""
    else:
        inside = real.relative_to(root).as_posix()
        ending = f"//{inside}"
        remote = _remote_name(root)
        if remote is not None:
            return SourceDirectory(path, remote + ending, root)
        former = _repository_path(root)
    return SourceDirectory(path, f"{_here(machine)}{former}{ending}", root, former + ending)


def _here(machine: Callable[[], str]) -> str:
    return f"machine-{machine()}:"


def file_of_source(source: str, here: Path, machine: Callable[[], str]) -> Path | None:
    """The file of an assistant's source, if it is in the repository of a directory.

    Args:
        source: the source of the assistant.
        here: a directory, such as the working directory.
        machine: returns the mark of this machine.
    """
    if source.startswith("machine-"):
        source = source.removeprefix(_here(machine))
    directory, _, file = source.rpartition("//")
    if not directory or file in ("", ".", "..") or "/" in file or "\\" in file:
        return None
    root = _top(Path(os.path.realpath(here)))
    repository, _, inside = directory.rpartition("//")
    if not repository:
        found = _from_home(directory) / file
    elif root is not None and (_remote_name(root) or _repository_path(root)) == repository:
        found = root / inside / file
        if not Path(os.path.realpath(found)).is_relative_to(root):
            return None
    else:
        return None
    return found if found.is_file() else None


def _top(directory: Path) -> Path | None:
    """The top of a directory's repository."""
    for parent in (directory, *directory.parents):
        if os.path.lexists(parent / ".git"):
            return parent
    return None


def _remote_name(root: Path) -> str | None:
    common = _common(root)
    url = _remote_url(common) if common else None
    return _of_url(url, root) if url else None


def _repository_path(root: Path) -> str:
    # Linked working trees share the identity of the main one.
    common = _common(root)
    return _of_home(common.parent if common and common.name == ".git" else root)


def _common(root: Path) -> Path | None:
    shared = common_directory(root / ".git")
    return Path(os.path.realpath(shared)) if shared else None


def _remote_url(git: Path) -> str | None:
    """The URL of `origin`, else that of the only remote."""
    try:
        text = read_regular(git / "config", _MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    urls: dict[str, str] = {}
    remote: str | None = None
    for line in text.splitlines():
        section = _SECTION.match(line)
        if section or _ANY_SECTION.match(line):
            remote = section[1] if section else None
        elif remote is not None and (found := _URL.match(line)):
            urls.setdefault(remote, found[1].strip('"'))
    if "origin" in urls:
        return urls["origin"]
    return next(iter(urls.values())) if len(urls) == 1 else None


def _of_url(url: str, root: Path) -> str | None:
    """Host and path of a remote, for all protocols, without user and password.

    A local remote, which may be relative to `root`, is its path.
    """
    scheme = _SCHEME.match(url)
    short = _SCP.fullmatch(url)
    if scheme and scheme[0].lower() != "file://":
        host, _, path = url[scheme.end() :].partition("/")
        host = re.sub(r":\d*$", "", host.rpartition("@")[2])
    elif short and not scheme:
        host, path = short[1], short[2]
    else:
        here = os.path.realpath(root / (url[scheme.end() :] if scheme else url))
        named = _of_home(Path(here)).removesuffix("/.git").removesuffix(".git")
        return named if named.isprintable() else None
    parts = [part for part in re.split(r"[/\\]+", path.partition("?")[0]) if part not in ("", ".")]
    if not parts:
        return None
    parts[-1] = parts[-1].removesuffix(".git") or parts[-1]
    named = "/".join((host.lower(), *parts))
    return named if named.isprintable() else None


def _of_home(path: Path) -> str:
    """A local path, relative to the home directory if it is below."""
    with contextlib.suppress(RuntimeError, ValueError):
        return f"~/{path.relative_to(os.path.realpath(Path.home())).as_posix()}"
    return path.as_posix()


def _from_home(path: str) -> Path:
    with contextlib.suppress(RuntimeError):
        return Path(path).expanduser() if path.startswith("~/") else Path(path)
    return Path(path)
