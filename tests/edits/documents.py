"""Markdown documents as people write them, for Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = (
    "the teh a tool backup server it's its files runs Each dont never not folder key "
    "Straße naïve 5 1.4 2026-11-29 and, or. However"
).split()
ATOMS = (
    "`rm -rf x`",
    "[the docs](https://example.com/a_b?c=1#d)",
    "<https://example.com>",
    "**bold move**",
    "_it is_",
    "<br>",
    "![alt text](img.png)",
    "{{name}}",
    "[ref][one]",
    "\\*",
    "&amp;",
    "3.14",
    "me@example.com",
)

words = st.sampled_from(WORDS)
line = st.lists(st.one_of(words, words, words, st.sampled_from(ATOMS)), min_size=1, max_size=9).map(
    " ".join
)
prose = st.lists(line, min_size=1, max_size=3).map("\n".join)
heading = st.builds(lambda level, text: f"{'#' * level} {text}", st.integers(1, 6), line)
setext = st.builds(lambda text, mark: f"{text}\n{mark * 4}", line, st.sampled_from("=-"))
code = st.sampled_from(
    [
        "```sh\n# not a heading\ntar -xzf a.tar.gz\n\n./install.sh\n```",
        "~~~\nteh code\n~~~",
        "    indented teh code\n    more",
        "````md\n```\ninner\n```\n````",
    ]
)
html = st.sampled_from(["<div>\nteh text\n</div>", "<!-- teh comment\n\nstill -->"])
cell = st.lists(words, min_size=1, max_size=3).map(" ".join)
table = st.lists(st.tuples(cell, cell), min_size=1, max_size=4).map(
    lambda rows: "| a | b |\n| - | :-: |\n" + "\n".join(f"| {x} | {y} |" for x, y in rows)
)
items = st.builds(
    lambda mark, texts, gap: gap.join(f"{mark} {text}" for text in texts),
    st.sampled_from(["-", "*", "1.", "- [ ]"]),
    st.lists(line, min_size=1, max_size=4),
    st.sampled_from(["\n", "\n\n"]),
)
nested = st.builds(
    lambda one, two, inside: f"- {one}\n\n  {two}\n  - {inside}\n\n    ```\n    teh\n    ```",
    line,
    line,
    line,
)
quote = st.lists(line, min_size=1, max_size=3).map(lambda each: "> " + "\n> ".join(each))
other = st.sampled_from(["---", "[one]: https://example.com/one 'Title'", "[^1]: A note."])
# Where a fence or HTML may seem to go on, or to end.
inside = st.sampled_from(
    [
        "- ```\n  teh\n\n  code\n  ```",
        "1. It is\n\n   ```\n   teh\n\ncode\n   ```",
        "> ```\n> teh\n\n```\ncode\n\nmore\n```",
        "- item\n```\nteh\n\ncode\n```",
        "<div>\n```\n</div>",
        "<!-- teh\n\n```\n-->",
        " ```\nteh\n\ncode\n  ```",
        "    ```\n    teh",
        "```\nteh\n\ncode",
        "<pre>\n\nteh",
        "- <!--\n\nteh\n\n  -->",
    ]
)
block = st.one_of(
    prose, prose, heading, setext, code, html, table, items, nested, quote, other, inside
)
front_matter = st.sampled_from(["", "", "---\ntitle: Teh title\ntags: [a, b]\n---\n"])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A text with any line ends, with or without a final one; a lone odd ending now and then."""
    gap = draw(st.sampled_from(["\n\n", "\n\n", "\n\n\n", "\n"]))
    text = draw(front_matter) + gap.join(draw(st.lists(block, min_size=1, max_size=7)))
    text += draw(st.sampled_from(["", "\n", "\n\n", "  \n"]))
    ending = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    text = text.replace("\n", ending)
    return draw(st.sampled_from(["", "", "\ufeff"])) + text
