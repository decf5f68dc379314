"""`gptasst.Client` over the loopback server."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gptasst
from gptasst import hchatgpt
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer
from tests.loopback.outcomes import hangs, refusal
from tests.loopback.wire import Json

_HEAVY = ("openai", "httpx2", "pydantic", "typer", "rich", "sqlite3", "asyncio", "json", "pathlib")


def embedded(code: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


class TestImport:
    def test_imports_nothing_heavy(self) -> None:
        code = "before = set(sys.modules); import gptasst; print(*set(sys.modules) - before)"
        new = {name for name in embedded(code).split() if name not in ("gptasst", "typing")}
        assert not new & set(_HEAVY)
        # What decides where all else is imported from comes first, and needs `os` and `sys` only.
        first = {"gptasst.processes", "gptasst.processes.import_path"}
        assert {name for name in new if name.startswith("gptasst.")} <= first

    def test_a_client_that_was_not_used_knows_no_sdk(self) -> None:
        code = f"import gptasst; gptasst.Client(); print(*set({_HEAVY[:5]!r}) & set(sys.modules))"
        assert embedded(code).split() == []

    @pytest.mark.parametrize("name", gptasst.__all__)
    def test_every_public_name_is_there(self, name: str) -> None:
        home = getattr(gptasst, name).__module__
        assert home.startswith("gptasst.") or home in ("types", "typing")  # a union, a Literal
        assert name in dir(gptasst)

    def test_other_names_are_not(self) -> None:
        with pytest.raises(AttributeError, match="no attribute `Clinet`"):
            gptasst.Clinet  # noqa: B018


class TestProfile:
    def test_what_is_given_comes_before_the_environment(
        self, server: LoopbackServer, write: Write
    ) -> None:
        server.api_key = "sk-own"
        with gptasst.Client(
            base_url=server.base_url, api_key="sk-own", model="gpt-6.2-sol", environ={}
        ) as client:
            assert client.run("Translator", text="hello").model == "gpt-6.2-sol"

    def test_an_unknown_profile_is_refused(self) -> None:
        with gptasst.Client(profile="none") as client, pytest.raises(gptasst.NotFound):
            client.run("Translator", text="x")

    def test_without_a_key_a_note_says_what_runs(
        self, caplog: pytest.LogCaptureFixture, home: Path
    ) -> None:
        with gptasst.Client() as client:
            plan = client.plan("Translator", text="x")
        assert plan.profile == "local"
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("gptasst", logging.WARNING)
        note = "no key is set, so this runs on the embedded model SmolLM2-135M-Instruct.Q4_1"
        advice = "good for small corrections only; for real work, `gptasst auth login` stores a key"
        assert record.message == f"{note}: {advice}"

        # The advice is for the first run, which downloads the model.
        model = home / "data/models/SmolLM2-135M-Instruct.Q4_1.gguf"
        model.parent.mkdir(parents=True)
        model.write_bytes(b"GGUF")
        caplog.clear()
        with gptasst.Client() as client:
            client.plan("Translator", text="x")
        assert [record.message for record in caplog.records] == [note]


class TestRun:
    def test_the_same_as_the_command_line(
        self, server: LoopbackServer, cli: Cli, write: Write
    ) -> None:
        server.answer = "done"
        write("docs/a.md", "A\n")
        write("b.md", "B\n")
        with gptasst.Client() as client:
            result = client.run("DocWriter", ["docs", Path("b.md")], text="German")
        ran = cli("run", "DocWriter", "-f", "docs", "b.md", "-t", "German", "--json").json
        assert server.requests[0].json == server.requests[1].json
        assert (result.answer, result.name, result.profile) == ("done", ran["name"], "openai")
        assert result.usage is not None
        assert result.usage.input == ran["usage"]["input"]

    def test_a_stream_begins_before_the_answer_is_whole(self, server: LoopbackServer) -> None:
        server.answer = "one two three"
        with gptasst.Client() as client:
            *pieces, result = client.stream("Translator", text="x")
        assert len(pieces) > 1
        assert isinstance(result, gptasst.RunResult)
        texts = [piece.text for piece in pieces if isinstance(piece, gptasst.TextDelta)]
        assert "".join(texts) == result.answer == "one two three"

    @pytest.mark.parametrize(
        ("name", "options", "error"),
        [
            ("Translate", {"text": "x"}, gptasst.NotFound),
            ("Translator", {}, gptasst.UsageError),
            ("Translator", {"text": "x", "timeout": 0}, gptasst.UsageError),
            ("Translator", {"text": "x", "schema": {"type": 3}}, gptasst.InvalidInput),
            ("Translator", {"files": "none.md"}, gptasst.InvalidInput),
            ("Translator", {"files": ""}, gptasst.InvalidInput),
        ],
    )
    def test_refused_before_anything_is_sent(
        self,
        server: LoopbackServer,
        name: str,
        options: Json,
        error: type[gptasst.GptasstError],
    ) -> None:
        with gptasst.Client() as client, pytest.raises(error):
            client.stream(name, **options)
        assert server.requests == []

    def test_a_refusal_of_the_model_is_raised(self, server: LoopbackServer) -> None:
        server.outcomes.append(refusal("no"))
        with gptasst.Client() as client, pytest.raises(gptasst.NoAnswer) as raised:
            client.run("Translator", text="x")
        assert raised.value.code == "refused"

    def test_commands_in_what_it_says_are_as_they_are_typed(
        self, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GPTASST_STORE", "local")
        notes: list[str] = []
        server.models = ["gpt-4o"]
        write("Writer.toml", 'instructions = "Write."\nknowledge = ["docs"]\nmodel = "gpt-4o"\n')
        with gptasst.Client(note=notes.append) as client:
            made = client.assistants.import_file("Writer.toml")
            result = client.run("Writer", text="hello")
            list(client.map("Writer", write("a.md", "text")))
        assert made.notes[0] == "`gptasst assistant files sync Writer` will read `docs`"
        edit = "`gptasst assistant edit Writer -m "
        assert [edit in text for text in (*result.warnings, *notes)] == [True, True]


class TestThreads:
    @pytest.mark.parametrize("store", ["openai", "local"])
    def test_one_client_for_many(
        self, project: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch, store: str
    ) -> None:
        monkeypatch.setenv("GPTASST_STORE", store)
        write("style.md", "Short sentences.\n")
        with gptasst.Client() as client, ThreadPoolExecutor(8) as pool:
            start = threading.Barrier(8)

            def work(number: int) -> str:
                start.wait(10)
                client.assistants.create(
                    f"W{number}", instructions="Do it.", files="style.md", model="gpt-6-luna"
                )
                return client.run(f"W{number}", text=f"task {number}").answer

            answers = list(pool.map(work, range(8)))
            assert [each.name for each in client.assistants.list()] == [f"W{n}" for n in range(8)]
        for number, answer in enumerate(answers):
            assert f"task {number}" in answer or store == "local"

    def test_submit_does_not_wait(self, server: LoopbackServer) -> None:
        server.answer = "done"
        server.latency = 0.3
        with gptasst.Client() as client:
            future = client.submit("Translator", text="x")
            with pytest.raises(TimeoutError):
                future.result(timeout=0.01)
        assert future.result().answer == "done"

    def test_submit_raises_where_the_result_is_asked_for(self, server: LoopbackServer) -> None:
        server.outcomes.append(hangs())
        with gptasst.Client() as client:
            future = client.submit("Translator", text="x", timeout=0.2)
            with pytest.raises(gptasst.ServiceError, match=r"no whole answer within 0\.2 s"):
                future.result(timeout=60)

    def test_from_asyncio(self, server: LoopbackServer) -> None:
        async def ask(client: gptasst.Client) -> list[str]:
            results = await asyncio.gather(
                *(asyncio.to_thread(client.run, "Translator", text=text) for text in "abc")
            )
            return [result.answer for result in results]

        with gptasst.Client() as client:
            assert asyncio.run(ask(client)) == ["a", "b", "c"]


class TestAssistants:
    def test_made_from_instructions_of_its_own(self, project: LoopbackServer, cli: Cli) -> None:
        with gptasst.Client() as client:
            client.assistants.create("W", instructions="Do it.", web_search=True)
        shown = cli("assistant", "show", "W", "--json").json["definition"]
        assert (shown["instructions"], shown["instruction"]) == ("Do it.", None)
        assert shown["tools"]["web_search"] is True

    def test_without_any_instructions(self, project: LoopbackServer) -> None:
        with gptasst.Client() as client:
            with pytest.raises(gptasst.UsageError, match="needs an instruction"):
                client.assistants.create("W")
            assert client.assistants.list() == []

    def test_update_and_rename(self, project: LoopbackServer) -> None:
        with gptasst.Client() as client:
            client.assistants.create("W", instruction="DocWriter")
            client.assistants.update("W", rename="V", instructions="Otherwise.")
            found = client.assistants.get("V")
            assert (found.definition.instructions, found.revision) == ("Otherwise.", 2)
            with pytest.raises(gptasst.NotFound):
                client.assistants.get("W")

    def test_plans_are_what_a_dry_run_shows(
        self, project: LoopbackServer, cli: Cli, write: Write
    ) -> None:
        for name in "abc":
            write(f"{name}.md", f"{name}\n")
        with gptasst.Client() as client:
            client.assistants.create("W", instruction="DocWriter", files=["a.md", "b.md"])
            before = (set(project.files), client.assistants.get("W").revision)
            for verb, plan in (
                ("add", client.assistants.plan_add("W", ["b.md", "c.md"])),
                ("set", client.assistants.plan_set("W", ["b.md", "c.md"])),
                ("remove", client.assistants.plan_remove("W", ["b.md"])),
            ):
                words = ["b.md"] if verb == "remove" else ["b.md", "c.md"]
                shown = cli("assistant", "files", verb, "W", *words, "-n", "--json").json
                for kind in ("add", "remove", "unchanged"):
                    found = [each.path for each in getattr(plan, kind)]
                    assert found == [each["path"] for each in shown[kind]]
                assert not plan.is_empty
            assert before == (set(project.files), client.assistants.get("W").revision)

    def test_more_than_twenty_knowledge_files(self, project: LoopbackServer, write: Write) -> None:
        for number in range(25):
            write(f"docs/{number}.md", f"number {number}\n")
        with gptasst.Client() as client:
            made = client.assistants.create("W", instruction="DocWriter", files="docs")
        assert len(made.assistant.knowledge) == 25


class TestMap:
    def test_answers_are_collected(self, server: LoopbackServer, write: Write) -> None:
        server.answer = lambda body: "linted"
        write("a.md", "A\n")
        write("docs/b.md", "B\n")
        with gptasst.Client() as client:
            results = list(client.map("DocWriter", ["a.md", "docs"], text="German"))
        assert {(r.path, r.status, r.answer) for r in results} == {
            ("a.md", "answered", "linted"),
            ("docs/b.md", "answered", "linted"),
        }

    @pytest.mark.parametrize(
        ("options", "status", "content"),
        [
            ({"output": "out/{stem}.txt"}, "written", "old"),
            ({"in_place": True}, "written", "new\n"),
            ({"check": True}, "would_change", "old"),
        ],
    )
    def test_where_answers_go(
        self, server: LoopbackServer, write: Write, options: Json, status: str, content: str
    ) -> None:
        server.answer = "new\n"
        path = write("a.md", "old")
        with gptasst.Client() as client:
            (result,) = client.map("Translator", path, text="x", **options)
        assert result.status == status
        assert path.read_text().strip() == content.strip()
        assert Path("out/a.txt").exists() == ("output" in options)

    def test_one_file_fails_and_the_others_go_on(
        self, server: LoopbackServer, write: Write
    ) -> None:
        for name in "abc":
            write(f"{name}.md", name)
        server.outcomes.append(refusal("no"))
        with gptasst.Client() as client:
            results = list(client.map("Translator", "*.md", text="x", jobs=1))
        assert [r.status for r in results] == ["failed", "answered", "answered"]
        assert isinstance(results[0].error, gptasst.NoAnswer)

    def test_what_ends_all_is_raised_last(self, server: LoopbackServer, write: Write) -> None:
        server.api_key = "sk-other"
        write("a.md", "A")
        with gptasst.Client() as client:
            results = client.map("Translator", "a.md", text="x")
            assert next(results).status == "failed"
            with pytest.raises(gptasst.AccessDenied):
                next(results)

    def test_two_places_are_refused(self, server: LoopbackServer, write: Write) -> None:
        write("a.md", "A")
        with gptasst.Client() as client, pytest.raises(gptasst.UsageError, match="combined"):
            client.map("Translator", "a.md", output="out", in_place=True)


@pytest.mark.parametrize("store", ["openai", "local"])
class TestConversations:
    def test_a_run_knows_what_was_said(
        self, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Cli, store: str
    ) -> None:
        monkeypatch.setenv("GPTASST_STORE", store)
        with gptasst.Client() as client:
            talk = client.conversations.start()
            for text in ("one", "two"):
                result = client.run("Translator", text=text, conversation=talk)
            assert result.conversation == talk.id
            said = [(m.role, m.text) for m in client.conversations.get(talk.id).messages]
        assert said == [(role, text) for text in ("one", "two") for role in ("user", "assistant")]
        assert cli("conversation", "list", "-q").lines == [talk.id]
        (listed,) = cli("conversation", "list", "--json").json["conversations"]
        assert (listed["title"], listed["messages"], listed["assistant"]) == (
            "one",
            4,
            "Translator",
        )

    def test_started_in_one_client_and_gone_on_with_in_another(
        self, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch, store: str
    ) -> None:
        monkeypatch.setenv("GPTASST_STORE", store)
        with gptasst.Client() as client:
            talk = client.conversations.start()
        with gptasst.Client() as client:
            client.run("Translator", text="one", conversation=talk.id)
            assert client.conversations.find(talk.id).messages == 2
            assert client.conversations.delete(talk.id)
            assert client.conversations.list() == []
            with pytest.raises(gptasst.NotFound):
                client.run("Translator", text="two", conversation=talk)


class TestVariables:
    @pytest.fixture(autouse=True)
    def polite(self, write: Write) -> None:
        write("instructions/Polite.toml", "instructions = 'In {{lang}}.'\n[variables.lang]\n")

    def test_of_runs(self, server: LoopbackServer, write: Write) -> None:
        write("lang.txt", "{{lang}}\n")
        write("a.md", "a")
        with gptasst.Client() as client:
            with pytest.raises(gptasst.UsageError, match="variable `lang` is missing"):
                client.run("Polite", text="x")
            with pytest.raises(gptasst.UsageError, match="must be a string or a path"):
                client.run("Polite", text="x", vars={"lang": 3})  # type: ignore[dict-item]
            client.run("Polite", text="x", vars={"lang": "Thai"})
            client.run("Polite", text="x", vars={"lang": Path("lang.txt")})
            list(client.map("Polite", "a.md", vars={"lang": "@x"}))
        told = [record.json["instructions"] for record in server.requests]
        assert told == ["In Thai.", "In {{lang}}\n.", "In @x."]

    def test_of_assistants(self, server: LoopbackServer) -> None:
        with gptasst.Client() as client:
            client.assistants.create("A", instruction="Polite", vars={"lang": "Thai"})
            client.run("A", text="x")
            client.assistants.update("A", vars={"lang": "Danish"})
            client.run("A", text="x")
            assert hchatgpt.e2e_assistant_runner("A", "x", vars={"lang": "Dutch"})
        told = [record.json["instructions"] for record in server.requests]
        assert told == ["In Thai.", "In Danish.", "In Dutch."]


@pytest.fixture
def project_client(server: LoopbackServer) -> Iterator[gptasst.Client]:
    with gptasst.Client(store="openai") as client:
        yield client


def test_changes_wait_for_their_cases(
    project_client: gptasst.Client, server: LoopbackServer, write: Write
) -> None:
    client = project_client
    server.answer = lambda body: "Hello" if "greet" in str(body["instructions"]) else "Nope"
    write("Desk.toml", 'instructions = "You greet."\n')
    write("Desk.cases.toml", '[[case]]\nname = "greets"\ntext = "Greet."\ncontains = "Hello"\n')
    write("know/a.md", "alpha\n")
    client.assistants.create("Desk", instruction="Desk.toml")
    with pytest.raises(gptasst.PartlyDone, match="stays at revision 1") as failed:
        client.assistants.update("Desk", instructions="You are rude.", tested=True)
    report = failed.value.done
    assert [(one.case, one.status) for one in report.cases] == [("greets", "failed")]  # type: ignore[attr-defined]
    changed = client.assistants.update("Desk", model="gpt-6-luna", tested=True).assistant
    assert changed.definition.model == "gpt-6-luna"
    outcome = client.assistants.add_files("Desk", "know", tested=True)
    assert outcome.assistant.knowledge[0].path == "know/a.md"
    assert client.assistants.rollback("Desk", 1, tested=True).definition.model is None
    with pytest.raises(gptasst.UsageError, match=r"revision is '1', but must be a whole number"):
        client.assistants.rollback("Desk", "1")  # type: ignore[arg-type]
    write("as/Desk.toml", 'name = "Desk"\ninstructions = "You are rude."\n')
    write("as/Desk.cases.toml", Path("Desk.cases.toml").read_text())
    with pytest.raises(gptasst.PartlyDone, match="`Desk` stays at revision"):
        client.apply("as", tested=True)
    assert "greet" in client.assistants.get("Desk").definition.instructions


def test_prompts_come_and_go(project_client: gptasst.Client, write: Write) -> None:
    client = project_client
    write("p/a.prompt.yml", "messages:\n- role: system\n  content: Do.\n")
    assert client.instructions.plan_import("p", project=True).imported[0].action == "create"
    assert not Path("instructions").exists()
    client.instructions.import_files("p", project=True)
    assert client.instructions.get("a").definition.instructions == "Do."
    write("p/b.prompt.yml", "messages: [\n")
    with pytest.raises(gptasst.PartlyDone) as failed:
        client.instructions.import_files("p", project=True)
    assert [one.name for one in failed.value.done.imported] == ["a"]  # type: ignore[attr-defined]
    assert client.instructions.export("a", "fabric", "out").paths == ("out/a/system.md",)
    with pytest.raises(gptasst.UsageError, match="there is no format `xml`"):
        client.instructions.export("a", "xml", "out")  # type: ignore[arg-type]
