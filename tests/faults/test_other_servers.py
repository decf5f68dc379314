"""What vLLM, Ollama, LM Studio, transformers serve, Portkey and open-responses-server send.

vLLM 0.32, Portkey's gateway 1.15 and open-responses-server 0.4 were run; the others' shapes are
those in their sources (`openai/responses.go` of Ollama, `cli/serving` of transformers 5.19) and in
the reports of their users (LM Studio).
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gptasst.api import retries
from tests.conftest import Cli, Write
from tests.faults.test_answers_as_sent import DELTA, completed, stream
from tests.faults.test_capabilities import runs, states
from tests.loopback import LoopbackServer, outcomes
from tests.loopback.outcomes import HttpAnswer
from tests.loopback.wire import Reply, json_reply


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST_WAIT", 0.001)


VLLM = {"type": "web_search", "external_web_access": None, "search_context_size": None}
OLLAMA = {"type": "web_search", "name": "", "description": None, "parameters": None}
CALL = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


class TestEchoes:
    """A tool that a response repeats is no proof that the server has it."""

    @pytest.fixture(autouse=True)
    def seeker(self, write: Write) -> None:
        write("instructions/Seeker.toml", "instructions = 'Seek.'\n[tools]\nweb_search = true\n")

    @pytest.mark.parametrize("echo", [VLLM, OLLAMA], ids=["vLLM", "Ollama"])
    def test_a_tool_that_is_only_repeated_is_noted(
        self, cli: Cli, server: LoopbackServer, echo: dict[str, Any]
    ) -> None:
        server.outcomes.append(stream(DELTA, completed(tools=[echo])))
        assert "shows no sign of web search" in cli("run", "Seeker", "-t", "x").stderr
        assert states(cli)["web search"] == "unknown"

    def test_one_that_was_called_is_there(self, cli: Cli, server: LoopbackServer) -> None:
        done = {"type": "response.output_item.done", "item": CALL}
        server.outcomes += [
            stream(done, DELTA, completed(tools=[VLLM], output=[CALL])),
            stream(DELTA, completed(tools=[VLLM])),  # not needed for the second question
        ]
        for _ in range(2):
            assert "no sign" not in cli("run", "Seeker", "-t", "x").stderr
        assert states(cli)["web search"] == "available"


def flat(message: str, status: int = 400) -> Reply:
    return json_reply({"error": message}, status)


def nested(message: str, status: int = 400, kind: str = "BadRequestError") -> Reply:
    return json_reply({"error": {"message": message, "type": kind, "code": status}}, status)


KEEP = (
    "The number of tokens to keep from the initial prompt is greater than the context length"
    " (n_keep: 13055>= n_ctx: 4096). Try to load the model with a larger context length"
)
OVERFLOW = (
    "Trying to keep the first 10136 tokens when context the overflows. However, the model is"
    " loaded with context length of only 7866 tokens, which is not enough."
)
PROMPT = "The engine prompt length 9000 exceeds the max_model_len 4096. Please reduce prompt."
PART = "Unsupported chat content part type: 'input_file'. Supported types: input_image, text."
EVENT = Reply(
    b"event: error\ndata: " + json.dumps({"error": {"message": KEEP}}).encode() + b"\n\n",
    200,
    "text/event-stream",
)


@pytest.mark.parametrize(
    ("reply", "exit_code", "code", "said"),
    [
        (nested(PROMPT, kind="invalid_request_error"), 2, "too_long", "max_model_len 4096"),
        (nested("Input length (5000) exceeds model's maximum context length (4096)."),
         2, "too_long", "(4096)"),
        (flat(KEEP), 2, "too_long", "n_ctx: 4096"),
        (EVENT, 2, "too_long", "n_ctx: 4096"),
        (flat(KEEP, 200), 2, "too_long", "n_ctx: 4096"),
        (flat(OVERFLOW), 2, "too_long", "7866 tokens"),
        (nested("The input (9000 tokens) is longer than the model's context length (4096 tokens)."),
         2, "too_long", "4096"),
        (nested("openai error: request (9000 tokens) exceeds the available context size"),
         2, "too_long", "9000"),
        (nested("smollm2 is not a multimodal model"), 2, "input_not_taken", "takes no images"),
        (nested(PART), 2, "input_not_taken", "takes no documents"),
        (nested("file inputs are not currently supported"),
         2, "input_not_taken", "takes no documents"),
        (nested("this model is missing data required for image input", 500),
         2, "input_not_taken", "takes no images"),
        (flat("Model does not support images. Please use a model that does."),
         2, "input_not_taken", "takes no images"),
        (nested("The model `gpt-6-luna` does not exist. Valid aliases: smollm2.", 404),
         3, "model_not_found", "has no model `gpt-6-luna`"),
        (nested('model "gpt-6-luna" not found, try pulling it first', 404, "not_found_error"),
         3, "model_not_found", "has no model `gpt-6-luna`"),
        (json_reply({"detail": "Server is pinned to '/m'; requested 'gpt-6-luna'."}, 400),
         3, "model_not_found", "has no model `gpt-6-luna`"),
        (flat("Unauthorized", 401), 4, "wrong_key", "Unauthorized"),
        (json_reply({"detail": "Unexpected fields in the request: {'prompt_cache_key'}"}, 422),
         1, "bad_request", "Unexpected fields"),
    ],
)  # fmt: skip
def test_errors_say_what_they_are(
    cli: Cli, server: LoopbackServer, reply: Reply, exit_code: int, code: str, said: str
) -> None:
    server.outcomes += [HttpAnswer(reply)] * 3
    ran = cli("run", "CommitMessage", "-t", "x", "--json")
    assert (ran.code, ran.error["code"]) == (exit_code, code)
    assert said in ran.error["message"]
    assert "base URL" not in (ran.error["hint"] or "")


class TestMissingParts:
    """LM Studio's words with status 200, and a gateway's with the provider in front."""

    LM_STUDIO = flat("Unexpected endpoint or method. (GET /v1/files)", 200)
    PORTKEY = nested("openai error: File Not Found", 404, "not_found_error")

    @pytest.mark.parametrize("reply", [LM_STUDIO, PORTKEY], ids=["LM Studio", "Portkey"])
    @pytest.mark.parametrize(
        ("path", "words", "part"),
        [
            ("/v1/files", "file list", "files"),
            ("/v1/files", "file upload a.md", "files"),
            ("/v1/conversations", "run DocWriter -t x -c", "conversations"),
            ("/v1/vector_stores", "assistant list", "vector stores"),
        ],
    )
    def test_are_named(
        self,
        cli: Cli,
        project: LoopbackServer,
        write: Write,
        reply: Reply,
        path: str,
        words: str,
        part: str,
    ) -> None:
        write("a.md", "alpha\n")
        project.disturb("*", path, HttpAnswer(reply), times=1_000)
        ran = cli(*words.split(), "--json")
        assert ran.code == 1
        assert f" has no {part}" in ran.error["message"]
        assert "local" in ran.error["hint"]

    def test_a_base_url_without_v1(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url.removesuffix("/v1"))
        unexpected = flat("Unexpected endpoint or method. (POST /responses)", 200)
        server.disturb("POST", "/responses", HttpAnswer(unexpected))
        ran = cli("run", "DocWriter", "-t", "x")
        assert ran.text == "x"
        assert f"set OPENAI_BASE_URL={server.base_url}" in ran.stderr

    @pytest.mark.parametrize(
        "reply",
        [
            nested("This server does not support embeddings. Start it with `--embeddings`", 501),
            json_reply({"detail": "Not Found"}, 404),
        ],
        ids=["llama.cpp", "vLLM"],
    )
    def test_embeddings(
        self,
        cli: Cli,
        server: LoopbackServer,
        write: Write,
        monkeypatch: pytest.MonkeyPatch,
        reply: Reply,
    ) -> None:
        write("a.md", "alpha\n")
        assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md").code == 0
        monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "embed")
        server.disturb("POST", "/v1/embeddings", HttpAnswer(reply), times=9)
        ran = cli("assistant", "files", "sync", "Docs", "--json")
        assert (ran.code, ran.error["code"]) == (1, "no_embeddings")
        assert ran.error["message"].endswith(" has no embeddings")
        assert 'embedding_model = "embedded"' in ran.error["hint"]


class TestEmbeddings:
    @pytest.fixture(autouse=True)
    def docs(self, cli: Cli, server: LoopbackServer, write: Write) -> None:
        write("a.md", "Felines like fish.\n")
        assert cli("assistant", "create", "Docs", "-i", "DocWriter", "-f", "a.md").code == 0

    @pytest.mark.parametrize(
        "reply",
        [
            nested("Model 'embed' not found. Use 'client.models.list()' to list models.", 404),
            nested("/embeddings: Invalid model name passed in model=embed. Call `/v1/models`"),
        ],
        ids=["OGX", "LiteLLM"],
    )
    def test_a_model_that_is_not_there(
        self,
        cli: Cli,
        server: LoopbackServer,
        monkeypatch: pytest.MonkeyPatch,
        reply: Reply,
    ) -> None:
        monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "embed")
        server.disturb("POST", "/v1/embeddings", HttpAnswer(reply), times=9)
        ran = cli("assistant", "files", "sync", "Docs", "--json")
        assert (ran.code, ran.error["code"]) == (3, "model_not_found")
        assert "has no model `embed`, the `embedding_model`" in ran.error["message"]

    @pytest.mark.parametrize("words", ["assistant search Docs fish", "run Docs -t fish"])
    def test_knowledge_without_vectors_is_noted(
        self, cli: Cli, monkeypatch: pytest.MonkeyPatch, words: str
    ) -> None:
        """It was made before `embedding_model` was set, or for another one."""
        monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "text-embedding-3-small")
        ran = cli(*words.split())
        assert ran.stderr.count("has no vectors of `text-embedding-3-small` yet") == 1
        fix = "assistant files sync Docs"
        assert f"`gptasst {fix}`" in ran.stderr
        assert cli(*fix.split()).code == 0
        assert "vectors" not in cli(*words.split()).stderr


class TestOnlyStreams:
    """A server that sends no answer in one piece, which `--each` asks for, is asked to stream."""

    NULL = HttpAnswer(json_reply(None))  # open-responses-server
    REFUSED = HttpAnswer(json_reply({"detail": "Stream must be set to true"}, 400))

    @pytest.mark.parametrize("reply", [NULL, REFUSED], ids=["null", "refused"])
    def test_is_asked_to_stream(
        self, cli: Cli, server: LoopbackServer, write: Write, reply: HttpAnswer
    ) -> None:
        for name in ("a.md", "b.md"):
            write(name, f"{name}\n")
        server.outcomes.append(reply)
        ran = cli("run", "DocWriter", "--each", "a.md", "b.md", "-j", "1", "-o", "out")
        assert ran.code == 0, ran.stderr
        assert Path("out/b.md").read_text() == "b.md\n"
        assert [body.get("stream", False) for body in runs(server)] == [False, True, True]

    def test_many_files_at_once(
        self, cli: Cli, server: LoopbackServer, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each request that was under way is sent again."""
        arrived = threading.Barrier(3, timeout=10)
        event = b"data: " + json.dumps(completed()).encode() + b"\n\n"

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                streamed = body.get("stream")
                if not streamed:
                    arrived.wait()
                data = event if streamed else b"null"
                self.send_response(200)
                kind = "text/event-stream" if streamed else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        names = [write(name, f"{name}\n").name for name in ("a.md", "b.md", "c.md")]
        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
            threading.Thread(target=other.serve_forever, daemon=True).start()
            monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{other.server_port}/v1")
            ran = cli("run", "DocWriter", "--each", *names, "-j", "3", "-o", "out")
            other.shutdown()
        assert ran.code == 0, ran.stderr
        assert [Path("out", name).read_text() for name in names] == ["right"] * 3

    def test_another_refusal_is_none_of_that(
        self, cli: Cli, server: LoopbackServer, write: Write
    ) -> None:
        write("a.md", "text\n")
        server.outcomes.append(outcomes.http_error(400, message="Unknown parameter: 'stream'"))
        assert cli("run", "DocWriter", "--each", "a.md", "-o", "out").code == 6
        assert len(runs(server)) == 1

    def test_doctor_says_that_it_has_responses(self, cli: Cli, server: LoopbackServer) -> None:
        missing = HttpAnswer(json_reply({"detail": "Not Found"}, 404))
        server.disturb("GET", "/v1/responses/*", missing, times=9)
        server.disturb("POST", "/v1/responses", self.NULL, times=9)
        assert states(cli)["responses"] == "available"


class TestTransformers:
    """`transformers serve` fails at an empty request, and where it lists a model by its path."""

    FAILED = HttpAnswer(Reply(b"Internal Server Error", 500, "text/plain"))

    def test_doctor_says_that_it_has_responses(self, cli: Cli, server: LoopbackServer) -> None:
        missing = HttpAnswer(json_reply({"detail": "Not Found"}, 404))
        server.disturb("GET", "/v1/responses/*", missing, times=9)
        server.disturb("POST", "/v1/responses", self.FAILED, times=9)
        found = states(cli)
        assert (found["responses"], found["web search"]) == ("available", "unknown")

    def test_no_model_is_set_and_none_is_listed(
        self, cli: Cli, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("GPTASST_MODEL")
        server.disturb("GET", "/v1/models", self.FAILED, times=9)
        ran = cli("run", "DocWriter", "-t", "x", "--json")
        assert (ran.code, ran.error["code"]) == (2, "no_model")
        assert "can't list its models" in ran.error["message"]
        assert "-m MODEL" in ran.error["hint"]

    def ran(self, cli: Cli, server: LoopbackServer, tokens: int, paths: Any) -> int:
        usage = {"input_tokens": 9, "output_tokens": tokens, "total_tokens": 9 + tokens}
        server.outcomes.append(stream(DELTA, completed(usage=usage)))
        server.disturb("GET", "/openapi.json", HttpAnswer(json_reply({"paths": paths})))
        return cli("run", "DocWriter", "-t", "x", "-o", "out.md").code

    # It ends answers at 1,024 tokens and calls them completed.
    @pytest.mark.parametrize(
        ("tokens", "paths", "code"),
        [
            (1024, {"/load_model": {}}, 7),
            (1023, {"/load_model": {}}, 0),
            (1024, {"/v1/responses": {}}, 0),
            (1024, None, 0),
        ],
    )
    def test_its_own_limit_is_known(
        self, cli: Cli, server: LoopbackServer, tokens: int, paths: Any, code: int
    ) -> None:
        assert self.ran(cli, server, tokens, paths) == code
        assert Path("out.md").exists() == (code == 0)


def _of_ollama(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({**data, 'type': kind})}".encode()


def test_a_reasoning_model_of_ollama(cli: Cli, server: LoopbackServer) -> None:
    """Its thoughts come as a summary; only the text is the answer."""
    thought = [{"type": "summary_text", "text": "hm"}]
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": thought, "encrypted_content": "hm"}
    part = {"type": "output_text", "text": "right", "annotations": [], "logprobs": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    response = {
        "id": "resp_1", "object": "response", "status": "completed", "error": None, "tools": [],
        "model": "qwen3:8b", "max_output_tokens": None, "output": [reasoning, message],
        "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
    }  # fmt: skip
    server.outcomes.append(
        stream(
            _of_ollama("response.created", response={**response, "status": "in_progress"}),
            _of_ollama("response.output_item.added", item={**reasoning, "summary": []}),
            _of_ollama("response.reasoning_summary_text.delta", item_id="rs_1", delta="hm"),
            _of_ollama("response.output_item.done", item=reasoning),
            _of_ollama("response.output_item.added", item={**message, "content": []}),
            _of_ollama("response.output_text.delta", item_id="msg_1", delta="right"),
            _of_ollama("response.output_item.done", item=message),
            _of_ollama("response.completed", response=response),
        )
    )
    ran = cli("run", "DocWriter", "-t", "x", "--json")
    assert (ran.json["answer"], ran.json["reasoning"]) == ("right", "hm")
    assert (ran.json["model"], ran.json["usage"]["output"]) == ("qwen3:8b", 4)
