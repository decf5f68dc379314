"""The files that words mean, without those that count as secret."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.inputs.secrets import refusal, secret_error, secret_file, secret_name
from gptasst.inputs.types import Refusal
from gptasst.inputs.words import find_files


@dataclass(frozen=True, slots=True)
class ScreenedFiles:
    """What may be used, each file with its place (see `placed_files`), and what was left out."""

    places: Mapping[Path, Path]
    left_out: tuple[Refusal, ...] = ()
    unreadable: tuple[Refusal, ...] = ()

    @property
    def paths(self) -> Sequence[Path]:
        return list(self.places)

    def tell(
        self, warn: Callable[[str], None], failed: Callable[[str], None] | None = None
    ) -> None:
        """Report what was left out, and with `failed` the directories that can't be read.

        Raises:
            InvalidInput: it is everything.
        """
        if self.left_out and not self.places:
            raise all_secret(self.left_out)
        for left in self.left_out:
            warn(f"left out: {left.reason}")
        for directory in self.unreadable:
            (failed or warn)(directory.reason)

    def refuse_unreadable(self) -> None:
        """Refuse directories that can't be read, where what is in them must not be missed.

        Raises:
            InvalidInput: there is one.
        """
        for directory in self.unreadable:
            raise InvalidInput(directory.reason, code="unreadable")


def screened_files(
    words: Iterable[str],
    *,
    allow_secrets: bool,
    by_name_only: bool = False,
    one_by_one: bool = False,
) -> ScreenedFiles:
    """Turn words into files; see `expand_words`.

    Files that a directory or a pattern yields are left out where they count as secret.

    Args:
        words: file names, patterns, directories.
        allow_secrets: nothing counts as secret.
        by_name_only: contents are looked at later, where they are read anyway.
        one_by_one: each file has an outcome of its own. A secret file that was named itself is
            kept among others: whoever reads it refuses it, and the others go on.

    Raises:
        InvalidInput: a file that counts as secret was named itself, or a word means no file.
    """
    places: dict[Path, Path] = {}
    secret: list[Refusal] = []
    refused_later: list[Refusal] = []
    reason_of = secret_name if by_name_only else secret_file
    found = find_files(words)
    for file in found.files:
        reason = None if allow_secrets else reason_of(file.path)
        if reason is None:
            places[file.path] = file.place
            continue
        refused = Refusal(str(file.path), refusal(str(file.path), reason))
        if file.named and not one_by_one:
            raise secret_error(refused.reason)
        if file.named:
            places[file.path] = file.place
            refused_later.append(refused)
        else:
            secret.append(refused)
    if refused_later and len(refused_later) == len(places):
        raise all_secret(refused_later)
    return ScreenedFiles(places, (*secret, *found.skipped), found.unreadable)


def all_secret(left_out: Sequence[Refusal]) -> InvalidInput:
    """The error where nothing is left of the files that were meant."""
    more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
    return secret_error(left_out[0].reason + more)
