"""From a model's output to the text of its answer.

Models put a code fence around a whole answer, or repeat the `<file>` tags around inputs and the
`<excerpt>` tags around knowledge. None of these are part of the answer. A blank answer, or one with
control characters, is unusable.
"""

from __future__ import annotations

import re

from gptasst.errors import NoAnswer
from gptasst.runs.inputs import STDIN_NAME, file_tag
from gptasst.runs.types import RunRequest
from gptasst.values import dataclass

_FENCES = ("```", "~~~")
_CLOSING = "</file>"
_ANY_OPENING = "<file "
# The tags of `tagged_excerpt`.
_EXCERPT_OPENS, _EXCERPT_CLOSES = '<excerpt source="', "</excerpt>"
_EXCERPT_TAG = r'<excerpt source="[^"\n]*" place="[^"\n]*">'
_EXCERPT_OPENING = re.compile(rf"{_EXCERPT_TAG}(?:[ \t]*\r?\n|(?=[ \t]*[^ \t\r\n]))")
_EXCERPT_LAST = re.compile(rf"{_EXCERPT_TAG}[ \t]*\r?\Z")
_EXCERPT_CLOSING = re.compile(r"(?:\r?\n)?</excerpt>")
_LINE_END = re.compile(r"(?:\r?\n|\r)?\Z")
_LONGEST_TAG = 10_000
# Unicode's control characters, except tab, line feed, form feed and carriage return.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_LAST_LINE_END = re.compile(r"\r?\n[ \t]*\Z")
_FENCE_LINE = re.compile(r"[ \t]*(`+|~+)[^`\n]*\Z")


@dataclass(frozen=True, slots=True)
class GivenTexts:
    """The inputs of a run: their texts, and the tags around them."""

    texts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def have_excerpts(self) -> bool:
        """Whether an input itself contains tags like those around knowledge."""
        return any(_EXCERPT_OPENS in text or _EXCERPT_CLOSES in text for text in self.texts)

    @classmethod
    def of(cls, request: RunRequest) -> GivenTexts:
        named = [(file.path, file.text) for file in request.files if file.text is not None]
        if request.stdin is not None:
            named.append((STDIN_NAME, request.stdin))
        return cls.named(named)

    @classmethod
    def named(cls, named: list[tuple[str, str]]) -> GivenTexts:
        """Inputs by their names in the request."""
        texts = tuple(text for _, text in named)
        tags = (file_tag(name) for name, _ in named)
        # A text that starts with such a tag itself keeps it.
        return cls(
            texts, tuple(t for t in tags if not any(x.lstrip().startswith(t) for x in texts))
        )

    @property
    def may_close(self) -> bool:
        """Whether a closing tag at the end of an answer must be ours."""
        return bool(self.tags) and not any(_CLOSING in text for text in self.texts)


def answer_text(received: str, given: GivenTexts, *, unwrap: bool) -> str:
    """An answer without our own tags and, with `unwrap`, without a fence around it.

    A fence is only removed if the answer has more fences around it than the inputs.
    """
    excerpts = ExcerptTags(given)
    text = _without_tags(excerpts.feed(received) + excerpts.finish(), given)
    if unwrap and fence_layers(text) > max(map(fence_layers, given.texts), default=0):
        text = _without_tags(unwrap_fence(text), given)
    return text


def _without_tags(text: str, given: GivenTexts) -> str:
    begun = text.lstrip()
    tag = next((tag for tag in given.tags if begun.startswith(tag)), None)
    inside = text if tag is None else re.sub(r"\A[ \t]*\r?\n?", "", begun[len(tag) :])
    end = inside.rstrip()
    if _ANY_OPENING in inside:  # several files, each in tags
        return text
    if end.endswith(_CLOSING) and (tag is not None or given.may_close):
        inside = end[: -len(_CLOSING)]
    return inside


def is_blank(text: str) -> bool:
    """Whether text is blank: white space, zero-width characters, an empty code fence."""
    fenced = text.lstrip().startswith(_FENCES)
    inside = unwrap_fence(text) if fenced else text
    return not any(character.isprintable() and character != " " for character in inside)


def refuse_unusable(answer: str) -> None:
    """Raise if an answer must not be written to a file.

    Raises:
        NoAnswer: it is blank (code `empty`) or has a control character.
    """
    refuse_control_characters(answer)
    if is_blank(answer):
        raise NoAnswer("the model returned an empty answer", hint="run it again", code="empty")


def refuse_control_characters(text: str) -> None:
    """Raise for control characters other than tab, line feed, form feed and carriage return.

    Raises:
        NoAnswer: there is one (code `control_character`).
    """
    found = _CONTROL.search(text)
    if found:
        raise NoAnswer(
            f"the answer contains the control character U+{ord(found[0]):04X}",
            hint="run it again",
            code="control_character",
        )


def is_usable(answer: str) -> bool:
    """Whether `refuse_unusable` accepts an answer."""
    return _CONTROL.search(answer) is None and not is_blank(answer)


class ExcerptTags:
    """Removes the tags around knowledge from a streamed answer.

    Args:
        given: the inputs; if they contain such tags themselves, nothing is removed.
        knowledge: whether the request had knowledge; without it, a lone closing tag stays.
    """

    def __init__(self, given: GivenTexts, *, knowledge: bool = False) -> None:
        self._off = given.have_excerpts
        self._closes = knowledge
        self._held = ""

    def feed(self, text: str) -> str:
        """The text that is ready; the possible start of a tag is held back."""
        if self._off:
            return text
        text = self._without(self._held + text)
        start = text.rfind("<")
        if start < 0 or not self._may_be_tag(text[start:]):
            start = len(text)
        # A closing tag is removed together with the line end before it.
        start -= len(_LINE_END.search(text, max(start - 2, 0), start)[0])  # type: ignore[index]
        self._held = text[start:]
        return text[:start]

    def finish(self) -> str:
        """The text that was held back."""
        held, self._held = self._held, ""
        return _EXCERPT_LAST.sub("", held)

    def _without(self, text: str) -> str:
        text, opened = _EXCERPT_OPENING.subn("", text)
        self._closes = self._closes or opened > 0
        return _EXCERPT_CLOSING.sub("", text) if self._closes else text

    def _may_be_tag(self, end: str) -> bool:
        if _EXCERPT_LAST.match(end):
            return True
        if "\n" in end or ">" in end or len(end) > _LONGEST_TAG:
            return False
        begins = end[: len(_EXCERPT_OPENS)]
        return _EXCERPT_OPENS.startswith(begins) or _EXCERPT_CLOSES.startswith(end)


class AnswerFilter:
    """Applies `answer_text` to a streamed answer.

    It holds back text that may not be part of the answer: everything if it starts with a fence or
    our tag, else a possible closing tag at the end.
    """

    def __init__(self, given: GivenTexts, *, unwrap: bool) -> None:
        self._given = given
        self._unwrap = unwrap
        self._held: list[str] = []
        self._holds_all = False
        self._passing = False
        self._opens_inside = False
        self._passed_end = ""

    def feed(self, text: str) -> str:
        """The text that is ready."""
        self._held.append(text)
        if self._holds_all:
            return ""
        so_far = "".join(self._held)
        if not self._passing:
            beginning = so_far.lstrip()
            self._holds_all = self._is_wrapped(beginning)
            if self._holds_all or self._may_be_wrapped(beginning):
                return ""
            self._passing = True
        end = self._possible_end(so_far)
        self._held = [end] if end else []
        passed = so_far[: len(so_far) - len(end)]
        self._note_openings(passed)
        return passed

    def finish(self) -> str:
        """The rest of the answer that was held back."""
        held = "".join(self._held)
        if not self._passing:
            return answer_text(held, self._given, unwrap=self._unwrap)
        if held.rstrip().endswith(_CLOSING) and not self._opens_inside:
            return held.rstrip()[: -len(_CLOSING)]
        return held

    def _is_wrapped(self, beginning: str) -> bool:
        fenced = self._unwrap and beginning.startswith(_FENCES)
        return fenced or beginning.startswith(self._given.tags)

    def _may_be_wrapped(self, beginning: str) -> bool:
        """Whether the answer may still turn out to be wrapped, or is blank so far."""
        if not any(character.isprintable() for character in beginning):
            return True
        if "\n" not in beginning.rstrip() and _FENCE_LINE.match(beginning.rstrip()):
            return True
        if beginning.startswith(_FENCES) and is_blank(beginning):
            return True
        return any(tag.startswith(beginning) for tag in self._given.tags)

    def _possible_end(self, text: str) -> str:
        if not self._given.may_close or self._opens_inside:
            return ""
        start = text.rfind("<")
        if start >= 0:
            last = text[start:].rstrip()
            if not _CLOSING.startswith(last):
                start = -1
        if start < 0:
            line_end = _LAST_LINE_END.search(text)
            return line_end[0] if line_end else ""
        line_end = _LAST_LINE_END.search(text[:start])
        return text[line_end.start() if line_end else start :]

    def _note_openings(self, passed: str) -> None:
        seen = self._passed_end + passed
        self._opens_inside = self._opens_inside or _ANY_OPENING in seen
        self._passed_end = seen[-len(_ANY_OPENING) :]


_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*?)[ \t]*\r?\n?\Z")
_MARKDOWN = ("markdown", "md", "mdx")


@dataclass(frozen=True, slots=True)
class _Fence:
    index: int
    marks: str
    info: str


def unwrap_fence(text: str) -> str:
    """The inside of a text that is a single fenced block; other text is unchanged.

    In CommonMark the first bare fence closes a block. But models wrap Markdown with code blocks in
    a fence of the same length, so inside a fence marked as Markdown (or around blocks with a
    language) pairs of fences count as content.
    """
    lines = text.splitlines(keepends=True)
    filled = [index for index, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:  # an opening fence, a closing fence
        return text
    opening = _fence(lines, filled[0])
    closing = _fence(lines, filled[-1])
    if opening is None or closing is None or not _closes(closing, opening):
        return text
    inner = (_fence(lines, index) for index in filled[1:-1])
    rivals = [fence for fence in inner if fence and _is_rival(fence, opening)]
    if not _are_pairs(rivals, bare_opens=opening.info.lower() in _MARKDOWN):
        return text
    return "".join(lines[opening.index + 1 : closing.index])


def fence_layers(text: str) -> int:
    """The number of nested fences around a whole text."""
    layers = 0
    while (inside := unwrap_fence(text)) != text:
        text, layers = inside, layers + 1
    return layers


def _fence(lines: list[str], index: int) -> _Fence | None:
    match = _FENCE.match(lines[index])
    return _Fence(index, match["marks"], match["info"]) if match else None


def _is_rival(fence: _Fence, opening: _Fence) -> bool:
    """Whether a fence could close the outer block, or open a similar one."""
    return fence.marks[0] == opening.marks[0] and len(fence.marks) >= len(opening.marks)


def _closes(fence: _Fence, opening: _Fence) -> bool:
    return not fence.info and _is_rival(fence, opening)


def _are_pairs(fences: list[_Fence], *, bare_opens: bool) -> bool:
    opened: _Fence | None = None
    for fence in fences:
        if opened is None:
            if not fence.info and not bare_opens:
                return False
            opened = fence
        elif _closes(fence, opened):
            opened = None
    return opened is None
