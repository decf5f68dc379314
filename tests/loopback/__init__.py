"""A loopback HTTP server that plays OpenAI's API, for tests.

    with LoopbackServer(answer="Hello.") as server:
        server.outcomes.append(outcomes.http_error(429, "rate_limit_exceeded"))
        OpenAI(base_url=server.base_url, api_key="x").responses.create(...)
        assert server.requests[0].path == "/v1/responses"

In its own process: `python -m tests.loopback --port 0` prints the base URL; see `admin`.
"""

from . import outcomes
from .server import LoopbackServer
from .wire import RequestRecord

__all__ = ["LoopbackServer", "RequestRecord", "outcomes"]
