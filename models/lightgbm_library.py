"""Boosters of LightGBM by its C library, for those that score and never train.

The Python package brings scikit-learn and pandas into the process, of which a prediction needs
nothing: some hundred megabytes in every worker, and a second of each start. What is used here is
the library's own, documented interface (LightGBM, "C API", ``include/LightGBM/c_api.h``).
"""

from __future__ import annotations

import ctypes
import logging
import weakref
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from finlake.errors import FinlakeError
from models.features.events import Array

__all__ = ["Booster"]

_LOG = logging.getLogger("finlake.lightgbm")
_FLOAT32: Final = 0
_ROW_MAJOR: Final = 1
_NORMAL, _CONTRIBUTIONS = 0, 3
_ALL_TREES: Final = (0, -1)
_ONE_THREAD: Final = b"num_threads=1"
_told = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(
    lambda text: _LOG.debug("%s", text.decode(errors="replace").strip())
)
"""Takes what the library would print; it must live as long as the process."""


class Booster:
    """Trees that score; uses one thread, and is safe to use from one.

    Args:
        text: the model as LightGBM writes it. It must be whole: of half a text the library ends the
            process.

    Raises:
        FinlakeError: the library cannot be had, or does not take the text.
    """

    def __init__(self, text: bytes) -> None:
        self._library = _library()
        self._handle = ctypes.c_void_p()
        iterations, features = ctypes.c_int(), ctypes.c_int()
        self._call(
            "LGBM_BoosterLoadModelFromString",
            text, ctypes.byref(iterations), ctypes.byref(self._handle),
        )  # fmt: skip
        weakref.finalize(self, self._library.LGBM_BoosterFree, self._handle)
        self._call("LGBM_BoosterGetNumFeature", self._handle, ctypes.byref(features))
        self.columns = features.value
        """How many columns it takes."""

    def score(self, values: Array) -> Array:
        """What the trees make of each row of float32[n, columns]: float64[n]."""
        return self._predict(values, _NORMAL, 1)[:, 0]

    def contributions(self, values: Array) -> Array:
        """What each column adds, exact Shapley values of the trees: float64[n, columns]."""
        # The last is what every row begins with.
        return self._predict(values, _CONTRIBUTIONS, self.columns + 1)[:, :-1]

    def _predict(self, values: Array, kind: int, width: int) -> Array:
        rows = np.ascontiguousarray(values, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise ValueError(f"{self.columns} columns are wanted, not those of {rows.shape}")
        found = np.empty((len(rows), width))
        length = ctypes.c_int64()
        self._call(
            "LGBM_BoosterPredictForMat",
            self._handle, rows.ctypes.data_as(ctypes.c_void_p), ctypes.c_int(_FLOAT32),
            ctypes.c_int32(len(rows)), ctypes.c_int32(self.columns), ctypes.c_int(_ROW_MAJOR),
            ctypes.c_int(kind), *map(ctypes.c_int, _ALL_TREES), _ONE_THREAD, ctypes.byref(length),
            found.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )  # fmt: skip
        if length.value != found.size:
            raise FinlakeError(f"LightGBM gave {length.value} numbers in place of {found.size}")
        return found

    def _call(self, name: str, *given: Any) -> None:
        if getattr(self._library, name)(*given):
            said = self._library.LGBM_GetLastError().decode(errors="replace")
            raise FinlakeError(f"LightGBM: {said.strip()[:200]}")


@cache
def _library() -> Any:
    found = find_spec("lightgbm")  # says where the package is, and does not import it
    if found is None or found.origin is None:
        raise FinlakeError("the package lightgbm is missing; install finlake[models]")
    library = ctypes.CDLL(str(Path(found.origin).parent / "lib" / "lib_lightgbm.so"))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    library.LGBM_RegisterLogCallback(_told)
    return library
