"""Check a proposed change of a block, and apply it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gptasst.edits.boundaries import parser
from gptasst.edits.difference import changed_characters, on_lines, words_of
from gptasst.edits.types import Block, Change, Format, Parsed, Refusal, Rules, Span

if TYPE_CHECKING:
    from markdown_it.token import Token


ADDRESS = re.compile(
    r"(?:https?|ftp|mailto|file)://?[^\s<>()]+|www\.[^\s<>()]+|[\w.+-]+@[\w-]+\.\w+"
)

_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")

# Math as in Pandoc: no blank inside the dollars, no digit after them.
_MATH = re.compile(r"\$\$.+?\$\$|\$(?=\S)[^$\n]+(?<=\S)\$(?!\d)")

_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)

# Half of a code span, which would include other text once there is another half.
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
    """Everything in a text that an edit may have to keep, in order, by kind."""
    found: dict[str, list[str]] = {kind: [] for kind in _CALLED}
    if form == "markdown":
        # parseInline would also parse blocks, but this text is inside one.
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
    """What is missing, as text, or `None`. A free edit may reorder."""
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
    """Record what must be kept of a token; return its text."""
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


# Characters that may change in a short block, regardless of their share.
_FEW_CHARACTERS = 4
_ENDS_A_SENTENCE = re.compile(r"[.!?:;…。！？：؟।][\"'»”’)\]*_`]*$")  # noqa: RUF001
_UNSAFE_VALUE = re.compile(r": |\s#|^[\[\]{}&*!|>'\"%@`,?-]|:$")
# Latin, Greek and Cyrillic are before it; Thai and others don't end sentences with a mark.
_HAS_SENTENCE_MARKS = "\u052f"
# Control characters, surrogates, line and paragraph separators.
_ODD = ("Cc", "Cs", "Zl", "Zp")

OTHER_KIND = "it became another kind of block"

Fields = Sequence[Sequence[str]]


def check(
    parsed: Parsed, block: Block, proposed: Fields, rules: Rules, form: Format
) -> Change | Refusal | None:
    """The result of a proposed text for a block; `None` if nothing changes.

    Args:
        parsed: the text that contains the block.
        block: a block with fields.
        proposed: the lines of each field.
        rules: the allowed changes.
        form: the format of the text.
    """
    old = [parsed.lines(spans) for spans in block.fields]
    if len(proposed) != len(old):
        return Refusal(block, "its structure changed")
    new: list[list[str]] = []
    for before, after in zip(old, proposed, strict=True):
        lines = _laid_out(before, after, rules)
        problem = _problem(block, before, lines, parsed, rules, form)
        if problem:
            return Refusal(block, problem)
        new.append(lines)
    if new == old:
        return None
    problem = _too_much("\n".join(map("\n".join, old)), "\n".join(map("\n".join, new)), rules)
    return Refusal(block, problem) if problem else Change(block, _rebuilt(parsed, block, new))


def _laid_out(old: Sequence[str], proposed: Sequence[str], rules: Rules) -> list[str]:
    """The proposed lines, with the old line breaks if the words allow it."""
    lines = [line.strip() for line in proposed]
    if len(lines) == len(old) or rules.free:
        return lines
    return on_lines(old, " ".join(lines)) or lines


def _problem(
    block: Block,
    old: Sequence[str],
    new: Sequence[str],
    parsed: Parsed,
    rules: Rules,
    form: Format,
) -> str | None:
    before, after = "\n".join(old), "\n".join(new)
    if before == after:
        return None
    if not after.strip():
        return "it came back empty"
    if _has_odd_characters(before, after):
        return "it has control characters"
    if not _is_still(block, old, new, form):
        return OTHER_KIND
    if _is_cut(before, after, rules):
        return "it came back cut off"
    references = parsed.references
    return lost(what_stays(before, form, references), what_stays(after, form, references), rules)


def _has_odd_characters(old: str, new: str) -> bool:
    added = set(new) - set(old) - {"\n", "\t"}
    return any(unicodedata.category(each) in _ODD or each == "\ufffd" for each in added)


def _is_still(block: Block, old: Sequence[str], new: Sequence[str], form: Format) -> bool:
    """Whether the new text is still a block of the same kind."""
    if not all(new) or any("\r" in line or "\n" in line for line in new):
        return False
    if block.kind == "front_matter":
        return not _UNSAFE_VALUE.search(new[0])
    if form == "text":
        return True
    text = "\n".join(new)
    if block.kind == "row":
        return len(new) == 1 and not re.search(r"(?<!\\)\|", text) and not text.endswith("\\")
    if block.kind.startswith("heading") and len(new) == 1:
        return _is_one(f"# {text}", "heading_open", text)
    # By itself, text may be something else: after `- item` the lines `more` and `===` continue it.
    # So it is parsed in its context.
    return _is_one(text, "paragraph_open", text) or _kinds(text) == _kinds("\n".join(old))


def _is_one(text: str, kind: str, content: str) -> bool:
    environment: dict[str, Any] = {}
    tokens = parser().parse(text, environment)
    if len(tokens) != 3 or environment.get("references"):
        return False
    return tokens[0].type == kind and tokens[1].content == content


def _kinds(text: str) -> tuple[list[str], list[str]]:
    environment: dict[str, Any] = {}
    tokens = parser().parse(text, environment)
    return [token.type + token.tag for token in tokens], [*environment.get("references", {})]


def _is_cut(old: str, new: str, rules: Rules) -> bool:
    if _ENDS_A_SENTENCE.search(old) and not _ENDS_A_SENTENCE.search(new):
        return not (rules.free and new[-1] > _HAS_SENTENCE_MARKS)
    if rules.free:
        return False
    before, after = words_of(old), words_of(new)
    # The last three words are gone, and the text is shorter.
    return len(after) + 2 <= len(before) and not set(before[-3:]) & set(after[-4:])


def _too_much(old: str, new: str, rules: Rules) -> str | None:
    if rules.free:
        return None
    changed = changed_characters(old, new)
    allowed = max(rules.max_change * len(old), _FEW_CHARACTERS if rules.max_change else 0)
    if changed <= allowed:
        return None
    return f"{min(round(100 * changed / len(old)), 100)}% of it changed"


def _rebuilt(parsed: Parsed, block: Block, new: Fields) -> str:
    """The block with new text in its fields and everything between them unchanged."""
    pieces: list[str] = []
    place, wider = block.start, 0
    for spans, lines in zip(block.fields, new, strict=True):
        for span, line in zip(spans, lines, strict=False):
            pieces += [_gap(parsed.text[place : span.start], wider, block), line]
            place, wider = span.end, len(line) - (span.end - span.start)
        if len(lines) < len(spans):
            place = spans[-1].end
        elif len(lines) > len(spans):
            between = _between(parsed, block, spans)
            pieces += [between + line for line in lines[len(spans) :]]
    pieces.append(_gap(parsed.text[place : block.end], wider, block))
    return "".join(pieces)


def _gap(between: str, wider: int, block: Block) -> str:
    """The text between two fields; aligned table columns stay aligned."""
    blanks = len(between) - len(between.lstrip(" "))
    if block.kind != "row" or blanks < 2:
        return between
    return " " * max(blanks - wider, 1) + between[blanks:]


def _between(parsed: Parsed, block: Block, spans: Sequence[Span]) -> str:
    """A line end and the prefix of a further line of this block."""
    if len(spans) > 1:
        between = parsed.text[spans[-2].end : spans[-1].start]
        return between.lstrip(" \t\\")
    before = parsed.text[block.start : spans[0].start]
    quoted = re.sub(r"[^\s>]", " ", before)
    return line_end(parsed.text, block.start) + quoted


def line_end(text: str, near: int) -> str:
    """The line end used near a position."""
    after = re.compile(r"\r\n|\r|\n").search(text, near)
    if after is None:
        ends = re.findall(r"\r\n|\r|\n", text[:near])
        return ends[-1] if ends else "\n"
    return after[0]
