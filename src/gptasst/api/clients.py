"""The HTTP client of an endpoint, and the SDK over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx2

from gptasst import __version__
from gptasst.api.http_client import LimitedClient
from gptasst.api.surroundings import bad_certificates, bad_proxy, certificates, no_socks
from gptasst.api.types import Endpoint

if TYPE_CHECKING:
    import openai

# The SDK requires a key; this placeholder is never sent.
_NO_KEY = "no key"
_OPENAI_HEADERS = {
    "OpenAI-Organization": "OPENAI_ORG_ID",
    "OpenAI-Project": "OPENAI_PROJECT_ID",
}


def base_url_of(endpoint: Endpoint) -> str:
    """The base URL without user, password and query, which are sent separately."""
    return _without_query(_without_login(endpoint.base_url)[0])[0].rstrip("/")


def make_http_client(endpoint: Endpoint) -> LimitedClient:
    """An HTTP client that sends the key and headers of this endpoint only.

    Raises:
        UsageError: a proxy or certificates can't be used.
    """
    url, login = _without_login(endpoint.base_url)
    base_url, query = _without_query(url)
    headers = _headers(endpoint)
    hooks = [send_in_blocks]
    if login is None and "Authorization" not in headers:
        hooks.append(_drop_key)
    try:
        return LimitedClient(
            base_url,
            endpoint.on_moved,
            headers=headers,
            params=query,
            verify=certificates(base_url),
            trust_env=not endpoint.embedded,  # never through a proxy to the embedded model
            event_hooks={"request": hooks},
            auth=login,
            follow_redirects=False,  # requests only go to the server that was named
        )
    except ImportError:
        raise no_socks() from None
    except OSError as error:  # includes OpenSSL's own errors
        raise bad_certificates(error) from error
    except (ValueError, httpx2.InvalidURL):
        raise bad_proxy() from None  # the message may contain the password


def make_sdk(endpoint: Endpoint, http: LimitedClient, timeout: httpx2.Timeout) -> openai.OpenAI:
    """The SDK on top of an HTTP client that adds the key and the query, and retries."""
    import openai

    own = _headers(endpoint)
    # `OPENAI_*` variables are meant for OpenAI; copies of a client would read them again.
    names = ("OpenAI-Organization", "OpenAI-Project", *(name for name, _ in _custom_headers()))
    omitted = {name: openai.Omit() for name in names if name not in own}
    return openai.OpenAI(
        base_url=base_url_of(endpoint),
        api_key=_NO_KEY,
        admin_api_key="",
        default_headers={**omitted, **own},  # type: ignore[dict-item]  # as the SDK's own are
        timeout=timeout,
        max_retries=0,
        http_client=http,
    )


def _headers(endpoint: Endpoint) -> httpx2.Headers:
    """The headers of each request, including the key; the endpoint's own headers win."""
    headers = httpx2.Headers({"Accept": "application/json", "User-Agent": f"gptasst/{__version__}"})
    if endpoint.api_key:
        headers["Authorization"] = f"Bearer {endpoint.api_key}"
    if endpoint.openai_environment:
        for name, variable in _OPENAI_HEADERS.items():
            if os.environ.get(variable):
                headers[name] = os.environ[variable]
        headers.update(dict(_custom_headers()))
    headers.update(endpoint.headers)
    return headers


def _custom_headers() -> Iterator[tuple[str, str]]:
    """The headers in `OPENAI_CUSTOM_HEADERS`, one per line, parsed like the SDK does."""
    for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            yield name.strip(), value.strip()


def _without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """Split a URL into one without user and password, for errors and logs, and the two."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    if not userinfo:
        return url, None
    user, _, password = userinfo.partition(":")
    return parts._replace(netloc=host).geturl(), (unquote(user), unquote(password))


def _without_query(url: str) -> tuple[str, list[tuple[str, str | int | float | bool | None]]]:
    """Split a URL and its query, which is sent with each request (Azure's `api-version`)."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    return parts._replace(query="", fragment="").geturl(), list(query)


def _drop_key(request: Any) -> None:
    request.headers.pop("Authorization", None)


_BLOCK = 256 * 1024


def send_in_blocks(request: httpx2.Request) -> None:
    """Send a multipart form in large blocks, instead of one write for each small piece.

    With many small files in many threads, these writes are most of the cost of an upload.
    """
    stream = request.stream
    is_form = request.headers.get("Content-Type", "").startswith("multipart/")
    if is_form and isinstance(stream, httpx2.SyncByteStream):
        request.stream = _Blocks(stream)


class _Blocks(httpx2.SyncByteStream):
    """The bytes of a stream, joined until they fill a block."""

    def __init__(self, pieces: httpx2.SyncByteStream) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        block = bytearray()
        for piece in self._pieces:
            block += piece
            if len(block) >= _BLOCK:
                yield bytes(block)
                block.clear()
        if block:
            yield bytes(block)

    def close(self) -> None:
        self._pieces.close()
