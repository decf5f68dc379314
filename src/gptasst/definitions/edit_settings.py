"""The keys `edits` and `[edit]` of a definition."""

from __future__ import annotations

from typing import Any, cast, get_args

from gptasst.config.toml import TomlDocument
from gptasst.definitions.types import KEEP_BY_DEFAULT, EditSettings, EditUnit, Keep

_KEYS = ("keep", "max_change", "unit", "sentences")
_SENTENCE_KEYS = ("instructions", "examples")


def read_edit_settings(document: TomlDocument) -> EditSettings | None:
    """How answers are edits, if they are.

    Raises:
        InvalidDefinition: a key is wrong, or `[edit]` stands there without `edits = true`.
    """
    edits = document.value(bool, "edits")
    document.only_keys(("edit",), _KEYS)
    document.only_keys(("edit", "sentences"), _SENTENCE_KEYS)
    if not edits:
        if document.table("edit"):
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
                f"key `edit.keep` has `{kind}`, which is not one of its values",
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
    """The table `[edit]`, without what says nothing new."""
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
