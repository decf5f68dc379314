"""The HTTP clients of an endpoint, and the SDK over one of them."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from gptasst import __version__
from gptasst.api.attempts import Attempts
from gptasst.api.plain_client import PlainClient, merged
from gptasst.api.surroundings import bad_proxy, may_have_proxy, no_socks, tls_context
from gptasst.api.types import Endpoint

if TYPE_CHECKING:
    import ssl

    import httpx2
    import openai

    from gptasst.api.http_client import LimitedClient
    from gptasst.api.limits import Timeouts

# The SDK requires a key; this placeholder is never sent.
_NO_KEY = "no key"
_OPENAI_HEADERS = {
    "OpenAI-Organization": "OPENAI_ORG_ID",
    "OpenAI-Project": "OPENAI_PROJECT_ID",
}
# What needs no conversion: httpx2 reads the rest as browsers do, and refuses what can't be sent.
_PLAIN_URL = re.compile(
    r"https?://([\w.-]+|\[[\da-f:]+\])(:\d+)?(/[\w.~!$&'()*+,;=:@%/-]*)?", re.ASCII | re.IGNORECASE
)
_PLAIN_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+: [!-~]([ -~]*[!-~])?", re.ASCII)


def base_url_of(endpoint: Endpoint) -> str:
    """The base URL without user, password and query, which are sent separately."""
    return _without_query(_without_login(endpoint.base_url)[0])[0].rstrip("/")


def make_client(endpoint: Endpoint, attempts: Attempts) -> PlainClient | LimitedClient:
    """A client that sends the key and headers of this endpoint only.

    Requests through a proxy need httpx2; whatever else is unusual is left to it, too.

    Raises:
        UsageError: a proxy or certificates can't be used.
    """
    url, login = _without_login(endpoint.base_url)
    base_url, query = _without_query(url)
    headers = _headers(endpoint)
    if login is not None:
        basic = base64.b64encode(":".join(login).encode()).decode()
        headers = merged(headers, {"Authorization": f"Basic {basic}"})
    is_plain = _PLAIN_URL.fullmatch(base_url) and all(
        _PLAIN_HEADER.fullmatch(f"{name}: {value}") for name, value in headers.items()
    )
    if not is_plain or (not endpoint.embedded and may_have_proxy(base_url)):
        return make_http_client(endpoint, attempts)
    context = tls_context() if base_url.lower().startswith("https:") else None
    return PlainClient(base_url, headers, query, context, attempts)


def make_http_client(endpoint: Endpoint, attempts: Attempts) -> LimitedClient:
    """The same as a client of httpx2, for the SDK.

    Raises:
        UsageError: a proxy or certificates can't be used.
    """
    import httpx2

    from gptasst.api.http_client import LimitedClient, send_in_blocks

    url, login = _without_login(endpoint.base_url)
    base_url, query = _without_query(url)
    headers = _headers(endpoint)
    hooks = [send_in_blocks]
    if login is None and "authorization" not in map(str.lower, headers):
        hooks.append(_drop_key)
    try:
        return LimitedClient(
            attempts,
            headers=headers,
            params=query,
            verify=_trusted(base_url),
            trust_env=not endpoint.embedded,  # never through a proxy to the embedded model
            event_hooks={"request": hooks},
            auth=login,
            follow_redirects=False,  # requests only go to the server that was named
        )
    except ImportError:
        raise no_socks() from None
    except (ValueError, httpx2.InvalidURL):
        raise bad_proxy() from None  # the message may contain the password


def make_sdk(endpoint: Endpoint, http: LimitedClient, limits: Timeouts) -> openai.OpenAI:
    """The SDK on top of an HTTP client that adds the key and the query, and retries."""
    import openai

    own = _headers(endpoint)
    # `OPENAI_*` variables are meant for OpenAI; copies of a client would read them again.
    names = ("OpenAI-Organization", "OpenAI-Project", *(name for name, _ in _custom_headers()))
    omitted = {name: openai.Omit() for name in names if name.lower() not in map(str.lower, own)}
    return openai.OpenAI(
        base_url=base_url_of(endpoint),
        api_key=_NO_KEY,
        admin_api_key="",
        default_headers={**omitted, **own},  # type: ignore[dict-item]  # as the SDK's own are
        timeout=limits.for_sdk(),
        max_retries=0,
        http_client=http,
    )


def _headers(endpoint: Endpoint) -> dict[str, str]:
    """The headers of each request, including the key; the endpoint's own headers win."""
    named: dict[str, str] = {"Accept": "application/json", "User-Agent": f"gptasst/{__version__}"}
    if endpoint.api_key:
        named["Authorization"] = f"Bearer {endpoint.api_key}"
    if not endpoint.openai_environment:
        return merged(named, endpoint.headers)
    of_openai = {
        name: os.environ[variable]
        for name, variable in _OPENAI_HEADERS.items()
        if os.environ.get(variable)
    }
    return merged(named, of_openai, dict(_custom_headers()), endpoint.headers)


def _custom_headers() -> Iterator[tuple[str, str]]:
    """The headers in `OPENAI_CUSTOM_HEADERS`, one per line, parsed like the SDK does."""
    for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            yield name.strip(), value.strip()


def _trusted(base_url: str) -> ssl.SSLContext:
    """The context for TLS to a server and to proxies. For plain HTTP it trusts nothing."""
    import ssl
    import urllib.request

    urls = (base_url, *urllib.request.getproxies().values())
    if any(url.lower().startswith("https:") for url in urls):
        return tls_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _without_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """Split a URL into one without user and password, for errors and logs, and the two."""
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    if not userinfo:
        return url, None
    user, _, password = userinfo.partition(":")
    return parts._replace(netloc=host).geturl(), (unquote(user), unquote(password))


def _without_query(url: str) -> tuple[str, list[tuple[str, str]]]:
    """Split a URL and its query, which is sent with each request (Azure's `api-version`)."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    return parts._replace(query="", fragment="").geturl(), list(query)


def _drop_key(request: httpx2.Request) -> None:
    request.headers.pop("Authorization", None)
