"""A loopback HTTP server that plays OpenAI's API, for tests.

    with LoopbackServer(answer="Hello.") as server:
        server.outcomes.append(outcomes.http_error(429, "rate_limit_exceeded"))
        OpenAI(base_url=server.base_url, api_key="x").responses.create(...)
        assert server.requests[0].path == "/v1/responses"

In its own process: `python -m` with the name of this package prints the base URL; see `admin`. The
same files are the distribution `pytest-openai-loopback`, as `openai_loopback`.
"""

from . import outcomes
from .server import LoopbackServer
from .wire import RequestRecord

API_VERSION = "2.3.0"  # of OpenAI's OpenAPI document, August 2026

__all__ = ["API_VERSION", "LoopbackServer", "RequestRecord", "outcomes"]
