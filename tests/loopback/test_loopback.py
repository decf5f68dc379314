"""The server as such: connections, threads, its own process, the admin routes."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from . import LoopbackServer
from .driving import MODEL, ask, call, post
from .world import last_input_text


class TestServer:
    def test_serves_many_at_once(self, server: LoopbackServer, client: OpenAI) -> None:
        all_there = threading.Barrier(20, timeout=60)

        def answer(body: Any) -> str:
            all_there.wait()  # for ever, if they were served one by one
            return last_input_text(body)

        server.answer = answer
        with ThreadPoolExecutor(20) as pool:
            found = list(pool.map(lambda n: ask(client, str(n)).output_text, range(20)))

        assert found == [str(n) for n in range(20)]
        assert len(server.requests) == 20

    def test_connections_are_kept(self, server: LoopbackServer) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.connect()
        local = connection.sock.getsockname()
        for _ in range(3):
            connection.request("GET", "/v1/models")
            connection.getresponse().read()
            assert connection.sock.getsockname() == local
        connection.close()

    def test_takes_chunked_bodies(self, server: LoopbackServer) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        data = json.dumps({"model": MODEL, "input": "chunks"}).encode()
        headers = {"Content-Type": "application/json"}
        connection.request(
            "POST", "/v1/responses", iter([data[:9], data[9:]]), headers, encode_chunked=True
        )
        assert json.loads(connection.getresponse().read())["output"]
        connection.close()

    def test_clients_may_hang_up(
        self, server: LoopbackServer, client: OpenAI, capfd: pytest.CaptureFixture[str]
    ) -> None:
        server.answer, server.delta_delay = "x" * 700, 0.01
        for _ in range(5):
            with client.responses.create(model=MODEL, input="x", stream=True) as events:
                next(events)
        server.delta_delay = 0
        server.answer = "x" * 7_000_000
        with client.responses.create(model=MODEL, input="x", stream=True) as events:
            next(events)
        time.sleep(0.1)
        server.close()

        assert capfd.readouterr() == ("", "")
        assert server.crashes == []

    def test_close_ends_idle_connections(self) -> None:
        before = threading.active_count()
        with LoopbackServer() as running:
            idle = [http.client.HTTPConnection("127.0.0.1", running.port) for _ in range(5)]
            for connection in idle:
                connection.connect()
            while running.open_connections < 5:
                time.sleep(0.005)
        assert threading.active_count() == before
        for connection in idle:
            connection.close()
        running.close()

    def test_an_answer_that_raises_is_reported(self) -> None:
        def complain(_body: dict[str, Any]) -> str:
            raise LookupError

        running = LoopbackServer(answer=complain).start()
        status, _ = post(running, "/v1/responses", {"model": MODEL, "input": "x"})
        with pytest.raises(RuntimeError, match="LookupError"):
            running.__exit__(None, None, None)
        assert status == 500


class TestAdmin:
    def test_script_log_and_state(self, server: LoopbackServer, client: OpenAI) -> None:
        script = {"answer": "scripted", "outcomes": [{"kind": "refusal", "text": "no"}]}
        assert post(server, "/_script", script)[0] == 200

        assert ask(client).output[0].content[0].refusal == "no"
        assert ask(client).output_text == "scripted"
        client.files.create(file=("a.txt", b"abc"), purpose="user_data")
        client.conversations.create(items=[{"role": "user", "content": "x"}])
        _, log = call(server, "GET", "/_log")
        assert [entry["path"] for entry in log[1:]] == [
            "/v1/responses", "/v1/files", "/v1/conversations",
        ]  # fmt: skip
        _, state = call(server, "GET", "/_state")
        assert len(state["responses"]) == 2
        assert state["files"][0]["sha256"].startswith("ba7816bf")
        assert state["conversations"][0]["items"][0]["content"][0]["text"] == "x"
        assert call(server, "DELETE", "/_log") == (200, [])

    @pytest.mark.parametrize("wrong", [{"nonsense": 1}, {"outcomes": [{"kind": "nonsense"}]}])
    def test_wrong_scripts(self, server: LoopbackServer, wrong: dict[str, Any]) -> None:
        assert post(server, "/_script", wrong)[0] == 400

    def test_in_its_own_process(self, tmp_path: Path) -> None:
        answer = tmp_path / "answer.txt"
        answer.write_text("from ä file", encoding="utf-8")
        command = [sys.executable, "-m", "tests.loopback", "--answer-file", str(answer)]
        root = Path(__file__).parents[2]
        with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with OpenAI(base_url=url, api_key="x", max_retries=0) as client:
                assert ask(client).output_text == "from ä file"
            process.terminate()
            assert process.wait(5) == 0
