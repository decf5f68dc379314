"""Placeholders and roles in the templates of other tools.

Simple placeholders become `{{NAME}}`. A template with logic is refused, with the line, because
only its own engine can render it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from gptasst.definitions.formats.draft import Turn
from gptasst.definitions.formats.types import NotTaken
from gptasst.values import dataclass

Engine = Literal["braces", "jinja2", "mustache", "handlebars"]

NAME = r"[^\W\d][\w-]*"
_DOLLARS = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<named>(?a:[_a-zA-Z]\w*))|\{(?P<braced>(?a:[_a-zA-Z]\w*))\})"
)


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with placeholders `{{NAME}}`, and their names in order, each once."""

    text: str
    names: tuple[str, ...]


def of_dollars(text: str) -> Filled:
    """Convert a template of llm: `$NAME`, `${NAME}`, and `$$` for a dollar sign."""
    names: list[str] = []

    def replaced(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        name = found["named"] or found["braced"]
        names.append(name)
        return f"{{{{{name}}}}}"

    return Filled(_DOLLARS.sub(replaced, text), tuple(dict.fromkeys(names)))


def to_dollars(text: str, names: Sequence[str]) -> str:
    """Convert placeholders `{{NAME}}` in `names` to a template of llm."""
    if not names:
        return text.replace("$", "$$")
    known = "|".join(map(re.escape, names))
    pieces = re.split(rf"\{{\{{({known})\}}\}}", text)
    told = [pieces[0].replace("$", "$$")]
    for name, after in zip(pieces[1::2], pieces[2::2], strict=True):
        is_open = re.match(r"(?a:\w)", after)
        told += [f"${{{name}}}" if is_open else f"${name}", after.replace("$", "$$")]
    return "".join(told)


def of_plain_braces(text: str) -> Filled:
    """Convert a text of fabric: names in braces without blanks are variables."""
    names = re.findall(rf"\{{\{{({NAME})\}}\}}", text)
    return Filled(text, tuple(dict.fromkeys(names)))


def of_braces(
    text: str,
    engine: Engine,
    line: int | None = 1,
    special: Callable[[str], str | None] = lambda _: None,
) -> Filled:
    """Convert a template with placeholders in double braces.

    Args:
        text: the template.
        engine: its template language; `braces` only has placeholders.
        line: the number of its first line in the file, if it has one.
        special: replacements for tags that are neither placeholders nor logic.

    Raises:
        NotTaken: it has logic.
    """
    names: list[str] = []

    def place(at: int) -> int | None:
        return None if line is None else line + text.count("\n", 0, at)

    if engine == "jinja2":
        logic = re.search(r"\{%.*?%\}", text, re.DOTALL)
        if logic:
            raise NotTaken(_with_logic(logic[0]), place(logic.start()))
        text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)

    def replaced(found: re.Match[str]) -> str:
        if found[0].startswith("\\"):
            return found[0][1:] if engine == "handlebars" else found[0]
        inner = found["inner"].strip().removeprefix("{").removesuffix("}").strip()
        told = "" if engine != "braces" and inner.startswith("!") else special(inner)
        if told is not None:
            return told
        inner = inner.removeprefix("&").strip() if engine == "mustache" else inner
        if re.fullmatch(NAME, inner) and not _is_word_of(engine, inner):
            names.append(inner)
            return f"{{{{{inner}}}}}"
        if engine == "braces":
            return found[0]
        raise NotTaken(_with_logic(found[0]), place(found.start()))

    pattern = r"\\?\{\{(?P<inner>!--.*?--|\{[^{}]*\}|[^{}]*)\}\}"
    filled = re.sub(pattern, replaced, text, flags=re.DOTALL)
    return Filled(filled, tuple(dict.fromkeys(names)))


def _is_word_of(engine: Engine, name: str) -> bool:
    return name in ("else", "this") if engine in ("handlebars", "mustache") else False


def _with_logic(tag: str) -> str:
    shown = " ".join(tag.split())
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    return f"the template has logic, `{shown}`, which gptasst can't run"


_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "model": "assistant",
    "ai": "assistant",
}


def role_of(word: object, line: int | None = None) -> str:
    """`system`, `user` or `assistant`.

    Raises:
        NotTaken: it is another role, such as `tool`.
    """
    role = _ROLES.get(str(word).strip().lower())
    if role is None:
        raise NotTaken(
            f"a message of the role `{str(word)[:40]}` has no place in a definition", line
        )
    return role


_ROLE_LINE = re.compile(
    r"^[ \t]*#?[ \t]*(system|user|assistant|developer|tool|function)[ \t]*(\[[^\]\n]*\])?[ \t]*:"
    r"[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)


def has_role_lines(text: str) -> bool:
    """Whether a text is divided by lines such as `system:`."""
    return _ROLE_LINE.search(text) is not None


def turns_by_lines(text: str, line: int) -> Iterator[Turn]:
    """The messages of a text that is divided by lines such as `system:`.

    Raises:
        NotTaken: one has an unsupported role.
    """
    role, begin = "system", 0
    for found in (*_ROLE_LINE.finditer(text), None):
        end = len(text) if found is None else found.start()
        told = text[begin:end].lstrip("\n")
        yield Turn(role, told.rstrip("\n"), line + text.count("\n", 0, end - len(told)))
        if found is not None:
            at = line + text.count("\n", 0, found.end())
            role, begin = role_of(found[1], at), found.end()


_ROLE_MARK = re.compile(r"<<<dotprompt:role:(\w+)>>>")
_ROLE_TAG = re.compile(r"role\s+[\"'](\w+)[\"']")


def role_mark(tag: str) -> str | None:
    """The mark for a dotprompt tag such as `role "user"`."""
    found = _ROLE_TAG.fullmatch(tag)
    return f"<<<dotprompt:role:{found[1]}>>>" if found else None


def turns_by_marks(text: str) -> Iterator[Turn]:
    """The messages of a dotprompt; without roles, it is a user message."""
    pieces = _ROLE_MARK.split(text)
    yield Turn("user", pieces[0].strip("\n"))
    for role, told in zip(pieces[1::2], pieces[2::2], strict=True):
        yield Turn(role_of(role), told.strip("\n"))
