"""The keys of a definition for edits and for the model."""

from __future__ import annotations

from typing import Any, cast, get_args

from gptasst.config.toml import TomlDocument
from gptasst.definitions.types import (
    KEEP_BY_DEFAULT,
    EditSettings,
    EditUnit,
    Keep,
    ModelSettings,
    ReasoningEffort,
    ReasoningSummary,
    ServiceTier,
    Tools,
    Verbosity,
)

_SETTINGS = (
    "reasoning_effort",
    "temperature",
    "top_p",
    "max_output_tokens",
    "verbosity",
    "reasoning_summary",
    "service_tier",
    "max_tool_calls",
    "tool_choice",
    "context_management",
    "safety_identifier",
)
_TOOL_CHOICES = ("none", "auto", "required", "file_search", "code_interpreter")
_COMPACTION = ("settings", "context_management")
LEAST_COMPACT_THRESHOLD = 1000


def read_settings(document: TomlDocument, tools: Tools) -> ModelSettings:
    """The settings that are passed to the model.

    Raises:
        InvalidDefinition: a key is wrong.
    """
    document.only_keys(("settings",), _SETTINGS)
    document.only_keys(_COMPACTION, ("compact_threshold",))
    threshold = document.number(
        int, LEAST_COMPACT_THRESHOLD, None, *_COMPACTION, "compact_threshold"
    )
    if threshold is None and "context_management" in document.table("settings"):
        raise document.error(
            _COMPACTION, "[settings.context_management] has no `compact_threshold`"
        )

    def choice(kind: Any, key: str) -> Any:
        return document.choice(get_args(kind), "settings", key)

    return ModelSettings(
        reasoning_effort=choice(ReasoningEffort, "reasoning_effort"),
        temperature=document.number(float, 0.0, 2.0, "settings", "temperature"),
        top_p=document.number(float, 0.0, 1.0, "settings", "top_p"),
        max_output_tokens=document.number(int, 16, None, "settings", "max_output_tokens"),
        verbosity=choice(Verbosity, "verbosity"),
        reasoning_summary=choice(ReasoningSummary, "reasoning_summary"),
        service_tier=choice(ServiceTier, "service_tier"),
        max_tool_calls=document.number(int, 1, None, "settings", "max_tool_calls"),
        tool_choice=_tool_choice(document, tools),
        compact_threshold=threshold,
        safety_identifier=_safety_identifier(document),
    )


def _tool_choice(document: TomlDocument, tools: Tools) -> str | None:
    servers = [f"mcp:{server.label}" for server in tools.mcp]
    chosen = document.choice((*_TOOL_CHOICES, *servers), "settings", "tool_choice")
    off = {
        "file_search": tools.file_search is False,
        "code_interpreter": not tools.code_interpreter,
    }
    if chosen is not None and off.get(chosen) and "extends" not in document.root:
        raise document.error(
            ("settings", "tool_choice"),
            f"key `settings.tool_choice` is `{chosen}`, which is off",
            hint=f"{chosen} = true in [tools]",
        )
    return chosen


def _safety_identifier(document: TomlDocument) -> Any:
    if document.table("settings").get("safety_identifier") is True:
        return True
    return document.text_value("settings", "safety_identifier")


def written_settings(settings: ModelSettings) -> dict[str, Any]:
    """The table `[settings]`, without keys that are not set."""
    table = {key: getattr(settings, key) for key in _SETTINGS if key != "context_management"}
    if settings.compact_threshold is not None:
        table["context_management"] = {"compact_threshold": settings.compact_threshold}
    return _present(table)


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


def _present(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


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
