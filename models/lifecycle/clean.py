"""Whether a model loads and answers the same in a process that has nothing else in it.

``python -m models.lifecycle.clean NAME FOLDER SHA256`` is that process: what the model is asked
comes as an ``.npy`` on its standard input, its answers go out as one.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from finlake.errors import FinlakeError
from models.features.events import Array
from models.lifecycle.gate import Loaded
from models.registry import OPENED

__all__ = ["load_cleanly"]

_PATIENCE_S = 300
_KEPT = ("PATH", "PYTHONPATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR")


def load_cleanly(name: str, folder: Path, sha256: str, values: Array, expected: Array) -> Loaded:
    """Load the folder by its digest in a process of its own, and compare its answers.

    Args:
        name: of the registered model.
        folder: the model's.
        sha256: its digest.
        values: features of some rows, as the model's ``answers`` takes them.
        expected: the answers that this process has for them.
    """
    given = io.BytesIO()
    np.save(given, values)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "models.lifecycle.clean", name, str(folder), sha256],
            input=given.getvalue(),
            capture_output=True,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Loaded(problem=f"no answer within {_PATIENCE_S} s")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no word"]
        return Loaded(problem=f"ended with {done.returncode}: {said[-1][:300]}")
    answered = np.load(io.BytesIO(done.stdout))
    return Loaded(difference=float(np.abs(answered - expected).max(initial=0.0)))


def _main(name: str, folder: str, sha256: str) -> int:
    try:
        model = OPENED[name](Path(folder), sha256)
    except FinlakeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    values = np.load(io.BytesIO(sys.stdin.buffer.read()))
    found = io.BytesIO()
    np.save(found, model.answers(values))
    sys.stdout.buffer.write(found.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
