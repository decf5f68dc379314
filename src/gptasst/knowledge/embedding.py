"""Makes the vectors of an assistant's passages that are missing."""

from __future__ import annotations

from gptasst.knowledge import vectors
from gptasst.storage.database import Database
from gptasst.uploads.types import OnTransfer, TransferState


def embed_missing(
    database: Database, embedder: vectors.Embedder, assistant_id: str, report: OnTransfer
) -> None:
    """Make vectors a few at a time. What was made is kept, so that the next call goes on there.

    Raises:
        GptasstError: the server made none; see `errors`.
    """
    model = embedder.model

    def fetched(done: int, size: int | None) -> None:
        report(TransferState("fetching", int(done == size), 1, done, size or 0))

    with database.writing() as connection:
        every = vectors.mark_contents(connection, assistant_id)
        vectors.forget_vectors(connection)
    while True:
        with database.reading() as connection:
            texts = vectors.next_texts(connection, assistant_id, model)
            left = vectors.count_new(connection, assistant_id, model)
        report(TransferState("embedding", every - left, every))
        if not texts:
            return
        embedder.prepare(fetched)
        made = embedder.embed([text for _, text in texts])
        with database.writing() as connection:
            vectors.keep_vectors(connection, model, [content for content, _ in texts], made)
