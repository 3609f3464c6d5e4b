"""The lake, read by a process of its own, so that live changes do not wait for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection

from finlake.errors import FinlakeError
from infra.lake.tables import Lake
from infra.settings import Settings
from stream_jobs.live.cards import History, Kept, Missing
from stream_jobs.live.history import Silver
from stream_jobs.transforms.rules import Rules

__all__ = ["Reader"]

_NICE = 5  # what is read here is of long ago; nobody is at a till


class Reader:
    """Asks :class:`~stream_jobs.live.history.Silver` in a child process, one question at a time.

    The child ends with this process, however that ends.
    """

    def __init__(self, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, settings), name="lake", daemon=True
        )
        self._process.start()
        theirs.close()

    def start(self) -> History:
        """See :meth:`Silver.start <stream_jobs.live.history.Silver.start>`."""
        self._line.send(None)
        found = self._receive()
        assert isinstance(found, History)  # noqa: S101 (what was asked for)
        return found

    def ask(self, missing: Missing) -> None:
        """Have this read; :meth:`answer` gives it."""
        self._line.send(missing)

    def has_answer(self, patience_s: float = 0) -> bool:
        """Whether :meth:`answer` would return at once, if need be after a wait."""
        return self._line.poll(patience_s)

    def answer(self) -> list[Kept]:
        """What was asked for last.

        Raises:
            FinlakeError: when the lake could not be read, or the child has ended.
        """
        found = self._receive()
        assert isinstance(found, list)  # noqa: S101 (what was asked for)
        return found

    def close(self) -> None:
        """End the child."""
        self._line.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _receive(self) -> object:
        try:
            found: object = self._line.recv()
        except EOFError:
            raise FinlakeError(
                "silver.transactions: the process that reads it has ended; start again, nothing is "
                "lost"
            ) from None
        if isinstance(found, FinlakeError):
            raise found
        return found


def _serve(line: Connection, settings: Settings) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # which are meant for the parent
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)
    silver = Silver(Lake(settings), Rules.of(settings))
    while True:
        try:
            asked: Missing | None = line.recv()
        except (EOFError, OSError):
            break
        answer: object
        try:
            answer = silver.start() if asked is None else silver.read(asked)
        except FinlakeError as error:
            answer = error
        except Exception as error:  # noqa: BLE001 (told to the parent, which ends with it)
            said = " ".join(str(error).split())[:300]
            answer = FinlakeError(
                f"silver.transactions: could not be read ({said}); see `finlake status`, "
                "nothing is lost"
            )
        try:
            line.send(answer)
        except OSError:
            break
    os._exit(0)  # native libraries complain at the interpreter's own end
