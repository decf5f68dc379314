"""`gptasst test`: what is asked, shown, remembered, and how it ends."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

import gptasst
from tests.conftest import Cli, Write
from tests.loopback import LoopbackServer, outcomes

CASES = """\
[[case]]
name = "greets"
text = "Greet Ann."
contains = "Ann"

[[case]]
name = "is short"
input = "Greet Bob."
max_tokens = 1000
equals = "Hello Bob"
"""


@pytest.fixture(autouse=True)
def _greeter(write: Write, server: LoopbackServer) -> None:
    write("instructions/Greeter.toml", "instructions = 'You greet.'\ndefault_text = 'Greet.'\n")
    write("instructions/Greeter.cases.toml", CASES)
    server.answer = "Hello Ann"


def test_each_case_has_a_line_and_each_failure_its_reason(cli: Cli) -> None:
    ran = cli("test", "Greeter")
    assert ran.code == 6
    assert ran.lines[0].startswith("ok     Greeter: greets  ")
    assert ran.lines[1].startswith("FAIL   Greeter: is short  ")
    assert "    expected: Hello Bob\n    got:      Hello Ann\n" in ran.text
    assert "    -Hello Bob\n    +Hello Ann\n" in ran.text
    assert ran.stderr.startswith("2 cases: 1 passed, 1 failed; 2 requests; ")
    assert "error: 1 of 2 cases failed: `is short`\n" in ran.stderr


def test_answers_are_remembered(cli: Cli, server: LoopbackServer, write: Write) -> None:
    cli("test", "Greeter")
    again = cli("test", "Greeter")
    assert (again.code, len(server.requests)) == (6, 2)
    assert "0 requests, 2 answers remembered" in again.stderr

    write("instructions/Greeter.cases.toml", CASES.replace("Hello Bob", "Hello Ann"))
    assert cli("test", "Greeter").code == 0
    assert len(server.requests) == 2

    assert cli("test", "Greeter", "--force").code == 0
    assert len(server.requests) == 4

    write("instructions/Greeter.toml", "instructions = 'You greet well.'\ndefault_text = 'G.'\n")
    assert cli("test", "Greeter").code == 0
    assert len(server.requests) == 6


@pytest.mark.parametrize(("answer", "tokens_known"), [(" ", True), ("a\x07b", False)])
def test_an_answer_that_is_no_good_counts_as_a_request(
    cli: Cli, server: LoopbackServer, answer: str, tokens_known: bool
) -> None:
    server.answer = answer
    ran = cli("test", "Greeter", "--json")
    assert (ran.code, len(server.requests)) == (6, 2)
    assert [one["status"] for one in ran.json["cases"]] == ["failed", "failed"]
    assert all(one["asked"] for one in ran.json["cases"])
    summary = ran.json["summary"]
    assert summary["requests"] == 2
    assert (summary["input_tokens"] > 0, summary["cost"] is not None) == (tokens_known,) * 2


def test_without_names_all_of_the_project_are_tested(cli: Cli, write: Write) -> None:
    write("instructions/Other.toml", "instructions = 'x'\n")  # has none
    write("instructions/Third.toml", f"instructions = 'x'\n{CASES}")  # has its own
    ran = cli("test", "-q")
    assert (ran.code, ran.text) == (6, "Greeter\tis short\nThird\tis short\n")


def test_one_case_by_name_or_pattern(cli: Cli, server: LoopbackServer) -> None:
    assert cli("test", "Greeter", "--case", "greets").code == 0
    assert cli("test", "Greeter", "--case", "gr*").code == 0
    assert len(server.requests) == 1
    ran = cli("test", "Greeter", "--case", "greet")
    assert ran.code == 3
    assert "error: no case `greet` in `Greeter`\nhint: did you mean `greets`?\n" in ran.stderr


def test_no_case_at_all_is_an_error(cli: Cli, write: Write) -> None:
    write("instructions/Greeter.cases.toml", "")
    assert cli("test", "Greeter").code == 2
    Path("instructions/Greeter.cases.toml").unlink()
    ran = cli("test", "Greeter", "--json")
    assert (ran.code, ran.error["code"]) == (3, "no_cases")
    assert cli("test").code == 3
    assert cli("test", "Nobody").code == 3


def test_files(cli: Cli, write: Write) -> None:
    assert cli("test", "instructions/Greeter.toml", "--case", "greets").code == 0
    assert cli("test", "instructions/Greeter.cases.toml", "--case", "greets").code == 0
    other = write("other.toml", '[[case]]\nname = "no"\ntext = "Hi"\nnot_contains = "Hello"\n')
    ran = cli("test", "Greeter", "--cases", other)
    assert ran.code == 6
    assert "  not_contains\n    expected: not Hello\n" in ran.text
    lone = write("lone.cases.toml", CASES)
    ran = cli("test", lone)
    assert (ran.code, "gptasst test NAME --cases" in ran.stderr) == (3, True)


def test_a_case_file_names_a_file(cli: Cli, server: LoopbackServer, write: Write) -> None:
    write("docs/a.md", "Some text.\n")
    write("out.cases.toml", '[[case]]\nname = "a"\nfile = "docs/a.md"\ncontains = "Some text."\n')
    server.answer = "Some text."
    assert cli("test", "Greeter", "--cases", "out.cases.toml").code == 0
    assert '<file path="docs/a.md">\nSome text.' in json.dumps(
        server.requests[-1].json, ensure_ascii=False
    ).replace("\\n", "\n").replace('\\"', '"')
    write("out.cases.toml", '[[case]]\nname = "a"\nfile = "../../secret"\ncontains = "x"\n')
    ran = cli("test", "Greeter", "--cases", "out.cases.toml")
    assert (ran.code, "lies outside of the working directory" in ran.stderr) == (2, True)


UNUSABLE = """\
[[case]]
name = "missing"
file = "docs/none.md"
contains = "x"

[[case]]
name = "secret"
file = ".env"
contains = "x"

[[case]]
name = "binary"
file = "docs/data.bin"
contains = "x"

[[case]]
name = "unknown variable"
text = "Hi"
vars = { colour = "red" }
contains = "x"

[[case]]
name = "greets"
text = "Greet Ann."
contains = "Ann"
"""


def test_a_case_that_cannot_be_run_keeps_no_other_from_it(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    write(".env", "TOKEN=abc\n")
    write("docs/data.bin", b"\x00\x01\xff")
    write("some.toml", UNUSABLE)
    words = ("test", "Greeter", "--cases", "some.toml")
    ran = cli(*words, "--json")
    results = {case["case"]: case for case in ran.json["cases"]}
    assert (ran.code, len(server.requests)) == (2, 1)
    assert results["greets"]["status"] == "passed"
    reasons = {
        "missing": "`docs/none.md` ",
        "secret": "`.env` ",
        "binary": "`docs/data.bin` ",
        "unknown variable": "`colour`",
    }
    for name, reason in reasons.items():
        assert results[name]["status"] == "error"
        assert reason in results[name]["error"]["message"]
    assert ran.error["message"].startswith("`Greeter`, case `missing`: ")

    shown = cli(*words)
    assert [line.split()[0] for line in shown.lines] == [*["ERROR"] * 4, "ok"]
    for name, reason in reasons.items():
        (line,) = (one for one in shown.stderr.splitlines() if f"case `{name}`" in one)
        assert reason in line
    assert "5 cases: 1 passed, 4 not tested" in shown.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on Windows")
def test_named_pipes_keep_no_test_waiting(cli: Cli, server: LoopbackServer, write: Write) -> None:
    os.mkfifo("pipe")
    os.mkfifo("pipe.cases.toml")
    for words in (("test", "Greeter", "--cases"), ("instruction", "validate")):
        ran = cli(*words, "pipe.cases.toml")
        assert ran.code == 2
        assert "it is a named pipe" in ran.stderr
    write("own.cases.toml", '[[case]]\nname = "a"\nfile = "pipe"\ncontains = "x"\n')
    ran = cli("test", "Greeter", "--cases", "own.cases.toml")
    assert (ran.code, len(server.requests)) == (2, 0)
    assert "case `a`: `pipe` can't be read: it is a named pipe" in ran.stderr


def test_what_is_no_answer_is_never_a_pass(cli: Cli, server: LoopbackServer, write: Write) -> None:
    server.outcomes.append(outcomes.refusal("I won't."))
    ran = cli("test", "Greeter", "--case", "greets")
    assert (ran.code, "expected: an answer" in ran.text) == (6, True)

    server.close()
    ran = cli("test", "Greeter", "--json")
    assert (ran.code, ran.error["code"]) == (1, "unreachable")
    assert {case["status"] for case in ran.json["cases"]} <= {"error", "not_run"}

    write(
        "instructions/Greeter.cases.toml",
        CASES
        + "".join(f'[[case]]\nname = "{n}"\ninput = "{n}"\nequals = "x"\n' for n in range(20)),
    )  # more than run at a time
    summary = cli("test", "Greeter", "--json").json["summary"]
    assert (summary["not_run"] > 0, summary["cost"]) == (True, 0.0)


def test_variables_of_a_case_are_set_in_the_case(cli: Cli, write: Write) -> None:
    write("instructions/Greeter.cases.toml", "[[case]]\nname = 'a'\ntext = 'x'\nequals = 'x'\n")
    write("instructions/Greeter.toml", "instructions = '{{lang}}'\n[variables.lang]\n")
    ran = cli("test", "Greeter")
    assert (ran.code, ran.stderr.splitlines()[-1]) == (2, "hint: set it in the case's key `vars`")
    write(
        "instructions/Greeter.cases.toml",
        "[[case]]\nname = 'a'\ntext = 'x'\nequals = 'x'\nvars = {x = 'y'}\n",
    )
    write("instructions/Greeter.toml", "instructions = 'x'\n")
    ran = cli("test", "Greeter")
    assert ran.code == 2
    assert ran.stderr.splitlines()[-1] == "hint: take it out of the case's key `vars`"


def test_a_missing_key_is_an_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.setenv("GPTASST_PROFILE", "openai")
    assert cli("test", "Greeter").code == 4


def test_requests_are_sent_again(cli: Cli, server: LoopbackServer) -> None:
    server.outcomes.append(outcomes.http_error(503))
    assert cli("test", "Greeter", "--case", "greets").code == 0


def test_junit(cli: Cli) -> None:
    assert cli("test", "Greeter", "--junit", "report.xml").code == 6
    root = ElementTree.parse("report.xml").getroot()  # our own
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "1", "0")
    (failure,) = root.iter("failure")
    assert failure.text is not None
    assert "expected: Hello Bob\ngot: Hello Ann" in failure.text


def test_a_judge_says_why(cli: Cli, server: LoopbackServer, write: Write) -> None:
    judged = '[[case]]\nname = "polite"\ntext = "Greet."\njudge = "Is it polite?"\n'
    write("polite.toml", f'judge_model = "gpt-6.2-sol"\n{judged}')

    def answer(body: dict[str, object]) -> str:
        if "<answer>" in json.dumps(body["input"]):
            return '{"reason": "It is rude.", "verdict": "no"}'
        return "Hello"

    server.answer = answer
    ran = cli("test", "Greeter", "--cases", "polite.toml")
    assert ran.code == 6
    assert "  judge\n    expected: Is it polite?\n    got:      no: It is rude.\n" in ran.text
    assert "judged by gpt-6.2-sol" in ran.stderr
    assert [record.json["model"] for record in server.requests] == ["gpt-6-luna", "gpt-6.2-sol"]
    assert cli("test", "Greeter", "--cases", "polite.toml", "--judge-model", "gpt-6-luna").code == 6
    assert len(server.requests) == 3


def test_an_assistant_carries_its_cases(cli: Cli, write: Write) -> None:
    write("docs/a.md", "# About Ann\n")
    of_file = '[[case]]\nname = "file"\nfile = "../docs/a.md"\ncontains = "Ann"\n'
    write("instructions/Greeter.cases.toml", f"{CASES}\n{of_file}")
    assert cli("assistant", "create", "Host", "-i", "Greeter").code == 0
    Path("docs/a.md").unlink()
    ran = cli("test", "Host", "--case", "greets", "file")
    assert (ran.code, len(ran.lines)) == (0, 2)
    assert cli("assistant", "export", "Host", "-o", "host.toml").code == 0
    assert cli("assistant", "import", "host.toml", "--name", "Guest").code == 0
    assert cli("test", "Guest", "--case", "file").code == 0
    assert cli("test", "host.toml", "--case", "file").code == 0

    write("bare.toml", "instructions = 'x'\n")
    assert cli("assistant", "edit", "Host", "-i", "bare.toml").code == 0
    assert len(cli("test", "Host").lines) > 3  # they stay


def test_what_is_found_is_checked_without_a_model(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    write("know/refunds.md", "Refunds take ten days.\n")
    write("know/hours.md", "We open at nine.\n")
    asks = '[[case]]\nname = "refunds"\ntext = "How long do refunds take?"\n'
    write("k.toml", f'{asks}cites = "know/refunds.md"\nnot_cites = "know/hours.md"\n')
    assert cli("assistant", "create", "Desk", "-i", "Greeter", "-f", "know").code == 0
    asked = len(server.requests)
    assert cli("test", "Desk", "--cases", "k.toml", "--retrieval-only").code == 0
    assert len(server.requests) == asked
    write("k.toml", f'{asks}cites = "hours.md"\n')
    ran = cli("test", "Desk", "--cases", "k.toml", "--retrieval-only")
    assert (ran.code, "got:      know/refunds.md" in ran.text) == (6, True)
    assert cli("test", "Greeter", "--cases", "k.toml", "--retrieval-only").code == 2
    assert cli("test", "Greeter", "--retrieval-only").code == 3


def test_the_choice_of_a_model_is_printed_once(
    cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GPTASST_MODEL")
    server.models = ["only"]
    server.latency = 0.05  # eight cases ask for the model before the first has it
    case = '[[case]]\nname = "{0}"\ntext = "{0}"\ncontains = "Ann"\n'
    write("instructions/Greeter.cases.toml", "".join(case.format(n) for n in range(8)))
    ran = cli("test", "Greeter")
    assert ran.code == 0
    assert ran.stderr.count("using its only model, `only`") == 1


def test_one_pattern_for_the_library(server: LoopbackServer) -> None:
    with gptasst.Client() as client:
        report = client.test("Greeter", case="gre*")
        assert [result.case for result in report.cases] == ["greets"]
        with pytest.raises(gptasst.UsageError, match="jobs is 0, but must be at least 1"):
            client.test("Greeter", jobs=0)
    assert len(server.requests) == 1


def test_a_report_goes_to_a_file(cli: Cli, server: LoopbackServer) -> None:
    ran = cli("test", "Greeter", "--junit", "-")
    assert (ran.code, ran.stdout, server.requests) == (2, b"", [])
    assert not Path("-").exists()


class TestCasesWhereSomethingElseIsDue:
    """What was meant is recognized, and the command that is printed does it."""

    @pytest.mark.parametrize(
        ("words", "meant"),
        [
            (("Greeter", "-f"), "test Greeter --cases"),
            (("-f",), "test"),
            (("Greeter", "--compare", "DocWriter", "-f"), "test Greeter --cases"),
        ],
        ids=str,
    )
    def test_as_an_input(self, cli: Cli, words: tuple[str, ...], meant: str) -> None:
        ran = cli("test", *words, "instructions/Greeter.cases.toml")
        assert ran.code == 2
        assert (
            "error: `instructions/Greeter.cases.toml` has cases, and -f names inputs" in ran.stderr
        )
        command = f"{meant} instructions/Greeter.cases.toml"
        assert f"hint: `gptasst {command}` runs the cases\n" in ran.stderr
        ran = cli(*command.split())
        assert ran.stderr.startswith("2 cases: 1 passed, 1 failed;")

    @pytest.mark.parametrize(
        "command",
        [
            "run FILE -t x",
            "chat FILE",
            "assistant create New -i FILE",
            "assistant import FILE",
            "instruction show FILE",
            "instruction new New --from FILE",
            "instruction export FILE --format fabric",
        ],
    )
    def test_as_a_definition(self, cli: Cli, write: Write, command: str) -> None:
        file = "instructions/Greeter.cases.toml"
        ran = cli(*command.replace("FILE", file).split())
        assert ran.code == 2
        assert f"error: {file}: it has cases and no instructions\n" in ran.stderr
        assert f"hint: `gptasst test {file}` runs the cases\n" in ran.stderr
        write("alone.cases.toml", CASES)
        ran = cli(*command.replace("FILE", "alone.cases.toml").split())
        assert "hint: `gptasst test NAME --cases alone.cases.toml` runs the cases\n" in ran.stderr

    def test_a_definition_as_cases(self, cli: Cli, write: Write) -> None:
        write("own.toml", f"instructions = 'You greet.'\n{CASES}")
        ran = cli("test", "Greeter", "--cases", "own.toml")
        assert (ran.code, "it is a definition, not a file of cases" in ran.stderr) == (2, True)
        assert "hint: `gptasst test own.toml` runs the cases in it\n" in ran.stderr
        assert cli("test", "own.toml").stderr.startswith("2 cases: 1 passed, 1 failed;")


def test_the_command_that_asks_again_has_the_same_options(
    cli: Cli, server: LoopbackServer, write: Write
) -> None:
    """Else it would ask another model, or find no such case."""
    ran = cli("test", "Greeter", "-m", "gpt-6.2-sol")
    command = "test Greeter --model gpt-6.2-sol --case 'is short' --force"
    assert f"`gptasst {command}` asks the model again" in ran.stderr

    write("a b.md", "one")
    write("Old.toml", "instructions = 'You greet, once.'\n")
    server.outcomes.extend([outcomes.incomplete()] * 2)
    ran = cli("test", "Greeter", "--compare", "Old.toml", "-f", "a b.md")
    command = "test Greeter --compare Old.toml -f 'a b.md' --case 'a b.md' --force"
    assert f"`gptasst {command}` asks the model again" in ran.stderr
    assert cli(*shlex.split(command)).code == 0
