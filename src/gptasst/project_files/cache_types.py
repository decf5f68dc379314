"""The results of `gptasst cache`."""

from __future__ import annotations

from gptasst.values import dataclass


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """The contents of the cache. `scope` is the endpoint and project of the counts.

    `size` is in bytes, `files` counts hashes of local files (of all scopes), and `synced` is
    whether the scope's uploads were read from the server.
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
    """The number of checked entries, and the wrong ones, which were dropped.

    `uploads_gone` are ids that the server does not have, `files_changed` paths with other content,
    `files_missing` paths without a readable file.
    """

    uploads: int
    uploads_gone: tuple[str, ...]
    files: int
    files_changed: tuple[str, ...]
    files_missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CacheRebuild:
    """The contents of a new cache: hashes of local files, and contents of files on the server.

    `knowledge` are known from attributes, `kept` from before, `matched` from the marks in their
    names; `unknown` ones have none.
    """

    files: int
    knowledge: int
    kept: int
    matched: int
    unknown: int
