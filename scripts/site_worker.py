"""A hook of mkdocs: pages load the stand-in for a Worker from the site, not from another server."""

import posixpath
from typing import Any

_ELSEWHERE = "https://unpkg.com/iframe-worker/shim"
_OWN = "assets/frame-worker.js"


def on_post_page(output: str, *, page: Any, **_: object) -> str:
    here = posixpath.dirname(page.file.url) or "."
    return output.replace(_ELSEWHERE, posixpath.relpath(_OWN, here))


def on_post_template(output_content: str, **_: object) -> str:
    return output_content.replace(_ELSEWHERE, _OWN)
