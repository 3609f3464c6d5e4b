"""What child processes need to run the code of this project."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["environment"]

_PROJECT = Path(__file__).parents[1]


def environment(**more: str) -> dict[str, str]:
    """This process's environment and more, with the packages of this project importable."""
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}
