"""Logs as JSON, one object a line. Nothing of a customer may stand in them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

from typing_extensions import override

__all__ = ["JsonLines", "log_as_json"]

_FIELDS: Final = ("request_id", "method", "route", "status", "ms", "key_id", "trace_id", "reason")


class JsonLines(logging.Formatter):
    """A record as a line: time, level, message, and the fields that the service adds."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {
            name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None
        }
        if record.exc_info and record.exc_info[0]:
            # The text of an error may hold a value of the request: its kind and place do not.
            line["error"] = record.exc_info[0].__name__
            line["place"] = _place(record)
        return json.dumps(line)


def _place(record: logging.LogRecord) -> str:
    trace = record.exc_info[2] if record.exc_info else None
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""


def log_as_json() -> None:
    """Send the service's and the server's records to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("finlake.api", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
