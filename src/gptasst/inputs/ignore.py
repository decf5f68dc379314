"""Files that git ignores: `.gitignore`, `.git/info/exclude`, and the user's own file.

The rules are those of gitignore(5). Matching takes time proportional to the lengths of rule and
path, because regular expressions made from `*a*a*a*b` would take hours on hostile names. In git
`?` matches one byte, so paths are bytes here, too, each as a Latin-1 character.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.inputs.reading import read_regular
from gptasst.values import dataclass

_MOST_BYTES = 131_072  # bytes of one file of rules
_MOST_RULES = 5_000
_DEEP = re.compile("")  # represents `**`
_NEVER = re.compile(r"(?!)")
_NAMED_CLASS = re.compile(r"\[:([a-z]*):\]")
_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": r"\x21-\x7e", "lower": "a-z", "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~", "space": r"\s", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Rule:
    leaves_out: bool
    only_directories: bool
    anywhere: bool
    segments: tuple[re.Pattern[str], ...]

    def fits(self, parts: Sequence[str], *, is_dir: bool) -> bool:
        if self.only_directories and not is_dir:
            return False
        if self.anywhere:
            segment = self.segments[0]
            return segment is _DEEP or segment.fullmatch(parts[-1]) is not None
        return _fits(self.segments, parts)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for a place in a tree: pairs of a directory and its rules, outermost first.

    Rules of nearer directories have precedence, as in git.
    """

    levels: tuple[tuple[Path, tuple[_Rule, ...]], ...] = ()

    def within(self, directory: Path) -> Rules:
        """These rules and those of a directory's own `.gitignore`.

        Raises:
            InvalidInput: it can't be used.
        """
        own = _rules_of(directory / ".gitignore")
        return Rules((*self.levels, (directory.absolute(), own))) if own else self

    def leave_out(self, path: Path, *, is_dir: bool) -> bool:
        """Whether the nearest rule that matches a path ignores it."""
        absolute = path.absolute()
        for base, rules in reversed(self.levels):
            parts = [os.fsencode(p).decode("latin-1") for p in absolute.relative_to(base).parts]
            for rule in reversed(rules):
                if rule.fits(parts, is_dir=is_dir):
                    return rule.leaves_out
        return False


def fits_patterns(patterns: Sequence[str], path: str) -> bool:
    """Whether a path with `/` separators matches patterns; the last that matches decides.

    Each pattern is a line of `.gitignore`; files in a matching directory match, too.
    """
    parts = [os.fsencode(part).decode("latin-1") for part in path.split("/")]
    for pattern in reversed(patterns):
        rule = _parsed(os.fsencode(pattern).decode("latin-1"))
        depths = range(1, len(parts) + 1)
        if rule and any(rule.fits(parts[:n], is_dir=n < len(parts)) for n in depths):
            return rule.leaves_out
    return False


def rules_above(root: Path) -> Rules:
    """The rules of a directory's repository, from its top to the directory's parent."""
    levels: list[tuple[Path, tuple[_Rule, ...]]] = []
    here = root.absolute()
    for parent in (here, *here.parents):
        if parent != here:
            levels.insert(0, (parent, _rules_of(parent / ".gitignore")))
        if os.path.lexists(parent / ".git"):
            further = filter(None, (_users_own(), _exclude(parent / ".git")))
            own = [_rules_of(path, required=False) for path in further]
            return Rules(
                tuple((base, r) for base, r in [*((parent, o) for o in own), *levels] if r)
            )
    return Rules()


def _rules_of(path: Path, *, required: bool = True) -> tuple[_Rule, ...]:
    try:
        content = read_regular(path, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ()
    except OSError as error:
        if not required:  # like git: with `sudo -u`, they belong to another user
            return ()
        raise InvalidInput(
            f"`{path}` can't be read: {error.strerror}",
            hint="it lists ignored files; name files one by one to do without it",
        ) from None
    lines = content.removeprefix(codecs.BOM_UTF8).decode("latin-1").split("\n")
    rules = tuple(filter(None, map(_parsed, lines)))
    if len(rules) > _MOST_RULES:
        raise InvalidInput(
            f"`{path}` has more than {_MOST_RULES:,} rules", hint="name files one by one"
        )
    return rules


def _parsed(line: str) -> _Rule | None:
    text = re.sub(r"(?<!\\)[ ]+$", "", line.removesuffix("\r"))
    if not text or text.startswith("#"):
        return None
    leaves_out = not text.startswith("!")
    text = text if leaves_out else text[1:]
    only_directories = text.endswith("/")
    text = text.removesuffix("/")
    anywhere = "/" not in text
    segments = text.removeprefix("/").split("/")
    if not any(segments):
        return None
    made = (_DEEP if segment == "**" else _segment(segment) for segment in segments)
    return _Rule(leaves_out, only_directories, anywhere, tuple(made))


def _fits(segments: Sequence[re.Pattern[str]], parts: Sequence[str]) -> bool:
    """Whether a path matches; `**` matches any number of directories, the fewest possible."""
    at, here, again, mark = 0, 0, -1, 0
    while here < len(parts):
        if at < len(segments) and segments[at] is _DEEP:
            if at == len(segments) - 1:
                return True
            again, mark = at, here
            at += 1
        elif at < len(segments) and segments[at].fullmatch(parts[here]):
            at, here = at + 1, here + 1
        elif again >= 0:
            mark += 1
            at, here = again + 1, mark
        else:
            return False
    return at == len(segments)


def _segment(text: str) -> re.Pattern[str]:
    """The regular expression for a part between slashes. An invalid one matches nothing.

    After each `*` except the last, only the shortest match is tried: `(?>…)`.
    """
    pieces, at = [""], 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == "*":
            pieces.append("")
            continue
        if character == "?":
            piece = "."
        elif character == "[":
            piece, at = _character_class(text, at)
        elif character == "\\":
            piece, at = re.escape(text[at : at + 1]), at + 1
        else:
            piece = re.escape(character)
        if not piece:
            return _NEVER
        pieces[-1] += piece
    first, *rest = pieces
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    last = f".*{rest[-1]}" if rest else ""
    try:
        return re.compile(first + middle + last, re.DOTALL | re.ASCII)
    except re.error:  # `[b-a]`
        return _NEVER


def _character_class(text: str, at: int) -> tuple[str, int]:
    """A character class after its `[`, and the position after it; empty if it is unclosed."""
    negated = text[at : at + 1] in ("!", "^") and at < len(text)
    at += negated
    made, before, begin = "", "", at
    while at < len(text) and (at == begin or text[at] != "]"):
        named = _NAMED_CLASS.match(text, at)
        if named:
            if named[1] not in _CLASSES:
                return "", at
            made, before, at = made + _CLASSES[named[1]], "", named.end()
        elif text[at] == "-" and before and text[at + 1 : at + 2] not in ("", "]"):
            last, at = _literal(text, at + 1)
            made += f"{re.escape(before)}-{re.escape(last)}" if before <= last else ""
            before = ""
        else:
            before, at = _literal(text, at)
            made += re.escape(before)
    return (f"[{'^' if negated else ''}{made}]", at + 1) if at < len(text) else ("", at)


def _literal(text: str, at: int) -> tuple[str, int]:
    """The character at a position, which a backslash may escape."""
    at += text[at] == "\\"
    return text[at : at + 1], at + 1


def common_directory(git: Path) -> Path | None:
    """Where a repository keeps what all its working trees share; in a linked one `.git` is a file.

    Args:
        git: the `.git` of a working tree. `None` is returned if it can't be read.
    """
    with contextlib.suppress(OSError):
        if git.is_file():
            pointer = read_regular(git, 4096).decode("utf-8", "replace").strip()
            git = git.parent / pointer.removeprefix("gitdir:").strip()
            common = git / "commondir"
            if common.is_file():
                git /= read_regular(common, 4096).decode("utf-8", "replace").strip()
        return git
    return None


def _exclude(git: Path) -> Path | None:
    """The `info/exclude` of a repository."""
    common = common_directory(git)
    return common / "info" / "exclude" if common else None


def _users_own() -> Path | None:
    """The user's file of rules: `core.excludesFile`, or git's default for it."""
    config = os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    named = _excludes_file(os.environ.get("HOME"), os.environ.get("GIT_CONFIG_GLOBAL"))
    return Path(named) if named else Path(config, "git", "ignore")


@functools.cache
def _excludes_file(*_: str | None) -> str | None:
    """`core.excludesFile` of the user's configuration, which git resolves."""
    import subprocess

    from gptasst.processes.programs import find_program, neutral_directory, neutral_environ

    git = find_program("git")
    if git is None:
        return None
    try:
        # Run elsewhere, so that git does not read the configuration of this repository.
        asked = subprocess.run(  # noqa: S603  # our own words
            [git, "config", "--type=path", "--get", "core.excludesFile"],
            cwd=neutral_directory(),
            env={n: v for n, v in neutral_environ(os.environ).items() if n != "GIT_DIR"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return os.fsdecode(asked.stdout).strip() or None
