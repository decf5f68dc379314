"""`Client.instructions`."""

from __future__ import annotations

from collections.abc import Sequence

from gptasst.context import AppContext
from gptasst.definitions.types import Instruction


class Instructions:
    """The instruction library: the project's, the user's, and what ships with the package."""

    def __init__(self, context: AppContext) -> None:
        self._context = context

    def list(self) -> Sequence[Instruction]:
        """Every instruction that can be read, by name.

        Example:
            >>> [each.definition.name for each in client.instructions.list()][:2]
            ['CodeReviewer', 'CommitMessage']
        """
        return self._context.instructions.list()[0]

    def get(self, name: str) -> Instruction:
        """One instruction, by name or TOML file.

        Raises:
            NotFound: there is none; the hint has the nearest name.

        Example:
            >>> client.instructions.get("DocWriter").origin
            'shipped'
        """
        return self._context.instructions.get(name)
