"""The errors that end a command, each with its exit code."""

from __future__ import annotations

__all__ = ["ComponentMissing", "FinlakeError", "UsageProblem"]


class FinlakeError(Exception):
    """A check failed or work could not be done; the command exits with 1.

    The message is one line: what (table, file, line, offsets), why, and what to do next.
    """

    exit_code = 1


class UsageProblem(FinlakeError):
    """Wrong use or a wrong setting; the command exits with 2."""

    exit_code = 2


class ComponentMissing(FinlakeError):
    """A component that the command needs is not there; the command exits with 3."""

    exit_code = 3
