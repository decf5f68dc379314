"""The key `tools.file_search` of a definition: a switch, or a table that also says how."""

from __future__ import annotations

from typing import Any

from gptasst.config.toml import TomlDocument
from gptasst.definitions.types import SearchSettings, Tools

_KEYS = ("max_results", "score_threshold", "filters", "text_weight")
_TABLE = ("tools", "file_search")
MOST_RESULTS = 50


def read_file_search(document: TomlDocument) -> tuple[bool | None, SearchSettings]:
    """Whether knowledge is searched (`None`: when there is any), and how.

    Raises:
        InvalidDefinition: a key is wrong.
    """
    given = document.table("tools").get("file_search")
    if not isinstance(given, dict):
        if given is not None and not isinstance(given, bool):
            raise document.error(_TABLE, "key `tools.file_search` must be true, false or a table")
        return given, SearchSettings()
    document.only_keys(_TABLE, _KEYS)
    if "filters" in given and not document.texts(*_TABLE, "filters"):
        raise document.error((*_TABLE, "filters"), "key `tools.file_search.filters` is empty")
    return True, SearchSettings(
        max_results=document.number(int, 1, MOST_RESULTS, *_TABLE, "max_results"),
        score_threshold=document.number(float, 0.0, 1.0, *_TABLE, "score_threshold"),
        filters=document.texts(*_TABLE, "filters"),
        text_weight=document.number(float, 0.0, 1.0, *_TABLE, "text_weight"),
    )


def written_file_search(tools: Tools) -> bool | dict[str, Any] | None:
    """The value of the key; settings of a search that is off are not written."""
    settings = tools.search
    if not tools.file_search or settings == SearchSettings():
        return tools.file_search
    table = {key: getattr(settings, key) for key in _KEYS if getattr(settings, key) is not None}
    if table.pop("filters"):
        table["filters"] = list(settings.filters)
    return table
