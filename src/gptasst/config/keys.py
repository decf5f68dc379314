"""The key of a server: where it comes from, keeping it with `gptasst auth login`, forgetting it.

A key is bound to the base URL it was given for, so that it never goes to another server. The
file says which servers have one: with the key itself (mode 0600), or with a note that it is in
the system keyring, which takes long to ask and may want to be unlocked. The value of a header is
kept as a key is, under the base URL and the header's name.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from gptasst.config.profile import HEADER_NAME, Profile
from gptasst.config.settings import Settings
from gptasst.config.urls import is_private_channel, shown_url
from gptasst.errors import AccessDenied, StateError, UsageError
from gptasst.hints import cmd
from gptasst.storage.atomic_files import replace_private
from gptasst.values import dataclass

_SERVICE = "gptasst"


class StoredKeys:
    """The keys of this user.

    Args:
        path: the file; one that does not exist holds none.

    `replacing` is set by who replaces or forgets a key: one that the keyring does not give is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.replacing = False

    def headers(self, base_url: str) -> list[str]:
        """The headers whose values are kept for a server."""
        begin = f"{base_url} "
        return [name.removeprefix(begin) for name in self._read() if name.startswith(begin)]

    def source(self, base_url: str, header: str | None = None) -> str | None:
        """Where the key for a server comes from, in words for people; `None` if there is none."""
        entry = self._read().get(_name(base_url, header))
        if entry is None:
            return None
        return "the system keyring" if "key" not in entry else str(self._path)

    def get(self, base_url: str, header: str | None = None) -> str | None:
        """The key for a server, or the value of a header for it.

        Raises:
            AccessDenied: it should be in the system keyring, which does not give it.
        """
        name = _name(base_url, header)
        entry = self._read().get(name)
        if entry is None:
            return None
        key = entry["key"] if "key" in entry else _from_keyring(name)
        if not key and not self.replacing:
            login = cmd("auth login" if header is None else f"auth login --header {header}")
            what = "the key" if header is None else f"the header `{header}`"
            raise AccessDenied(
                f"the system keyring does not give {what} for {shown_url(base_url)}",
                hint=f"{login} stores it again; a variable overrides it",
                code="no_key",
            )
        return key

    def save(self, base_url: str, key: str, header: str | None = None) -> None:
        """Keep a key in the system keyring, or in the file where there is no keyring.

        Raises:
            StateError: the file can't be written.
        """
        name = _name(base_url, header)
        in_keyring = _into_keyring(name, key)
        self._write({**self._read(), name: {} if in_keyring else {"key": key}})

    def delete(self, base_url: str, header: str | None = None) -> bool:
        """Forget the key for a server, or a header for it; says whether there was one."""
        name = _name(base_url, header)
        entries = self._read()
        entry = entries.pop(name, None)
        if entry is None:
            return False
        if "key" not in entry:
            _out_of_keyring(name)
        self._write(entries)
        return True

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            entries = json.loads(self._path.read_bytes())
            return {str(url): dict(entry) for url, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise StateError(
                f"`{self._path}` can't be read: {type(error).__name__}",
                hint=f"delete it, then {cmd('auth login')}",
                code="bad_key_file",
            ) from None  # what could not be read may be a key

    def _write(self, entries: dict[str, dict[str, str]]) -> None:
        try:
            replace_private(self._path, json.dumps(entries, indent=2).encode("utf-8"))
        except OSError as error:
            raise StateError(f"`{self._path}` can't be written: {error.strerror}") from error


def _name(base_url: str, header: str | None) -> str:
    """What a key, or a header whose name has no case, is kept under."""
    return base_url if header is None else f"{base_url} {header.lower()}"


def _from_keyring(base_url: str) -> str | None:
    try:
        import keyring
    except ImportError:
        return None
    try:
        return keyring.get_password(_SERVICE, base_url)
    except keyring.errors.KeyringError:
        return None


def _into_keyring(base_url: str, key: str) -> bool:
    """Whether the system keyring took the key."""
    try:
        import keyring
    except ImportError:
        return False
    try:
        keyring.set_password(_SERVICE, base_url, key)
        return keyring.get_password(_SERVICE, base_url) == key
    except keyring.errors.KeyringError:  # none on this machine, or locked
        return False


def _out_of_keyring(base_url: str) -> None:
    try:
        import keyring
    except ImportError:
        return
    try:
        keyring.delete_password(_SERVICE, base_url)
    except keyring.errors.KeyringError:
        return


@dataclass(frozen=True, slots=True)
class HeaderStatus:
    """A header that holds a secret: where it comes from, and its last characters behind a mask."""

    name: str
    source: str
    value: str


@dataclass(frozen=True, slots=True)
class AuthStatus:
    """A profile's key: where it comes from, and its last characters behind a mask.

    Both are `None` where the profile needs no key, or has none. `headers` are further ones that
    hold a secret.
    """

    profile: str
    endpoint: str
    source: str | None
    key: str | None
    headers: tuple[HeaderStatus, ...] = ()


class AuthService:
    """Looks after keys.

    Args:
        settings: the profiles.
        keys: where keys are kept.
        profile_name: the profile that was asked for.
    """

    def __init__(self, settings: Settings, keys: StoredKeys, profile_name: str | None) -> None:
        self._settings = settings
        self._keys = keys
        self._profile_name = profile_name

    def _profile(self) -> Profile:
        """The profile that is meant: where nobody chose one, that of OpenAI."""
        profile = self._settings.profile(self._profile_name)
        if profile.chosen == "fallback":
            profile = self._settings.profile("openai")
        return profile

    def login_url(self) -> str:
        """The base URL of the server that a key would be kept for.

        Raises:
            UsageError: the profile has no server.
            AccessDenied: a key would travel over plain http to another machine.
        """
        self._keys.replacing = True
        profile = self._profile()
        if profile.base_url is None:
            raise UsageError(
                "the embedded model needs no key", hint="use --profile NAME for a server"
            )
        if not is_private_channel(profile.base_url):
            raise AccessDenied(
                f"a key would go to {profile.endpoint} unencrypted",
                hint="use https",
                code="insecure_endpoint",
            )
        return profile.base_url

    def login(self, key: str, header: str | None = None) -> AuthStatus:
        """Keep a key for the profile's server; it takes the place of one that is kept.

        Args:
            key: as typed.
            header: the header that it is sent in, in place of `Authorization: Bearer`.

        Raises:
            UsageError: it can't be a key, or the profile has no server.
        """
        key, what = key.strip(), "key" if header is None else "value"
        if not key:
            raise UsageError(
                f"no {what} was given", hint="paste it, or pipe it in", code="no_input"
            )
        if not key.isascii() or not key.isprintable() or (header is None and " " in key):
            raise UsageError(
                f"that is not a {what}: it has characters that no {what} has",
                hint=f"copy the {what} again",
                code="bad_key",
            )
        base_url = self.login_url()
        _check_name(header)
        self._keys.save(base_url, key, header)
        source = self._keys.source(base_url, header) or ""
        name, endpoint = self._profile().name, shown_url(base_url)
        if header is None:
            return AuthStatus(name, endpoint, source, masked(key))
        kept = HeaderStatus(header, source, masked(key))
        return AuthStatus(name, endpoint, None, None, (kept,))

    def logout(self, header: str | None = None) -> AuthStatus:
        """Forget the key for the profile's server, or a header for it.

        Raises:
            AccessDenied: none is kept; a key in the environment is not ours to forget.
        """
        self._keys.replacing = True
        profile = self._profile()
        if profile.base_url is None or not self._keys.delete(profile.base_url, header):
            what = "key" if header is None else f"header `{header}`"
            source = self._source(profile, header)
            raise AccessDenied(
                f"no {what} is kept for {profile.endpoint}",
                hint=f"the one in {source} is in the environment"
                if source
                else f"{cmd('auth status')} shows what there is",
                code="no_key",
            )
        return AuthStatus(profile.name, profile.endpoint, None, None)

    def _source(self, profile: Profile, header: str | None) -> str | None:
        """The variable that holds a key or header."""
        if header is None:
            return profile.key_source if profile.api_key else None
        of = {name.lower(): source for name, source in profile.headers.sources.items()}
        return of.get(header.lower())

    def status(self) -> AuthStatus:
        """Where the profile's key comes from.

        Raises:
            AccessDenied: there is none, and the server wants one.
        """
        profile = self._profile()
        profile.require_key()
        key = masked(profile.api_key) if profile.api_key else None
        source = profile.key_source if profile.api_key else None
        headers = tuple(
            HeaderStatus(name, profile.headers.sources[name], masked(value))
            for name, value in profile.headers.secret.items()
        )
        return AuthStatus(profile.name, profile.endpoint, source, key, headers)


def _check_name(header: str | None) -> None:
    if header is not None and not re.fullmatch(HEADER_NAME, header):
        raise UsageError(
            f"`{header}` is not the name of a header",
            hint="for example: `--header api-key`",
            code="bad_value",
        )


def masked(key: str) -> str:
    """A key as it may be shown: its last four characters, of a short one nothing."""
    return f"…{key[-4:]}" if len(key) >= 16 else "…"
