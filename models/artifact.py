"""A served model as a folder that anybody can read, and nothing in it can run: no pickle.

``model.json`` says what the model is and where it comes from; each member lies beside it in the
form of its own library (LightGBM's text, XGBoost's JSON).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from math import inf, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from typing_extensions import override

from finlake.errors import FinlakeError
from models.features.catalogue import EVERY, NAMES, fingerprint
from models.features.events import Array
from models.lightgbm_library import Booster
from models.terms import BANDS, Band

if TYPE_CHECKING:
    from models.training.learners import Fitted
    from models.training.threshold import Calibration

__all__ = [
    "SERVED",
    "LightGBM",
    "Model",
    "Origin",
    "bands_of",
    "digest",
    "load",
    "reading",
    "save",
    "write",
]

_FORMAT = 1
_FACTS = "model.json"
_SUFFIX = {"lightgbm": ".txt", "xgboost": ".json"}

SERVED = tuple(_SUFFIX)
"""Kinds of models that can be served."""


class _Member(Protocol):
    def score(self, values: Array) -> Array: ...
    def contributions(self, values: Array) -> Array: ...


@dataclass(frozen=True)
class Origin:
    """Where a model comes from.

    ``trained`` are its first and last day of training, ``tested`` those of its test, ``tables`` the
    Delta version of each table that was read, ``contracts`` the fingerprint of their contracts,
    ``commit`` that of the code.
    """

    recipe: str
    seed: int
    trained: tuple[date, date]
    tested: tuple[date, date]
    tables: Mapping[str, int]
    contracts: str
    commit: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Model:
    """A model that scores; safe to use from one thread, and uses one.

    ``features`` are the names of the columns it takes, in order. It alarms at a probability of
    ``threshold`` or above; infinity is never. ``facts`` is all of ``model.json``. ``name`` and
    ``version`` are the registry's.
    """

    features: tuple[str, ...]
    threshold: float
    facts: Mapping[str, Any]
    members: tuple[_Member, ...]
    steps: tuple[Array, Array]
    limits: tuple[float, ...]
    name: str = ""
    version: int = 0

    def named(self, name: str, version: int) -> Self:
        """The same model as the registry calls it."""
        return replace(self, name=name, version=version)

    def score(self, values: Array) -> Array:
        """How likely each row is a fraud, 0 to 1, not calibrated: float64[n].

        ``values`` is float64[n, len(features)], NaN where a feature is empty.

        Raises:
            ValueError: it has another number of columns.
        """
        return self._mean([member.score for member in self.members], values, ())

    def probability(self, values: Array) -> Array:
        """Probability of fraud of each row, calibrated: float64[n]; see :meth:`score`."""
        found: Array = np.interp(self.score(values), *self.steps)
        return found

    def answers(self, values: Array) -> Array:
        """What every kind of model has under this name: here :meth:`probability`."""
        return self.probability(values)

    def band(self, probability: float) -> Band:
        """How high that is; from ``high`` on it is an alarm."""
        return self.bands(np.array([probability]))[0]

    def bands(self, probability: Array) -> list[Band]:
        """How high each of them is."""
        places = np.searchsorted(np.array(self.limits), probability, "right")
        return [BANDS[place] for place in places.tolist()]

    def contributions(self, values: Array) -> Array:
        """What each feature adds to the score's log odds: float64[n, len(features)].

        Exact Shapley values of the trees (Lundberg et al., 2020, "From local explanations to
        global understanding with explainable AI for trees"), as the libraries themselves have them.
        """
        every = [member.contributions for member in self.members]
        return self._mean(every, values, (len(self.features),))

    def reasons(self, values: Array, most: int = 3) -> list[tuple[str, ...]]:
        """Of each row the features that push its score up, the strongest first."""
        pushed = self.contributions(values)
        order = np.argsort(-pushed, axis=1, kind="stable")[:, :most]
        return [
            tuple(self.features[place] for place in places.tolist() if row[place] > 0)
            for row, places in zip(pushed, order, strict=True)
        ]

    def _mean(self, every: Sequence[Any], values: Array, shape: tuple[int, ...]) -> Array:
        if values.ndim != 2 or values.shape[1] != len(self.features):
            raise ValueError(
                f"a model of {len(self.features)} features was given values of shape {values.shape}"
            )
        if not len(values):
            return np.empty((0, *shape))
        # The models learnt from such numbers: a finer one could fall on the other side of a split.
        seen = np.ascontiguousarray(values, dtype=np.float32)
        found: Array = sum(of(seen).astype(np.float64) for of in every) / len(every)
        return found


def bands_of(threshold: float) -> tuple[float, ...]:
    """The least probabilities of ``medium``, ``high`` and ``critical``.

    An alarm is at least ``high``; ``medium`` is half way to it, ``critical`` half way from it to
    certainty.
    """
    return (threshold / 2, threshold, (threshold + 1) / 2)


def save(
    folder: Path,
    fitted: Fitted,
    names: Sequence[str],
    calibration: Calibration,
    threshold: float,
    origin: Origin,
) -> str:
    """Write a model into a folder that is not there yet, or is empty; returns its digest.

    ``names`` are the columns that the model was fitted on. The same arguments give the same bytes.

    Raises:
        FinlakeError: models of that kind are for comparison and cannot be served.
    """
    kind = fitted.recipe.kind
    if kind not in _SUFFIX:
        raise FinlakeError(
            f"a model of kind {kind} cannot be served; train one of {', '.join(_SUFFIX)}"
        )
    features = [names[column] for column in fitted.columns]
    members = {
        f"member-{number}{_SUFFIX[kind]}": _native(kind, member)
        for number, member in enumerate(fitted.members)
    }
    own = {
        "calibration": {
            "scores": [float(score) for score in calibration.scores],
            "shares": [float(share) for share in calibration.shares],
        },
        "threshold": None if threshold == inf else threshold,
        "bands": None if threshold == inf else list(bands_of(threshold)),
    }
    return write(folder, kind, features, members, origin, own)


def write(
    folder: Path,
    kind: str,
    features: Sequence[str],
    members: Mapping[str, bytes],
    origin: Origin,
    own: Mapping[str, Any],
) -> str:
    """Write the folder of any kind of model; returns its digest.

    ``members`` are its other files by name; ``own`` are facts that its kind alone has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in members.items():
        (folder / name).write_bytes(content)
    facts = {
        "format": _FORMAT,
        "kind": kind,
        "members": {name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
        "features": list(features),
        "catalogue": fingerprint(features),
        "recipe": origin.recipe,
        "seed": origin.seed,
        "trained": [day.isoformat() for day in origin.trained],
        "tested": [day.isoformat() for day in origin.tested],
        "tables": dict(origin.tables),
        "contracts": origin.contracts,
        "commit": origin.commit,
        "metrics": dict(origin.metrics),
        **own,
    }
    text = json.dumps(facts, indent=1, sort_keys=True, allow_nan=False)
    (folder / _FACTS).write_text(text + "\n", encoding="utf-8")
    return digest(folder)


def digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files in the folder, in the order of their names."""
    found = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in sorted(files.items()):
        if path.is_file():
            content = path.read_bytes()
            found.update(f"{name}\0{len(content)}\0".encode())
            found.update(content)
    return found.hexdigest()


def load(folder: Path, sha256: str | None = None) -> Model:
    """The model in a folder; with ``sha256`` only when that is the folder's digest.

    Raises:
        FinlakeError: the digest is another, a file is missing or does not load, or the features are
            not those of this program's catalogue.
    """
    with reading(folder, SERVED, sha256, NAMES) as facts:
        kind = _KINDS[facts["kind"]]
        features = tuple(facts["features"])
        threshold = inf if facts["threshold"] is None else float(facts["threshold"])
        bands = (inf,) * 3 if facts["bands"] is None else tuple(map(float, facts["bands"]))
        steps = [np.array(facts["calibration"][name], float) for name in ("scores", "shares")]
        if len(steps[0]) != len(steps[1]) or not len(steps[0]) or (np.diff(steps) < 0).any():
            raise ValueError("the calibration does not rise")
        if len(bands) != len(BANDS) - 1:
            raise ValueError(f"bands must be {len(BANDS) - 1} limits")
        members = tuple(
            kind((folder / name).read_bytes(), len(features)) for name in facts["members"]
        )
        if not members:
            raise ValueError("there is no member")
        return Model(features, threshold, facts, members, (steps[0], steps[1]), bands)


@contextmanager
def reading(
    folder: Path,
    kinds: Collection[str],
    sha256: str | None = None,
    known: Collection[str] = EVERY,
) -> Iterator[dict[str, Any]]:
    """The facts of the model in a folder, whose members are whole, while it is being read.

    It must be of one of the ``kinds``; ``known`` are the features that it may look at.

    Raises:
        FinlakeError: the digest is another, a file is missing or is not what was written, the
            features are not those of this program's catalogue, or the block raised anything.
    """
    if sha256 is not None and (found := digest(folder)) != sha256:
        raise FinlakeError(
            f"model {folder}: its digest is {found[:12]} and not {sha256[:12]}, so it was changed"
            " after it was registered; register it again or choose another version"
        )
    try:
        facts = json.loads((folder / _FACTS).read_bytes())
        if facts["format"] != _FORMAT:
            raise ValueError(f"format {facts['format']} is not {_FORMAT}")
        if facts["kind"] not in kinds:
            raise ValueError(f"its kind is {facts['kind']}, and not {' or '.join(kinds)}")
        _check_features(folder, tuple(facts["features"]), facts["catalogue"], known)
        for name, written in facts["members"].items():
            _check_whole(folder / name, written)
        yield facts
    except FinlakeError:
        raise
    except Exception as error:  # noqa: BLE001 (the libraries raise kinds of their own)
        said = str(error).strip().partition("\n")[0][:200]
        raise FinlakeError(
            f"model {folder}: does not load ({type(error).__name__}: {said}); train it again or"
            " choose another version"
        ) from None


def _check_features(
    folder: Path, features: tuple[str, ...], catalogue: str, known: Collection[str]
) -> None:
    unknown = [name for name in features if name not in known]
    if unknown or fingerprint(features) != catalogue:
        what = f"feature {unknown[0]} is unknown" if unknown else "a feature is defined otherwise"
        raise FinlakeError(
            f"model {folder}: was trained with another catalogue of features ({what} here); train"
            " it again with `finlake train`"
        )


def _check_whole(path: Path, sha256: str) -> None:
    """Whether the file is what was written: of half a file LightGBM makes the process end."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise ValueError(f"{path.name} is not what {_FACTS} says of it")


def _native(kind: str, member: Any) -> bytes:
    if kind == "lightgbm":
        text: str = member.booster_.model_to_string()
        return text.encode()
    return bytes(member.get_booster().save_raw("json"))


class LightGBM(_Member):
    """A booster of LightGBM as its text, ``content``, says; uses one thread.

    Raises:
        ValueError: it takes another number of columns.
        FinlakeError: the library does not take the text.
    """

    def __init__(self, content: bytes, columns: int) -> None:
        self.content = content
        self._booster = Booster(content)
        _check_columns(self._booster.columns, columns)

    @override
    def score(self, values: Array) -> Array:
        return self._booster.score(values)

    @override
    def contributions(self, values: Array) -> Array:
        return self._booster.contributions(values)


class _XGBoost(_Member):
    def __init__(self, content: bytes, columns: int) -> None:
        from xgboost import Booster

        self._booster = Booster({"nthread": 1})
        self._booster.load_model(bytearray(content))
        self._booster.set_param({"nthread": 1})  # the file has that of its training
        _check_columns(self._booster.num_features(), columns)

    @override
    def score(self, values: Array) -> Array:
        found: Array = self._booster.inplace_predict(values, missing=nan)
        return found

    @override
    def contributions(self, values: Array) -> Array:
        from xgboost import DMatrix

        rows = DMatrix(values, missing=nan, nthread=1)
        found: Array = self._booster.predict(rows, pred_contribs=True)
        return found[:, :-1]


def _check_columns(has: int, wants: int) -> None:
    if has != wants:
        raise ValueError(f"a member takes {has} columns, and there are {wants} features")


_KINDS: dict[str, type[LightGBM] | type[_XGBoost]] = {"lightgbm": LightGBM, "xgboost": _XGBoost}
