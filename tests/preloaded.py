"""What the process has imported that `tests.processes` forks: all that commands import.

A command imports most of it only when it comes to that, which takes longer than what is tested.
"""

from __future__ import annotations

import functools
import gc
import importlib
import pkgutil
import ssl

import gptasst

_OTHERS = (
    "h11", "httpcore2", "jsonschema", "openai.pagination", "openai.resources.batches",
    "openai.resources.conversations", "openai.resources.files", "openai.resources.models",
    "openai.resources.responses", "openai.resources.uploads", "openai.resources.vector_stores",
    "prompt_toolkit.shortcuts", "pypdf", "rich.console", "rich.live", "rich.markdown",
    "rich.progress", "rich.table", "tomli_w", "tomlkit",
)  # fmt: skip


def _preload() -> None:
    for module in pkgutil.walk_packages(gptasst.__path__, "gptasst."):
        if ".embedded" not in module.name:  # llama.cpp is to begin in the process that uses it
            importlib.import_module(module.name)
    for name in _OTHERS:
        importlib.import_module(name)
    # Reading the certificates of all authorities takes a client longer than most requests here.
    ssl.create_default_context = functools.cache(  # type: ignore[assignment]
        ssl.create_default_context
    )
    from openai import OpenAI

    OpenAI(api_key="x", base_url="http://127.0.0.1:9").close()
    gc.collect()
    gc.freeze()


_preload()
