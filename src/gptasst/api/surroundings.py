"""Proxies and trusted certificates, as the environment sets them, and what is wrong with them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gptasst.api.types import Endpoint
from gptasst.config.urls import shown_url
from gptasst.errors import AccessDenied, UsageError
from gptasst.hints import install_command

if TYPE_CHECKING:
    import ssl

_KINDS = ("http", "https", "all")
_SCHEMES = ("http", "https", "socks5", "socks5h")
_CERTIFICATES_IN = {
    "SSL_CERT_FILE": "a file of certificates, in PEM",
    "SSL_CERT_DIR": "a directory of certificates",
}
# Where systems keep them, for a Python that was built for another system.
_CERTIFICATE_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def may_have_proxy(base_url: str) -> bool:
    """Whether a proxy may be in force. macOS and Windows also keep one in their settings."""
    if sys.platform in ("darwin", "win32"):
        import urllib.request

        return bool(set(urllib.request.getproxies()) - {"no"})
    kinds = (base_url.partition(":")[0].lower(), "all")
    variables = {f"{kind}_proxy" for kind in kinds}
    return any(value and name.lower() in variables for name, value in os.environ.items())


def proxy_between(endpoint: Endpoint) -> str | None:
    """The environment variable that sets the proxy used for a server, with its value."""
    import urllib.request

    scheme, _, rest = endpoint.base_url.partition("://")
    host = rest.split("/")[0].rpartition("@")[2]
    proxies = urllib.request.getproxies()
    if endpoint.embedded or urllib.request.proxy_bypass(host):
        return None
    for kind in (scheme, "all"):
        if kind in proxies:
            names = (f"{kind}_proxy", f"{kind}_proxy".upper())
            variable = next((name for name in names if os.environ.get(name)), names[1])
            return f"{variable} (`{shown_url(proxies[kind])}`)"
    return None


def proxy_variable(endpoint: Endpoint) -> str | None:
    """The name of the variable that sets the proxy used for a server."""
    between = proxy_between(endpoint)
    return between.partition(" ")[0] if between else None


def _set_proxies() -> dict[str, str]:
    """The proxies that are set, by their variables."""
    names = [name for kind in _KINDS for name in (f"{kind}_proxy", f"{kind}_proxy".upper())]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def login_wanted(said: str, endpoint: Endpoint) -> AccessDenied:
    """The error for a proxy that wants a user and password."""
    between = proxy_between(endpoint) or "a proxy"
    return AccessDenied(
        f"the proxy in front of {endpoint.name} wants a login{said}",
        hint=f"{between} is in use: `http://USER:PASSWORD@HOST:PORT` has its login",
        code="bad_proxy",
    )


def no_socks() -> UsageError:
    """The error for a SOCKS proxy, naming the variable that sets it."""
    found = _set_proxies().items()
    named = next(((name, url) for name, url in found if url.startswith("socks")), None)
    said = f"{named[0]} is `{shown_url(named[1])}`" if named else "a variable is set"
    return UsageError(
        f"{said}, a SOCKS proxy, and support for those is not installed",
        hint=f"{install_command('socks')} installs it",
        code="bad_proxy",
        variable=named[0] if named else None,
    )


def bad_proxy() -> UsageError:
    """The error for a proxy that is none, naming the variable that sets it."""
    known = "it begins with http://, https://, socks5:// or socks5h://"
    for name, url in _set_proxies().items():
        if not _is_proxy(url):
            return UsageError(
                f"{name} is `{shown_url(url)}`, which is not the URL of a proxy",
                hint=f"{known}; without {name}, no proxy is used",
                code="bad_proxy",
                variable=name,
            )
    return UsageError(
        "a proxy variable does not hold the URL of a proxy",
        hint=f"check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; {known}",
        code="bad_proxy",
    )


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.hostname) and " " not in url


def tls_context() -> ssl.SSLContext:
    """A context that trusts what httpx2 trusts by default. Making it takes longer than a request.

    Raises:
        UsageError: the certificates can't be read.
    """
    try:
        context = _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    except OSError as error:  # includes OpenSSL's own errors
        raise _bad_certificates(error) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _context(file: str | None, directory: str | None) -> ssl.SSLContext:
    import ssl

    if file:
        return ssl.create_default_context(cafile=file)
    if directory:
        # OpenSSL would continue without any trusted certificate.
        directories = directory.split(os.pathsep)
        if not any(map(os.path.exists, directories)):
            raise FileNotFoundError
        if not any(map(os.path.isdir, directories)):
            raise NotADirectoryError("it is no directory")
        return ssl.create_default_context(capath=directory)
    if sys.platform in ("darwin", "win32"):
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if not context.cert_store_stats()["x509"]:
        found = next(filter(os.path.isfile, _CERTIFICATE_FILES), None)
        if found:
            context.load_verify_locations(found)
    return context


def _bad_certificates(error: OSError) -> UsageError:
    """The error for unreadable certificates, naming the variable that sets them."""
    named = {name: os.environ[name] for name in _CERTIFICATES_IN if os.environ.get(name)}
    missing = [
        name for name, paths in named.items()
        if not any(map(os.path.exists, paths.split(os.pathsep)))
    ]  # fmt: skip
    variable = next(iter(missing or named), None)
    if variable is None:
        return UsageError(f"certificates can't be read: {error}")
    problem = "which is not there" if missing else f"which can't be used: {error.strerror or error}"
    return UsageError(
        f"{variable} is `{named[variable]}`, {problem}",
        hint=f"{variable} names {_CERTIFICATES_IN[variable]}; unset it to use the default ones",
        code="bad_value",
        variable=variable,
    )
