"""Detect secrets, and keep them from being sent to a model or a server.

A file looks secret because of its name, the names that a link leads to, or a private key at its
start. `Screening` refuses such a file if it was named, and skips it if it comes from a directory
or a pattern.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.inputs.reading import Refusal
from gptasst.inputs.words import find_files
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class ScreenedFiles:
    """The usable files with their places (see `placed_files`), and the skipped ones."""

    places: Mapping[Path, Path]
    left_out: tuple[Refusal, ...] = ()
    unreadable: tuple[Refusal, ...] = ()

    @property
    def paths(self) -> Sequence[Path]:
        return list(self.places)

    def tell(
        self, warn: Callable[[str], None], failed: Callable[[str], None] | None = None
    ) -> None:
        """Report skipped files, and with `failed` unreadable directories.

        Raises:
            InvalidInput: all files were skipped.
        """
        if self.left_out and not self.places:
            raise all_secret(self.left_out)
        for left in self.left_out:
            warn(f"left out: {left.reason}")
        for directory in self.unreadable:
            (failed or warn)(directory.reason)

    def refuse_unreadable(self) -> None:
        """Raise for unreadable directories, if none of their files may be missed.

        Raises:
            InvalidInput: there is one.
        """
        for directory in self.unreadable:
            raise InvalidInput(directory.reason, code="unreadable")


@dataclass(frozen=True, slots=True)
class Screening:
    """The check for secrets, created once per command or call.

    Each `of_…` returns why something looks secret, or `None`; each `refuse_…` raises
    `InvalidInput`. With `allow_secrets` nothing looks secret.
    """

    allow_secrets: bool = False

    def of_name(self, path: Path) -> str | None:
        """Check only the name of a file, and names that a link leads to."""
        return None if self.allow_secrets else secret_name(path)

    def of_file(self, path: Path) -> str | None:
        """Check the name and the content, which is read."""
        return None if self.allow_secrets else secret_file(path)

    def of_text(self, text: str | None) -> str | None:
        return None if self.allow_secrets else secret_text(text)

    def of_content(self, content: bytes) -> str | None:
        return None if self.allow_secrets else secret_content(content)

    def refuse_file(self, path: Path) -> None:
        """Refuse a named file. `STDIN` is the source of standard input."""
        _refuse(str(path), self.of_file(path))

    def refuse_content(self, path: Path, content: bytes) -> None:
        """Refuse content that was read."""
        _refuse(str(path), self.of_name(path) or self.of_content(content))

    def files(
        self, words: Iterable[str], *, by_name_only: bool = False, one_by_one: bool = False
    ) -> ScreenedFiles:
        """Turn words into files; see `expand_words`.

        Files from a directory or a pattern are skipped if they look secret.

        Args:
            words: file names, patterns, directories.
            by_name_only: contents are checked later, when they are read.
            one_by_one: each file has its own result. A secret file that was named stays among the
                others; reading it refuses it, and the others continue.

        Raises:
            InvalidInput: a file that looks secret was named, or a word matches no file.
        """
        places: dict[Path, Path] = {}
        secret: list[Refusal] = []
        refused_later: list[Refusal] = []
        reason_of = self.of_name if by_name_only else self.of_file
        found = find_files(words)
        for file in found.files:
            reason = reason_of(file.path)
            if reason is None:
                places[file.path] = file.place
                continue
            refused = Refusal(str(file.path), refusal(str(file.path), reason))
            if file.named and not one_by_one:
                raise secret_error(refused.reason)
            if file.named:
                places[file.path] = file.place
                refused_later.append(refused)
            else:
                secret.append(refused)
        if refused_later and len(refused_later) == len(places):
            raise all_secret(refused_later)
        return ScreenedFiles(places, (*secret, *found.skipped), found.unreadable)


SCREENED = Screening()  # the default


def _refuse(called: str, reason: str | None) -> None:
    if reason:
        raise secret_error(refusal(called, reason))


def all_secret(left_out: Sequence[Refusal]) -> InvalidInput:
    """The error if all files were skipped."""
    more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
    return secret_error(left_out[0].reason + more)


# How much of a content is checked, in bytes or characters.
LOOKED_AT = 65_536

_Rules = tuple[tuple[re.Pattern[str], str], ...]

# Patterns for file names in lower case.
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

# Generic names, with the directory in which they are files of credentials.
_PLACES = {
    "config.json": ".docker",
    "config": ".kube",
    "auth.json": ".composer",
    "hosts.yml": "gh",
    "shadow": "etc",
    "gshadow": "etc",
}

# Public keys, and example files without real secrets.
_HARMLESS = re.compile(
    r"(?s).+\.(pub|example|sample|template|tmpl|dist)|(.*[^a-z0-9])?(example|sample|template)\.env"
)

_HEADER = re.compile(
    r"(?P<pem>-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY)|PuTTY-User-Key-File-\d|AGE-SECRET-KEY-1"
)

# Placeholders below a header in documentation (`...`, `MII…`, `xxxx`) are not keys.
_BODY = re.compile(r"[A-Za-z0-9+/]{32,}")

_BODY_WITHIN = 2_000  # characters; a few header lines may come first

_FEWEST_DIFFERENT = 10

_MOST_LINKS = 40

# On Linux this is a link to the file; elsewhere the file is unknown.
STDIN = Path("/dev/stdin")


def secret_name(path: Path) -> str | None:
    """Why a file's name, or a name that a link leads through, looks secret, or `None`."""
    return next(filter(None, map(_reason, _names(path))), None)


def _names(path: Path) -> Iterator[str]:
    """The path, and the target of each link in turn."""
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
    """The names of a directory: as given, and its real name."""
    return {Path(given).name.lower() for given in (directory, os.path.realpath(directory))}


def secret_text(text: str | None) -> str | None:
    """Why text looks secret, or `None`; only its start is checked."""
    return _HOLDS_KEY if text and _holds_key(text[: LOOKED_AT + _BODY_WITHIN]) else None


def secret_content(content: bytes) -> str | None:
    """Why content in any encoding looks secret, or `None`; see `secret_text`."""
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
            return True  # its body may come with the next line, as in a piped chat
        body = text[header.end() : end if end >= 0 else header.end() + _BODY_WITHIN]
        if any(len(set(run)) >= _FEWEST_DIFFERENT for run in _BODY.findall(body)):
            return True
    return False


_HOLDS_KEY = "it holds a private key"


def secret_file(path: Path) -> str | None:
    """Why a file looks secret, by name or content, or `None`.

    Only regular files are read, because reading a pipe consumes it. An unreadable file does not
    look secret: using it reports that it can't be read.
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
    """The error for a refused file, with the name that the user gave."""
    return f"`{called}` counts as secret: {reason}"


def secret_error(refused: str) -> InvalidInput:
    """The error for a required file that looks secret; `refused` is a `refusal`."""
    return InvalidInput(
        refused,
        hint="pass `--allow-secrets` to use it anyway (from Python: allow_secrets=True)",
        code="secret",
    )
