"""A model for measurements: as large as a champion, on all features, and sure about large amounts.

What else it has learnt is chance: trees must not be smaller than those that tell frauds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np

from batch_jobs.bench.scrape import scrape
from finlake.errors import FinlakeError, UsageProblem
from infra.settings import Settings
from models.artifact import Origin, save
from models.features import NAMES
from models.registry import CHALLENGER, CHAMPION, Registry
from models.training.handbook import CHAMPION as RECIPE
from models.training.learners import fit
from models.training.threshold import calibrate

__all__ = ["own_models", "save_model"]

_ROWS = 4_000  # that it learns from
_LARGE = 0.05  # share of them with a large amount
_NOISE = 0.02  # share of the others that are frauds all the same
_DOLLARS = 2_500.0
_DAY = date(2018, 1, 1)
_PATIENCE_S = 600.0


def save_model(folder: Path, seed: int) -> None:
    """Write a model into a folder that is not there yet: amounts above 2,500 dollars are frauds."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(_ROWS, len(NAMES))).astype(np.float32)
    large = random.random(_ROWS) < _LARGE
    amount = np.where(large, _DOLLARS * (1 + random.random(_ROWS)), random.exponential(80, _ROWS))
    values[:, NAMES.index("amount")] = amount
    label = (large | (random.random(_ROWS) < _NOISE)).astype(np.int64)
    learnt = fit(RECIPE, values, label, seed)
    days = (_DAY, _DAY)
    origin = Origin("bench", seed, days, days, {}, "", "", {})
    save(folder, learnt, NAMES, calibrate(learnt.score(values), label), 0.9, origin)


@contextmanager
def own_models(settings: Settings, address: str, said: Callable[[str], None]) -> Iterator[None]:
    """Have such models score, champion and challenger, until the block ends.

    Args:
        settings: where the registry is.
        address: of the scoring process's figures.
        said: hears what is done.

    Raises:
        UsageProblem: there are a champion or a challenger already.
        FinlakeError: the process did not take them up.
    """
    registry, roles = Registry(settings), (CHAMPION, CHALLENGER)
    for role in roles:
        if registry.version(role) is not None:
            raise UsageProblem(
                f"model {registry.name}: there is a {role}; leave --own-models out, so that it is "
                "measured"
            )
    said("training and registering a champion and a challenger of the bench's own")
    try:
        with tempfile.TemporaryDirectory() as place:
            for seed, role in enumerate(roles, 1):
                save_model(Path(place) / role, seed)
                registry.set_alias(role, registry.register(Path(place) / role))
        end = time.monotonic() + settings.score_reload_seconds + _PATIENCE_S
        while not _taken_up(address):
            if time.monotonic() > end:
                raise FinlakeError(
                    "finlake score has not taken up the bench's models; see `finlake logs score`"
                )
            time.sleep(0.5)
        yield
    finally:
        for role in roles:
            if registry.version(role) is not None:
                registry.set_alias(role, 0)


def _taken_up(address: str) -> bool:
    found = scrape(address)
    roles = (CHAMPION, CHALLENGER)
    return all(found.get(f'finlake_score_model_version{{role="{role}"}}', 0) > 0 for role in roles)
