"""A model's folder: what is loaded scores as what was saved, and nothing else is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlake.errors import FinlakeError
from models.artifact import Model, bands_of, digest, load, save
from models.features import NAMES
from models.lightgbm_library import Booster
from models.terms import BANDS
from models.training.learners import Fitted, Recipe
from tests.unit.model_world import ORIGIN, fitted, problem, saved

HEAVY = ["lightgbm", "pandas", "scipy", "sklearn", "xgboost"]


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
def test_what_is_loaded_scores_as_what_was_saved(kind, tmp_path):
    model, calibration = fitted(kind, seeds=2)
    sha256 = save(tmp_path, model, NAMES, calibration, 0.3, ORIGIN)
    found = load(tmp_path, sha256)
    values, _ = problem(seed=1)
    seen = values[:, [NAMES.index(name) for name in found.features]].astype(np.float64)
    assert np.array_equal(found.score(seen), model.score(values))
    assert np.array_equal(found.probability(seen), calibration.probability(model.score(values)))
    # Alone or in a batch, a row scores the same.
    assert found.score(seen[7:8]) == found.score(seen)[7]
    assert found.score(seen[:0]).shape == (0,)
    assert (found.threshold, found.facts["trained"]) == (0.3, ["2020-01-01", "2020-02-01"])


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
def test_reasons_are_what_the_world_was_made_of(kind, tmp_path):
    found = load(saved(tmp_path, kind))
    place = {name: column for column, name in enumerate(found.features)}
    row = np.zeros((2, len(found.features)))
    row[0, place[NAMES[0]]] = 4.0
    row[1, place[NAMES[1]]] = 4.0
    first, second = found.reasons(row, most=1)
    assert (first, second) == ((NAMES[0],), (NAMES[1],))
    # What the features add, with what every row begins with, is the score itself.
    values, _ = problem(seed=1)
    seen = values[:, [NAMES.index(name) for name in found.features]].astype(np.float64)
    odds = found.score(seen)
    begins = np.log(odds / (1 - odds)) - found.contributions(seen).sum(axis=1)
    assert begins == pytest.approx(np.full(len(begins), begins[0]), abs=1e-3)


def test_what_pushes_down_is_no_reason(tmp_path):
    found = load(saved(tmp_path, "lightgbm"))
    rows = np.random.default_rng(5).normal(size=(50, len(found.features)))
    for row, names in zip(found.contributions(rows), found.reasons(rows, most=1000), strict=True):
        up = {name: push for name, push in zip(found.features, row, strict=True) if push > 0}
        assert list(names) == sorted(up, key=lambda name: -up[name])


def test_the_same_model_has_the_same_bytes(tmp_path):
    assert digest(saved(tmp_path / "a", "lightgbm")) == digest(saved(tmp_path / "b", "lightgbm"))


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
def test_a_changed_byte_an_added_and_a_renamed_file_are_refused(kind, tmp_path):
    folder = saved(tmp_path, kind)
    sha256 = digest(folder)
    load(folder, sha256)
    member = next(folder.glob("member-*"))
    before = member.read_bytes()
    member.write_bytes(before.replace(b"1", b"2", 1))
    with pytest.raises(FinlakeError, match="so it was changed after it was registered"):
        load(folder, sha256)
    member.write_bytes(before)
    (folder / "more").mkdir()
    (folder / "more" / "code.py").write_text("")
    with pytest.raises(FinlakeError, match="its digest is"):
        load(folder, sha256)
    (folder / "more" / "code.py").unlink()
    load(folder, sha256)
    member.rename(folder / "member-9.txt")
    with pytest.raises(FinlakeError, match="its digest is"):
        load(folder, sha256)


BREAKS = {
    "no file": lambda folder: next(folder.glob("member-*")).unlink(),
    "half a member": lambda folder: _cut(next(folder.glob("member-*"))),
    "nonsense": lambda folder: next(folder.glob("member-*")).write_text("no model"),
    "half the facts": lambda folder: _cut(folder / "model.json"),
    "other format": lambda folder: _change(folder, format=2),
    "other kind": lambda folder: _change(folder, kind="pickle"),
    "no member": lambda folder: _change(folder, members={}),
    "falling steps": lambda folder: _change(
        folder, calibration={"scores": [0, 1], "shares": [1, 0]}
    ),
}


def _cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _change(folder, **facts):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


@pytest.mark.parametrize("kind", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("what", BREAKS)
def test_what_does_not_load_says_so_in_one_line(kind, what, tmp_path):
    folder = saved(tmp_path, kind)
    BREAKS[what](folder)
    with pytest.raises(FinlakeError, match=r"does not load \(.*\); train it again") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_features_of_another_catalogue_are_refused(tmp_path):
    folder = saved(tmp_path, "lightgbm")
    _change(folder, catalogue="0" * 64)
    with pytest.raises(FinlakeError, match="a feature is defined otherwise here"):
        load(folder)
    features = json.loads((folder / "model.json").read_text())["features"]
    _change(folder, features=["magic", *features[1:]])
    with pytest.raises(FinlakeError, match="feature magic is unknown here"):
        load(folder)
    _change(folder, features=features[1:])
    with pytest.raises(FinlakeError, match="another catalogue"):
        load(folder)


def test_values_of_another_width_are_refused(tmp_path):
    with pytest.raises(ValueError, match="was given values of shape"):
        load(saved(tmp_path, "lightgbm")).score(np.zeros((2, 3)))


def test_what_is_for_comparison_is_not_served(tmp_path):
    model, calibration = fitted("lightgbm")
    other = Fitted(Recipe("forest"), model.columns, model.members)
    with pytest.raises(FinlakeError, match="kind forest cannot be served"):
        save(tmp_path, other, NAMES, calibration, 0.3, ORIGIN)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_bands_rise_and_alarms_are_high(threshold, one, other):
    found = Model((), threshold, {}, (), (np.zeros(1), np.zeros(1)), bands_of(threshold))
    low, high = sorted((one, other))
    assert BANDS.index(found.band(low)) <= BANDS.index(found.band(high))
    assert (found.band(one) in ("high", "critical")) == (one >= threshold)


def test_a_model_that_never_alarms_has_one_band(tmp_path):
    model, calibration = fitted("lightgbm")
    save(tmp_path, model, NAMES, calibration, inf, ORIGIN)
    found = load(tmp_path)
    assert found.threshold == inf
    assert {found.band(p) for p in (0.0, 0.5, 1.0)} == {"low"}


def test_the_library_scores_as_the_package_does_without_it(tmp_path):
    """Bit for bit: the package is what trained, the library alone is what serves."""
    from lightgbm import Booster as Package

    model, calibration = fitted("lightgbm", seeds=1)
    save(tmp_path, model, NAMES, calibration, 0.3, ORIGIN)
    text = (tmp_path / "member-0.txt").read_bytes()
    own, package = Booster(text), Package(model_str=text.decode())
    values, _ = problem(seed=2)
    seen = values[:, : own.columns].astype(np.float32)
    seen[::7, 3] = np.nan
    assert own.columns == package.num_feature()
    assert np.array_equal(own.score(seen), package.predict(seen, num_threads=1))
    pushed = np.asarray(package.predict(seen, num_threads=1, pred_contrib=True))[:, :-1]
    assert np.array_equal(own.contributions(seen), pushed)
    assert own.score(seen[:0]).shape == (0,)
    with pytest.raises(ValueError, match="columns are wanted"):
        own.score(seen[:, 1:])


def test_what_serves_loads_neither_package_nor_scikit_learn(tmp_path):
    model, calibration = fitted("lightgbm", seeds=1)
    save(tmp_path, model, NAMES, calibration, 0.3, ORIGIN)
    code = f"""
import sys
from pathlib import Path
import numpy as np
from models.artifact import load
model = load(Path({str(tmp_path)!r}))
assert 0 <= model.probability(np.zeros((1, len(model.features))))[0] <= 1
assert len(model.reasons(np.zeros((1, len(model.features))))) == 1
print(sorted(set({HEAVY!r}) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
