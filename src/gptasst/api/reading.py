"""Reject responses that are not valid API objects."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gptasst.api.types import Endpoint
from gptasst.errors import ServiceError

# What JSON is made of.
_SENT = (str, int, float, list, dict, type(None))


@contextlib.contextmanager
def reading(endpoint: Endpoint) -> Iterator[None]:
    """Translate the errors of reading what a server sent.

    An attribute that an object of ours lacks, or a text that can't be
    encoded, is no fault of the server's and goes on as it is.

    Raises:
        ServiceError: it is not what the API sends.
    """
    try:
        yield
    except UnicodeEncodeError:
        raise
    except RecursionError as error:
        raise ServiceError(
            f"{endpoint.name} sent JSON that is nested too deeply to be read",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        ) from error
    except (ValueError, AttributeError, TypeError, LookupError, OverflowError) as error:
        if isinstance(error, AttributeError) and not isinstance(error.obj, _SENT):
            raise
        raise ServiceError(
            f"{endpoint.name} sent something that is not an answer of the API",
            hint="is the base URL right? it usually ends in /v1",
            code="not_an_api",
        ) from error
