"""The mark in the name of an upload: a hash of its content, and the machine that sent it.

Files on the server have no metadata except their name, and equal names and sizes don't prove equal
content. So `guide.md` is uploaded as `guide.gptasst-CONTENT-MACHINE.md`: CONTENT is 128 bits of
the sha256 in base32, MACHINE a random number that each machine chooses once. The type stays last.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from gptasst.storage.atomic_files import replace_private
from gptasst.values import dataclass

_MARK = r"\.gptasst-([a-z2-7]{26})-([0-9a-f]{6})(?=\.[^./]*\Z|\Z)"
_MACHINE = r"[0-9a-f]{6}"
_LONGEST = 255  # characters of a name, the limit of file systems
# Prefix of a content that is only known by its mark.
CONTENT_MARK = "mark:"


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of an upload; compare `content` with `content_mark`."""

    content: str
    machine: str


def content_mark(sha256: str) -> str:
    """The form of a sha256 in names; a mark is returned unchanged."""
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
    """The mark in a file name on the server; `None` if gptasst did not make the file."""
    found = re.search(_MARK, filename)
    return Mark(CONTENT_MARK + found[1], found[2]) if found else None


def shown_name(filename: str) -> str:
    """A name without its mark."""
    return re.sub(_MARK, "", filename)


def machine_mark(file: Path) -> str:
    """The random number of the machine, chosen at the first call.

    If it can't be stored, each process has its own; later its uploads count as another machine's.
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
        return file.read_text("ascii").strip()  # another process may have written it since
    except (OSError, ValueError):
        return chosen
