"""What must stay in the text of a block: code, addresses, HTML, numbers, placeholders, marks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gptasst.edits.parsers import parser
from gptasst.edits.types import Format, Rules

if TYPE_CHECKING:
    from markdown_it.token import Token

ADDRESS = re.compile(
    r"(?:https?|ftp|mailto|file)://?[^\s<>()]+|www\.[^\s<>()]+|[\w.+-]+@[\w-]+\.\w+"
)
_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
# Math as Pandoc reads it: no blank inside of the dollars, no digit after them.
_MATH = re.compile(r"\$\$.+?\$\$|\$(?=\S)[^$\n]+(?<=\S)\$(?!\d)")
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
# Half of a code span, which takes in other text once there is another half.
_LONE_MARKS = re.compile(r"`+")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]*>|<!--.*?-->")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]")
PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\$?\{[\w.:!, -]*\}|%\(\w+\)[a-zA-Z]|%(?:\d+\$)?[sdifgxc@]\b"
    r"|\$[A-Z_][A-Z0-9_]*\b|(?<![\w:]):[a-z_]\w*\b(?!:)|</?\d+/?>"
)
_MARKS = ("em_open", "strong_open", "s_open", "link_open", "image", "hardbreak")
_CALLED: Mapping[str, str] = {
    "code": "code",
    "urls": "a link or address",
    "html": "HTML",
    "numbers": "a number",
    "structure": "the formatting",
    "placeholders": "a placeholder",
}

Stays = Mapping[str, list[str]]


def what_stays(text: str, form: Format, references: Mapping[str, Any]) -> Stays:
    """All in a text that an edit may have to keep, in order, by kind."""
    found: dict[str, list[str]] = {kind: [] for kind in _CALLED}
    if form == "markdown":
        # parseInline would parse blocks of it as well: this text is inside of one.
        tokens = parser().parseInline(text, {"references": dict(references)})
        plain = "".join([_note(token, found) for token in _flat(tokens)])
        plain = _take(_LONE_MARKS, plain, found["code"])
    else:
        plain = _take(_CODE, text, found["code"])
        plain = _take(_TAG, plain, found["html"])
    plain = _take(_MATH, plain, found["code"])
    plain = _take(ADDRESS, plain, found["urls"])
    plain = _take(_FOOTNOTE, plain, found["urls"])
    found["placeholders"] += PLACEHOLDER.findall(plain)
    found["numbers"] += _NUMBER.findall(plain)
    return found


def lost(old: Stays, new: Stays, rules: Rules) -> str | None:
    """What did not stay, in words; `None` if all did. A free edit may put it in another order."""
    for kind in rules.keep:
        if kind not in _CALLED:
            continue
        before, after = old[kind], new[kind]
        same = Counter(before) == Counter(after) if rules.free else before == after
        if not same:
            return f"{_CALLED[kind]} changed{_example(before, after)}"
    return None


def _example(before: list[str], after: list[str]) -> str:
    gone = [each for each in before if each not in after and each.isprintable()]
    return f": `{gone[0][:60]}`" if gone else ""


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield from token.children or ()


def _note(token: Token, found: dict[str, list[str]]) -> str:
    """Note what stays of a token; returns its text."""
    if token.type in _MARKS:
        found["structure"].append(token.type)
    handler = _HANDLERS.get(token.type)
    if handler:
        return handler(token, found)
    if token.type in ("softbreak", "hardbreak"):
        return "\n"
    return token.content


def _code(token: Token, found: dict[str, list[str]]) -> str:
    found["code"].append(token.content)
    return " "


def _html(token: Token, found: dict[str, list[str]]) -> str:
    found["html"].append(token.content)
    return " "


def _link(token: Token, found: dict[str, list[str]]) -> str:
    found["urls"].append(str(token.attrs.get("href", "")))
    return ""


def _image(token: Token, found: dict[str, list[str]]) -> str:
    found["urls"].append(str(token.attrs.get("src", "")))
    return token.content


_HANDLERS: Mapping[str, Callable[[Any, dict[str, list[str]]], str]] = {
    "code_inline": _code,
    "html_inline": _html,
    "link_open": _link,
    "image": _image,
}


def _take(pattern: re.Pattern[str], text: str, into: list[str]) -> str:
    into += [match[0] for match in pattern.finditer(text)]
    return pattern.sub(" ", text)
