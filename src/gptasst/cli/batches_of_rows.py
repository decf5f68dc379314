"""Print a long list while its items arrive."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from gptasst.cli.output import DIM, Output, one_line
from gptasst.cli.tables import Column, table_pieces, write_pieces
from gptasst.errors import GptasstError

if TYPE_CHECKING:
    from gptasst.cli.session import Session

_Item = TypeVar("_Item")

_BATCH = 100  # a server's page


def print_as_they_come(
    session: Session,
    name: str,
    open_items: Callable[[], Iterable[_Item]],
    columns: Sequence[Column[_Item]],
    ident: Callable[[_Item], str],
    empty: str = "",
) -> None:
    """Print a list as `Output.table` does, but while it arrives: on a terminal a page at a time.

    What arrived before an error is printed; the JSON document has both.

    Args:
        session: where it is printed.
        name: the key of the list in the JSON document.
        open_items: begins to read the items.
        columns: columns of the table.
        ident: the text that `--quiet` prints for an item.
        empty: the text printed instead of an empty table.

    Raises:
        GptasstError: an error of the items.
    """
    output = session.output
    came: list[_Item] = []
    try:
        with session.waiting():
            size = _BATCH if output.draws or output.mode == "json" else 1
            batches = _batches(open_items(), came, size)
            first = next(batches, [])
            if output.mode == "json":
                first += itertools.chain.from_iterable(batches)
        if output.draws and len(first) >= _BATCH:
            pieces = _pieces(output, name, itertools.chain([first], batches), columns, came)
            write_pieces(output.stdout, pieces)
            return
        output.table(name, first, columns, ident=ident, empty=empty or f"no {name}")
        for batch in batches:
            output.table(name, batch, columns, ident=ident, empty="")
    except GptasstError as error:
        error.done = {name: came}
        raise


def _batches(items: Iterable[_Item], came: list[_Item], size: int) -> Iterator[list[_Item]]:
    """Items in batches; an error comes after the batch of the items before it."""
    items = iter(items)
    failure: GptasstError | None = None
    while failure is None:
        batch: list[_Item] = []
        try:
            batch += itertools.islice(items, 1)
            while batch and len(batch) < size:
                batch.append(next(items))
        except StopIteration:
            pass
        except GptasstError as error:
            failure = error
        came += batch
        if batch:
            yield batch
        elif failure is None:
            return
    raise failure


def _pieces(
    output: Output,
    name: str,
    batches: Iterable[Sequence[_Item]],
    columns: Sequence[Column[_Item]],
    came: Sequence[_Item],
) -> Iterator[str]:
    rows = ([[one_line(c.text(item)) for c in columns] for item in batch] for batch in batches)
    yield from table_pieces(columns, rows, colours=output.colours)
    yield output.styled(f"{len(came):,} {name}", DIM) + "\n"
