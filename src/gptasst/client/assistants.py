"""`Client.assistants`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from gptasst.assistants.types import (
    Assistant,
    AssistantImport,
    AssistantSummary,
    KnowledgeOutcome,
    Revision,
)
from gptasst.client.options import AssistantOptions, Files, check_schema, spelled_out, words_of
from gptasst.context import AppContext
from gptasst.definitions.types import DefinitionChanges, Instruction
from gptasst.errors import UsageError
from gptasst.hints import shown
from gptasst.inputs.encoding import named_encoding
from gptasst.inputs.screening import Screening
from gptasst.knowledge.types import FoundPassage, KnowledgePlan

if TYPE_CHECKING:
    from gptasst.assistants.service import AssistantService


class Assistants:
    """The assistants of the profile's store.

    `name` is an assistant's name or id; one that does not exist raises `NotFound`. There is no
    limit to the number of knowledge files but the store's own. Files that can't be knowledge
    raise `InvalidInput` where they are named themselves; what a directory or pattern yields may
    be left out, and is in the outcome's `plan.refused`. So it is with files that count as secret
    (`.env`, private keys), unless `allow_secrets`. `encoding` is that of knowledge which is text;
    without it that is UTF-8, UTF-16, or what is certainly Windows-1252.
    """

    def __init__(self, context: AppContext) -> None:
        self._context = context

    @property
    def _service(self) -> AssistantService:
        return self._context.assistants

    @spelled_out
    def create(
        self,
        name: str,
        *,
        files: Files = (),
        allow_secrets: bool = False,
        encoding: str | None = None,
        **options: Unpack[AssistantOptions],
    ) -> KnowledgeOutcome:
        """Create an assistant. When this returns, its knowledge can be searched.

        It needs an `instruction` or `instructions`.

        Args:
            name: one that no other assistant has.
            files: its knowledge: paths, patterns, directories.
            allow_secrets: see the class.
            encoding: see the class.
            options: see `AssistantOptions`.

        Raises:
            NotFound: there is no such instruction.
            UsageError: the name is taken or can't be used, or it has no instructions.
            InvalidInput: a knowledge file can't be used.

        Examples:
            >>> made = client.assistants.create("Writer", instruction="DocWriter", files="style.md")
            >>> [(file.path, file.size) for file in made.assistant.knowledge]
            [('style.md', 17)]
        """
        check_schema(options.get("schema"))
        changes = DefinitionChanges(name=name, **options)
        return self._service.create(
            changes,
            words_of(files),
            Screening(allow_secrets=allow_secrets),
            encoding=named_encoding(encoding),
        )

    def list(self, *, all_stores: bool = False) -> Sequence[AssistantSummary]:
        """Every assistant in short, by name.

        Args:
            all_stores: read all vector stores of the project. Without it, gptasst reads new ones
                and asks for the assistants that it knows by their ids.

        Examples:
            >>> [(each.name, each.files) for each in client.assistants.list()]
            [('DocWriter-1', 1)]
        """
        return self._service.list(all_stores=all_stores)

    def get(self, name: str) -> Assistant:
        """One assistant with its definition and knowledge.

        Examples:
            >>> client.assistants.get("DocWriter-1").definition.instruction
            'DocWriter'
        """
        return self._service.get(name)

    def search(self, name: str, question: str, *, limit: int = 10) -> Sequence[FoundPassage]:
        r"""The passages of an assistant's knowledge that fit a question, best first.

        No model is asked. An empty result means that nothing in the knowledge matches.

        Args:
            name: which assistant.
            question: what to look for, in words.
            limit: at most so many passages.

        Examples:
            >>> found = client.assistants.search("DocWriter-1", "sentences")
            >>> [(passage.path, passage.text) for passage in found]
            [('style.md', 'Short sentences.\n')]
        """
        if limit < 1:
            raise UsageError(f"limit must be at least 1, not {limit}")
        return self._service.search(name, question, limit)

    @spelled_out
    def update(
        self,
        name: str,
        *,
        rename: str | None = None,
        files: Files | None = None,
        allow_secrets: bool = False,
        encoding: str | None = None,
        **options: Unpack[AssistantOptions],
    ) -> KnowledgeOutcome:
        """Change an assistant. What you don't name stays as it is.

        A new `instruction` replaces everything that came from the old one.

        Args:
            name: its name or id.
            rename: a new name.
            files: these become its whole knowledge; `None` leaves it.
            allow_secrets: see the class.
            encoding: see the class.
            options: see `AssistantOptions`.

        Examples:
            >>> client.assistants.update("DocWriter-1", model="gpt-6.2-sol").assistant.revision
            2
        """
        check_schema(options.get("schema"))
        changes = DefinitionChanges(name=rename, **options)
        words = None if files is None else words_of(files)
        return self._service.edit(
            name,
            changes,
            words,
            Screening(allow_secrets=allow_secrets),
            encoding=named_encoding(encoding),
        )

    def delete(self, name: str, *, keep_files: bool = False) -> None:
        """Delete an assistant with its history and knowledge. Files on disk stay.

        Args:
            name: its name or id.
            keep_files: leave its uploaded files on the server.

        Examples:
            >>> client.assistants.delete("DocWriter-1")
        """
        self._service.delete(self._service.summary(name), keep_files=keep_files)

    def add_files(
        self,
        name: str,
        files: Files,
        *,
        allow_secrets: bool = False,
        encoding: str | None = None,
    ) -> KnowledgeOutcome:
        """Add knowledge; a path that exists gets its new content.

        Args:
            name: its name or id.
            files: paths, patterns, directories.
            allow_secrets: whether to take files that count as secret.
            encoding: see the class.

        Examples:
            >>> client.assistants.add_files("DocWriter-1", ["style.md", "docs/"]).plan.add[0].path
            'docs/billing.md'
        """
        service, screening = self._service, Screening(allow_secrets=allow_secrets)
        known = named_encoding(encoding)
        change = service.plan_add(service.current(name), words_of(files), screening, encoding=known)
        return service.apply(change)

    def remove_files(self, name: str, files: Files) -> KnowledgeOutcome:
        """Take knowledge away, named by path, id, pattern or directory. Files on disk stay.

        Examples:
            >>> client.assistants.remove_files("DocWriter-1", "style.md").assistant.knowledge
            ()
        """
        service = self._service
        return service.apply(service.plan_remove(service.current(name), words_of(files)))

    def set_files(
        self,
        name: str,
        files: Files,
        *,
        allow_secrets: bool = False,
        encoding: str | None = None,
    ) -> KnowledgeOutcome:
        """Make these the whole knowledge; none at all empties it.

        Args:
            name: its name or id.
            files: paths, patterns, directories.
            allow_secrets: whether to take files that count as secret.
            encoding: see the class.

        Examples:
            >>> client.assistants.set_files("DocWriter-1", "docs").plan.remove[0].path
            'style.md'
        """
        service, screening = self._service, Screening(allow_secrets=allow_secrets)
        known = named_encoding(encoding)
        change = service.plan_set(service.current(name), words_of(files), screening, encoding=known)
        return service.apply(change)

    def sync(
        self,
        name: str,
        *,
        allow_secrets: bool = False,
        allow_outside: bool = False,
        encoding: str | None = None,
    ) -> KnowledgeOutcome:
        """Bring the knowledge into line with the files on disk, as seen from this directory.

        Args:
            name: its name or id.
            allow_secrets: see the class.
            allow_outside: send files from outside of the working directory, too. Whoever may edit
                the assistant may have named them.
            encoding: of text whose content is new.

        Raises:
            InvalidInput: none of its files is here.
            UsageError: files from outside would be sent.

        Examples:
            >>> client.assistants.sync("DocWriter-1").plan.is_empty
            True
        """
        service = self._service
        screening, known = Screening(allow_secrets=allow_secrets), named_encoding(encoding)
        change = service.plan_sync(service.current(name), screening, encoding=known)
        if change.outside and not allow_outside:
            raise UsageError(
                f"`{change.outside[0]}` would be sent from outside of this directory",
                hint="pass allow_outside=True to allow that",
                code="needs_confirmation",
            )
        return service.apply(change)

    def plan_sync(self, name: str, *, allow_secrets: bool = False) -> KnowledgePlan:
        """What `sync` would do. Nothing is changed.

        Args:
            name: its name or id.
            allow_secrets: whether to take files that count as secret.

        Examples:
            >>> len(client.assistants.plan_sync("DocWriter-1").unchanged)
            1
        """
        assistant = self._service.current(name)
        return self._service.plan_sync(assistant, Screening(allow_secrets=allow_secrets)).plan

    def history(self, name: str) -> Sequence[Revision]:
        """The revisions of an assistant's definition, oldest first.

        Examples:
            >>> [revision.number for revision in client.assistants.history("DocWriter-1")]
            [1]
        """
        return self._service.history(name)

    def rollback(self, name: str, revision: int) -> Assistant:
        """Make an earlier definition the newest revision, if it is not. Name and knowledge stay.

        Raises:
            NotFound: it has no revision of that number.

        Examples:
            >>> edited = client.assistants.update("DocWriter-1", model="gpt-6.2-sol")
            >>> client.assistants.rollback("DocWriter-1", 1).revision
            3
        """
        assistant = self._service.current(name)
        return self._service.rollback(assistant, self._service.revision(assistant, revision))

    def export(self, name: str, *, with_files: str | os.PathLike[str] | None = None) -> str:
        """An assistant's definition as a TOML document, and its knowledge in a directory.

        Args:
            name: its name or id.
            with_files: a new directory for its knowledge; without it, that stays where it is.

        Raises:
            PartlyDone: knowledge files can't be written, each with its reason in the message;
                `done` is the document, and the others are written.
            InvalidInput: the directory holds something, or can't be written to.

        Examples:
            >>> client.assistants.export("DocWriter-1").splitlines()[0]
            'name = "DocWriter-1"'
        """
        text = self._service.export(name)
        failed = self._service.export_files(name, Path(with_files)) if with_files else ()
        if failed:
            from gptasst.assistants.exported_files import not_written

            raise not_written(failed, text)
        return text

    def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        with_files: str | os.PathLike[str] | None = None,
        allow_secrets: bool = False,
    ) -> AssistantImport:
        """Make an assistant from a definition in TOML or saved JSON of the Assistants API.

        Args:
            path: the file.
            name: in place of its own; of several, the one that is meant.
            with_files: a directory with its knowledge, as `export` writes it.
            allow_secrets: see the class.

        Raises:
            InvalidDefinition: the file is neither.
            InvalidInput: the file counts as secret.
            UsageError: the name is taken, or it holds several assistants and `name` picks none.

        Examples:
            >>> client.assistants.import_file("tutor.json").left_behind[0].kind
            'vector_store'
        """
        screening = Screening(allow_secrets=allow_secrets)
        files = None if with_files is None else Path(with_files)
        made = self._service.import_file(Path(path), name, files, screening)
        return replace(made, notes=tuple(shown(note, None) for note in made.notes))


class Instructions:
    """The instruction library: the project's, the user's, and what ships with the package."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def list(self) -> Sequence[Instruction]:
        """Every instruction that can be read, by name.

        Examples:
            >>> [each.definition.name for each in client.instructions.list()][:2]
            ['CodeReviewer', 'CommitMessage']
        """
        return self._context.instructions.list()[0]

    def get(self, name: str) -> Instruction:
        """One instruction, by name or TOML file.

        Raises:
            NotFound: there is none; the hint has the nearest name.

        Examples:
            >>> client.instructions.get("DocWriter").origin
            'shipped'
        """
        return self._context.instructions.get(name)
