"""Assistants: making, changing, listing, exporting and deleting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gptasst.definitions import (
    InstructionLibrary,
    dump_definition,
    name_problem,
    read_definition_file,
)
from gptasst.errors import InvalidInput, NotFound, UsageError
from gptasst.models.assistants import Assistant, AssistantSummary, Revision
from gptasst.models.definitions import Definition, DefinitionChanges
from gptasst.models.knowledge import KnowledgeSource
from gptasst.services.knowledge_files import named_files, read_sources
from gptasst.stores import AssistantStore


class AssistantService:
    """What can be done with the assistants of one store.

    `name` is an assistant's name or id, `words` are file names, patterns or directories.
    Every method may raise what `AssistantStore` says.
    """

    def __init__(self, store: AssistantStore, library: InstructionLibrary) -> None:
        self._store = store
        self._library = library

    def create(self, changes: DefinitionChanges, words: Sequence[str] = ()) -> Assistant:
        """Make an assistant from an instruction.

        Args:
            changes: its `name` and `instruction` are required.
            words: its knowledge.

        Raises:
            NotFound: there is no such instruction.
            UsageError: the name is taken or can't be used.
            InvalidInput: a knowledge file can't be used.
        """
        assert changes.name is not None
        assert changes.instruction is not None
        template = self._library.find(changes.instruction).definition
        definition = _changed(template, replace(changes, instruction=template.name))
        return self._store.create(definition, read_sources(words))

    def list(self) -> Sequence[AssistantSummary]:
        return self._store.list()

    def get(self, name: str) -> Assistant:
        return self._store.get(name)

    def edit(
        self, name: str, changes: DefinitionChanges, words: Sequence[str] | None = None
    ) -> Assistant:
        """Change an assistant. `words` replace its whole knowledge, `None` leaves it.

        A new instruction replaces everything that came from the old one; the model stays
        where the new instruction names none.
        """
        assistant = self._store.get(name)
        definition = assistant.definition
        if changes.instruction is not None:
            template = self._library.find(changes.instruction).definition
            model = template.model or definition.model
            definition = replace(template, name=definition.name, model=model)
            changes = replace(changes, instruction=template.name)
        definition = _changed(definition, changes)
        sources = () if words is None else read_sources(words)
        kept = {file.path for file in (assistant.knowledge if words is None else sources)}
        gone = [file.id for file in assistant.knowledge if file.path not in kept]
        if definition == assistant.definition:
            return self._change_files(assistant, sources, gone)
        return self._store.update(assistant, definition, _new(assistant, sources), gone)

    def delete(self, assistant: Assistant) -> None:
        self._store.delete(assistant)

    def add_files(self, name: str, words: Sequence[str]) -> Assistant:
        """Add knowledge; a path that is there already is replaced if its content changed."""
        return self._change_files(self._store.get(name), read_sources(words), ())

    def remove_files(self, name: str, words: Sequence[str]) -> Assistant:
        """Take knowledge away, named by path, id, pattern or directory."""
        assistant = self._store.get(name)
        gone = [file.id for file in named_files(assistant, words)]
        return self._change_files(assistant, (), gone)

    def _change_files(
        self, assistant: Assistant, sources: Sequence[KnowledgeSource], gone: Sequence[str]
    ) -> Assistant:
        new = _new(assistant, sources)
        return self._store.change_files(assistant, new, gone) if new or gone else assistant

    def set_files(self, name: str, words: Sequence[str]) -> Assistant:
        """Make `words` the whole knowledge; none at all empties it."""
        return self.edit(name, DefinitionChanges(), words)

    def history(self, name: str) -> Sequence[Revision]:
        return self._store.history(self._store.get(name))

    def revision(self, assistant: Assistant, number: int) -> Revision:
        """One revision of an assistant.

        Raises:
            NotFound: it has no revision of that number.
        """
        revisions = {found.number: found for found in self._store.history(assistant)}
        if number not in revisions:
            raise NotFound(
                f"`{assistant.name}` has no revision {number}",
                hint=f"it has {min(revisions)} to {max(revisions)}",
            )
        return revisions[number]

    def rollback(self, assistant: Assistant, revision: Revision) -> Assistant:
        """Make an earlier definition the newest revision. Name and knowledge stay."""
        definition = replace(revision.definition, name=assistant.name)
        return self._store.update(assistant, definition)

    def export(self, name: str) -> str:
        """An assistant's definition as TOML. Its knowledge is not in it."""
        return dump_definition(self._store.get(name).definition)

    def import_file(self, path: Path, name: str | None = None) -> Assistant:
        """Make an assistant from a definition's file.

        Args:
            path: the TOML file; its name is the assistant's where nothing else says one.
            name: the assistant's name in place of the definition's own.
        """
        if not path.is_file():
            raise InvalidInput(f"no such file: `{path}`", code="no_such_file")
        definition = read_definition_file(path, name=path.stem)
        return self._store.create(_changed(definition, DefinitionChanges(name=name)), ())


def _new(assistant: Assistant, sources: Sequence[KnowledgeSource]) -> list[KnowledgeSource]:
    """The sources that an assistant does not know yet, or not with this content."""
    there = {(file.path, file.sha256) for file in assistant.knowledge}
    return [source for source in sources if (source.path, source.sha256) not in there]


def _changed(definition: Definition, changes: DefinitionChanges) -> Definition:
    """A definition with changes made to it.

    Raises:
        UsageError: the new name can't be used.
    """
    problem = name_problem(changes.name) if changes.name is not None else None
    if problem:
        raise UsageError(f"the name `{changes.name}` {problem}", code="bad_name")
    return replace(
        definition,
        **_given(changes, "name", "instruction", "model", "description", "schema"),
        tools=replace(
            definition.tools, **_given(changes, "file_search", "code_interpreter", "web_search")
        ),
        settings=replace(definition.settings, **_given(changes, "reasoning_effort")),
    )


def _given(changes: DefinitionChanges, *names: str) -> dict[str, Any]:
    values = {name: getattr(changes, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
