"""Hooks of mkdocs: nothing is loaded from another server, and options stay in one line."""

import posixpath
import re
from typing import Any

_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
_OWN = "assets/frame-worker.js"
_CODE = re.compile(r"<code[^>]*>.*?</code>", re.DOTALL)
_OPTION = re.compile(r"(?<=[>\s])--[a-z][\w-]*(?=[\s<=])")


def on_page_content(html: str, **_: object) -> str:
    """Let no browser break a line after the hyphens of an option."""
    return _CODE.sub(lambda code: _OPTION.sub(r'<span class="option">\g<0></span>', code[0]), html)


def on_post_page(output: str, *, page: Any, **_: object) -> str:
    """Have pages load the stand-in for a Worker from the site itself."""
    here = posixpath.dirname(page.file.url) or "."
    return output.replace(_ELSEWHERE, posixpath.relpath(_OWN, here))


def on_post_template(output_content: str, **_: object) -> str:
    return output_content.replace(_ELSEWHERE, _OWN)
