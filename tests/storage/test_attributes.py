"""What else there is to a file than its content stays when the content is replaced."""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from pathlib import Path

import pytest

from gptasst.errors import InvalidInput
from gptasst.storage.atomic_files import check_output, replace_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux")
root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away"
)


@pytest.fixture
def file() -> Path:
    path = Path("a.md")
    path.write_text("old content\n")
    return path


@posix
@root
class TestOwner:
    def test_stays(self, file: Path) -> None:
        os.chown(file, 1234, 2345)
        file.chmod(0o4754)
        replace_file(file, b"new")
        found = file.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1234, 2345, 0o4754)
        assert file.read_bytes() == b"new"

    def test_written_over_where_it_can_not_be_kept(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        os.chown(file, 1234, -1)
        inode = file.stat().st_ino
        monkeypatch.setattr(os, "fchown", refuse)
        replace_file(file, b"new")
        assert (file.stat().st_uid, file.stat().st_ino) == (1234, inode)
        assert file.read_bytes() == b"new"
        assert [path.name for path in Path().iterdir()] == ["a.md"]


@linux
class TestExtendedAttributes:
    def test_stay(self, file: Path) -> None:
        _set(file, "user.comment", b"mine")
        replace_file(file, b"new")
        assert os.getxattr(file, "user.comment") == b"mine"
        assert file.read_bytes() == b"new"

    def test_access_control_list(self, file: Path) -> None:
        entries = [(1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
        _set(file, "system.posix_acl_access", acl)
        replace_file(file, b"new")
        assert os.getxattr(file, "system.posix_acl_access") == acl

    def test_of_a_new_file_are_not_added(self, file: Path) -> None:
        entries = [(1, 6, -1), (2, 7, 1234), (4, 4, -1), (16, 7, -1), (32, 0, -1)]
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
        _set(Path(), "system.posix_acl_default", acl)
        replace_file(file, b"new")
        assert "system.posix_acl_access" not in os.listxattr(file)


def _set(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        pytest.skip("this file system has none")


@posix
class TestHardLink:
    @pytest.mark.parametrize("content", [b"new", b"new and much longer than it was before\n", b""])
    def test_stays_one_file(self, file: Path, content: bytes) -> None:
        Path("b.md").hardlink_to(file)
        replace_file(file, content)
        assert Path("b.md").read_bytes() == content
        assert file.stat().st_nlink == 2

    def test_a_failure_changes_nothing(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        Path("b.md").hardlink_to(file)
        monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(InvalidInput, match="No space left"):
            replace_file(file, b"new")
        assert file.read_text() == "old content\n"


@posix
class TestMounted:
    def test_written_over(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def busy(*_: object) -> None:
            raise OSError(errno.EBUSY, "Device or resource busy")

        monkeypatch.setattr(os, "replace", busy)
        replace_file(file, b"new")
        assert file.read_bytes() == b"new"


class TestReadOnly:
    def test_refused(self, file: Path) -> None:
        file.chmod(0o444)
        with pytest.raises(InvalidInput, match=r"`a\.md` is read-only"):
            check_output(file)
        with pytest.raises(InvalidInput, match=r"`a\.md` is read-only"):
            replace_file(file, b"new")
        assert file.read_text() == "old content\n"

    def test_behind_a_link(self, file: Path) -> None:
        file.chmod(0o444)
        Path("b.md").symlink_to(file)
        with pytest.raises(InvalidInput, match=r"`b\.md` is read-only"):
            check_output(Path("b.md"))
