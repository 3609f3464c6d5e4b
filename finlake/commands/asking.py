"""Asking before what cannot be taken back."""

from __future__ import annotations

import sys

import click

from finlake.errors import UsageProblem

__all__ = ["confirm"]


def confirm(question: str, yes: bool) -> None:
    """Go on when ``yes`` was said already, or is said now.

    Raises:
        UsageProblem: nobody can answer.
        click.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageProblem(f"{question} say --yes where nobody can answer")
    click.confirm(question, abort=True)
