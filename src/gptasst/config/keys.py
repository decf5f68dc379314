"""The key of a server: where it comes from, storing and deleting it."""

from __future__ import annotations

import re

from gptasst.config.profile import HEADER_NAME, Profile
from gptasst.config.settings import Settings
from gptasst.config.stored_keys import StoredKeys
from gptasst.config.urls import is_private_channel, shown_url
from gptasst.errors import AccessDenied, UsageError
from gptasst.hints import cmd
from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class HeaderStatus:
    """A secret header: its source, and its masked value with the last characters."""

    name: str
    source: str
    value: str


@dataclass(frozen=True, slots=True)
class AuthStatus:
    """A profile's key: its source, and its masked value with the last characters.

    Both are `None` if the profile needs no key or has none. `headers` are its secret headers.
    """

    profile: str
    endpoint: str
    source: str | None
    key: str | None
    headers: tuple[HeaderStatus, ...] = ()


class AuthService:
    """Stores, deletes and reports keys.

    Args:
        settings: the profiles.
        keys: the stored keys.
        profile_name: the value of `--profile`.
    """

    def __init__(self, settings: Settings, keys: StoredKeys, profile_name: str | None) -> None:
        self._settings = settings
        self._keys = keys
        self._profile_name = profile_name

    def _profile(self) -> Profile:
        """The profile, by default OpenAI's."""
        profile = self._settings.profile(self._profile_name)
        if profile.chosen == "fallback":
            profile = self._settings.profile("openai")
        return profile

    def login_url(self) -> str:
        """The base URL of the server that a key would be stored for.

        Raises:
            UsageError: the profile has no server.
            AccessDenied: the key would be sent over plain http to another machine.
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
        """Store a key for the profile's server, replacing an earlier one.

        Args:
            key: the key, as typed.
            header: the header for it, instead of `Authorization: Bearer`.

        Raises:
            UsageError: it is not a possible key, or the profile has no server.
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
        """Delete the stored key, or a header, of the profile's server.

        Raises:
            AccessDenied: none is stored. A key in the environment can't be deleted.
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
