"""What `gptasst cache` reports."""

from __future__ import annotations

from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """What is in the cache. `scope` is the endpoint and project that the counts are of.

    `size` is in bytes, `files` counts hashes of local files (of any scope), and `synced` says
    whether the uploads of the scope were read from the server.
    """

    path: str
    size: int
    scope: str | None
    files: int
    uploads: int
    assistants: int
    synced: bool


@dataclass(frozen=True, slots=True)
class CacheVerification:
    """How many entries were checked, and those that were wrong and are forgotten.

    `uploads_gone` are ids that the server does not have, `files_changed` paths whose content is
    not what was remembered, `files_missing` paths at which nothing can be read any more.
    """

    uploads: int
    uploads_gone: tuple[str, ...]
    files: int
    files_changed: tuple[str, ...]
    files_missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CacheRebuild:
    """What a new cache holds: hashes of local files, and contents of files on the server.

    `knowledge` are known exactly from their attributes, `kept` from before, `matched` by the
    marks in their names; of `unknown` nothing is sure.
    """

    files: int
    knowledge: int
    kept: int
    matched: int
    unknown: int
