"""The keys of `config.toml`, declared once for reading, setting, showing and completion.

A separate module, because completion needs it without loading anything else.
"""

from __future__ import annotations

STORES = ("openai", "local")
PROMPT_CACHES = ("explicit", "off")
# The keys of a profile and the types of their values; for headers, those in their tables.
PROFILE_KEYS: dict[str, type] = {
    "base_url": str,
    "model": str,
    "store": str,
    "api_key_env": str,
    "timeout": float,
    "input_file": bool,
    "input_image": bool,
    "batch_file_search": bool,
    "function_tools": bool,
    "context": int,
    "embedding_model": str,
    "prompt_cache": str,
    "headers": str,
    "header_env": str,
}
HEADER_TABLES = ("headers", "header_env")  # their keys are the names of headers
# US dollars per million tokens of a model.
PRICE_KEYS: dict[str, type] = {
    "input": float,
    "cached": float,
    "cache_write": float,
    "output": float,
}
MCP_KEYS = "mcp_keys"  # the table of variables with keys, and the host that each is for
USAGE_KEYS: dict[str, type] = {"record": bool}
INSTRUCTION_KEYS: dict[str, type] = {"path": str}
INSTRUCTIONS_PATH = "GPTASST_INSTRUCTIONS_PATH"  # comes before the key
LOCAL_KEYS: dict[str, type] = {"model": str, "sha256": str, "context": int, "threads": int}
# The variables that override a profile's keys.
VARIABLES = {
    "base_url": "GPTASST_BASE_URL",
    "model": "GPTASST_MODEL",
    "store": "GPTASST_STORE",
    "timeout": "GPTASST_TIMEOUT",
    "embedding_model": "GPTASST_EMBEDDING_MODEL",
    "prompt_cache": "GPTASST_PROMPT_CACHE",
}
# Every key with its tables; NAME stands for a profile's name.
KNOWN_KEYS = (
    "profile",
    *(f"instructions.{key}" for key in INSTRUCTION_KEYS),
    f"{MCP_KEYS}.VARIABLE",
    *(f"local.{key}" for key in LOCAL_KEYS),
    *(f"profiles.NAME.{key}" for key in PROFILE_KEYS if key not in HEADER_TABLES),
    *(f"usage.{key}" for key in USAGE_KEYS),
    *(f"prices.MODEL.{key}" for key in PRICE_KEYS),
)
