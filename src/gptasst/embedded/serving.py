"""llama.cpp's HTTP server in its own process: run as a script by `EmbeddedEngine`.

It reads one line of JSON from stdin, writes one to stdout, and serves until stdin ends, which
happens when the parent process ends. It imports nothing of gptasst.
"""

import json
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any


def main() -> None:
    """Load the model, print its address, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it ends
    # Keep llama.cpp's output off stdout.
    answers = os.dup(1)
    os.dup2(2, 1)
    os.umask(0o077)  # for what it saves
    asked = json.loads(sys.stdin.buffer.readline())
    try:
        server = _start(asked)
        answer = {"address": server.listening_address, **_properties(server, asked["key"])}
    except ImportError as error:
        server, answer = None, {"missing": str(error)}
    except (RuntimeError, ValueError, OSError) as error:
        server, answer = None, {"refused": str(error)}
    os.write(answers, json.dumps(answer).encode() + b"\n")
    if server is not None:
        sys.stdin.buffer.read()
    os._exit(0)  # without waiting for an answer that nobody reads


def _start(asked: dict[str, Any]) -> Any:
    # Beside gptasst, where Python would not look in a build of a single file.
    sys.path.append(str(Path(__file__).absolute().parents[2]))
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked["model"]
    params.model_alias = {asked["alias"]}
    # Each slot has a context of its own: one that all share can be full before any prompt is long.
    params.n_parallel = asked["slots"]
    params.n_ctx = asked["context"] * asked["slots"]
    params.cache_ram_mib = 0  # else it keeps earlier prompts, up to 8 GB of them
    params.port = 0
    params.api_keys = [asked["key"]]
    params.ui = False
    params.warmup = False
    params.verbosity = -1
    if asked["threads"]:
        params.cpuparams.n_threads = asked["threads"]
    if asked["prefixes"]:
        params.slot_save_path = asked["prefixes"] + os.sep
    if asked["embeddings"]:
        _make_embeddings(params, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN)
    _calm_sampling(params.sampling)
    return xllamacpp.Server(params)


def _make_embeddings(params: Any, pooling: Any) -> None:
    """Configure embeddings: several texts at once, of up to 512 tokens each."""
    params.embedding = True
    params.pooling_type = pooling
    params.n_parallel = 4
    params.n_ctx = params.n_batch = params.n_ubatch = 2048


def _calm_sampling(sampling: Any) -> None:
    """Set sampling for editing with small models: low temperature, repeatable, no loops.

    At temperature 0 a small model repeats itself until its context is full, so it gets a low
    temperature with a fixed seed, and the DRY penalty on long repetitions.
    """
    sampling.seed = 42
    sampling.temp = 0.2
    sampling.dry_multiplier = 0.8
    sampling.dry_allowed_length = 24


def _properties(server: Any, key: str) -> dict[str, Any]:
    """The actual context size of llama.cpp in tokens, and its version.

    `engine` is its build, with the date if the prompt has the date before the instructions.
    """
    request = urllib.request.Request(  # noqa: S310  # our own server
        f"{server.listening_address}/props", headers={"Authorization": f"Bearer {key}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as reply:
        properties = json.load(reply)
    day = time.strftime(" %Y-%m-%d") if "strftime" in properties.get("chat_template", "") else ""
    return {
        "context": int(properties["default_generation_settings"]["n_ctx"]),
        "engine": f"{properties.get('build_info', '')}{day}",
    }


if __name__ == "__main__":
    main()
