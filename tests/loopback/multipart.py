"""multipart/form-data, taken apart by hand so that the bytes of a file stay as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from .wire import ApiError, Call

_PARAMETER = re.compile(r'(\w+\*?)=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))')


@dataclass(frozen=True)
class Part:
    """One field of a form."""

    name: str
    filename: str | None
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()


def form(call: Call) -> dict[str, Part]:
    """The fields of a form by name; of two with one name, the last."""
    match = re.search(r'boundary="?([^";]+)', call.record.headers.get("content-type", ""))
    if not match:
        raise ApiError(400, "A multipart/form-data body is expected.")
    delimiter = b"\r\n--" + match[1].encode()
    pieces = (b"\r\n" + call.body).split(delimiter)[1:-1]
    parts = [_part(piece) for piece in pieces]
    return {part.name: part for part in parts}


def _part(piece: bytes) -> Part:
    head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    disposition = next(
        (
            line
            for line in head.decode().split("\r\n")
            if line.lower().startswith("content-disposition:")
        ),
        "",
    )
    found = {key: quoted or plain for key, quoted, plain in _PARAMETER.findall(disposition)}
    return Part(found.get("name", ""), _filename(found), data)


def _filename(found: dict[str, str]) -> str | None:
    """RFC 5987's form comes first; quotes come escaped with % (HTML) or with a backslash."""
    if "filename*" in found:
        return unquote(found["filename*"].split("'", 2)[-1])
    name = found.get("filename")
    if name is None:
        return None
    return re.sub(r"\\(.)", r"\1", name).replace("%22", '"')
