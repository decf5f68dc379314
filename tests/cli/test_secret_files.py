"""Files that count as secret: on no way do they get to a model or a server unasked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import gptasst
from gptasst import hchatgpt
from tests.conftest import Cli, Ran, Write
from tests.loopback import LoopbackServer
from tests.processes import completed

SECRET = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB"
KEY = f"notes\n-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n"

# Each way by which a file gets to a model or a server; `FILE` stands for its name.
RUNS = (
    "run DocWriter FILE",
    "run DocWriter -f FILE -c",
    "run DocWriter --each -o out FILE",
    "run DocWriter --each --batch -o out FILE",
    "run DocWriter --each --json FILE",
    "chat DocWriter",
)
KNOWLEDGE = (
    "assistant create Other -i DocWriter -f FILE",
    "assistant edit Writer -f FILE",
    "assistant files add Writer FILE",
    "assistant files set Writer FILE",
)
UPLOADS = ("file upload FILE", "file upload --purpose assistants FILE")
WAYS = (*RUNS, *KNOWLEDGE, *UPLOADS)


def go(cli: Cli, way: str, *files: str, allow: bool = False) -> Ran:
    words: list[str] = []
    for word in way.split():
        words += files if word == "FILE" else [word]
    options = ["--allow-secrets"] if allow else []
    lines = f"/file {' '.join(files)}\nWhat is it?\n" if way.startswith("chat") else ""
    return cli(*words, *options, stdin=lines.encode())


def sent(server: LoopbackServer) -> str:
    """All that the server was ever told."""
    told = json.dumps([request.as_json() for request in server.requests])
    return told + "".join(file.data.decode("utf-8", "replace") for file in server.files.values())


@pytest.fixture
def writer(cli: Cli, write: Write, project: LoopbackServer) -> None:
    write("plain.md", "nothing to hide\n")
    assert cli("assistant", "create", "Writer", "-i", "DocWriter").code == 0


@pytest.fixture
def local_writer(cli: Cli, write: Write, server: LoopbackServer) -> None:
    assert cli("assistant", "create", "Writer", "-i", "DocWriter").code == 0


@pytest.mark.usefixtures("writer")
class TestNamed:
    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(
        ("name", "content", "reason"),
        [
            (".env", f"PASSWORD={SECRET}\n", "files of environment variables hold passwords"),
            ("notes.md", KEY, "it holds a private key"),
        ],
    )
    def test_refused(
        self, cli: Cli, project: LoopbackServer, write: Write,
        way: str, name: str, content: str, reason: str,
    ) -> None:  # fmt: skip
        write(name, content)
        ran = go(cli, way, "plain.md", name)
        alone = "--each" in way  # every file has an outcome of its own
        assert ran.code == (6 if alone else 2)
        told = ran.stderr + ran.text
        assert f"`{name}` counts as secret: {reason}" in told
        assert "--allow-secrets" in told
        assert ("nothing to hide" in sent(project)) == alone
        assert SECRET not in sent(project)

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(
        ("name", "content"), [(".env", f"PASSWORD={SECRET}\n"), ("notes.md", KEY)]
    )
    def test_allowed(
        self, cli: Cli, project: LoopbackServer, write: Write, way: str, name: str, content: str
    ) -> None:
        write(name, content)
        ran = go(cli, way, name, allow=True)
        assert (ran.code, "secret" in ran.stderr) == (0, False), ran.stderr
        assert SECRET in sent(project)


@pytest.mark.usefixtures("local_writer")
class TestNamedInTheLocalStore:
    @pytest.mark.parametrize("way", KNOWLEDGE)
    def test_refused(self, cli: Cli, write: Write, home: Path, way: str) -> None:
        write(".env", f"PASSWORD={SECRET}\n")
        assert go(cli, way, ".env").code == 2
        kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
        assert SECRET.encode() not in kept

    def test_excerpts_of_what_was_allowed(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write(".env", f"PASSWORD={SECRET}\n")
        assert go(cli, KNOWLEDGE[2], ".env", allow=True).code == 0
        assert cli("run", "Writer", "-t", "the password").code == 0
        assert SECRET in sent(server)


@pytest.mark.usefixtures("writer")
class TestFound:
    """By a directory or a pattern: left out and said; the other files are taken."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("word", ["conf", "conf/*", "conf/**/*"])
    def test_left_out(
        self, cli: Cli, project: LoopbackServer, write: Write, way: str, word: str
    ) -> None:
        write("conf/server.pem", f"{SECRET}\n")
        write("conf/guide.md", "how it is set up\n")
        write("conf/notes.txt", KEY)
        ran = go(cli, way, word)
        assert ran.code == 0, ran.stderr
        for name in ("server.pem", "notes.txt"):
            assert f"left out: `conf/{name}` counts as secret" in ran.stderr
        assert SECRET not in sent(project)
        assert "how it is set up" in sent(project)

    @pytest.mark.parametrize("way", [*RUNS, *UPLOADS])
    def test_nothing_is_left(
        self, cli: Cli, project: LoopbackServer, write: Write, way: str
    ) -> None:
        write("conf/.env", f"PASSWORD={SECRET}\n")
        write("conf/.env.local", f"PASSWORD={SECRET}\n")
        ran = go(cli, way, "conf/.e*")
        assert ran.code == 2
        assert "`conf/.env` counts as secret" in ran.stderr + ran.text
        assert "(and 1 more)" in ran.stderr + ran.text
        assert SECRET not in sent(project)

    @pytest.mark.parametrize("way", [RUNS[2], KNOWLEDGE[2], UPLOADS[0]])
    def test_said_by_a_dry_run(
        self, cli: Cli, project: LoopbackServer, write: Write, way: str
    ) -> None:
        write("conf/server.pem", f"{SECRET}\n")
        write("conf/guide.md", "how it is set up\n")
        ran = go(cli, way + " -n", "conf")
        assert ran.code == 0
        assert "`conf/server.pem` counts as secret" in ran.stderr + ran.text


class TestSync:
    def test_what_came_into_a_directory_is_left_out(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("docs/guide.md", "how it is set up\n")
        assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "docs").code == 0
        write("docs/server.pem", SECRET)
        write("docs/more.md", KEY)
        ran = cli("assistant", "files", "sync", "W")
        assert (ran.code, ran.stderr.count("left out")) == (0, 2)
        assert SECRET not in sent(project)
        assert cli("assistant", "files", "sync", "W", "--allow-secrets").code == 0
        assert SECRET in sent(project)

    def test_what_was_allowed_stays_and_its_new_content_is_asked_for_again(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write(".env", "PASSWORD=first\n")
        create = ("assistant", "create", "W", "-i", "DocWriter", "-f", ".env", "--allow-secrets")
        assert cli(*create).code == 0
        before = cli("assistant", "files", "list", "W", "--json").json["files"]
        ran = cli("assistant", "files", "sync", "W")
        assert (ran.code, "left out" in ran.stderr) == (0, False)

        write(".env", f"PASSWORD={SECRET}\n")
        ran = cli("assistant", "files", "sync", "W")
        assert (ran.code, ran.stderr.count("left out")) == (0, 1)
        assert cli("assistant", "files", "list", "W", "--json").json["files"] == before
        assert SECRET not in sent(project)

    def test_a_content_that_is_there_is_not_looked_into(
        self, cli: Cli, project: LoopbackServer, write: Write
    ) -> None:
        write("docs/notes.md", KEY)
        create = ("assistant", "create", "W", "-i", "DocWriter", "-f", "docs", "--allow-secrets")
        assert cli(*create).code == 0
        plan = cli("assistant", "files", "sync", "W", "-n", "--json").json
        assert (len(plan["unchanged"]), plan["refused"]) == (1, [])


@pytest.mark.usefixtures("project")
class TestAmongMany:
    """In `--each` a secret file that was named is refused, and the others go on."""

    @pytest.fixture(autouse=True)
    def _files(self, write: Write) -> None:
        for name in ("a.md", "b.md"):
            write(name, f"{name}\n")
        write("key.md", KEY)
        write(".env", f"PASSWORD={SECRET}\n")

    @pytest.mark.parametrize("more", [(), ("--batch",)])
    def test_a_dry_run_shows_it(
        self, cli: Cli, project: LoopbackServer, more: tuple[str, ...]
    ) -> None:
        command = ("run", "DocWriter", "a.md", "key.md", "--each", "-o", "out", "-n", *more)
        ran = cli(*command)
        assert (ran.code, "error: 1 of 2 files would fail" in ran.stderr) == (6, True)
        assert "warning: `key.md` counts as secret" in ran.stderr
        planned = cli(*command, "--json").json["files"]
        assert [file["state"] for file in planned] == ["to_do", "refused"]
        assert planned[1]["error"]["code"] == "secret"

    def test_written(self, cli: Cli, project: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "a.md", "key.md", ".env", "b.md", "--each", "-o", "out")
        assert ran.code == 6
        assert "`key.md` failed: `key.md` counts as secret: it holds a private key" in ran.stderr
        assert "`.env` failed: `.env` counts as secret" in ran.stderr
        assert "error: 2 of 4 files failed" in ran.stderr
        assert sorted(path.name for path in Path("out").iterdir()) == ["a.md", "b.md"]
        assert SECRET not in sent(project)

    @pytest.mark.parametrize("options", [("--json",), ("--in-place", "--json")])
    def test_as_json(self, cli: Cli, project: LoopbackServer, options: tuple[str, ...]) -> None:
        ran = cli("run", "MarkdownLinter", "key.md", "a.md", "--each", *options)
        assert (ran.code, ran.json["error"]["code"]) == (6, "partly_done")
        first, second = ran.json["files"]
        assert (first["status"], first["error"]["code"]) == ("failed", "secret")
        assert second["status"] in ("answered", "unchanged")
        assert Path("key.md").read_text() == KEY
        assert SECRET not in sent(project)

    def test_in_a_batch(self, cli: Cli, project: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "a.md", "key.md", "--each", "--batch", "-o", "out")
        assert ran.code == 6
        assert "`key.md` counts as secret" in ran.stderr
        assert "1 file submitted" in ran.stderr
        assert SECRET not in sent(project)

    def test_from_python(self, project: LoopbackServer) -> None:
        with gptasst.Client() as client:
            results = list(client.map("DocWriter", ["a.md", "key.md"]))
        came = {result.path: result.error and result.error.code for result in results}
        assert came == {"a.md": None, "key.md": "secret"}
        assert SECRET not in sent(project)

    def test_allowed(self, cli: Cli, project: LoopbackServer) -> None:
        words = ("run", "DocWriter", "a.md", "key.md", "--each", "-o", "out", "--allow-secrets")
        assert cli(*words).code == 0
        assert SECRET in sent(project)

    def test_no_other(self, cli: Cli, project: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "key.md", ".env", "--each", "-o", "out")
        assert (ran.code, project.requests) == (2, [])
        assert "(and 1 more)" in ran.stderr


@pytest.mark.usefixtures("server")
class TestOtherWays:
    def test_standard_input(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-", stdin=KEY.encode())
        assert (ran.code, server.requests) == (2, [])
        assert "`standard input` counts as secret: it holds a private key" in ran.stderr
        assert "--allow-secrets" in ran.stderr
        assert cli("run", "DocWriter", "--allow-secrets", stdin=KEY.encode()).code == 0

    @pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux tells what stdin is")
    @pytest.mark.parametrize("verb", ["run", "chat"])
    def test_a_file_as_standard_input(
        self, server: LoopbackServer, write: Write, verb: str
    ) -> None:
        for name, code in ((".env", 2), ("plain.md", 0)):
            with write(name, f"PASSWORD={SECRET}\n").open("rb") as stream:
                ran = completed(verb, "DocWriter", stdin=stream)
            assert ran.returncode == code, ran.stderr
            assert (b"counts as secret" in ran.stderr) == (code == 2)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("content", [KEY, "PASSWORD=x\n"])
    def test_what_was_said_before(
        self, cli: Cli, server: LoopbackServer, write: Write, content: str
    ) -> None:
        """A conversation that is kept here may go on with another endpoint."""
        write(".env" if "PASSWORD" in content else "notes.md", content)
        name = ".env" if "PASSWORD" in content else "notes.md"
        assert cli("run", "DocWriter", name, "-c", "--allow-secrets").code == 0
        ran = cli("run", "DocWriter", "-t", "more", "-c")
        assert (ran.code, len(server.requests)) == (2, 1)
        assert "counts as secret" in ran.stderr
        ran = cli("chat", "DocWriter", "-c", stdin=b"/retry\n")
        assert (ran.code, len(server.requests)) == (2, 1)
        assert cli("run", "DocWriter", "-t", "more", "-c", "--allow-secrets").code == 0

    def test_the_task_itself(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("run", "DocWriter", "-t", KEY)
        assert (ran.code, server.requests) == (2, [])
        assert "`the text` counts as secret" in ran.stderr

    def test_a_key_piped_into_a_chat(self, cli: Cli, server: LoopbackServer) -> None:
        ran = cli("chat", "DocWriter", stdin=KEY.encode().removeprefix(b"notes\n"))
        assert (ran.code, server.requests) == (2, [])

    def test_asked_again_in_a_chat(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write(".env", f"PASSWORD={SECRET}\n")
        ran = cli("chat", "DocWriter", "--allow-secrets", stdin=b"/file .env\nWhat?\n/retry\n")
        assert (ran.code, len(server.requests)) == (0, 2)

    @pytest.mark.parametrize("command", ["run DocWriter x.md", "assistant create A -i DocWriter"])
    def test_a_schema(self, cli: Cli, server: LoopbackServer, write: Write, command: str) -> None:
        write("x.md", "x\n")
        write("credentials.json", f'{{"title": "{SECRET}"}}')
        ran = cli(*command.split(), "--schema", "credentials.json")
        assert (ran.code, server.requests) == (2, [])
        assert "`credentials.json` counts as secret" in ran.stderr

    def test_a_definition(self, cli: Cli, write: Write) -> None:
        write("d.toml", f'name = "A"\ninstructions = """{KEY}"""\n')
        ran = cli("assistant", "import", "d.toml")
        assert (ran.code, "counts as secret" in ran.stderr) == (2, True)
        assert cli("assistant", "import", "d.toml", "--allow-secrets").code == 0

    @pytest.mark.parametrize("links", [["to"], ["harmless.txt", "to"], ["sub/to"]])
    def test_a_link_to_a_secret(
        self, cli: Cli, server: LoopbackServer, write: Write, links: list[str]
    ) -> None:
        target = write("conf/.env", f"PASSWORD={SECRET}\n").absolute()
        for link in reversed(links):
            Path(link).parent.mkdir(exist_ok=True)
            Path(link).symlink_to(target)
            target = Path(link).absolute()
        ran = cli("run", "DocWriter", links[0])
        assert (ran.code, server.requests) == (2, [])
        assert f"`{links[0]}` counts as secret" in ran.stderr

    def test_a_link_called_so(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("store/4711", f"PASSWORD={SECRET}\n")
        Path(".env").symlink_to("store/4711")
        Path("settings").symlink_to(".env")
        for name in (".env", "settings"):
            assert cli("run", "DocWriter", name).code == 2
        assert server.requests == []

    def test_a_directory_that_is_a_link(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("home/.kube/config", f"token: {SECRET}\n")
        Path("kube").symlink_to("home/.kube")
        assert cli("run", "DocWriter", "kube/config").code == 2
        assert server.requests == []

    def test_what_is_read_from_a_pipe(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        reading, writing = os.pipe()
        os.write(writing, KEY.encode())
        os.close(writing)
        ran = cli("run", "DocWriter", f"/dev/fd/{reading}")
        os.close(reading)
        assert (ran.code, server.requests) == (2, [])
        assert "counts as secret" in ran.stderr


@pytest.mark.usefixtures("writer")
class TestFromPython:
    def test_client(self, project: LoopbackServer, write: Write) -> None:
        write(".env", f"PASSWORD={SECRET}\n")
        write("conf/server.pem", SECRET)
        write("conf/guide.md", "how it is set up\n")
        told: list[str] = []
        with gptasst.Client(note=told.append) as client:
            for refused in (
                lambda: client.run("DocWriter", ".env"),
                lambda: client.stream("DocWriter", ".env"),
                lambda: client.plan("DocWriter", ".env"),
                lambda: client.submit("DocWriter", ".env").result(),
                lambda: list(client.map("DocWriter", ".env")),
                lambda: client.batches.submit("DocWriter", ".env", output="out"),
                lambda: client.assistants.create("X", instruction="DocWriter", files=".env"),
                lambda: client.assistants.update("Writer", files=".env"),
                lambda: client.assistants.add_files("Writer", ".env"),
                lambda: client.assistants.set_files("Writer", ".env"),
                lambda: client.files.upload(".env"),
                lambda: client.run("DocWriter", stdin=KEY),
            ):
                with pytest.raises(gptasst.InvalidInput, match="counts as secret") as caught:
                    refused()
                assert "allow_secrets=True" in str(caught.value.hint)
            client.run("DocWriter", "conf")
            assert told == [
                "left out: `conf/server.pem` counts as secret: it has the name of a private key"
            ]
            assert client.files.upload("conf").left_out[0].path == "conf/server.pem"
            assert client.assistants.set_files("Writer", "conf").plan.refused
            assert SECRET not in sent(project)

            client.run("DocWriter", ".env", allow_secrets=True)
            list(client.map("DocWriter", ".env", allow_secrets=True))
            client.assistants.set_files("Writer", ".env", allow_secrets=True)
            client.files.upload(".env", purpose="user_data", allow_secrets=True)
        assert SECRET in sent(project)

    def test_hchatgpt(self, project: LoopbackServer, write: Write) -> None:
        write(".env", f"PASSWORD={SECRET}\n")
        with gptasst.Client() as client:
            hchatgpt.use_client(client)
            try:
                _hold_hchatgpt_to_it(project)
            finally:
                hchatgpt.use_client(None)


def _hold_hchatgpt_to_it(project: LoopbackServer) -> None:
    thread = hchatgpt.create_thread()
    hchatgpt.create_message_on_thread_with_file_names(thread, "What?", [".env"])
    for refused in (
        lambda: hchatgpt.upload_to_gpt(".env"),
        lambda: hchatgpt.get_gpt_id(".env"),
        lambda: hchatgpt.get_gpt_file_from_path(".env"),
        lambda: hchatgpt.set_assistant_files_by_name("Writer", [".env"]),
        lambda: hchatgpt.add_files_to_assistant_by_name("Writer", [".env"]),
        lambda: hchatgpt.e2e_assistant_runner("Writer", "What?", input_file_names=[".env"]),
        lambda: hchatgpt.wait_for_run_result(
            thread, hchatgpt.run_thread_on_assistant_by_name("Writer", thread)
        ),
    ):
        with pytest.raises(gptasst.InvalidInput, match="counts as secret"):
            refused()
    assert SECRET not in sent(project)
    ident = hchatgpt.upload_to_gpt(".env", allow_secrets=True)
    thread = hchatgpt.create_thread()
    hchatgpt.create_message_on_thread(thread, "What?", [ident], allow_secrets=True)
    run = hchatgpt.run_thread_on_assistant_by_name("Writer", thread)
    assert hchatgpt.wait_for_run_result(thread, run)
