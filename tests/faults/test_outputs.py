"""Places that can't be written to, are full, or are no files."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.processes import completed

SET = "config set profiles.x.base_url http://127.0.0.1:9/v1"
LARGE = "long answer\n" * 20_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def read_only(disk: Path) -> Callable[[], None]:
    """Make the disk read-only."""

    def remount() -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    return remount


class TestFullDisk:
    def test_output(self, cli: Cli, server: LoopbackServer, disk: Path) -> None:
        old = disk / "out.md"
        old.write_text("old")
        server.answer, server.delta_size = LARGE, 1000
        ran = cli("run", "DocWriter", "-t", "x", "-o", old)
        assert (ran.code, ran.stdout) == (2, b"")
        assert ran.stderr == f"error: `{old}` can't be written: No space left on device\n"
        assert old.read_text() == "old"
        assert [path.name for path in disk.iterdir()] == ["out.md"]

    def test_one_output_of_many(
        self, cli: Cli, server: LoopbackServer, disk: Path, write: Write
    ) -> None:
        """What has room is there; the other answer is kept, and not asked for again."""
        write("in/a.md", "small\n")
        write("in/b.md", "large\n")
        server.delta_size = 1000
        server.answer = lambda body: LARGE if "large" in str(body) else "short"
        ran = cli("run", "DocWriter", "in", "--each", "-o", disk)
        assert ran.code == 6
        assert "`in/b.md` failed: " in ran.stderr
        assert "No space left on device" in ran.stderr
        assert [path.name for path in disk.iterdir()] == ["a.md"]
        asked = len(server.requests)
        assert cli("run", "DocWriter", "in", "--each", "-o", "elsewhere").code == 0
        assert len(server.requests) == asked

    def test_what_gptasst_keeps_for_itself(
        self,
        cli: Cli,
        project: LoopbackServer,
        disk: Path,
        write: Write,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Without its files everything works that does not need them; the rest says why not."""
        monkeypatch.setenv("GPTASST_HOME", str(disk / "home"))
        (disk / "filler").write_bytes(b"x" * 128 * 1024)
        write("a.md", "text\n")
        ran = cli("file", "upload", "a.md", "-q")
        assert (ran.code, ran.lines) == (0, list(project.files))
        assert cli("run", "DocWriter", "-t", "x").text == "x"
        assert cli("run", "DocWriter", "a.md", "--each", "-o", "out").code == 0
        assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md").code == 0
        for line in (SET, "run DocWriter -t x -c"):
            ran = cli(*line.split(), "--json")
            assert (line, ran.code in (1, 2)) == (line, True)
            assert "space left" in ran.error["message"] or "full" in ran.error["message"]

    def test_a_cache_that_is_right_is_not_taken_for_a_damaged_one(
        self,
        cli: Cli,
        project: LoopbackServer,
        disk: Path,
        write: Write,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("GPTASST_HOME", str(disk / "home"))
        path = write("a.md", "text\n")
        assert cli("file", "upload", path).code == 0
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 1024)
        ran = cli("file", "upload", path, write("b.md", "another\n"))
        assert ran.code == 0
        assert "damaged" not in ran.stderr
        assert "can't be used and is not used" in ran.stderr
        filler.unlink()
        project.requests.clear()
        assert cli("file", "upload", path).code == 0
        assert [r.path for r in project.requests if r.method == "POST"] == []
        assert list(disk.rglob("*damaged*")) == []


class TestReadOnly:
    @pytest.mark.parametrize("more", [(), ("--each",)])
    def test_output_is_refused_before_anything_is_sent(
        self,
        cli: Cli,
        server: LoopbackServer,
        disk: Path,
        read_only: Callable[[], None],
        write: Write,
        more: tuple[str, ...],
    ) -> None:
        write("a.md", "text\n")
        read_only()
        target = disk if more else disk / "out.md"
        ran = cli("run", "DocWriter", "a.md", "-o", target, *more)
        assert ran.code == 2
        assert f"output directory `{disk}` can't be written to" in ran.stderr
        assert server.requests == []

    def test_what_gptasst_keeps_for_itself(
        self,
        cli: Cli,
        project: LoopbackServer,
        disk: Path,
        read_only: Callable[[], None],
        write: Write,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("GPTASST_HOME", str(disk / "home"))
        read_only()
        write("a.md", "text\n")
        ran = cli("file", "upload", "a.md")
        assert (ran.code, len(project.files)) == (0, 1)
        assert "can't be used and is not used: Read-only file system" in ran.stderr
        ran = cli(*SET.split(), "--json")
        assert ran.code in (1, 2)
        assert "Read-only file system" in ran.error["message"]


class TestNoFiles:
    def test_named_pipe(self, cli: Cli, server: LoopbackServer) -> None:
        os.mkfifo("pipe")
        got: list[str] = []
        reader = threading.Thread(target=lambda: got.append(Path("pipe").read_text()))
        reader.start()
        assert cli("run", "DocWriter", "-t", "through", "-o", "pipe").code == 0
        reader.join(30)
        assert got == ["through"]

    def test_link_is_written_through(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        Path("link.md").symlink_to(write("far/real.md", "old"))
        assert cli("run", "DocWriter", "-t", "new", "-o", "link.md").code == 0
        assert (Path("link.md").is_symlink(), Path("far/real.md").read_text()) == (True, "new")

    @pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="there is no /dev/stdout here")
    def test_standard_output_is_added_to(self, server: LoopbackServer, write: Write) -> None:
        log = write("log", "before\n")
        with log.open("ab") as stream:
            done = completed("run", "DocWriter", "-t", "x", "-o", "/dev/stdout", stdout=stream)
        assert log.read_text() == "before\nx"
        assert done.stderr == b"wrote `/dev/stdout` (1 B)\n"

    @pytest.mark.parametrize(
        "line", ["instruction list", "run DocWriter -t x -o /dev/stdout", "--help"]
    )
    def test_nobody_reads_standard_output(self, server: LoopbackServer, line: str) -> None:
        ours, theirs = os.pipe()
        os.close(ours)
        done = completed(*line.split(), stdout=theirs)
        os.close(theirs)
        assert (done.returncode, b"Traceback" in done.stderr) == (141, False)
        assert b"error" not in done.stderr
