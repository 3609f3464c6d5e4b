"""The source epoch: rises when positions of the source start again, so that order stays order.

The epoch and the identity it belongs to lie in ``<home>/source-identity.json``. The number is also
in the connector's configuration, from where it comes back when the home was lost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from finlake.errors import FinlakeError
from infra.settings import Settings

__all__ = ["Decision", "Memory", "decide", "read", "source_epoch", "write"]

EPOCH_KEY: Final = "transforms.epoch.value.literal"


@dataclass(frozen=True)
class Memory:
    """What is remembered: the epoch, whose it is, and whether its connector had an offset."""

    epoch: int
    identity: str
    ran: bool


@dataclass(frozen=True)
class Decision:
    """The epoch to capture under; ``because`` is set when it begins now."""

    epoch: int
    because: str | None


def decide(
    memory: Memory | None,
    *,
    identity: str,
    at_least: int,
    configured: int | None,
    read_to: tuple[int, int] | None,
    log_at: tuple[int, int],
) -> Decision:
    """Which epoch the source is in.

    ``configured`` is the epoch in the connector's configuration, ``read_to`` the binlog position
    the connector has read to (None when it has none), ``log_at`` where the server's binlog is now,
    ``at_least`` the epoch that the settings ask for.
    """
    known = max(memory.epoch if memory else 1, configured or 1)
    if memory is not None and memory.identity != identity:
        return _next(known, at_least, "the source is another one or was rebuilt")
    if read_to is not None and log_at < read_to:
        return _next(known, at_least, "the source's binlog has started again")
    if memory is not None and memory.ran and read_to is None:
        return _next(known, at_least, "Kafka Connect has forgotten how far it had read")
    if at_least > known:
        return Decision(
            at_least, "FINLAKE_SOURCE_EPOCH asks for it" if memory or configured else None
        )
    return Decision(known, None)


def _next(known: int, at_least: int, because: str) -> Decision:
    return Decision(max(known + 1, at_least), because)


def configured_epoch(config: Mapping[str, str] | None) -> int | None:
    """The epoch in a connector's configuration."""
    text = (config or {}).get(EPOCH_KEY, "")
    return int(text) if text.isdecimal() else None


def source_epoch(settings: Settings) -> int:
    """The epoch that records carry now: what is remembered, or what the settings ask for."""
    memory = read(settings)
    return max(settings.source_epoch, memory.epoch if memory else 1)


def read(settings: Settings) -> Memory | None:
    """What is remembered; None before the first connector.

    Raises:
        FinlakeError: the file is broken.
    """
    path = _path(settings)
    try:
        return Memory(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise FinlakeError(
            f"{path}: cannot be read ({error}); delete it: the epoch then comes from the"
            " connector's configuration"
        ) from None


def write(settings: Settings, memory: Memory) -> None:
    """Remember; the file is replaced in one step."""
    path = _path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(asdict(memory)) + "\n", encoding="utf-8")
    new.replace(path)


def _path(settings: Settings) -> Path:
    return settings.home / "source-identity.json"
