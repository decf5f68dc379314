"""Owner, group, permissions and extended attributes of a file that takes the place of another."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path


class NotKept(OSError):
    """An attribute can't be given to the new file."""


def copy_attributes(source: str, handle: int) -> None:
    """Give an open file everything about another that is not its content.

    Access control lists are extended attributes on Linux. macOS has no call for either that
    Python offers.

    Raises:
        NotKept: the system does not allow it.
    """
    if sys.platform != "win32":
        _copy(source, handle)


if sys.platform != "win32":

    def _copy(source: str, handle: int) -> None:
        old, new = Path(source).stat(), os.fstat(handle)
        try:
            if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
                os.fchown(handle, old.st_uid, old.st_gid)
            _copy_extended(source, handle)
            os.fchmod(handle, stat.S_IMODE(old.st_mode))
        except OSError as error:
            raise NotKept(error.errno, error.strerror) from error


if sys.platform == "linux":

    def _copy_extended(source: str, handle: int) -> None:
        old, new = _extended(source), _extended(handle)
        for name in new.keys() - old.keys():  # such as an access control list by default
            os.removexattr(handle, name)
        for name, value in old.items():
            if new.get(name) != value:
                os.setxattr(handle, name, value)

    def _extended(file: str | int) -> dict[str, bytes]:
        try:
            names = os.listxattr(file)
        except OSError as error:
            if error.errno in (errno.ENOTSUP, errno.ENOSYS):
                return {}
            raise
        found = {}
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                found[name] = os.getxattr(file, name)
        return found

else:

    def _copy_extended(source: str, handle: int) -> None:
        pass
