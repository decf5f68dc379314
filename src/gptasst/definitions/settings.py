"""The keys of a definition for search and edits."""

from __future__ import annotations

from typing import Any, cast, get_args

from gptasst.config.toml import TomlDocument
from gptasst.definitions.types import (
    KEEP_BY_DEFAULT,
    EditSettings,
    EditUnit,
    Keep,
    SearchSettings,
    Tools,
)

_SEARCH_KEYS = ("max_results", "score_threshold", "filters", "text_weight")

_TABLE = ("tools", "file_search")

MOST_RESULTS = 50


def read_file_search(document: TomlDocument) -> tuple[bool | None, SearchSettings]:
    """Whether to search knowledge (`None`: if there is any), and the settings.

    Raises:
        InvalidDefinition: a key is wrong.
    """
    given = document.table("tools").get("file_search")
    if not isinstance(given, dict):
        if given is not None and not isinstance(given, bool):
            raise document.error(_TABLE, "key `tools.file_search` must be true, false or a table")
        return given, SearchSettings()
    document.only_keys(_TABLE, _SEARCH_KEYS)
    if "filters" in given and not document.texts(*_TABLE, "filters"):
        raise document.error((*_TABLE, "filters"), "key `tools.file_search.filters` is empty")
    return True, SearchSettings(
        max_results=document.number(int, 1, MOST_RESULTS, *_TABLE, "max_results"),
        score_threshold=document.number(float, 0.0, 1.0, *_TABLE, "score_threshold"),
        filters=document.texts(*_TABLE, "filters"),
        text_weight=document.number(float, 0.0, 1.0, *_TABLE, "text_weight"),
    )


def written_file_search(tools: Tools) -> bool | dict[str, Any] | None:
    """The value of the key; settings of a disabled search are not written."""
    settings = tools.search
    if not tools.file_search or settings == SearchSettings():
        return tools.file_search
    values = {key: getattr(settings, key) for key in _SEARCH_KEYS}
    table = {key: value for key, value in values.items() if value is not None}
    if table.pop("filters"):
        table["filters"] = list(settings.filters)
    return table


_EDIT_KEYS = ("keep", "max_change", "unit", "sentences")

_SENTENCE_KEYS = ("instructions", "examples")


def read_edit_settings(document: TomlDocument) -> EditSettings | None:
    """The settings of edits, if answers are edits.

    Raises:
        InvalidDefinition: a key is wrong, or there is `[edit]` without `edits = true`.
    """
    edits = document.value(bool, "edits")
    document.only_keys(("edit",), _EDIT_KEYS)
    document.only_keys(("edit", "sentences"), _SENTENCE_KEYS)
    if not edits:
        if document.table("edit") and "extends" not in document.root:  # which may set it
            raise document.error(("edit",), "[edit] needs `edits = true`")
        return None
    limit = document.number(float, 0.0, 1.0, "edit", "max_change")
    return EditSettings(
        keep=_keep(document),
        max_change=EditSettings().max_change if limit is None else limit,
        unit=cast("EditUnit | None", document.choice(get_args(EditUnit), "edit", "unit")),
        sentence_instructions=document.text_value("edit", "sentences", "instructions"),
        examples=_examples(document),
    )


def _keep(document: TomlDocument) -> tuple[Keep, ...]:
    if "keep" not in document.table("edit"):
        return KEEP_BY_DEFAULT
    kinds = document.texts("edit", "keep")
    known = get_args(Keep)
    for kind in kinds:
        if kind not in known:
            raise document.error(
                ("edit", "keep"),
                f"key `edit.keep` has `{kind}`, which is not allowed",
                hint=f"one of: {', '.join(known)}",
            )
    return cast("tuple[Keep, ...]", kinds)


def _examples(document: TomlDocument) -> tuple[tuple[str, str], ...]:
    pairs = document.table("edit", "sentences").get("examples", [])
    if not isinstance(pairs, list) or not all(map(_is_pair, pairs)):
        raise document.error(
            ("edit", "sentences", "examples"),
            "key `edit.sentences.examples` must be a list of pairs of strings",
            hint='examples = [["He go.", "He goes."]]',
        )
    return tuple((before, after) for before, after in pairs)


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(text, str) and text.strip() for text in value)
    )


def written_edit_settings(edit: EditSettings | None) -> dict[str, Any]:
    """The table `[edit]`, without defaults."""
    if edit is None:
        return {}
    table: dict[str, Any] = {}
    if edit.keep != KEEP_BY_DEFAULT:
        table["keep"] = list(edit.keep)
    if edit.max_change != EditSettings().max_change:
        table["max_change"] = edit.max_change
    if edit.unit is not None:
        table["unit"] = edit.unit
    sentences: dict[str, Any] = {}
    if edit.sentence_instructions is not None:
        sentences["instructions"] = edit.sentence_instructions
    if edit.examples:
        sentences["examples"] = [list(pair) for pair in edit.examples]
    if sentences:
        table["sentences"] = sentences
    return table
