"""Knowledge as files in a directory: written by an export, read by an import."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from gptasst.errors import GptasstError, InvalidInput, PartlyDone
from gptasst.inputs.reading import Refusal
from gptasst.knowledge.types import KnowledgeFile
from gptasst.storage.atomic_files import replace_file
from gptasst.uploads.cache import FileCache
from gptasst.uploads.types import KnowledgeSource


def write_knowledge(
    files: Sequence[KnowledgeFile],
    directory: Path,
    cache: FileCache,
    download: Callable[[KnowledgeFile], bytes],
) -> list[Refusal]:
    """Write knowledge files below a new directory, each at its path.

    Contents come from local files where possible, else from the server. A path that leads out of
    the directory, which others may have written, is changed to stay below it.

    Args:
        files: the knowledge.
        directory: created if it is missing.
        cache: finds local files by their content.
        download: reads a content from the store.

    Returns the files that could not be written, each with the reason.

    Raises:
        InvalidInput: the directory is not empty, or can't be written to.
    """
    require_new(directory)
    local = cache.local_paths([file.sha256 for file in files if file.sha256])
    failed = []
    for file in files:
        target = directory.joinpath(*_parts_below(file.path))
        try:
            content = _on_disk(file, local.get(file.sha256, ())) or _downloaded(file, download)
            if target.exists():
                raise InvalidInput(f"two files would be `{target}`")
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, content)
        except GptasstError as error:
            failed.append(Refusal(file.path, error.message))
        except OSError as error:
            failed.append(Refusal(file.path, f"`{target}` can't be written: {error.strerror}"))
    return failed


def require_new(directory: Path) -> None:
    """Create a directory for an export.

    Raises:
        InvalidInput: it is not empty, or can't be written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise InvalidInput(f"`{directory}` is not empty", hint="name a new directory")
    except OSError as error:
        raise InvalidInput(f"`{directory}` can't be written: {error.strerror}") from None


def not_written(failed: Sequence[Refusal], done: object) -> PartlyDone:
    """The error for an export without some of its files; `done` is the rest."""
    files = "1 file" if len(failed) == 1 else f"{len(failed):,} files"
    named = "; ".join(f"`{one.path}`: {one.reason}" for one in failed)
    error = PartlyDone(f"{files} could not be written: {named}")
    error.done = done
    return error


def read_knowledge(directory: Path, cache: FileCache) -> tuple[KnowledgeSource, ...]:
    """The files below a directory, by their relative paths.

    Raises:
        InvalidInput: there is no such directory, or it is empty.
    """
    if not directory.is_dir():
        raise InvalidInput(f"no such directory: `{directory}`", code="no_such_file")
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    if not files:
        raise InvalidInput(f"there are no files in `{directory}`", code="no_such_file")
    hashes = cache.sha256_all(files)
    return tuple(
        KnowledgeSource(
            file.relative_to(directory).as_posix(), file, hashes[file].size, hashes[file].sha256
        )
        for file in files
    )


def _parts_below(path: str) -> list[str]:
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return [part.replace(":", "") for part in parts if part not in ("/", "//", "..", ".")] or ["_"]


def _on_disk(file: KnowledgeFile, known: Sequence[Path]) -> bytes | None:
    for path in (*known, Path(file.path)):
        try:
            content = path.read_bytes()
        except (OSError, ValueError):
            continue
        if hashlib.sha256(content).hexdigest() == file.sha256:
            return content
    return None


def _downloaded(file: KnowledgeFile, download: Callable[[KnowledgeFile], bytes]) -> bytes:
    content = download(file)
    if file.sha256 and hashlib.sha256(content).hexdigest() != file.sha256:
        raise InvalidInput("the server returned other content than was uploaded")
    return content
