"""The certificates that are trusted: the system's, or those that a variable names."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from gptasst.errors import UsageError

if TYPE_CHECKING:
    import ssl

_NAMED = {
    "SSL_CERT_FILE": "a file of certificates, in PEM",
    "SSL_CERT_DIR": "a directory of certificates",
}
# Where systems keep them, for a Python that was built for another system.
_ELSEWHERE = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


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
        found = next(filter(os.path.isfile, _ELSEWHERE), None)
        if found:
            context.load_verify_locations(found)
    return context


def _bad_certificates(error: OSError) -> UsageError:
    """The error for unreadable certificates, naming the variable that sets them."""
    named = {name: os.environ[name] for name in _NAMED if os.environ.get(name)}
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
        hint=f"{variable} names {_NAMED[variable]}; unset it to use the default ones",
        code="bad_value",
        variable=variable,
    )
