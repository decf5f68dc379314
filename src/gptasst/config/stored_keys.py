"""The keys that `gptasst auth login` stored.

A key is bound to a base URL, so that it never goes to another server. The file (mode 0600) has
either the key itself, or a note that it is in the system keyring, which is slow and may ask to be
unlocked. Header values are stored like keys, under the base URL and the header's name.
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
    """The stored keys of this user.

    Args:
        path: the file, which may not exist.

    `replacing` is set by who replaces or deletes a key: one that the keyring does not give is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.replacing = False

    def headers(self, base_url: str) -> list[str]:
        """The headers with stored values for a server."""
        begin = f"{base_url} "
        return [name.removeprefix(begin) for name in self._read() if name.startswith(begin)]

    def source(self, base_url: str, header: str | None = None) -> str | None:
        """Where the key for a server is stored, as text for people; `None` if there is none."""
        entry = self._read().get(_name(base_url, header))
        if entry is None:
            return None
        return "the system keyring" if "key" not in entry else str(self._path)

    def get(self, base_url: str, header: str | None = None) -> str | None:
        """The key for a server, or the value of a header.

        Raises:
            AccessDenied: the system keyring should have it, but does not return it.
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
        """Store a key in the system keyring, or in the file without one.

        Raises:
            StateError: the file can't be written.
        """
        name = _name(base_url, header)
        in_keyring = _into_keyring(name, key)
        self._write({**self._read(), name: {} if in_keyring else {"key": key}})

    def delete(self, base_url: str, header: str | None = None) -> bool:
        """Delete the key or a header for a server; return whether there was one."""
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
            ) from None  # an unreadable entry may be a key

    def _write(self, entries: dict[str, dict[str, str]]) -> None:
        try:
            replace_private(self._path, json.dumps(entries, indent=2).encode("utf-8"))
        except OSError as error:
            raise StateError(f"`{self._path}` can't be written: {error.strerror}") from error


def _name(base_url: str, header: str | None) -> str:
    """The name under which a key or header is stored; header names ignore case."""
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
    """Store the key in the system keyring; `False` if that failed."""
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
