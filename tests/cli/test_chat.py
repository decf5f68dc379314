"""`gptasst chat` on lines of standard input."""

from __future__ import annotations

from pathlib import Path

import pytest

from gptasst.config import urls
from tests.cli.test_conversation import answered, on_server, place, shown, told
from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer, outcomes

__all__ = ["place"]


def chat(cli: Cli, *lines: str, words: tuple[str, ...] = ()) -> Ran:
    return cli("chat", "DocWriter", *words, stdin="".join(f"{line}\n" for line in lines).encode())


def test_a_line_is_a_question(cli: Cli, server: LoopbackServer, place: str) -> None:
    ran = chat(cli, "one", "", "two")

    assert (ran.code, ran.lines) == (0, ["one", "two"])
    (ident,) = cli("conversation", "list", "-q").lines
    assert [text for _, text in shown(cli, ident)] == ["one", "one", "two", "two"]
    assert f"`gptasst chat DocWriter -c` continues conversation `{ident}` (one)" in ran.stderr


def test_resumed(cli: Cli, server: LoopbackServer, place: str) -> None:
    chat(cli, "one")
    ran = chat(cli, "two", words=("-c",))

    (ident,) = cli("conversation", "list", "-q").lines
    assert f"continuing conversation `{ident}` (one)" in ran.stderr
    assert len(shown(cli, ident)) == 4


def test_a_new_one_each_time(cli: Cli, server: LoopbackServer) -> None:
    chat(cli, "one")
    chat(cli, "two")
    assert len(cli("conversation", "list", "-q").lines) == 2


def test_nothing_said(cli: Cli, server: LoopbackServer, place: str) -> None:
    ran = chat(cli, "/help", "/quit", "one")
    assert (ran.code, ran.text, answered(server)) == (0, "", [])
    assert "/retry" in ran.stderr
    assert (cli("conversation", "list").text, server.conversations) == ("", {})


def test_json(cli: Cli, server: LoopbackServer) -> None:
    document = chat(cli, "one", "two", words=("--json",)).json
    assert [result["answer"] for result in document["results"]] == ["one", "two"]
    assert document["conversation"]["messages"] == 4


def test_question_with_a_slash(cli: Cli, server: LoopbackServer) -> None:
    assert chat(cli, "//retry", "/etc/hosts is what?").lines == ["/retry", "/etc/hosts is what?"]


class TestFile:
    def test_goes_with_the_next_question_only(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a b.md", "Alpha.")
        write("c.md", "Gamma.")
        chat(cli, "/file 'a b.md' c.*", "one", "two")

        first, second = answered(server)
        assert told(first)[-1][1].startswith('one<file path="a b.md">\nAlpha.\n</file>')
        assert "Gamma." in told(first)[-1][1]
        assert told(second)[-1] == ("user", "two")

    def test_an_empty_line_sends_it_as_it_is(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "Alpha.")
        chat(cli, "/file a.md", "")
        assert "Alpha." in told(answered(server)[-1])[-1][1]

    def test_home_directory(
        self, cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(Path.cwd()))
        write("a.md", "Alpha.")
        assert chat(cli, "/file ~/a.md").code == 0


class TestSave:
    @pytest.mark.parametrize("answer", ["# A\n\nB *c*", "a\r\nb\n\n"])
    def test_exactly_as_it_came(self, cli: Cli, server: LoopbackServer, answer: str) -> None:
        server.answer = answer
        assert chat(cli, "one", "/save out.md").code == 0
        assert Path("out.md").read_bytes() == answer.encode()

    def test_of_a_resumed_session(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        server.outcomes.append(outcomes.stream_breaks_after(2, "an answer that is long"))
        chat(cli, "one")
        chat(cli, "/save out.md", words=("-c",))
        assert Path("out.md").read_text() == "an answer that"


class TestRetry:
    @pytest.fixture(autouse=True)
    def as_openai(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is deleted there is not part of the next answer."""
        monkeypatch.setattr(urls, "is_openai_or_azure", lambda _: True)

    def test_takes_the_place_of_the_last_answer(
        self, cli: Cli, server: LoopbackServer, place: str
    ) -> None:
        server.outcomes += [outcomes.answer(text) for text in ("A", "B", "C")]
        assert chat(cli, "one", "two", "/retry").lines == ["A", "B", "C"]

        (ident,) = cli("conversation", "list", "-q").lines
        assert [text for _, text in shown(cli, ident)] == ["one", "A", "two", "C"]
        if place == "local":
            assert [text for _, text in told(answered(server)[-1])] == ["one", "A", "two"]

    def test_in_a_resumed_session(
        self, cli: Cli, server: LoopbackServer, place: str, write: Write
    ) -> None:
        write("a.md", "Alpha.")
        server.outcomes.append(outcomes.stream_breaks_after(1, "half of it"))
        chat(cli, "/file a.md", "one")
        server.outcomes.append(outcomes.answer("whole"))
        assert chat(cli, "/retry", words=("-c",)).lines == ["whole"]

        (ident,) = cli("conversation", "list", "-q").lines
        (_, (_, answer)) = shown(cli, ident)
        assert (answer, "Alpha." in told(answered(server)[-1])[-1][1]) == ("whole", True)

    def test_failed_again(self, cli: Cli, server: LoopbackServer, place: str) -> None:
        """The old answer stays where there is no new one."""
        chat(cli, "one")
        server.outcomes.append(outcomes.refusal("no"))
        assert chat(cli, "/retry", words=("-c",)).code == 7
        assert chat(cli, "/retry", words=("-c", "-m", "nope")).code == 3

        (ident,) = cli("conversation", "list", "-q").lines
        assert shown(cli, ident) == [("user", "one"), ("assistant", "one")]

    def test_crash_in_between_loses_nothing(self, cli: Cli, project: LoopbackServer) -> None:
        """What was taken back for another try is added again, with its answer."""
        chat(cli, "one")
        (ident,) = cli("conversation", "list", "-q").lines
        project.outcomes.append(outcomes.stream_breaks_after(0))
        project.disturb("POST", "/v1/conversations/*/items", outcomes.http_error(500))
        chat(cli, "/retry", words=("-c",))
        assert on_server(project, ident) == []

        chat(cli, "two", words=("-c",))
        assert [text for _, text in on_server(project, ident)] == ["one", "one", "two", "two"]

    def test_where_deleted_turns_are_kept(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """OGX takes them off the list, and shows them to the model all the same."""
        monkeypatch.setattr(urls, "is_openai_or_azure", lambda _: False)
        project.outcomes += [outcomes.answer(text) for text in ("A", "B", "C", "D")]
        ran = chat(cli, "one", "two", "/retry", "three")
        assert ran.lines == ["A", "B", "C", "D"]
        new, old = cli("conversation", "list", "-q").lines
        assert f"this goes on in a new conversation, `{new}`; the old answer stays" in ran.stderr
        assert [text for _, text in shown(cli, new)] == ["one", "A", "two", "C", "three", "D"]
        assert [text for _, text in shown(cli, old)] == ["one", "A", "two", "B"]
        assert cli("chat", "DocWriter", "-c", stdin=b"four\n").code == 0
        assert len(shown(cli, new)) == 8

    def test_where_they_are_kept_and_nothing_is_answered(
        self, cli: Cli, project: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(urls, "is_openai_or_azure", lambda _: False)
        chat(cli, "one")
        project.outcomes.append(outcomes.refusal("no"))
        assert chat(cli, "/retry", words=("-c",)).code == 7
        assert chat(cli, "/retry", words=("-c", "-m", "nope")).code == 3
        (ident,) = cli("conversation", "list", "-q").lines
        assert shown(cli, ident) == [("user", "one"), ("assistant", "one")]
        assert len(project.conversations) == 1

    def test_nothing_to_retry(self, cli: Cli, server: LoopbackServer) -> None:
        assert chat(cli, "/retry").code == 2


def test_model(cli: Cli, server: LoopbackServer) -> None:
    chat(cli, "one", "/model gpt-6.2-sol", "two")
    assert [body["model"] for body in answered(server)] == ["gpt-6-luna", "gpt-6.2-sol"]


@pytest.mark.parametrize(
    ("line", "code", "hint"),
    [
        ("/rety", 2, "did you mean `/retry`?"),
        ("/file", 2, ""),
        ("/file none.md", 2, ""),
        ("/file 'a", 2, ""),
        ("/save", 2, ""),
        ("/save a.md", 2, ""),
        ("/save a b", 2, "quote it"),
        ("/quit now", 2, ""),
    ],
)
def test_wrong_command_ends_a_script(
    cli: Cli, server: LoopbackServer, line: str, code: int, hint: str
) -> None:
    ran = chat(cli, line, "one")
    assert (ran.code, ran.text, hint in ran.stderr) == (code, "", True)


def test_failed_answer_ends_a_script(cli: Cli, server: LoopbackServer, place: str) -> None:
    server.outcomes.append(outcomes.stream_breaks_after(1, "half of it"))
    ran = chat(cli, "one", "two")

    assert (ran.code, len(answered(server))) == (7, 1)
    assert ran.text == "half of\n"
    assert "the part that arrived is kept" in ran.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("Nope",), 3),
        (("DocWriter", "--conversation", "conv_none"), 3),
        (("DocWriter", "-c", "--conversation", "new"), 2),
    ],
)
def test_refused_before_the_first_question(
    cli: Cli, server: LoopbackServer, words: tuple[str, ...], code: int
) -> None:
    ran = cli("chat", *words, stdin=b"one\n")
    assert (ran.code, ran.text, answered(server)) == (code, "", [])
