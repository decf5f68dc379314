"""Keys that `gptasst auth login` keeps, each for one server.

A key is bound to the base URL it was given for, so that it never goes to another server. The
file says which servers have one: with the key itself (mode 0600), or with a note that it is in
the system keyring, which takes long to ask and may want to be unlocked. The value of a header is
kept as a key is, under the base URL and the header's name.
"""

from __future__ import annotations

import json
from pathlib import Path

from gptasst.config.urls import shown_url
from gptasst.errors import AccessDenied, StateError
from gptasst.hints import cmd
from gptasst.storage.atomic_files import replace_private

_SERVICE = "gptasst"


class StoredKeys:
    """The keys of this user.

    Args:
        path: the file; one that does not exist holds none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

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
        if not key:
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
