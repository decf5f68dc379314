"""All that gptasst does with a project, on OGX, from two machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Write
from tests.knowledge import documents

from .conftest import Machine

pytestmark = pytest.mark.servers("ogx")

MODEL = "stub/stub"
REFUNDS = "# Refunds\n\nThe Tapir refund is 12 days.\n"


@pytest.fixture
def machines(on: Callable[[str], Machine], url: str) -> tuple[Machine, Machine]:
    """Two machines with the profile that docs/how-to/servers.md describes."""
    for which in ("one", "two"):
        run = on(which)
        run("config", "set", "profiles.ogx.base_url", url)
        run("config", "set", "profiles.ogx.model", MODEL)
        run("config", "set", "profiles.ogx.store", "openai")
        run("config", "set", "profile", "ogx")
    return on("one"), on("two")


@pytest.fixture
def assistant(machines: tuple[Machine, Machine], write: Write, name: str) -> Iterator[str]:
    """An assistant that the first machine made, with two files."""
    write("kb/refund.md", REFUNDS)
    write("kb/style.txt", "Use the Oxford comma.\n")
    machines[0]("assistant", "create", name, "-i", "DocWriter", "-f", "kb")
    yield name
    for found in machines[0]("assistant", "list", "--json").json["assistants"]:
        if found["name"].startswith(name):
            machines[0]("assistant", "delete", found["id"], "-y")


def test_an_assistant_is_the_same_on_both_machines(
    machines: tuple[Machine, Machine], assistant: str
) -> None:
    one, two = machines
    one("cache", "clear", "-y")
    shown = [run("assistant", "show", assistant, "--json").json for run in machines]
    assert shown[0] == shown[1]
    assert [file["path"] for file in shown[1]["knowledge"]] == ["kb/refund.md", "kb/style.txt"]
    assert assistant in two("assistant", "list", "--quiet").lines
    assert one("assistant", "export", assistant).text == two("assistant", "export", assistant).text


def test_a_run_finds_the_knowledge_and_cites_it_by_path(
    machines: tuple[Machine, Machine], assistant: str
) -> None:
    for run in machines:
        ran = run("run", assistant, "-t", "How long is the Tapir refund?", "--json")
        assert "12 days" in ran.json["answer"]
        places = {cited["path"]: cited["place"] for cited in ran.json["citations"]}
        assert places["kb/refund.md"] == "lines 1-3"  # OGX does not send it


def test_edits_history_and_rollback_from_both(
    machines: tuple[Machine, Machine], assistant: str
) -> None:
    one, two = machines
    two("assistant", "edit", assistant, "--description", "second")
    one("assistant", "edit", assistant, "--description", "third")
    assert [entry["number"] for entry in _history(two, assistant)] == [1, 2, 3]
    two("assistant", "rollback", assistant, "1", "-y")
    for run in machines:
        assert [entry["current"] for entry in _history(run, assistant)] == [
            False, False, False, True,
        ]  # fmt: skip
        assert run("assistant", "show", assistant, "--json").json["revision"] == 4
    two("assistant", "edit", assistant, "--rename", f"{assistant} new")
    assert one("assistant", "show", assistant, "--json", code=3).error["code"] == "not_found"
    assert one("assistant", "show", f"{assistant} new", "--json").json["revision"] == 5


def _history(run: Machine, assistant: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = run("assistant", "history", assistant, "--json").json[
        "revisions"
    ]
    return found


def test_knowledge_is_added_synced_and_taken_away(
    machines: tuple[Machine, Machine], assistant: str, write: Write
) -> None:
    one, two = machines
    write("more.csv", "animal,days\nQuokka,17\n")
    two("assistant", "files", "add", assistant, "more.csv")
    write("kb/refund.md", REFUNDS.replace("12", "14"))
    write("kb/new.md", "The Narwhal ships in Q3.\n")
    Path("kb/style.txt").unlink()
    changes = one("assistant", "files", "sync", assistant, "-n", "--json").json
    assert [len(changes[kind]) for kind in ("add", "replace", "remove")] == [1, 1, 1]
    one("assistant", "files", "sync", assistant)
    assert two("assistant", "files", "sync", assistant, "-n", "--quiet").text == ""
    paths = two("assistant", "files", "list", assistant, "--json").json
    assert [file["path"] for file in paths["files"]] == ["kb/new.md", "kb/refund.md", "more.csv"]
    assert "14 days" in two("run", assistant, "-t", "How long is the Tapir refund?").text
    two("assistant", "files", "remove", assistant, "more.csv")
    assert len(one("assistant", "files", "list", assistant, "--quiet").lines) == 2


def test_a_conversation_goes_on_here_and_on_the_other_machine(
    machines: tuple[Machine, Machine], assistant: str
) -> None:
    one, two = machines
    first = one("run", "DocWriter", "-t", "one", "-c", "--json").json
    ident = first["conversation"]
    one("run", "DocWriter", "-t", "two", "-c")
    two("run", "DocWriter", "-t", "three", "--conversation", ident)
    for run in machines:
        messages = run("conversation", "show", ident, "--json").json["messages"]
        assert [m["role"] for m in messages] == ["user", "assistant"] * 3
        assert [m["text"] for m in messages if m["role"] == "user"] == ["one", "two", "three"]
    assert ident in one("conversation", "list", "--quiet").lines
    two("conversation", "delete", ident, "-y")
    assert one("conversation", "show", ident, "--json", code=3).error["code"] == "gone"


def test_files_and_their_cache(machines: tuple[Machine, Machine], write: Write, name: str) -> None:
    one, two = machines
    path = write(f"{name.replace(' ', '-')}.txt", f"{name}: the Axolotl has an AUC of 0.91.\n")
    ident = one("file", "upload", path, "--quiet").text.strip()
    assert one("file", "upload", path, "--quiet").text.strip() == ident
    assert two("file", "show", ident, "--json").json["filename"] == path.name
    one("cache", "verify")
    one("cache", "rebuild")
    assert one("file", "upload", path, "--quiet").text.strip() == ident
    two("file", "delete", ident, "-y")
    assert one("file", "show", ident, "--json", code=3).error["code"] == "not_found"


def test_what_is_not_there_is_not_found(machines: tuple[Machine, Machine]) -> None:
    one, _ = machines
    for words in (
        ("assistant", "show", "vs_0"),
        ("assistant", "delete", "Nobody", "-y"),
        ("file", "show", "file-0"),
        ("file", "delete", "file-0", "-y"),
        ("conversation", "show", "conv_0"),
        ("conversation", "show", f"conv_{'0' * 48}"),
        ("run", "DocWriter", "-t", "x", "--conversation", "conv_0"),
        ("run", "DocWriter", "-t", "x", "--conversation", f"conv_{'0' * 48}"),
        ("run", "Nobody", "-t", "x"),
    ):
        assert one(*words, "--json", code=3).error["code"] in ("not_found", "gone"), words


def test_a_definition_that_was_kept_as_one_string_is_read(
    machines: tuple[Machine, Machine], assistant: str, url: str
) -> None:
    """As gptasst 0.1 sent it, which OGX keeps."""
    one, two = machines
    store = one("assistant", "show", assistant, "--json").json["id"]
    metadata = httpx2.get(f"{url}/vector_stores/{store}").json()["metadata"]
    conversation = f"{url}/conversations/{metadata['conversation']}/items"
    kept = httpx2.get(f"{conversation}/{metadata['definition_item']}").json()
    text = kept["content"][0]["text"]
    item = {"type": "message", "role": "user", "content": text}
    added = httpx2.post(conversation, json={"items": [item]}).json()["data"][0]
    assert added["content"] == text
    metadata |= {"definition_item": added["id"], "revision": "2"}
    httpx2.post(f"{url}/vector_stores/{store}", json={"metadata": metadata}).raise_for_status()
    assert two("assistant", "show", assistant, "--json").json["revision"] == 2
    assert len(_history(two, assistant)) == 2


def test_doctor_and_models(machines: tuple[Machine, Machine]) -> None:
    one, _ = machines
    assert MODEL in one("model", "list", "--quiet").lines
    one("doctor")


def test_an_export_with_its_knowledge_makes_another(
    machines: tuple[Machine, Machine], assistant: str
) -> None:
    one, two = machines
    for path in Path("kb").iterdir():
        path.rename(f"{path.name}.moved")  # so that it is the server that has them
    one("cache", "clear", "-y")
    two("assistant", "export", assistant, "-o", "saved.toml", "--with-files", "saved")
    assert Path("saved/kb/refund.md").read_text(encoding="utf-8") == REFUNDS
    new = f"{assistant} again"
    two("assistant", "import", "saved.toml", "--with-files", "saved", "--name", new)
    shown = one("assistant", "show", new, "--json").json["knowledge"]
    assert [file["path"] for file in shown] == ["kb/refund.md", "kb/style.txt"]


def test_a_model_searches_the_knowledge_of_this_machine(
    machines: tuple[Machine, Machine], write: Write
) -> None:
    """The model behind OGX calls the function that it is offered, and answers with its output."""
    one, _ = machines
    one("config", "set", "profiles.ogx.store", "local")
    write("kb/refund.md", REFUNDS)
    one("assistant", "create", "Helper", "-i", "DocWriter", "-f", "kb")
    ran = one("run", "Helper", "-t", "How long is the Tapir refund?", "--json")
    assert ran.json["answer"].startswith("FOUND:")
    assert "12 days" in ran.json["answer"]
    assert len(ran.json["searches"]) == 1
    assert [citation["path"] for citation in ran.json["citations"]] == ["kb/refund.md"]


def test_formats_that_it_does_not_read_are_found_and_cited(
    machines: tuple[Machine, Machine], write: Write, name: str
) -> None:
    one, two = machines
    write("kb/t.docx", documents.docx())
    write("kb/t.rtf", r"{\rtf1\ansi The ibis pays 50 euros.}")
    write("kb/t.json", '{"gnu": 80}')
    write("kb/t.txt", "Барсук платит 70 рублей.\n".encode("koi8-r"))
    named = ("--encoding", "koi8-r")
    one("assistant", "create", name, "-i", "DocWriter", "-f", "kb", *named)
    try:
        assert len(two("assistant", "files", "list", name, "-q").lines) == 4
        for question, path in (("ibis pays", "kb/t.rtf"), ("барсук", "kb/t.txt")):
            assert two("assistant", "search", name, question, "-q").lines[0] == path
        assert one("assistant", "files", "sync", name, "-n", "-q").text == ""
    finally:
        one("assistant", "delete", name, "-y")


def test_only_files_that_fit_the_filters_are_searched(
    machines: tuple[Machine, Machine], assistant: str, write: Write
) -> None:
    one, two = machines
    table = '[tools.file_search]\nmax_results = 2\nfilters = ["kb/style.txt"]\n'
    write("Narrow.toml", f'instructions = "Help."\n{table}')
    one("assistant", "edit", assistant, "-i", "Narrow.toml")
    for run in machines:
        found = run("run", assistant, "-t", "Tapir refund, Oxford comma?", "--json").json
        assert {passage["path"] for passage in found["passages"]} == {"kb/style.txt"}
    assert two("assistant", "search", assistant, "Tapir", "-q").lines == ["kb/style.txt"]


def test_knowledge_whose_upload_was_deleted_is_noticed_and_comes_back(
    machines: tuple[Machine, Machine], assistant: str, url: str
) -> None:
    """The server goes on listing it, and would attach it again."""
    one, two = machines
    shown = one("assistant", "show", assistant, "--json").json["knowledge"]
    (gone,) = [file["id"] for file in shown if file["path"] == "kb/refund.md"]
    assert httpx2.delete(f"{url}/files/{gone}").is_success
    seen = two("assistant", "show", assistant, "--json").json
    assert (seen["complete"], seen["gone"]) == (False, ["kb/refund.md"])
    one("assistant", "create", f"{assistant} 2", "-i", "DocWriter", "-f", "kb/refund.md")
    two("assistant", "files", "sync", assistant)
    for name in (assistant, f"{assistant} 2"):
        assert one("assistant", "show", name, "--json").json["complete"] is True
        assert "12 days" in one("assistant", "search", name, "Tapir refund").text


def test_an_equal_file_keeps_its_passages(
    machines: tuple[Machine, Machine], assistant: str, write: Write
) -> None:
    one, two = machines
    write("copy.md", REFUNDS)
    one("assistant", "files", "add", assistant, "copy.md")
    two("assistant", "files", "remove", assistant, "copy.md")
    found = one("assistant", "search", assistant, "the Tapir refund", "--json").json["passages"]
    assert "kb/refund.md" in [passage["path"] for passage in found]


def test_a_project_that_two_machines_share(
    machines: tuple[Machine, Machine], assistant: str, write: Write
) -> None:
    one, two = machines
    write("kb/refund.md", "# Refunds\n\nNew.\n")
    two("assistant", "files", "set", assistant, "kb/refund.md")
    assert one("assistant", "files", "list", assistant, "-q").lines == ["kb/refund.md"]
    one("assistant", "files", "add", assistant, "kb/style.txt")
    two("assistant", "files", "remove", assistant, "kb/refund.md")
    assert one("assistant", "files", "list", assistant, "-q").lines == ["kb/style.txt"]
    two("assistant", "create", f"{assistant} 2", "-i", "DocWriter")
    one("assistant", "edit", assistant, "--rename", f"{assistant} 2", code=2)
    two("assistant", "create", assistant, "-i", "DocWriter", code=2)
    one("assistant", "delete", f"{assistant} 2", "-y")
    two("assistant", "show", f"{assistant} 2", code=3)


def test_a_directory_is_applied_from_both_machines(
    machines: tuple[Machine, Machine], assistant: str, write: Write
) -> None:
    """Created, changed, renamed, drifted and pruned; a second apply finds nothing to do."""
    one, two = machines
    head = 'name = "{}"\ninstructions = "Be brief."\n'
    write("code/a.toml", head.format(f"{assistant} a") + 'knowledge = ["../kb"]\n')
    write("code/b.toml", head.format(f"{assistant} b"))
    write("code/c.toml", head.format(assistant) + 'knowledge = ["../kb/refund.md"]\n')
    planned = two("apply", "code", "--check", "--json", code=6).json["assistants"]
    assert [each["action"] for each in planned] == ["create", "create", "change"]
    one("apply", "code", "-y")
    two("apply", "code", "--check")
    assert "12 days" in two("run", f"{assistant} a", "-t", "How long is the Tapir refund?").text
    two("assistant", "edit", f"{assistant} b", "--description", "by hand")
    write("code/a.toml", head.format(f"{assistant} d") + 'knowledge = ["../kb"]\n')
    Path("code/c.toml").unlink()
    (renamed, changed, gone) = one("apply", "code", "--prune", "-y", "--json").json["assistants"]
    assert (renamed["action"], renamed["old_name"]) == ("rename", f"{assistant} a")
    assert (changed["keys"], gone["action"]) == (["description"], "delete")
    two("apply", "code", "--prune", "--check")
    names = two("assistant", "list", "--quiet").lines
    assert [n for n in names if n.startswith(assistant)] == [f"{assistant} b", f"{assistant} d"]
