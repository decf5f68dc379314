"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from gptasst.errors import InvalidInput
from gptasst.storage.atomic_files import check_output, replace_file


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestReplacing:
    def test_new_file_has_the_usual_permissions(self) -> None:
        replace_file(Path("a.md"), b"new")
        usual = Path("usual")
        usual.touch()
        assert Path("a.md").read_bytes() == b"new"
        assert mode(Path("a.md")) == mode(usual)

    def test_permissions_stay(self) -> None:
        Path("a.sh").write_text("old")
        Path("a.sh").chmod(0o751)
        replace_file(Path("a.sh"), b"new")
        assert (Path("a.sh").read_text(), mode(Path("a.sh")), names()) == ("new", 0o751, ["a.sh"])

    @pytest.mark.parametrize("there", [True, False])
    def test_link_stays(self, there: bool) -> None:
        if there:
            Path("real.md").write_text("old")
        Path("link.md").symlink_to("real.md")
        replace_file(Path("link.md"), b"new")
        assert Path("link.md").is_symlink()
        assert Path("real.md").read_text() == "new"

    def test_readers_keep_what_they_opened(self) -> None:
        Path("a.md").write_text("old")
        with Path("a.md").open() as reader:
            replace_file(Path("a.md"), b"new")
            assert reader.read() == "old"

    def test_failure_leaves_nothing(self) -> None:
        Path("a.md").mkdir()
        with pytest.raises(InvalidInput, match=r"`a\.md` can't be written"):
            replace_file(Path("a.md"), b"new")
        assert names() == ["a.md"]

    def test_named_pipe(self) -> None:
        os.mkfifo("pipe")
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()))
        reader.start()
        replace_file(Path("pipe"), b"new")
        reader.join(30)
        assert got == [b"new"]
        assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


class TestChecking:
    @pytest.mark.parametrize("path", ["new.md", "old.md", "link.md", "/dev/null"])
    def test_fine(self, path: str) -> None:
        Path("old.md").touch()
        Path("link.md").symlink_to("nothing-yet.md")
        check_output(Path(path))
        assert names() == ["link.md", "old.md"]

    @pytest.mark.parametrize(
        ("path", "problem"),
        [
            (".", "is a directory"),
            ("none/a.md", "does not exist"),
            ("loop", "can't be written"),
            ("n" * 300, "can't be written: File name too long"),
        ],
    )
    def test_refused(self, path: str, problem: str) -> None:
        Path("loop").symlink_to("loop")
        with pytest.raises(InvalidInput, match=problem):
            check_output(Path(path))
