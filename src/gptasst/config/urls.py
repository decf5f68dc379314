"""Base URLs: their normal form, their secrets, and what may be sent to them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit

from gptasst.errors import AccessDenied

_SENSITIVE = r"(?i)(authorization|cookie|key|token|secret|password)$"


def shown_url(url: str) -> str:
    """A base URL without its possible secrets: user, password, query.

    The URL of a proxy may have no scheme, or be none at all.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    if "://" not in url:
        return url.partition("?")[0].rpartition("@")[2]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def listed_url(url: str) -> str:
    """The same with the names in its query, for lists of settings: none was lost."""
    names = [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)]
    return shown_url(url) + ("?" + "&".join(f"{name}=…" for name in names) if names else "")


def kept_url(url: str) -> str:
    """A base URL in the form that is stored in files: without password and query."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=user.partition(":")[0] + at + host, query="").geturl()


def api_url(url: str) -> str:
    """A base URL in the form that API paths are appended to; accepts the URL of a request, too."""
    parts = urlsplit(url.strip())
    path = parts.path.rstrip("/")
    for ending in ("/responses", "/chat/completions"):
        path = path.removesuffix(ending).rstrip("/")
    return parts._replace(path=path).geturl()


def has_login(url: str) -> bool:
    """Whether a base URL has a user, and perhaps a password; they are sent in place of a key."""
    return "@" in urlsplit(url).netloc


def query_secrets(url: str) -> list[str]:
    """The values in a URL's query whose names are those of secrets."""
    found = parse_qsl(urlsplit(url).query)
    return [value for name, value in found if re.search(_SENSITIVE, name)]


def is_openai(base_url: str) -> bool:
    """Whether a base URL is OpenAI's own, including regional hosts."""
    host = urlsplit(base_url).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def is_openai_or_azure(base_url: str) -> bool:
    """Whether a base URL is OpenAI's or Azure's, which have everything that OpenAI documents."""
    host = urlsplit(base_url).hostname or ""
    return is_openai(base_url) or host.endswith(".openai.azure.com")


def is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a host name, such as 127.example.com
        return False


def is_private_channel(base_url: str) -> bool:
    return base_url.startswith("https:") or is_loopback(base_url)


def is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        return False
    if re.search(r"[\s\x00-\x1f\x7f]", url.strip()):
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def refuse_open_channel(
    base_url: str,
    key_source: str | None,
    headers: Mapping[str, str],
    secret_headers: Iterable[str] = (),
) -> None:
    """Raise if a secret would be sent over plain http to another machine.

    Args:
        base_url: the server.
        key_source: the source of the key, if one is sent.
        headers: all headers.
        secret_headers: headers that are secret, regardless of their names.
    """
    if is_private_channel(base_url):
        return
    named = (name for name in headers if re.search(_SENSITIVE, name))
    secret = next(iter([*secret_headers, *named]), None)
    if key_source:
        what, hint = f"the key in `{key_source}`", "or a profile without `api_key_env`"
    elif secret:
        what, hint = f"the header `{secret}`", "or a profile without that header"
    elif urlsplit(base_url).password:
        what, hint = "the password in the base URL", "or a base URL without one"
    elif query_secrets(base_url):
        what, hint = "the key in the base URL", "or a base URL without one"
    else:
        return
    raise AccessDenied(
        f"{what} would go to {shown_url(base_url)} unencrypted",
        hint=f"use https, {hint}",
        code="insecure_endpoint",
    )
