"""`Client.instructions`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gptasst.client.options import Files, words_of
from gptasst.context import AppContext
from gptasst.definitions.types import Instruction
from gptasst.inputs.screening import Screening

if TYPE_CHECKING:
    from gptasst.definitions.formats.types import (
        ExportFormat,
        InstructionExport,
        InstructionImport,
    )


class Instructions:
    """The instruction library: the project's, the user's, and the shipped instructions."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def list(self) -> Sequence[Instruction]:
        """Every readable instruction, sorted by name.

        Examples:
            >>> [each.definition.name for each in client.instructions.list()][:2]
            ['CodeReviewer', 'CommitMessage']
        """
        return self._context.instructions.list()[0]

    def get(self, name: str) -> Instruction:
        """One instruction, by name or TOML file.

        Raises:
            NotFound: there is none; the hint suggests a similar name.

        Examples:
            >>> client.instructions.get("DocWriter").origin
            'shipped'
        """
        return self._context.instructions.get(name)

    def import_files(
        self,
        paths: Files,
        *,
        name: str | None = None,
        project: bool = False,
        force: bool = False,
        allow_secrets: bool = False,
    ) -> InstructionImport:
        """Import prompts of other tools; the format is recognized by content.

        Args:
            paths: prompts, patterns, directories.
            name: a name instead of its own, if it is one prompt.
            project: whether to write to `./instructions` instead of the user's directory.
            force: whether to replace instructions that exist.
            allow_secrets: whether to take files that look secret.

        Returns:
            What was written, with notes and what could not be carried over.

        Raises:
            InvalidInput: nothing could be imported (code `not_imported`).
            PartlyDone: some prompts could not be imported; `done` is the result.
            UsageError: `name` can't be used, or there are several prompts.

        Examples:
            >>> done = client.instructions.import_files("summarize.prompt.yml", name="Short")
            >>> [(each.name, each.format, each.action) for each in done.imported]
            [('Short', 'prompt-yml', 'create')]
        """
        from gptasst.definitions.formats.service import failure_of

        screening = Screening(allow_secrets=allow_secrets)
        importer = self._context.instruction_importer
        plan = importer.plan(words_of(paths), screening, name=name, in_project=project, force=force)
        done = importer.write(plan, in_project=project)
        failure = failure_of(done)
        if failure is not None:
            failure.done = done
            raise failure
        return done

    def plan_import(
        self,
        paths: Files,
        *,
        name: str | None = None,
        project: bool = False,
        force: bool = False,
        allow_secrets: bool = False,
    ) -> InstructionImport:
        """What `import_files` would write. Writes nothing; `refused` has what can't be imported.

        Args:
            paths: prompts, patterns, directories.
            name: a name instead of its own, if it is one prompt.
            project: whether to write to `./instructions` instead of the user's directory.
            force: whether to replace instructions that exist.
            allow_secrets: whether to take files that look secret.

        Examples:
            >>> plan = client.instructions.plan_import("summarize.prompt.yml")
            >>> print(plan.imported[0].toml)
            instructions = "Summarize in one sentence."
            <BLANKLINE>
        """
        return self._context.instruction_importer.plan(
            words_of(paths),
            Screening(allow_secrets=allow_secrets),
            name=name,
            in_project=project,
            force=force,
        )

    def export(
        self,
        name: str,
        form: ExportFormat,
        directory: str | os.PathLike[str] = ".",
        *,
        force: bool = False,
        allow_secrets: bool = False,
    ) -> InstructionExport:
        """Write an instruction in the format of another tool.

        Args:
            name: an instruction, or a TOML file.
            form: `skill`, `llm`, `prompt-yml` or `fabric`.
            directory: where to; it is created if it is missing.
            force: whether to replace files that exist.
            allow_secrets: whether to write knowledge that looks secret into a skill.

        Returns:
            The paths of its files, and what the format can't contain.

        Raises:
            NotFound: there is no such instruction.
            UsageError: a file exists, or there is no such format.
            InvalidInput: it can't be written, or the format would change its meaning.

        Examples:
            >>> client.instructions.export("CodeReviewer", "skill", "skills").paths
            ('skills/code-reviewer/SKILL.md',)
        """
        return self._context.instruction_exporter.export(
            name,
            form,
            Path(directory),
            Screening(allow_secrets=allow_secrets),
            force=force,
        )
