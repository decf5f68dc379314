"""MiniLM as llama.cpp takes it: a GGUF file written from safetensors and a tokenizer.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3. The names of keys
and tensors are those of llama.cpp's architecture `bert`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

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
    """Write a GGUF file of a BERT model with mean pooling.

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
    """A piece as llama.cpp has it: what begins a word is marked, and not what goes on."""
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
