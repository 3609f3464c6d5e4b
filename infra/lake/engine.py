"""What the lake is asked through: one interface, whichever engine answers.

An engine answers one ``SELECT`` with ``?`` in place of values. Table names are layer and name, such
as ``gold.agg_minute``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from typing import ClassVar, Self

import pyarrow as pa

from finlake.errors import FinlakeError

__all__ = ["BATCH_ROWS", "Answer", "Engine", "QueryError", "one_line"]

BATCH_ROWS = 65_536


class QueryError(FinlakeError):
    """A statement could not be answered; the message names the engine and the reason."""


class Answer:
    """The rows of an answer, batch by batch as the engine gives them; can be read once.

    Closing it, which a ``with`` does, ends the engine's work on rows that nobody has read.
    """

    schema: pa.Schema

    def __init__(self, given: Generator[pa.Schema | pa.RecordBatch]) -> None:
        """``given`` yields the schema, then the batches."""
        self.schema = next(given)
        self._given = given

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._given

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the engine's work; nothing can be read from then on."""
        self._given.close()


class Engine(ABC):
    """Answers SQL over the lake's tables; safe to share between threads."""

    title: ClassVar[str]
    """How messages call it."""

    @abstractmethod
    def _rows(
        self, sql: str, params: Sequence[object], timeout_s: float | None
    ) -> Generator[pa.Schema | pa.RecordBatch]:
        """What :class:`Answer` is given; raises as :meth:`stream` does."""

    def stream(
        self, sql: str, params: Sequence[object] = (), timeout_s: float | None = None
    ) -> Answer:
        """Answer one ``SELECT``, batch by batch.

        Reading the batches may raise the same errors.

        Args:
            sql: the statement, with ``?`` in place of values.
            params: the values.
            timeout_s: seconds from now until all rows must have come; no limit when ``None``.

        Raises:
            QueryError: when the statement is wrong, is no query, is not allowed or takes too long.
            ComponentMissing: when the engine or the lake cannot be reached.
            UsageProblem: when a setting is missing or the engine refuses the user.
        """
        return Answer(self._rows(sql, params, timeout_s))

    def query(
        self, sql: str, params: Sequence[object] = (), timeout_s: float | None = None
    ) -> pa.Table:
        """Answer one ``SELECT`` as a whole; see :meth:`stream`."""
        with self.stream(sql, params, timeout_s) as answer:
            return pa.Table.from_batches(list(answer), answer.schema)

    def close(self) -> None:  # noqa: B027 (some hold nothing)
        """Give back what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _too_slow(self, timeout_s: float | None) -> QueryError:
        return QueryError(
            f"{self.title} gave up after {timeout_s:g} s; ask for less or raise the time-out"
            if timeout_s
            else f"{self.title} gave up by its own limit of time; ask for less"
        )


def one_line(error: BaseException, most: int = 400) -> str:
    """What an error says, without line breaks."""
    return " ".join(str(error).split())[:most]
