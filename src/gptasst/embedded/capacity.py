"""What this machine can do with the embedded model: requests at once, and time they take."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from gptasst.config.profile import LocalModelSettings

# More save nothing on usual machines, and change more answers by a word: llama.cpp adds up the
# numbers of several slots in another order.
_MOST = 4
# The part of the free memory that further slots may take.
_PART = 4
_ASSUMED_FREE = 2 << 30
# SmolLM2-135M's, for a model that says nothing, or was not downloaded yet.
_ASSUMED_BYTES_A_TOKEN = 23_040
_BYTES_A_NUMBER = 2  # llama.cpp keeps them as float16


def most_slots(model: Path, settings: LocalModelSettings, free: int | None = None) -> int:
    """How many slots this machine takes: one for each core, as far as there is memory.

    Args:
        model: the GGUF file; it may be missing.
        settings: the size of a slot's context, and the number of threads.
        free: free memory in bytes; by default what the system reports.
    """
    cores = settings.threads or len(_usable_cores())
    one = settings.context * _bytes_a_token(model)
    left = (_free_memory() if free is None else free) - one - _size(model)
    return max(1, min(_MOST, cores, 1 + left // _PART // one))


def _usable_cores() -> range | set[int]:
    """The processor cores that this process may use."""
    if sys.platform != "win32":
        with contextlib.suppress(AttributeError, OSError):  # not on macOS
            return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _free_memory() -> int:
    """The free memory in bytes, as far as the system tells; a container's limit counts."""
    found = [_meminfo() or _physical_pages() or _ASSUMED_FREE]
    with contextlib.suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text("ascii"))  # else `max`
        found.append(limit - int(Path("/sys/fs/cgroup/memory.current").read_text("ascii")))
    return min(found)


def _meminfo() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _physical_pages() -> int | None:
    """Half of the memory, where the system does not tell how much of it is free."""
    if sys.platform != "win32":
        with contextlib.suppress(ValueError, OSError):
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _bytes_a_token(model: Path) -> int:
    """What a token of the context takes in memory, by the shape of the model."""
    try:
        with model.open("rb") as source:
            shape = _shape(source)
    except (OSError, ValueError, struct.error):  # no GGUF file: llama.cpp reports it
        return _ASSUMED_BYTES_A_TOKEN
    heads = shape.get("attention.head_count", 0)
    width = shape.get("embedding_length", 0) // heads if heads else 0
    both = shape.get("attention.key_length", width) + shape.get("attention.value_length", width)
    kept = shape.get("block_count", 0) * shape.get("attention.head_count_kv", heads) * both
    return kept * _BYTES_A_NUMBER or _ASSUMED_BYTES_A_TOKEN


_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_U32, _I32, _STRING, _ARRAY = 4, 5, 8, 9
_MOST_KEYS = 4096
_MOST_TEXT = 1 << 20


def _shape(source: IO[bytes]) -> Mapping[str, int]:
    """The numbers at the beginning of a GGUF file, without the name of the architecture.

    The vocabulary comes after them and is not read.
    """
    magic, _, _, count = struct.unpack("<4sIQQ", source.read(24))
    if magic != b"GGUF":
        raise ValueError("not a GGUF file")
    found: dict[str, int] = {}
    for _ in range(min(count, _MOST_KEYS)):
        key = _text(source)
        if key.startswith("tokenizer."):
            break
        (kind,) = struct.unpack("<I", source.read(4))
        number = _number(source, kind)
        if number is not None:
            found[key.partition(".")[2]] = number
    return found


def _number(source: IO[bytes], kind: int) -> int | None:
    """The value of a key; for numbers for each layer, the largest."""
    if kind == _STRING:
        _text(source)
    elif kind == _ARRAY:
        kind, count = struct.unpack("<IQ", source.read(12))
        if kind == _STRING:
            for _ in range(count):
                _text(source)
        elif kind in (_U32, _I32) and 0 < count <= _MOST_KEYS:
            return int(max(struct.unpack(f"<{count}I", source.read(4 * count))))
        else:
            source.seek(_SIZES[kind] * count, os.SEEK_CUR)
    elif kind in (_U32, _I32):
        return int(struct.unpack("<I", source.read(4))[0])
    else:
        source.seek(_SIZES[kind], os.SEEK_CUR)
    return None


def _text(source: IO[bytes]) -> str:
    (length,) = struct.unpack("<Q", source.read(8))
    if length > _MOST_TEXT:
        raise ValueError("a text in it is too long")
    return source.read(length).decode("utf-8", "replace")


# Measured with the default model, whose file has so many bytes: seconds of one core.
_DEFAULT_BYTES = 98_000_000
_READ = 0.004  # for a token of input
_WRITTEN = 0.02  # for a token of the answer
_CORRECTED = 0.0065  # for a character of a text that is edited by sentences
_USED = 0.85  # of the cores, at best


def expected_seconds(
    model: Path, settings: LocalModelSettings, *, read: int, written: int, corrected: int
) -> float:
    """Estimate a run's time. A model twice as large takes twice as long.

    Args:
        model: the GGUF file; the default model is assumed if it is missing.
        settings: the number of threads.
        read: tokens of input.
        written: tokens of answers.
        corrected: characters of texts that are edited by sentences, which are in neither.
    """
    size = _size(model) or _DEFAULT_BYTES
    work = _READ * read + _WRITTEN * written + _CORRECTED * corrected
    return work * size / _DEFAULT_BYTES / (_USED * (settings.threads or len(_usable_cores())))
