"""A process that reads and decodes while another one applies."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from batch_jobs.snapshot.rows import Place, Span, read
from connectors.config import parse_source
from connectors.source import cursor
from finlake.errors import FinlakeError
from infra.settings import Settings
from lakehouse_schemas import contracts
from stream_jobs.decoding import Found, decode, decoders
from stream_jobs.memory import look_seldom_for_garbage

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Job", "Part", "Reader", "numbered"]

_ROOM = 20  # bits for the rows of one batch


@dataclass(frozen=True)
class Job:
    """A span of a source table, to be read as of a place, and the batch that it is for."""

    table: str
    span: Span
    place: Place
    batch: int


@dataclass(frozen=True)
class Part:
    """What was read: the keys, and the rows, decoded."""

    keys: np.ndarray[Any, Any]
    found: Found

    def decoded(self, held: Mapping[str, str]) -> Found:
        """What was found; a table that is stopped takes in what the source holds all the same."""
        return self.found


class Reader:
    """Reads in a process of its own; it ends with :meth:`close`, or when this process does."""

    def __init__(self, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, settings), daemon=True)
        self._process.start()
        other.close()

    def read(self, job: Job) -> Part:
        """Read a span.

        Raises:
            FinlakeError: the source refuses, or the process has ended.
        """
        try:
            self._line.send(job)
            answer = self._line.recv()
        except (EOFError, OSError):
            raise FinlakeError(
                f"{job.table}: the process that reads the source has ended; begin the snapshot "
                "again, nothing is lost"
            ) from None
        if isinstance(answer, FinlakeError):
            raise answer
        part: Part = answer
        return part

    def close(self) -> None:
        """Let the process end."""
        self._line.close()
        self._process.join()


def numbered(records: pa.Table, batch: int) -> pa.Table:
    """The records with offsets of their own, which no other batch of the snapshot has."""
    offsets = pc.add(records.column("offset"), batch << _ROOM)
    return records.set_column(records.column_names.index("offset"), "offset", offsets)


def _serve(line: Connection, settings: Settings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other process's affair
    look_seldom_for_garbage()
    take = partial(decode, decoders())
    try:
        job = line.recv()
        with cursor(parse_source(settings), settings, as_connector=True) as own:
            while True:
                try:
                    keys, rows = read(
                        own, contracts.get(f"source.{job.table}"), job.place, job.span
                    )
                    line.send(Part(keys, take(numbered(rows, job.batch), job.batch, {})))
                except FinlakeError as error:
                    line.send(error)
                job = line.recv()
    except (EOFError, OSError):
        pass  # nobody asks any more
    os._exit(0)  # native libraries complain at length about an interpreter's ordinary end
