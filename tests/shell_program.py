"""`gptasst` on the `PATH` of shells that tests start: a fork does its work (`tests.processes`)."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.processes import LIMIT, Process, Surroundings

# Hands over its streams, words, directory and variables, and ends with the code that comes back.
_CLIENT = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as here:
    here.connect({address!r})
    socket.send_fds(here, [b"."], [0, 1, 2])
    here.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    here.shutdown(socket.SHUT_WR)
    code = int(here.makefile().read())
os._exit(code)
"""


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        _, streams, _, _ = socket.recv_fds(self.connection, 1, 3)
        try:
            words, directory, environ = json.load(self.rfile)
            stdin, stdout, stderr = streams
            surroundings = Surroundings(directory=directory, environ=environ)
            process = Process(
                *words, stdin=stdin, stdout=stdout, stderr=stderr, surroundings=surroundings
            )
        finally:
            for stream in streams:
                os.close(stream)
        self.wfile.write(str(process.wait(LIMIT)).encode())


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def program_for_shells(folder: Path) -> Iterator[Path]:
    """Put a program `gptasst` into a folder, which is made."""
    with tempfile.TemporaryDirectory(prefix="gptasst-") as short:  # as an address has to be
        address = f"{short}/socket"
        with _Server(address, _Handler) as server:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            folder.mkdir(exist_ok=True)
            program = folder / "gptasst"
            client = Path(short, "client.py")
            client.write_text(_CLIENT.format(address=address))
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{client}" "$@"\n')
            program.chmod(0o755)
            try:
                yield program
            finally:
                server.shutdown()
