"""What must not be sent: the files that words mean without secrets, and texts refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gptasst.errors import InvalidInput
from gptasst.inputs.secrets import (
    refusal,
    secret_content,
    secret_error,
    secret_file,
    secret_name,
    secret_text,
)
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


@dataclass(frozen=True, slots=True)
class Screening:
    """Keeps secrets from going to a model or a server; made once for a command or call.

    Each `of_…` gives the reason why something counts as secret, if it does; each `refuse_…` raises
    `InvalidInput` then. With `allow_secrets` nothing counts as secret.
    """

    allow_secrets: bool = False

    def of_name(self, path: Path) -> str | None:
        """By the name of a file alone, or by a name that a link leads to."""
        return None if self.allow_secrets else secret_name(path)

    def of_file(self, path: Path) -> str | None:
        """By name or content; the file is read for that."""
        return None if self.allow_secrets else secret_file(path)

    def of_text(self, text: str | None) -> str | None:
        return None if self.allow_secrets else secret_text(text)

    def of_content(self, content: bytes) -> str | None:
        return None if self.allow_secrets else secret_content(content)

    def refuse_file(self, path: Path) -> None:
        """Refuse a file that was named itself. `STDIN` is what standard input comes from."""
        _refuse(str(path), self.of_file(path))

    def refuse_content(self, path: Path, content: bytes) -> None:
        """Refuse a file that was read."""
        _refuse(str(path), self.of_name(path) or self.of_content(content))

    def files(
        self, words: Iterable[str], *, by_name_only: bool = False, one_by_one: bool = False
    ) -> ScreenedFiles:
        """Turn words into files; see `expand_words`.

        Files that a directory or a pattern yields are left out where they count as secret.

        Args:
            words: file names, patterns, directories.
            by_name_only: contents are looked at later, where they are read anyway.
            one_by_one: each file has an outcome of its own. A secret file that was named itself is
                kept among others: whoever reads it refuses it, and the others go on.

        Raises:
            InvalidInput: a file that counts as secret was named itself, or a word means no file.
        """
        places: dict[Path, Path] = {}
        secret: list[Refusal] = []
        refused_later: list[Refusal] = []
        reason_of = self.of_name if by_name_only else self.of_file
        found = find_files(words)
        for file in found.files:
            reason = reason_of(file.path)
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


SCREENED = Screening()  # where nobody said otherwise


def _refuse(called: str, reason: str | None) -> None:
    if reason:
        raise secret_error(refusal(called, reason))


def all_secret(left_out: Sequence[Refusal]) -> InvalidInput:
    """The error where nothing is left of the files that were meant."""
    more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
    return secret_error(left_out[0].reason + more)
