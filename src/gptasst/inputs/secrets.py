"""Which files and texts count as secret: the one rule for all that goes to a model or a server.

A file counts by its name, by the names that a link leads to, or by a private key at its
beginning. `Screening` applies it: it refuses what was named itself, and passes over what a
directory or a pattern yields.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from gptasst.errors import InvalidInput

# How much of a content is looked at, in bytes or characters.
LOOKED_AT = 65_536

_Rules = tuple[tuple[re.Pattern[str], str], ...]

# On file names in lower case.
_NAMES: _Rules = (
    (
        re.compile(r"(?s)\.env([^a-z0-9].*)?|.+\.env|\.envrc"),
        "files of environment variables hold passwords and keys",
    ),
    (
        re.compile(
            r"(?s)id_(rsa|dsa|ecdsa|ed25519|xmss)(_sk)?([^a-z0-9].*)?|ssh_host_.+_key"
            r"|.+\.(pem|key|p8|p12|pfx|pkcs12|ppk|pvk|jks|jceks|bcfks|keystore|keytab|agekey)"
        ),
        "it has the name of a private key",
    ),
    (
        re.compile(
            r"(?s).+\.(kdb|kdbx|psafe3|keyring|keychain|keychain-db)|secring\.gpg|wallet\.dat"
        ),
        "it has the name of a password store",
    ),
    (
        re.compile(
            r"(?s)credentials|\.?credentials\.(json|toml|ya?ml|ini|xml|csv|db|tfrc\.json)"
            r"|\.?secrets?\.(json|toml|ya?ml|ini|env|properties)"
            r"|application_default_credentials\.json|client_secrets?.*\.json"
            r"|service[-_]?account.*\.json|keys\.json"
            r"|\.netrc|_netrc|\.authinfo|\.pgpass|pgpass\.conf|\.my\.cnf|\.mylogin\.cnf"
            r"|\.npmrc|\.yarnrc\.yml|\.pypirc|\.git-credentials|\.htpasswd|\.htdigest"
            r"|\.dockercfg|\.s3cfg|\.boto|\.passwd-s3fs|\.vault-token|\.vault[-_]pass.*"
            r"|\.terraformrc|terraform\.rc|.+\.tfstate|rclone\.conf|kubeconfig|\.kubeconfig"
            r"|access_?tokens\.(json|db)|msal_token_cache\..+"
        ),
        "it has the name of a file of credentials",
    ),
)
# Names that say little, with the directory in which they are files of credentials.
_PLACES = {
    "config.json": ".docker",
    "config": ".kube",
    "auth.json": ".composer",
    "hosts.yml": "gh",
    "shadow": "etc",
    "gshadow": "etc",
}
# Halves of key pairs that everybody may know, and files that show what belongs into the real one.
_HARMLESS = re.compile(
    r"(?s).+\.(pub|example|sample|template|tmpl|dist)|(.*[^a-z0-9])?(example|sample|template)\.env"
)
_HEADER = re.compile(
    r"(?P<pem>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY)|PuTTY-User-Key-File-\d|AGE-SECRET-KEY-1"
)
# What stands below a header in documentation (`...`, `MII…`, `xxxx`) is no key.
_BODY = re.compile(r"[A-Za-z0-9+/]{32,}")
_BODY_WITHIN = 2_000  # characters: a few lines of other headers may come first
_FEWEST_DIFFERENT = 10
_MOST_LINKS = 40
# Linux makes this a link to the file; elsewhere nobody knows.
STDIN = Path("/dev/stdin")


def secret_name(path: Path) -> str | None:
    """Why a file counts as secret by its name, or by a name on the way a link leads, if it does."""
    return next(filter(None, map(_reason, _names(path))), None)


def _names(path: Path) -> Iterator[str]:
    """The path, and what each link leads to in turn."""
    here = os.fspath(path)
    yield here
    for _ in range(_MOST_LINKS):
        try:
            target = os.readlink(here)  # noqa: PTH115  # of thousands of files that are no links
        except OSError:
            return
        here = os.path.join(os.path.dirname(here), target)  # noqa: PTH118, PTH120
        yield here


def _reason(path: str) -> str | None:
    directory, file = os.path.split(path)
    name = file.lower().rstrip(". ") or file  # Windows opens `server.pem.` as `server.pem`
    if _HARMLESS.fullmatch(name):
        return None
    if name in _PLACES and _PLACES[name] in _called(directory):
        return "it is where credentials are kept"
    return next((reason for pattern, reason in _NAMES if pattern.fullmatch(name)), None)


def _called(directory: str) -> set[str]:
    """The names of a directory: as it was given, and its own."""
    return {Path(given).name.lower() for given in (directory, os.path.realpath(directory))}


def secret_text(text: str | None) -> str | None:
    """Why a text counts as secret, if it does; only its beginning is looked at."""
    return _HOLDS_KEY if text and _holds_key(text[: LOOKED_AT + _BODY_WITHIN]) else None


def secret_content(content: bytes) -> str | None:
    """Why a content of any encoding counts as secret, if it does; see `secret_text`."""
    beginning = content[: LOOKED_AT + _BODY_WITHIN]
    if b"\0" in beginning:  # UTF-16
        beginning = beginning.replace(b"\0", b"")
    return _HOLDS_KEY if _holds_key(beginning.decode("latin-1")) else None


def _holds_key(text: str) -> bool:
    for header in _HEADER.finditer(text, 0, LOOKED_AT):
        if header["pem"] is None:
            return True
        end = text.find("-----END", header.end(), header.end() + _BODY_WITHIN)
        if not text[header.end() :].strip("- \t\r\n"):
            return True  # its body may come with the next line, as in a chat that is piped
        body = text[header.end() : end if end >= 0 else header.end() + _BODY_WITHIN]
        if any(len(set(run)) >= _FEWEST_DIFFERENT for run in _BODY.findall(body)):
            return True
    return False


_HOLDS_KEY = "it holds a private key"


def secret_file(path: Path) -> str | None:
    """Why a file counts as secret, by name or content, if it does.

    Only files are looked into: what is read from a pipe is gone. One that can't be read is not
    said to be secret: whoever wants it says that it can't be read.
    """
    reason = secret_name(path)
    if reason:
        return reason
    try:
        if not path.is_file():
            return None
        with path.open("rb") as stream:
            return secret_content(stream.read(LOOKED_AT + _BODY_WITHIN))
    except OSError:
        return None


def refusal(called: str, reason: str) -> str:
    """The error for a file that is refused, `called` by the name that the user gave."""
    return f"`{called}` counts as secret: {reason}"


def secret_error(refused: str) -> InvalidInput:
    """The error where something must do and counts as secret; `refused` is a `refusal`."""
    return InvalidInput(
        refused,
        hint="pass `--allow-secrets` to use it anyway (from Python: allow_secrets=True)",
        code="secret",
    )
