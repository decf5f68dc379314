"""Prompts in Markdown: fabric patterns, Agent Skills, Claude Code agents."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from gptasst.definitions.formats.draft import Draft, described
from gptasst.definitions.formats.templates import of_plain_braces
from gptasst.definitions.formats.types import ModelEnd, NotTaken, Reading
from gptasst.definitions.formats.yaml_text import FrontMatter, written

_NO_TOOL = "no such tool here: models can search knowledge and the web, and run Python"
_WEB = ("websearch", "web_search")
_SKILL_KEYS = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")
_DOCUMENTS = (".md", ".txt", ".rst", ".html", ".pdf", ".json", ".docx", ".pptx")
_SCRIPTS = frozenset(
    ".py .sh .bash .zsh .fish .js .mjs .cjs .ts .rb .pl .php .ps1 .bat .cmd .exe .go .rs .lua .r"
    " .jl .swift .java .jar .c .cpp .so .dll .wasm".split()
)


def read_fabric(name: str, system: str, user: str | None, model_end: ModelEnd) -> Reading:
    """A fabric pattern: `NAME/system.md`, and `user.md`, which goes before the input.

    Raises:
        NotTaken: it is blank.
    """
    draft = Draft(name, "fabric", model_end)
    filled = of_plain_braces(system)
    draft.instructions = filled.text
    draft.description = described(system)
    draft.use(filled.names)
    if user is not None and user.strip():
        asked = of_plain_braces(user)
        draft.default_text = asked.text
        draft.use(asked.names)
    if not system.strip():
        raise NotTaken("its `system.md` is blank")
    return draft.reading()


def read_skill(
    name: str,
    matter: FrontMatter,
    files: Mapping[str, str],
    model_end: ModelEnd,
) -> Reading:
    """An Agent Skill: `SKILL.md`, whose documents become knowledge.

    Args:
        name: the name of its directory.
        matter: the content of `SKILL.md`.
        files: the other files of its directory, by path with `/` separators, with their words for
            `knowledge`.
        model_end: see `Draft`.

    Raises:
        NotTaken: it has no body, or no readable front matter.
    """
    values, wrong = matter.simple_values()
    draft = Draft(_text(values, "name") or name, "skill", model_end)
    _tell(draft, wrong)
    draft.description = _text(values, "description") or ""
    draft.instructions = body_of(matter)
    if not draft.instructions.strip():
        raise NotTaken("it has no text below its front matter")
    for key in ("license", "compatibility", "metadata"):
        inner = values.get(key)
        for part in inner if isinstance(inner, Mapping) else ([key] if inner is not None else []):
            kind = "metadata" if key == "metadata" else "key"
            draft.leave(kind, str(part), "definitions have no such key")
    draft.leave_keys(values, _SKILL_KEYS)
    _take_tools(draft, _listed(values.get("allowed-tools"), blanks=True))
    _take_files(draft, files)
    return draft.reading()


def _take_files(draft: Draft, files: Mapping[str, str]) -> None:
    """Use documents as knowledge; if they are all of `references`, name the directory."""
    refused = {place: _not_knowledge(PurePath(place)) for place in files}
    parted = {PurePath(place).parts[0] for place, why in refused.items() if why}
    knowledge = []
    for place, word in sorted(files.items()):
        why = refused[place]
        first = PurePath(place).parts[0]
        if why is not None:
            draft.leave(why[0], place, why[1])
        elif first.lower() == "references" and first != place and first not in parted:
            knowledge.append(word.removesuffix(place) + first)
        else:
            knowledge.append(word)
    draft.knowledge = tuple(dict.fromkeys(knowledge))


def _not_knowledge(path: PurePath) -> tuple[str, str] | None:
    """What a file of a skill is and why it can't be knowledge, or `None`."""
    first = path.parts[0].lower() if len(path.parts) > 1 else ""
    suffix = path.suffix.lower()
    if first == "scripts" or suffix in _SCRIPTS:
        return "script", "scripts are not imported: gptasst runs no code of a skill"
    if path.stem.lower() in ("license", "licence", "notice", "copying"):
        return "file", "a license is not knowledge"
    if first == "assets" or suffix not in _DOCUMENTS:
        return "file", "only documents become knowledge"
    return None


def read_agent(name: str, matter: FrontMatter, model_end: ModelEnd) -> Reading:
    """A Claude Code agent: Markdown with `name` and `description`.

    Raises:
        NotTaken: it has no body, or no readable front matter.
    """
    values, wrong = matter.simple_values()
    draft = Draft(_text(values, "name") or name, "claude-agent", model_end)
    _tell(draft, wrong)
    draft.description = _text(values, "description") or ""
    draft.instructions = body_of(matter)
    if not draft.instructions.strip():
        raise NotTaken("it has no text below its front matter")
    model = _text(values, "model")
    if model == "inherit":
        model = None
    draft.add_model(model)
    _take_tools(draft, _listed(values.get("tools")))
    if "effort" in values:
        draft.add_settings({"effort": values["effort"]}, "key")
    for skill in _listed(values.get("skills")):
        draft.leave("skill", skill, "import the skill by itself")
    servers = values.get("mcpServers")
    for server in servers if isinstance(servers, (Mapping, list)) else []:
        called = next(iter(server), "") if isinstance(server, Mapping) else str(server)
        draft.leave("mcp_server", called, "a definition names servers of its own")
    known = ("name", "description", "model", "tools", "effort", "skills", "mcpServers")
    draft.leave_keys(values, known)
    return draft.reading()


def body_of(matter: FrontMatter) -> str:
    """The text below the front matter, without the blank line between them."""
    return matter.body.removeprefix("\n")


def _text(values: Mapping[str, Any], key: str) -> str | None:
    value = values.get(key)
    if isinstance(value, (dict, list)):
        raise NotTaken(f"key `{key}` is not a text")
    text = written(value)
    return text if text.strip() else None


def _tell(draft: Draft, wrong: str | None) -> None:
    if wrong is not None:
        draft.notes.append(f"its front matter was read line by line, as it is {wrong}")


def _listed(value: object, *, blanks: bool = False) -> Sequence[str]:
    """Names from a YAML list, or from a line separated by commas or blanks."""
    if isinstance(value, list):
        return [written(each) for each in value]
    if not isinstance(value, str):
        return []
    # `Bash(git add:*, git commit:*)` is a single name.
    parting = r"[,\s]+(?![^(]*\))" if blanks else r"\s*,\s*(?![^(]*\))"
    return [word for word in re.split(parting, value.strip().strip("[]")) if word]


def _take_tools(draft: Draft, names: Sequence[str]) -> None:
    for name in names:
        if name.partition("(")[0].lower() in _WEB:
            draft.tools = replace(draft.tools, web_search=True)
        elif name != "*":
            draft.leave("tool", name, _NO_TOOL)
