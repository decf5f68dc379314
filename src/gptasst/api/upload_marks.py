"""The mark in the name of an upload: which content it is, and which machine sent it.

A file on the server has no room for metadata but its name, and names and sizes alone prove
nothing. So `guide.md` goes up as `guide.gptasst-CONTENT-MACHINE.md`: CONTENT are 128 bits of the
sha256 in base32, MACHINE is a random number that a machine chose once. The type stays at the end.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from gptasst.storage.atomic_files import replace_private
from gptasst.values import dataclass

_MARK = r"\.gptasst-([a-z2-7]{26})-([0-9a-f]{6})(?=\.[^./]*\Z|\Z)"
_MACHINE = r"[0-9a-f]{6}"
_LONGEST = 255  # characters of a name, as file systems have it
# Stands before a content of which no more is known than its mark.
CONTENT_MARK = "mark:"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a name says of its upload; `content` compares with `content_mark`."""

    content: str
    machine: str


def content_mark(sha256: str) -> str:
    """What stands for a content in names; one that is a mark already is given back."""
    if sha256.startswith(CONTENT_MARK):
        return sha256
    import base64

    digest = base64.b32encode(bytes.fromhex(sha256)[:16]).decode()
    return CONTENT_MARK + digest.rstrip("=").lower()


def marked_name(filename: str, sha256: str, machine: str) -> str:
    """The name under which a content is uploaded."""
    suffix = PurePosixPath(filename).suffix
    stem = filename.removesuffix(suffix)
    mark = f".gptasst-{content_mark(sha256).removeprefix(CONTENT_MARK)}-{machine}{suffix}"
    return stem[: max(_LONGEST - len(mark), 1)] + mark


def read_mark(filename: str) -> Mark | None:
    """The mark in a name on the server; `None`: the file is not known to be gptasst's."""
    found = re.search(_MARK, filename)
    return Mark(CONTENT_MARK + found[1], found[2]) if found else None


def shown_name(filename: str) -> str:
    """A name without its mark."""
    return re.sub(_MARK, "", filename)


def machine_mark(file: Path) -> str:
    """The number of this machine, chosen when it is first asked for.

    Where it can't be kept it is another one for each process: its uploads then count as those of
    another machine later.
    """
    try:
        kept = file.read_text("ascii").strip()
        if re.fullmatch(_MACHINE, kept):
            return kept
    except (OSError, ValueError):
        pass
    import secrets

    chosen = secrets.token_hex(3)
    try:
        replace_private(file, f"{chosen}\n".encode())
        return file.read_text("ascii").strip()  # another process may have been later
    except (OSError, ValueError):
        return chosen
