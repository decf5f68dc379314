"""No key, password or secret header in what people read."""

from __future__ import annotations

import base64
import os
import re
import urllib.request
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from gptasst.api.types import Endpoint

_MASK = "[key]"
# Servers that want no key are given words such as `x`, which are no secret.
_SHORTEST_SECRET = 8
# httpx quotes a header that it does not send, in a form of its own.
_QUOTED_HEADER = re.compile(r"(Illegal header (?:name|value)) .*", re.DOTALL)


def masked(text: str, endpoint: Endpoint) -> str:
    """A text without the key, the values of further headers, and passwords of URLs."""
    for secret in _secrets(endpoint):
        text = text.replace(secret, _MASK)
    return _QUOTED_HEADER.sub(r"\1", text)


def mask_error(error: BaseException, endpoint: Endpoint) -> None:
    """Mask what an exception says, and those that it came from: tracebacks show them all."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.args = tuple(masked(a, endpoint) if isinstance(a, str) else a for a in one.args)
        message = getattr(one, "message", None)
        if isinstance(message, str):
            one.message = masked(message, endpoint)  # type: ignore[attr-defined]  # it is there
        waiting += [one.__cause__, one.__context__]


def _secrets(endpoint: Endpoint) -> list[str]:
    """What may not be said, the longest first, as one may be part of another."""
    found = {secret for secret in _all_secrets(endpoint) if len(secret) >= _SHORTEST_SECRET}
    passwords = {secret for url in _urls(endpoint) for secret in _passwords(url)}
    return sorted(found | passwords, key=len, reverse=True)


def _all_secrets(endpoint: Endpoint) -> Iterator[str]:
    yield endpoint.api_key or ""
    values = list(endpoint.headers.values())
    if endpoint.openai_environment:
        lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
        values += [line.partition(":")[2].strip() for line in lines]
    for value in values:
        yield value
        yield value.rpartition(" ")[2]  # without `Bearer`


def _urls(endpoint: Endpoint) -> list[str]:
    return [endpoint.base_url, *urllib.request.getproxies().values()]


def _passwords(url: str) -> Iterator[str]:
    """The user and password of a URL as they may be quoted; short ones only together."""
    userinfo = urlsplit(url).netloc.rpartition("@")[0]
    user, colon, password = userinfo.partition(":")
    if not colon or not password:
        return
    yield userinfo + "@"
    yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    for quoted in (password, unquote(password)):
        if len(quoted) >= _SHORTEST_SECRET:
            yield quoted
