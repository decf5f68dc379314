"""From words on a command line to knowledge files, and back."""

from __future__ import annotations

import glob
import os
import shlex
import stat
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from gptasst.assistants.types import Assistant
from gptasst.errors import InvalidInput, NotFound
from gptasst.hints import cmd, did_you_mean
from gptasst.inputs.reading import Refusal
from gptasst.inputs.screening import Screening, refusal, secret_error
from gptasst.inputs.watching import Places
from gptasst.inputs.words import names_a_file
from gptasst.knowledge.formats import is_document
from gptasst.knowledge.types import KnowledgeFile, KnowledgePlan, Replacement
from gptasst.uploads.cache import FileCache, FileHash
from gptasst.uploads.types import KnowledgeSource
from gptasst.values import dataclass

# Returns why a file can't be knowledge, or `None`.
Problem = Callable[[KnowledgeSource], str | None]


@dataclass(frozen=True, slots=True)
class NamedSources:
    """The files that words on a command line stand for.

    `named` are paths given as words, `collections` words that are directories or patterns: files
    from those may be skipped, named ones must not. `left_out` were skipped as secret. `unread` are
    unreadable directories, and unreadable files in directories.
    """

    sources: tuple[KnowledgeSource, ...]
    named: frozenset[str]
    collections: tuple[str, ...]
    left_out: tuple[Refusal, ...] = ()
    unread: tuple[Refusal, ...] = ()


def read_sources(
    words: Iterable[str],
    cache: FileCache,
    screening: Screening,
    path_of: Callable[[Path], str] | None = None,
) -> NamedSources:
    """Find and hash the files that become knowledge, each path once.

    Files with secret names are not read.

    Args:
        words: files, patterns, directories.
        cache: remembers what files hold.
        screening: what counts as secret.
        path_of: gives what a file is known by; without it, see `knowledge_path`.

    Raises:
        InvalidInput: a word matches no file, or names an unreadable or secret one.
    """
    known = path_of or knowledge_path
    files: dict[str, Path] = {}
    left_out: dict[str, Refusal] = {}
    unread: dict[str, Refusal] = {}
    named, collections = set(), []
    for word in words:
        screened = screening.files([word], by_name_only=True)
        unread.update(_by_path(screened.unreadable, known))
        if names_a_file(word):
            named.add(known(Path(word)))
        else:
            collections.append(collection_word(word))
        files.update((known(path), path) for path in screened.paths)
        left_out.update(_by_path(screened.left_out, known))
    sources, failed = _hashed(files, cache, named)
    unread.update((one.path, one) for one in failed)
    return NamedSources(
        sources,
        frozenset(named),
        tuple(dict.fromkeys(collections)),
        tuple(left_out.values()),
        tuple(unread.values()),
    )


def in_encoding(
    sources: Iterable[KnowledgeSource], encoding: str | None
) -> Iterator[KnowledgeSource]:
    """The same files, with an encoding set on text files, if one is given."""
    for source in sources:
        yield (
            source
            if encoding is None or is_document(source.path)
            else replace(source, encoding=encoding)
        )


def _by_path(
    refusals: Iterable[Refusal], known: Callable[[Path], str]
) -> Iterator[tuple[str, Refusal]]:
    for one in refusals:
        path = known(Path(one.path))
        yield path, Refusal(path, one.reason)


def _hashed(
    files: dict[str, Path], cache: FileCache, named: Collection[str] = ()
) -> tuple[tuple[KnowledgeSource, ...], list[Refusal]]:
    """The contents of files. Unreadable ones are refused, unless they were named."""
    refused: list[Refusal] = []
    try:
        hashes = cache.sha256_all(list(files.values()))
    except InvalidInput:
        hashes, refused = _hashed_one_by_one(files, cache, named)
    sources = (
        KnowledgeSource(path, file, hashes[file].size, hashes[file].sha256)
        for path, file in files.items()
        if file in hashes
    )
    return tuple(sources), refused


def _hashed_one_by_one(
    files: dict[str, Path], cache: FileCache, named: Collection[str]
) -> tuple[dict[Path, FileHash], list[Refusal]]:
    hashes, refused = {}, []
    for path, file in files.items():
        try:
            hashes[file] = cache.sha256(file)
        except InvalidInput as error:
            if path in named:
                raise
            refused.append(Refusal(path, error.message))
    return hashes, refused


def existing_sources(paths: Iterable[str], cache: FileCache) -> NamedSources:
    """The files at these paths that are still on disk; unreadable ones count as there."""
    files, unread = {}, []
    for path in paths:
        try:
            if stat.S_ISREG(Path(path).stat().st_mode):
                files[path] = Path(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            unread.append(Refusal(path, f"`{path}` can't be read: {reason}"))
    sources, refused = _hashed(files, cache)
    return NamedSources(sources, frozenset(), (), unread=(*unread, *refused))


def followed_sources(
    assistant: Assistant, cache: FileCache, screening: Screening, encoding: str | None
) -> NamedSources:
    """What an assistant's knowledge is on the disk now, by its paths, directories and patterns.

    Args:
        assistant: with the paths that are gone.
        cache: hashes of files.
        screening: what is left out as secret.
        encoding: that of new text.

    Raises:
        InvalidInput: none of the files is here, so it is probably the wrong directory.
    """
    own = [file.path for file in assistant.knowledge if file.sha256]
    own += assistant.gone
    there = existing_sources(own, cache)
    sources = {source.path: source for source in there.sources}
    left_out: dict[str, Refusal] = {}
    unread = {refusal.path: refusal for refusal in there.unread}
    for word in assistant.definition.knowledge:
        try:
            found = read_sources(words_of_collection(word), cache, screening)
        except InvalidInput as error:  # a directory that is gone or empty
            if error.code == "unreadable":  # its files must not count as deleted
                unread[word] = Refusal(word, error.message)
            continue
        sources.update((source.path, source) for source in found.sources)
        left_out.update((refusal.path, refusal) for refusal in found.left_out)
        unread.update((refusal.path, refusal) for refusal in found.unread)
    if own and not sources and not unread:
        raise _nothing_here(assistant.name, len(own))
    new = [refusal for path, refusal in left_out.items() if path not in sources]
    known = {(file.path, file.sha256) for file in assistant.knowledge}
    changed = (s for s in sources.values() if (s.path, s.sha256) not in known)
    sources.update((source.path, source) for source in in_encoding(changed, encoding))
    found_now, secret = tuple(sources.values()), tuple(new)
    return NamedSources(found_now, frozenset(), (), secret, tuple(unread.values()))


def _nothing_here(name: str, files: int) -> InvalidInput:
    remove = cmd(f"assistant files remove {shlex.quote(name)} FILE…")
    return InvalidInput(
        f"none of the {files} knowledge files of `{name}` is here",
        hint=f"go to the directory that it was created from; {remove} removes files",
        code="nothing_here",
    )


def knowledge_path(path: Path) -> str:
    """A file's path in the knowledge: relative if it is below the working directory."""
    absolute = path.absolute()
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()


def sent_from_outside(plan: KnowledgePlan) -> tuple[str, ...]:
    """The files to be sent that are outside of the working directory."""
    here = Path.cwd().resolve()
    wanted = plan.wanted
    return tuple(sorted(s.path for s in wanted if not s.file.resolve().is_relative_to(here)))


def collection_word(word: str) -> str:
    """A directory or pattern in the form of a definition, with `/` between parts."""
    return word.replace(os.sep, "/") if glob.has_magic(word) else knowledge_path(Path(word))


def words_of_collection(word: str) -> list[str]:
    r"""A directory or pattern of a definition in local form: `docs\*.md` came from Windows."""
    if "\\" not in word or os.path.exists(word) or glob.glob(word, recursive=True):
        return [word]
    return [word.replace("\\", "/")]


def refuse_secrets(
    sources: Iterable[KnowledgeSource], named: frozenset[str], screening: Screening
) -> list[Refusal]:
    """The files that look secret, with the reason.

    Raises:
        InvalidInput: one of them was named; nothing was sent.
    """
    reasons = ((source.path, screening.of_file(source.file)) for source in sources)
    refused = [Refusal(path, refusal(path, reason)) for path, reason in reasons if reason]
    for one in refused:
        if one.path in named:
            raise secret_error(one.reason)
    return refused


def split_refused(
    sources: Iterable[KnowledgeSource], named: frozenset[str], problem: Problem
) -> list[Refusal]:
    """The files that can't be knowledge, each with the reason.

    Raises:
        InvalidInput: one of them was named; nothing was sent.
    """
    refused = []
    for source in sources:
        reason = problem(source)
        if reason:
            refused.append(Refusal(source.path, reason))
    errors = [one.reason for one in refused if one.path in named]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InvalidInput(errors[0] + more, code="not_knowledge")
    return refused


def named_files(assistant: Assistant, words: Sequence[str]) -> list[KnowledgeFile]:
    """The knowledge files that ids, paths, patterns or directories match, each once.

    Raises:
        NotFound: a word matches none.
    """
    found: dict[str, KnowledgeFile] = {}
    for word in words:
        matches = [file for file in assistant.knowledge if _means(word, file)]
        if not matches:
            paths = [file.path for file in assistant.knowledge]
            name = shlex.quote(assistant.name)
            listing = f"{cmd(f'assistant files list {name}')} shows them"
            raise NotFound(
                f"`{assistant.name}` has no file `{word}`",
                hint=did_you_mean(word, paths, listing),
            )
        found.update((file.id, file) for file in matches)
    return list(found.values())


def _means(word: str, file: KnowledgeFile) -> bool:
    path = knowledge_path(Path(word))
    if word == file.id or file.path in (word, path) or file.path.startswith(path + "/"):
        return True
    return glob.has_magic(word) and fnmatchcase(file.path, word)


def plan_taken(
    there: Sequence[KnowledgeFile],
    read: NamedSources,
    screening: Screening,
    problem: Problem,
    *,
    whole: bool,
) -> KnowledgePlan:
    """A plan with what can't be taken left out; only new content is looked into.

    Raises:
        InvalidInput: a file that was named itself can't be taken.
    """
    new = plan_knowledge(there, read.sources, whole=whole).wanted
    secret = refuse_secrets(new, read.named, screening)
    without = {refusal.path for refusal in secret}
    open_to_all = [source for source in new if source.path not in without]
    refused = secret + split_refused(open_to_all, read.named, problem)
    without = {refusal.path for refusal in refused}
    taken = [source for source in read.sources if source.path not in without]
    refused = [*read.left_out, *refused]
    return plan_knowledge(there, taken, whole=whole, refused=refused, unread=read.unread)


_USELESS = ("failed", "cancelled", "gone")


def plan_knowledge(
    there: Sequence[KnowledgeFile],
    wanted: Sequence[KnowledgeSource],
    *,
    whole: bool,
    refused: Sequence[Refusal] = (),
    unread: Sequence[Refusal] = (),
) -> KnowledgePlan:
    """Compare local files with the knowledge.

    Args:
        there: the current knowledge. Files that gptasst did not add (no sha256) stay.
        wanted: the files on disk, each path once.
        whole: `wanted` is the whole knowledge; else other files stay.
        refused: copied into the plan; a refused path in the knowledge stays.
        unread: like `refused`; knowledge from below one of these directories stays, too.
    """
    by_path: defaultdict[str, list[KnowledgeFile]] = defaultdict(list)
    for file in there:
        if file.sha256:
            by_path[file.path].append(file)
    add, replace, remove, kept = [], [], [], []
    unchanged = [file for file in there if not file.sha256]
    for source in wanted:
        own = by_path.pop(source.path, [])
        same = [f for f in own if f.sha256 == source.sha256 and f.status not in _USELESS]
        if source.encoding is not None:  # it may have been read in another encoding
            same = []
        keep = min(same, key=lambda file: file.status != "completed", default=None)
        others = [file for file in own if file is not keep]
        if keep is not None:
            unchanged.append(keep)
            kept.append(source)
        elif others:
            replace.append(Replacement(source, others.pop()))
        else:
            add.append(source)
        remove += others  # left over from an interrupted change
    stays = {refusal.path for refusal in (*refused, *unread)}
    for path, files in by_path.items():
        goes = whole and path not in stays and not _is_below(path, unread)
        (remove if goes else unchanged).extend(files)
    return KnowledgePlan(
        tuple(add),
        tuple(replace),
        tuple(remove),
        tuple(unchanged),
        (*refused, *unread),
        whole,
        kept=tuple(kept),
        unread=tuple(unread),
    )


def _is_below(path: str, directories: Iterable[Refusal]) -> bool:
    return any(one.path == "." or path.startswith(f"{one.path}/") for one in directories)


def watched_places(assistant: Assistant) -> Places:
    """The directories to watch for changes of an assistant's knowledge."""
    trees: list[Path] = []
    own = [file.path for file in assistant.knowledge if file.sha256]
    directories = [Path(path).parent for path in (*own, *assistant.gone)]
    for kept in assistant.definition.knowledge:
        for word in words_of_collection(kept):
            base, rest = _base(word)
            (directories if rest == 1 else trees).append(base)
    return Places.of(trees, directories)


def _base(word: str) -> tuple[Path, int]:
    """The fixed directory of a pattern, and how many parts follow it."""
    parts = Path(word).parts
    fixed = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    rest = len(parts) - fixed
    return Path(*parts[:fixed]), rest + ("**" in parts)
