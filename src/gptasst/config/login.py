"""The key of a server: keeping it, forgetting it, and saying where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from gptasst.config.keys import StoredKeys
from gptasst.config.settings import Profile, Settings
from gptasst.config.urls import is_private_channel, shown_url
from gptasst.errors import AccessDenied, UsageError


@dataclass(frozen=True, slots=True)
class AuthStatus:
    """A profile's key: where it comes from, and its last characters behind a mask.

    Both are `None` where the profile needs no key, or has none.
    """

    profile: str
    endpoint: str
    source: str | None
    key: str | None


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
        profile = self._profile()
        if profile.base_url is None:
            raise UsageError(
                "the embedded model needs no key", hint="--profile NAME means a server"
            )
        if not is_private_channel(profile.base_url):
            raise AccessDenied(
                f"a key would go to {profile.endpoint} unencrypted",
                hint="use https",
                code="insecure_endpoint",
            )
        return profile.base_url

    def login(self, key: str) -> AuthStatus:
        """Keep a key for the profile's server; it takes the place of one that is kept.

        Raises:
            UsageError: it can't be a key, or the profile has no server.
        """
        key = key.strip()
        if not key:
            raise UsageError("no key was given", hint="paste it, or pipe it in", code="no_input")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise UsageError(
                "that is not a key: it has characters that no key has",
                hint="copy the key again",
                code="bad_key",
            )
        base_url = self.login_url()
        self._keys.save(base_url, key)
        source = self._keys.source(base_url)
        return AuthStatus(self._profile().name, shown_url(base_url), source, masked(key))

    def logout(self) -> AuthStatus:
        """Forget the key for the profile's server.

        Raises:
            AccessDenied: none is kept; a key in the environment is not ours to forget.
        """
        profile = self._profile()
        if profile.base_url is None or not self._keys.delete(profile.base_url):
            raise AccessDenied(
                f"no key is kept for {profile.endpoint}",
                hint=f"the one in {profile.key_source} is in the environment"
                if profile.api_key
                else "`gptasst auth status` shows what there is",
                code="no_key",
            )
        return AuthStatus(profile.name, profile.endpoint, None, None)

    def status(self) -> AuthStatus:
        """Where the profile's key comes from.

        Raises:
            AccessDenied: there is none, and the server wants one.
        """
        profile = self._profile()
        profile.require_key()
        key = masked(profile.api_key) if profile.api_key else None
        source = profile.key_source if profile.api_key else None
        return AuthStatus(profile.name, profile.endpoint, source, key)


def masked(key: str) -> str:
    """A key as it may be shown: its last four characters, of a short one nothing."""
    return f"…{key[-4:]}" if len(key) >= 16 else "…"
