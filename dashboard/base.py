"""What everything on the pages rests on: the settings and the clock."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from infra.settings import Settings, load_settings

__all__ = ["now", "settings"]


@st.cache_resource
def settings() -> Settings:
    """The settings, read once per process."""
    return load_settings()


def now() -> datetime:
    """The clock, UTC."""
    return datetime.now(UTC)
