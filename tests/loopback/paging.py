"""Lists as the API gives them: a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .wire import ApiError, Json


def page(
    oldest_first: Sequence[Json],
    query: Mapping[str, str],
    *,
    default_limit: int = 20,
    max_limit: int = 100,
) -> Json:
    """The page that limit, order, after and before ask for; newest first unless told."""
    limit = _limit(query.get("limit", str(default_limit)), max_limit)
    found = _ordered(oldest_first, query.get("order", "desc"))
    if "after" in query:
        found = found[_position(found, query["after"], "after") + 1 :]
    if "before" in query:
        found = found[: _position(found, query["before"], "before")]
        shown = found[-limit:]
    else:
        shown = found[:limit]
    return listing(shown, has_more=len(shown) < len(found))


def listing(shown: Sequence[Json], *, has_more: bool = False) -> Json:
    return {
        "object": "list",
        "data": list(shown),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": has_more,
    }


def _limit(text: str, max_limit: int) -> int:
    limit = int(text) if text.isdecimal() else 0
    if not 1 <= limit <= max_limit:
        message = f"Invalid 'limit': 1 to {max_limit} is expected, got {text}."
        raise ApiError(400, message, param="limit")
    return limit


def _ordered(oldest_first: Sequence[Json], order: str) -> list[Json]:
    if order not in ("asc", "desc"):
        raise ApiError(400, f"Invalid 'order': {order}.", param="order")
    return list(oldest_first) if order == "asc" else list(reversed(oldest_first))


def _position(found: Sequence[Json], wanted: str, param: str) -> int:
    for position, item in enumerate(found):
        if item["id"] == wanted:
            return position
    raise ApiError(400, f"Invalid '{param}': no object with id '{wanted}'.", param=param)
