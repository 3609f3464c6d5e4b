"""Figures of a process, where Prometheus can fetch them."""

from __future__ import annotations

import errno
from typing import Final

from prometheus_client import CollectorRegistry, start_http_server

__all__ = ["serve"]

_TRIES: Final = 20


def serve(registry: CollectorRegistry, port: int, host: str) -> int:
    """Serve figures on that address at the port or the next free one; returns the port.

    Raises:
        OSError: when none of them is free.
    """
    for candidate in range(port, port + _TRIES) if port else (0,):
        try:
            server, _ = start_http_server(candidate, addr=host, registry=registry)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        return int(server.server_port)
    raise OSError(errno.EADDRINUSE, f"no free port in {port}..{port + _TRIES - 1}")
