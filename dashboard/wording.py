"""How numbers, money, times and cards read on the pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from dashboard.zones import local, zone_name

__all__ = [
    "ago",
    "chance",
    "change",
    "clock",
    "count",
    "duration",
    "masked",
    "money",
    "place",
    "share",
    "short_clock",
    "timed",
]


def count(number: int) -> str:
    """A whole number with thousands separators."""
    return f"{number:,}"


def money(amount: Decimal, *, cents: bool = True) -> str:
    """US dollars, ``-$1,234.50``, or ``-$1,235`` without cents."""
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{2 if cents else 0}f}"


def share(part: int, whole: int) -> str:
    """A percentage with the digits that matter; a dash where there is no whole."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return f"{percent:.{2 if 0 < percent < 1 else 1 if percent else 0}f} %"


def chance(probability: float) -> str:
    """A probability as a percentage; what is next to none or to certain is not rounded to it."""
    percent = 100 * probability
    if 0 < percent < 0.1:
        return "below 0.1 %"
    if 99.9 < percent < 100:
        return "above 99.9 %"
    return f"{percent:.1f} %"


def change(now: float, before: float) -> str | None:
    """Relative change as ``+4.2 %``; None where there is nothing to compare with."""
    if not before:
        return None
    percent = 100 * (now - before) / abs(before)
    if abs(percent) < 0.05:
        return "0 %"
    return f"{percent:+,.1f} %" if abs(percent) < 100 else f"{percent:+,.0f} %"


def duration(milliseconds: float) -> str:
    """A time span as people say it: ``85 ms``, ``1.4 s``, ``3 min``, ``2 h``, ``5 d``."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:,.0f} {unit}"
    return "1 min"


def ago(moment: datetime, reference: datetime, *, historical: bool = False) -> str:
    """How long before the reference, ``2 min ago``.

    With historical data the reference is no clock, and it reads ``2 min before``.
    """
    span = reference - moment
    if span < timedelta(seconds=1):
        return "now" if not historical else "newest"
    return f"{_whole(span)} {'before' if historical else 'ago'}"


def _whole(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds} s" if seconds < 60 else duration(seconds * 1000)


def clock(moment: datetime) -> str:
    """Date and time to the second by the reader's clock, with the zone."""
    return f"{local(moment):%d %b %Y %H:%M:%S %Z}"


def short_clock(moment: datetime) -> str:
    """Date and time to the minute by the reader's clock, under a head that is :func:`timed`."""
    return f"{local(moment):%d %b %Y %H:%M}"


def timed(head: str) -> str:
    """The head of a column of times, with the zone that they are in: ``Time (Europe/Berlin)``."""
    return f"{head} ({zone_name()})"


def masked(last4: str | None) -> str:
    """A card by its last four digits alone, in one piece."""
    return f"••••\N{NO-BREAK SPACE}{last4 or '????'}"


def place(city: str | None, state: str | None) -> str:
    """City and state, or Online."""
    if not city or city.upper() == "ONLINE":
        return "Online"
    return f"{city}, {state}" if state else city
