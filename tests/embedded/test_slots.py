"""Which slot of the embedded model takes a request, and how many there can be."""

from __future__ import annotations

import json
import struct
import threading
from pathlib import Path

import pytest

from gptasst.config.profile import LocalModelSettings
from gptasst.embedded.capacity import most_slots
from gptasst.embedded.slots import Slots
from tests.conftest import Cli, Write

GIB = 1 << 30


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(path: Path, **shape: int) -> Path:
    """A GGUF file with only its first values, and a vocabulary that is cut off."""
    values = [text("general.architecture") + struct.pack("<I", 8) + text("llama")]
    values += [
        text(f"llama.{k.replace('__', '.')}") + struct.pack("<II", 4, v) for k, v in shape.items()
    ]
    values.append(text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 1 << 40))
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(values)) + b"".join(values))
    return path


class TestHowMany:
    """With 32 layers and 8 heads of 128 numbers, a token takes 128 KiB, and a context 1 GiB."""

    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        return gguf(
            tmp_path / "x.gguf",
            block_count=32,
            embedding_length=4096,
            attention__head_count=32,
            attention__head_count_kv=8,
        )

    @pytest.mark.parametrize(
        ("cores", "free", "expected"),
        [(1, 64, 1), (2, 64, 2), (3, 64, 3), (64, 64, 4), (4, 6, 2), (4, 4, 1), (4, 0, 1)],
    )
    def test_as_many_as_there_are_cores_and_memory(
        self, model: Path, cores: int, free: int, expected: int
    ) -> None:
        settings = LocalModelSettings(context=8192, threads=cores)
        assert most_slots(model, settings, free * GIB) == expected

    def test_of_a_smaller_context(self, model: Path) -> None:
        settings = LocalModelSettings(context=1024, threads=4)
        assert most_slots(model, settings, 4 * GIB) == 4

    @pytest.mark.parametrize("content", [None, b"", b"GGUF", b"no model"])
    def test_of_a_file_that_is_none_yet(self, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "x.gguf"
        if content is not None:
            path.write_bytes(content)
        settings = LocalModelSettings(threads=2)
        assert most_slots(path, settings, 8 * GIB) == 2
        assert most_slots(path, settings, GIB // 2) == 1


class TestTaking:
    def test_one_that_began_alike_is_taken_first(self) -> None:
        two = Slots(2)
        first = two.take("a")
        first.loaded = "a"
        second = two.take("a")
        second.loaded = "b"
        two.give_back(first)
        two.give_back(second)
        assert two.take("a") is first
        assert two.take("a") is second  # better than to wait

    def test_who_finds_none_waits(self) -> None:
        two = Slots(1)
        slot = two.take(None)
        taken: list[int] = []
        waiting = threading.Thread(target=lambda: taken.append(two.take(None).number))
        waiting.start()
        assert not taken
        two.give_back(slot)
        waiting.join(30)
        assert taken == [slot.number]

    def test_a_thread_does_not_wait_for_itself(self) -> None:
        """As with an answer that is not read to its end when the next is asked for."""
        one = Slots(1)
        slot = one.take(None)
        assert one.take(None) is slot


@pytest.mark.embedded
@pytest.mark.usefixtures("embedded")
class TestEach:
    @pytest.fixture
    def instruction(self, write: Write) -> str:
        schema = {
            "type": "object",
            "properties": {"yes": {"type": "boolean"}},
            "required": ["yes"],
            "additionalProperties": False,
        }
        told = "Answer in JSON. " + "Cats and dogs are pets. Wolves and bears are none. " * 10
        return str(
            write("YesOrNo.toml", f"instructions = '{told}'\nschema = '{json.dumps(schema)}'\n")
        )

    @pytest.fixture(autouse=True)
    def small_context(self, home: Path, write: Write) -> None:
        write(str(home / "config/config.toml"), "[local]\ncontext = 512\nthreads = 2\n")

    def test_each_has_the_context_and_the_prefix_that_it_has_alone(
        self, cli: Cli, write: Write, instruction: str
    ) -> None:
        paths = [str(write(f"{n}.md", f"Animal {n} is a cat. " * 28)) for n in range(4)]
        words = ("run", instruction, "-f", *paths, "--each", "--json", "--profile", "local")
        ran = cli(*words)
        assert ran.code == 0, ran.stderr
        files = ran.json["files"]
        assert [file["path"] for file in files] == paths
        for file in files:
            assert file["usage"]["input"] > 300  # more than half of a context
            assert file["usage"]["cached"] > 100
        one_by_one = cli(*words, "--force", "-j", "1").json["files"]
        assert [file["answer"] for file in files] == [file["answer"] for file in one_by_one]
