"""llama.cpp's HTTP server in a process of its own: run as a script by `engine`.

It takes one line of JSON on stdin, answers with one on stdout, and serves until stdin ends, which
it does with the process that began it. Nothing of gptasst is imported.
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
    """Load the model, say where it is served, and serve."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever began it decides when it ends
    # What llama.cpp prints must not be taken for the answer.
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
    os._exit(0)  # not waiting for an answer that nobody reads


def _start(asked: dict[str, Any]) -> Any:
    # Beside gptasst, where Python would not look in a build of a single file.
    sys.path.append(str(Path(__file__).absolute().parents[2]))
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = asked["model"]
    params.model_alias = {asked["alias"]}
    params.n_ctx = asked["context"]
    params.n_parallel = 1
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
    """Several texts at once, of 512 tokens each; a text goes through in one piece."""
    params.embedding = True
    params.pooling_type = pooling
    params.n_parallel = 4
    params.n_ctx = params.n_batch = params.n_ubatch = 2048


def _calm_sampling(sampling: Any) -> None:
    """Defaults for editing text with small models: little chance, repeatable, no loops.

    At temperature 0 a small model repeats itself until its context is full, so it gets a
    little chance with a fixed seed, and the DRY penalty on long repetitions.
    """
    sampling.seed = 42
    sampling.temp = 0.2
    sampling.dry_multiplier = 0.8
    sampling.dry_allowed_length = 24


def _properties(server: Any, key: str) -> dict[str, Any]:
    """What llama.cpp made of the context that was asked for, in tokens, and what it is itself.

    `engine` is its build, with the day where the model is told that in front of everything else.
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
