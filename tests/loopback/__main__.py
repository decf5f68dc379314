"""The server in its own process: prints its base URL and runs until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from .server import LoopbackServer
from .tokenizer import o200k


def main() -> None:
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = LoopbackServer(
        port=options.port,
        latency=options.latency,
        delta_size=options.delta_size,
        delta_delay=options.delta_delay,
        api_key=options.api_key,
    )
    server.background_delay = options.background_delay
    if options.count_tokens:
        server.tokenizer = o200k()
    if options.answer_file is not None:
        server.answer = options.answer_file.read_text(encoding="utf-8")
    elif options.answer is not None:
        server.answer = options.answer
    with server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        stop.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--answer", help="the text of every answer; else the input comes back")
    parser.add_argument("--answer-file", type=Path, help="the same, from a UTF-8 file")
    parser.add_argument("--delta-size", type=int, default=7, help="characters")
    parser.add_argument("--delta-delay", type=float, default=0.0, help="seconds between deltas")
    parser.add_argument("--background-delay", type=float, default=0.0, help="seconds")
    parser.add_argument("--count-tokens", action="store_true", help="as OpenAI's tokenizer does")
    parser.add_argument("--api-key", help="the only key that is let in")
    return parser.parse_args()


if __name__ == "__main__":
    main()
