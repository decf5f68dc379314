"""`Client.assistants`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from gptasst.assistants.types import (
    Assistant,
    AssistantImport,
    AssistantSummary,
    KnowledgeOutcome,
    Revision,
)
from gptasst.client.knowledge import AssistantKnowledge
from gptasst.client.options import (
    AssistantOptions,
    Files,
    changes_of,
    spelled_out,
    words_of,
)
from gptasst.errors import UsageError
from gptasst.hints import shown
from gptasst.inputs.encoding import named_encoding
from gptasst.inputs.screening import Screening
from gptasst.knowledge.types import FoundPassage


class Assistants(AssistantKnowledge):
    """The assistants of the profile's store.

    `name` is an assistant's name or id; an unknown one raises `NotFound`. Only the store limits the
    number of knowledge files. A named file that can't be knowledge raises `InvalidInput`; one from
    a directory or pattern is skipped, and listed in the outcome's `plan.refused`. The same applies
    to files that look secret (`.env`, private keys), unless `allow_secrets`. `encoding` is the
    encoding of text files; by default it is UTF-8, UTF-16, or certain Windows-1252.

    With `tested`, a change is made only if the assistant's cases hold on its result. Else
    `PartlyDone` (code `cases_failed`) is raised, with the `TestReport` in `done`, and the assistant
    stays as it was; `NotFound` (`no_cases`) if it has no case.
    """

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
        """Create an assistant. Its knowledge is searchable when this returns.

        Requires an `instruction` or `instructions`.

        Args:
            name: a name that no other assistant has.
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
        screening = Screening(allow_secrets=allow_secrets)
        return self._service.create(
            changes_of(name, options, screening),
            words_of(files),
            screening,
            encoding=named_encoding(encoding),
        )

    def list(self, *, all_stores: bool = False) -> Sequence[AssistantSummary]:
        """A summary of every assistant, sorted by name.

        Args:
            all_stores: read all vector stores of the project. By default, gptasst reads new ones,
                and known assistants by their ids.

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
        r"""The passages of an assistant's knowledge that match a question, best first.

        No model is used. An empty result means that nothing in the knowledge matches.

        Args:
            name: its name or id.
            question: the search text.
            limit: the most passages to return.

        Raises:
            UsageError: the question is empty or no text, or the limit is less than 1.

        Examples:
            >>> found = client.assistants.search("DocWriter-1", "sentences")
            >>> [(passage.path, passage.text) for passage in found]
            [('style.md', 'Short sentences.\n')]
        """
        if not isinstance(question, str):
            raise UsageError(f"question is {question!r}, but must be text")
        most: object = limit
        if not isinstance(most, int) or most < 1:
            raise UsageError(f"limit is {limit!r}, but must be a whole number of at least 1")
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
        tested: bool = False,
        **options: Unpack[AssistantOptions],
    ) -> KnowledgeOutcome:
        """Change an assistant. Omitted arguments change nothing.

        A new `instruction` replaces everything that came from the old one.

        Args:
            name: its name or id.
            rename: a new name.
            files: its new knowledge, as a whole; `None` changes nothing.
            allow_secrets: see the class.
            encoding: see the class.
            tested: see the class.
            options: see `AssistantOptions`.

        Examples:
            >>> client.assistants.update("DocWriter-1", model="gpt-6.2-sol").assistant.revision
            2
        """
        screening = Screening(allow_secrets=allow_secrets)
        words = None if files is None else words_of(files)
        change = self._service.plan_edit(
            name,
            changes_of(rename, options, screening),
            words,
            screening,
            encoding=named_encoding(encoding),
        )
        return self._made(change, screening, tested=tested)

    def delete(self, name: str, *, keep_files: bool = False) -> None:
        """Delete an assistant with its history and knowledge. Files on disk stay.

        Args:
            name: its name or id.
            keep_files: keep its uploads on the server.

        Examples:
            >>> client.assistants.delete("DocWriter-1")
        """
        self._service.delete(self._service.summary(name), keep_files=keep_files)

    def history(self, name: str) -> Sequence[Revision]:
        """The revisions of an assistant's definition, oldest first.

        Examples:
            >>> [revision.number for revision in client.assistants.history("DocWriter-1")]
            [1]
        """
        return list(self._service.history(name))

    def rollback(self, name: str, revision: int, *, tested: bool = False) -> Assistant:
        """Restore an earlier definition as the newest revision. Name and knowledge stay.

        Args:
            name: its name or id.
            revision: the number of the earlier definition.
            tested: see the class.

        Raises:
            NotFound: it has no revision of that number.
            UsageError: `revision` is not a whole number.

        Examples:
            >>> edited = client.assistants.update("DocWriter-1", model="gpt-6.2-sol")
            >>> client.assistants.rollback("DocWriter-1", 1).revision
            3
        """
        number: object = revision
        if not isinstance(number, int):
            raise UsageError(f"revision is {number!r}, but must be a whole number")
        assistant = self._service.current(name)
        earlier = self._service.revision(assistant, revision)
        if tested:
            change = self._service.plan_rollback(assistant, earlier)
            return self._made(change, Screening(), tested=True).assistant
        return self._service.rollback(assistant, earlier)

    def export(self, name: str, *, with_files: str | os.PathLike[str] | None = None) -> str:
        """An assistant's definition as a TOML document, and its knowledge as files.

        Args:
            name: its name or id.
            with_files: a new directory for the knowledge; by default it is not exported.

        Raises:
            PartlyDone: some knowledge files could not be written; the message has the reasons,
                `done` the document.
            InvalidInput: the directory is not empty, or can't be written to.

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
        """Create an assistant from a definition in TOML or saved JSON of the Assistants API.

        Args:
            path: the file.
            name: the name instead of its own; in a file with several, the one to import.
            with_files: a directory with its knowledge, as written by `export`.
            allow_secrets: see the class.

        Raises:
            InvalidDefinition: the file has neither format.
            InvalidInput: the file looks secret.
            UsageError: the name is taken, or the file has several and `name` selects none.

        Examples:
            >>> client.assistants.import_file("tutor.json").left_behind[0].kind
            'vector_store'
        """
        screening = Screening(allow_secrets=allow_secrets)
        files = None if with_files is None else Path(with_files)
        made = self._service.import_file(Path(path), name, files, screening)
        return replace(made, notes=tuple(shown(note, None) for note in made.notes))
