"""A page of the dashboard, opened without a browser, and what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

from streamlit.testing.v1 import AppTest

__all__ = ["opened", "opened_in", "said"]


def opened(show: Callable[[], None], **asked: str | list[str]) -> AppTest:
    """The page that this function draws, with these words in its address."""
    return opened_in(None, show, **asked)


def opened_in(zone: str | None, show: Callable[[], None], **asked: str | list[str]) -> AppTest:
    """The same, for a reader whose browser tells that time zone."""
    app = AppTest.from_function(show, default_timeout=120)
    app.context = {"timezone": zone}
    for name, value in asked.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    """The words of its markup, captions, figures and headings."""
    html = [element.proto.body for element in app.get("html")]
    texts = [*html, *(c.value for c in app.caption), *(f"{m.label} {m.value}" for m in app.metric)]
    texts += [heading.value for heading in app.subheader]
    return unescape(re.sub(r"<[^>]+>", " ", " ".join(texts)))
