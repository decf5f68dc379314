"""Keys, headers and passwords, masked in what a server or an HTTP library says."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

from gptasst.api.types import Endpoint
from gptasst.config.urls import query_secrets

_MASK = "[key]"
# Servers without keys get placeholders such as `x`, which are not secret.
_SHORTEST_SECRET = 8
# httpx quotes an invalid header in its own form.
_QUOTED_HEADER = re.compile(r"(Illegal header (?:name|value)) .*", re.DOTALL)


def masked(text: str, endpoint: Endpoint) -> str:
    """Text with the key, header values and passwords in URLs masked."""
    for secret in _secrets(endpoint):
        text = text.replace(secret, _MASK)
    return _QUOTED_HEADER.sub(r"\1", text)


def mask_error(error: BaseException, endpoint: Endpoint) -> None:
    """Mask the message of an exception and of its causes, which tracebacks show."""
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
    """The secrets, longest first, because one may be part of another."""
    found = {secret for secret in _all_secrets(endpoint) if len(secret) >= _SHORTEST_SECRET}
    passwords = {secret for url in _urls(endpoint) for secret in _passwords(url)}
    return sorted(found | passwords, key=len, reverse=True)


def _all_secrets(endpoint: Endpoint) -> Iterator[str]:
    yield endpoint.api_key or ""
    values = [*endpoint.headers.values(), *query_secrets(endpoint.base_url)]
    if endpoint.openai_environment:
        lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
        values += [line.partition(":")[2].strip() for line in lines]
    for value in values:
        yield value
        yield value.rpartition(" ")[2]  # without `Bearer`


def _urls(endpoint: Endpoint) -> list[str]:
    import urllib.request

    return [endpoint.base_url, *urllib.request.getproxies().values()]


def _passwords(url: str) -> Iterator[str]:
    """The user and password of a URL in every quoted form; short ones only as a pair."""
    userinfo = url.partition("://")[2] or url  # proxies may have no scheme, or be no URL at all
    userinfo = re.split(r"[/?#]", userinfo)[0].rpartition("@")[0]
    user, colon, password = userinfo.partition(":")
    if not colon or not password:
        return
    yield userinfo + "@"
    yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    for quoted in (password, unquote(password)):
        if len(quoted) >= _SHORTEST_SECRET:
            yield quoted
