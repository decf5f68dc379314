"""The tables of a cache, and whether a file has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class CacheSchema:
    """The tables of a file and what people call it.

    A file that has others, or is of another version, older or newer, is made anew.
    """

    called: str
    version: int
    tables: str

    @cached_property
    def statements(self) -> Sequence[str]:
        return [statement.strip() for statement in self.tables.split(";") if statement.strip()]

    def make(self, connection: sqlite3.Connection) -> None:
        for statement in self.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {self.version}")

    def check(self, connection: sqlite3.Connection) -> None:
        """See that a file is as `make` makes it.

        Raises:
            sqlite3.DatabaseError: it is not.
        """
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        if version > self.version:
            raise sqlite3.DatabaseError("it was written by a newer gptasst")
        if version != self.version or {sql for (sql,) in rows} != set(self.statements):
            raise sqlite3.DatabaseError("it has other tables than this version")
