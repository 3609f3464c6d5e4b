"""One merchant under many names: what card statements write around a name is taken off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

__all__ = ["canonical"]

_VIA: Final = re.compile(  # whoever takes the money for the shop
    r"^(?:SQ|SQU|TST|PP|PAYPAL|PYPL|SP|STRIPE|ZTL|IZ|SUMUP|KLARNA|GOOGLE|APPLE PAY)\s*\*\s*"
)
_NOISE: Final = re.compile(
    r"""HTTPS?://|WWW\.|
    \.(?:COM|NET|ORG|IO|TV|CO\.UK|DE|EU|APP)(?:/\S*)?\b|
    \b\d{1,2}[/.-]\d{1,2}(?:[/.-]\d{2,4})?\b|       # dates
    \b\+?1?[ -]?\(?\d{3}\)?[ -]\d{3}[ -]\d{4}\b|    # telephone numbers
    [#*]\s*\w*\d\w*|                                # number of shop, bill or order
    \b\w*\d{3,}\w*\b
    """,
    re.VERBOSE,
)
_FORM_WORDS: Final = (
    "AB AG BILL BV CO COM CORP CORPORATION GMBH INC INTL INTERNATIONAL LIMITED LLC LTD MONTHLY"
    " NV ONLINE PAYMENT PLC RECURRING SA SAS SUBSCRIPTION THE US USA WEB"
)
_STATE_WORDS: Final = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM"
    " NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC"
)
_FORMS: Final = frozenset(_FORM_WORDS.split())
_STATES: Final = frozenset(_STATE_WORDS.split())


def canonical(name: str, aliases: Mapping[str, str] | None = None) -> str:
    """The plain name of a merchant, in capitals.

    Taken off are: who takes the money (``SQ *``, ``PAYPAL *``), web addresses, dates, telephone
    numbers, numbers of shops and orders, forms of companies, words such as RECURRING, and a state
    at the end. A number alone stays: it is the merchant's identity. ``aliases`` are looked up
    first, then again with the plain name.

    Limits: two merchants that differ in what is taken off alone (shops of one chain, franchisees)
    become one; a name in another language's short form stays two. ``aliases`` is for those.
    """
    if aliases:
        plain = aliases.get(name) or _plain(name)
        return aliases.get(plain, plain)
    return _plain(name)


@lru_cache(maxsize=65_536)
def _plain(name: str) -> str:
    upper = " ".join(name.upper().split())
    if upper.isdigit():
        return upper
    bare = _NOISE.sub(" ", _VIA.sub("", upper))
    words = [word for word in re.split(r"[^\w&']+", bare) if word]
    kept = [word for word in words if word not in _FORMS] or words
    while len(kept) > 1 and kept[-1] in _STATES:
        kept.pop()
    return " ".join(kept) or upper
