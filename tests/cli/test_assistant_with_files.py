"""`assistant export --with-files` and `assistant import --with-files`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptasst.client import Client
from gptasst.errors import PartlyDone
from tests.assistants.project import knowledge, new_machine
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer

FILES = {"kb/refund.md": "# Refunds\n", "kb/deep/style.txt": "Oxford comma.\n"}


@pytest.fixture
def kb(write: Write) -> None:
    for name, content in FILES.items():
        write(name, content)


def below(directory: str) -> dict[str, str]:
    files = (path for path in Path(directory).rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in files}


def test_from_the_local_store_into_a_project(
    cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch, kb: None
) -> None:
    monkeypatch.setenv("GPTASST_STORE", "local")
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "kb")
    ran = cli("assistant", "export", "Docs", "-o", "docs.toml", "--with-files", "saved")
    assert ran.code == 0
    again = "`gptasst assistant import docs.toml --with-files saved` restores both"
    assert ran.stderr == f"wrote `docs.toml`\n{again}\n"
    assert below("saved") == FILES
    monkeypatch.delenv("GPTASST_STORE")
    assert cli("assistant", "import", "docs.toml", "--with-files", "saved").code == 0
    restored = {path: content.decode() for path, content in knowledge(project, "Docs").items()}
    assert restored == FILES
    assert cli("assistant", "files", "sync", "Docs", "-n", "--quiet").text == ""


def test_what_no_disk_has_comes_from_the_server(
    cli: Cli, project: LoopbackServer, home: Path, kb: None
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "kb")
    for name in FILES:
        Path(name).unlink()
    new_machine(home)
    ran = cli("assistant", "export", "Docs", "-o", "docs.toml", "--with-files", "none")
    assert ran.code == 6
    assert "2 files could not be written: `kb/" in ran.stderr
    assert "Not allowed to download" in ran.stderr
    project.gives_files = True
    assert cli("assistant", "export", "Docs", "--with-files", "saved").code == 0
    assert below("saved") == FILES
    again = cli("assistant", "export", "Docs", "-o", "docs.toml", "--with-files", "saved")
    assert (again.code, "`saved` is not empty" in again.stderr) == (2, True)


def test_a_path_of_somebody_else_stays_in_the_directory(
    cli: Cli, project: LoopbackServer, kb: None
) -> None:
    cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "kb")
    for store in project.stores.values():
        for number, attachment in enumerate(store.files.values()):
            attachment.attributes["path"] = ("../../.bashrc", "/etc/passwd")[number]
    assert cli("assistant", "export", "Docs", "--with-files", "saved").code == 0
    assert sorted(below("saved")) == [".bashrc", "etc/passwd"]


def test_from_python(cli: Cli, project: LoopbackServer, kb: None) -> None:
    with Client() as client:
        client.assistants.create("Docs", instruction="DocWriter", files="kb")
        text = client.assistants.export("Docs", with_files="saved")
        assert below("saved") == FILES
        Path("docs.toml").write_text(text, encoding="utf-8")
        made = client.assistants.import_file("docs.toml", name="Again", with_files="saved")
        assert [file.path for file in made.assistant.knowledge] == sorted(FILES)
        Path("kb/refund.md").write_text("changed", encoding="utf-8")
        Path("saved/refund.md").unlink(missing_ok=True)
        for path in Path("saved").rglob("*.md"):
            path.unlink()
        with pytest.raises(PartlyDone, match=r"1 file could not be written") as caught:
            client.assistants.export("Docs", with_files="again")
        assert caught.value.done == text
        assert below("again") == {"kb/deep/style.txt": "Oxford comma.\n"}
