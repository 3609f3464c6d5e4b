"""The reader's time zone, as the browser tells it; UTC where it tells none that is known.

Days, and whatever is counted by days, stay those of UTC: the aggregates know no others.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

__all__ = ["UTC_NAME", "local", "zone_name"]

UTC_NAME = "UTC"


def zone_name() -> str:
    """Name of the zone that times are shown in, such as ``Europe/Berlin``."""
    return _zone(_told()).key


def local(moment: datetime) -> datetime:
    """The same moment by the reader's clock; for showing alone, not to count with.

    Between two times of one zone Python counts what the clocks show, changes of the clock included.
    """
    return moment.astimezone(_zone(_told()))


def _told() -> str:
    if get_script_run_ctx(suppress_warning=True) is None:
        return UTC_NAME
    return st.context.timezone or UTC_NAME


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a browser may say anything
        return ZoneInfo(UTC_NAME)
