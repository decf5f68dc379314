"""The files that words mean, without those that count as secret."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.inputs.secrets import refusal, secret_error, secret_file, secret_name
from gptasst.inputs.types import Refusal
from gptasst.inputs.words import placed_files


@dataclass(frozen=True, slots=True)
class ScreenedFiles:
    """What may be used, each file with its place (see `placed_files`), and what was left out."""

    places: Mapping[Path, Path]
    left_out: tuple[Refusal, ...] = ()

    @property
    def paths(self) -> Sequence[Path]:
        return list(self.places)

    def tell(self, note: Callable[[str], None]) -> None:
        """Say what was left out.

        Raises:
            InvalidInput: it is everything.
        """
        if self.left_out and not self.places:
            raise all_secret(self.left_out)
        for left in self.left_out:
            note(f"left out: {left.reason}")


def screened_files(
    words: Iterable[str], *, allow_secrets: bool, by_name_only: bool = False
) -> ScreenedFiles:
    """Turn words into files; see `expand_words`.

    Files that a directory or a pattern yields are left out where they count as secret.

    Args:
        words: file names, patterns, directories.
        allow_secrets: nothing counts as secret.
        by_name_only: contents are looked at later, where they are read anyway.

    Raises:
        InvalidInput: a file that counts as secret was named itself, or a word means no file.
    """
    places: dict[Path, Path] = {}
    left_out: dict[Path, Refusal] = {}
    reason_of = secret_name if by_name_only else secret_file
    for word in words:
        for path, place in placed_files([word]).items():
            reason = None if allow_secrets else reason_of(path)
            if reason is None:
                places.setdefault(path, place)
            elif names_a_file(word):
                raise secret_error(refusal(str(path), reason))
            else:
                left_out[path] = Refusal(str(path), refusal(str(path), reason))
    return ScreenedFiles(places, tuple(left_out.values()))


def all_secret(left_out: Sequence[Refusal]) -> InvalidInput:
    """The error where nothing is left of the files that were meant."""
    more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
    return secret_error(left_out[0].reason + more)


def names_a_file(word: str) -> bool:
    """Whether a word is a file's own name, and no directory or pattern."""
    return os.path.exists(word) and not os.path.isdir(word)
