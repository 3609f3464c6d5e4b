"""The registry over MLflow's own database: versions, aliases, and what is not loaded."""

from __future__ import annotations

import shutil
import socket

import numpy as np
import pytest

from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import load_settings
from models.artifact import digest
from models.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry
from tests.unit.model_world import saved


@pytest.fixture(scope="module")
def first_home(tmp_path_factory):
    """A home with three versions of a model: to make its database takes seconds."""
    home = tmp_path_factory.mktemp("home")
    registry = Registry(load_settings(home=home))
    for number in (1, 2, 3):
        registry.register(saved(home / f"made-{number}", "lightgbm", seed=number))
    return home


@pytest.fixture
def registry(first_home):
    """That registry with no alias and nothing fetched."""
    found = Registry(load_settings(home=first_home))
    for alias in (CHAMPION, CHALLENGER, PREVIOUS):
        if found.version(alias):
            found.set_alias(alias, 0)
    shutil.rmtree(first_home / "models", ignore_errors=True)
    return found


def test_a_champion_is_fetched_as_it_was_registered(registry, first_home):
    assert registry.version(CHAMPION) is None
    registry.set_alias(CHAMPION, 2)
    version, folder = registry.fetch(CHAMPION)
    assert (version, digest(folder)) == (2, digest(first_home / "made-2"))
    model = registry.load(CHAMPION)
    assert (model.name, model.version) == ("finlake-fraud", 2)
    assert model.probability(np.zeros((1, len(model.features)))).shape == (1,)


def test_a_version_bears_where_it_comes_from(registry):
    tags = registry.client.get_model_version(registry.name, "1").tags
    assert (tags["commit"], tags["contracts"], len(tags["sha256"])) == ("abc1234", "c" * 64, 64)


def test_the_champion_before_comes_back_in_one_step(registry):
    registry.set_alias(CHALLENGER, 2)
    assert registry.promote(1) is None
    assert registry.promote(2) == 1
    assert registry.version(CHALLENGER) is None  # it is the champion now
    assert registry.roll_back() == 1
    assert (registry.version(CHAMPION), registry.version(PREVIOUS)) == (1, 2)
    assert registry.roll_back() == 2
    assert registry.promote(2) == 2  # nothing changes, and the way back stays
    assert registry.version(PREVIOUS) == 1


def test_what_there_is_not_is_said_in_one_line(registry):
    with pytest.raises(FinlakeError, match="no version has the alias challenger; `finlake train"):
        registry.fetch(CHALLENGER)
    with pytest.raises(FinlakeError, match="finlake-fraud 9: there is no such version"):
        registry.fetch(9)
    with pytest.raises(FinlakeError, match="finlake-fraud 9: there is no such version"):
        registry.promote(9)
    with pytest.raises(FinlakeError, match="no previous champion to go back to"):
        registry.roll_back()
    with pytest.raises(FinlakeError, match="does not load"):
        registry.register(registry._home / "artifacts")


def test_files_that_were_changed_in_the_registry_are_not_loaded(registry, first_home):
    source = registry.client.get_model_version(registry.name, "3").source
    member = next(_path(source).glob("member-*"))
    before = member.read_bytes()
    member.write_bytes(before + b"\n")
    with pytest.raises(FinlakeError, match="finlake-fraud 3: the registry's files have the digest"):
        registry.fetch(3)
    assert not list((first_home / "models").iterdir())
    member.write_bytes(before)
    folder = registry.fetch(3).folder
    # And a copy that was changed is fetched anew.
    (folder / "more").write_text("x")
    assert digest(registry.fetch(3).folder) == folder.name


def test_a_version_without_a_digest_is_not_loaded(registry, first_home):
    with registry.run("by hand", {}) as run:
        made = registry.client.create_model_version(registry.name, f"runs:/{run.id}/model", run.id)
    with pytest.raises(FinlakeError, match=rf"finlake-fraud {made.version}: has no digest"):
        registry.fetch(int(made.version))


def _path(uri):
    from pathlib import Path
    from urllib.parse import unquote, urlsplit

    return Path(unquote(urlsplit(uri).path))


def test_a_registry_that_is_down_is_a_component_that_is_missing(tmp_path):
    with socket.socket() as taken:  # nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        down = Registry(load_settings(home=tmp_path, mlflow_url=url))
        for ask in (lambda: down.fetch(CHAMPION), lambda: down.version(CHAMPION), down.roll_back):
            with pytest.raises(ComponentMissing, match=rf"MLflow at {url} does not answer.*--with"):
                ask()


def test_a_store_that_is_broken_is_a_component_that_is_missing(tmp_path):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ComponentMissing, match="cannot be used") as caught:
        Registry(load_settings(home=tmp_path)).version(CHAMPION)
    assert "\n" not in str(caught.value)
