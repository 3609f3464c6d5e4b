"""How the processes of the stream are told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

__all__ = ["stop_on_signal"]


def stop_on_signal(stop: threading.Event, log: logging.Logger, how: str) -> None:
    """Set the event at SIGINT or SIGTERM, and log how the process stops."""

    def stopping(number: int, _: FrameType | None) -> None:
        log.info("%s: %s", signal.Signals(number).name, how)
        stop.set()

    signal.signal(signal.SIGINT, stopping)
    signal.signal(signal.SIGTERM, stopping)
