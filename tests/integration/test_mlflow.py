"""The tracking server for real: what was registered with it and without it is one registry.

With a lake on MinIO the models lie there too.
"""

import io
import subprocess
import sys
import warnings

import psutil
import pytest

from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import load_settings
from infra.stack import control, plan
from infra.stack.minio import check_minio, make_bucket
from infra.stack.ports import Wish, choose_ports
from infra.stack.process import Identity, spawn, stop_group
from infra.stack.progress import quiet
from models.artifact import digest
from models.registry import CHAMPION, EXPERIMENT, Registry
from tests.support.stack import PROJECT, launched, object_store, wait_for
from tests.unit.model_world import saved

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A home with one version registered without a server, and the server that starts then."""
    home = tmp_path_factory.mktemp("mlflow") / "my home"
    home.mkdir()
    settings = load_settings(home=home)
    before = Registry(settings)
    before.promote(before.register(saved(home / "first", "lightgbm", seed=1)))
    ports = choose_ports([Wish("mlflow")], home / "ports.json")
    component = plan.build(settings, ["mlflow"], ports)["mlflow"]
    try:
        component.fetch(quiet)
    except ComponentMissing as error:
        warnings.warn(f"MLFLOW'S SERVER IS NOT TESTED: {error}", stacklevel=1)
        pytest.skip(str(error))
    component.prepare()
    process = spawn(component.command(), component.env(), component.cwd, home / "mlflow.log")
    identity = Identity.of(process.pid)
    assert identity is not None
    try:
        wait_for(component.is_healthy, f"MLflow healthy; see {home / 'mlflow.log'}")
        url = component.exports()["FINLAKE_MLFLOW_URL"]
        yield load_settings(home=home, mlflow_url=url), process
    finally:
        stop_group(identity, 10)
        process.wait()


def test_it_has_what_was_registered_without_it_and_the_reverse(server, tmp_path):
    settings, _ = server
    registry = Registry(settings)
    assert registry.version(CHAMPION) == 1
    assert registry.load(CHAMPION).version == 1
    folder = saved(tmp_path / "second", "xgboost", seed=2)
    version = registry.register(folder)
    assert registry.promote(version) == 1
    assert registry.load(CHAMPION).facts["kind"] == "xgboost"
    alone = Registry(load_settings(home=settings.home))
    found = alone.fetch(CHAMPION)
    assert (found.version, digest(found.folder)) == (version, digest(folder))
    assert registry.roll_back() == 1


def test_a_run_is_logged_by_its_address(server):
    settings, _ = server
    registry = Registry(settings)
    with registry.run("a run", {"kind": "lightgbm"}) as run:
        run.log({"seed": "1"}, {"average_precision": 0.5, "nothing": float("nan")})
    found = registry.client.get_run(run.id)
    assert found.data.metrics == {"average_precision": 0.5}
    assert registry.client.get_experiment(registry.experiment).name == EXPERIMENT
    with pytest.raises(ZeroDivisionError), registry.run("cut short", {}) as broken:
        raise ZeroDivisionError
    assert registry.client.get_run(broken.id).info.status == "FAILED"


def test_it_listens_on_loopback_alone(server):
    _, process = server
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    listening = {
        place.laddr.ip
        for member in family
        for place in member.net_connections("inet")
        if place.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_files_that_were_changed_behind_it_are_not_loaded(server, tmp_path):
    settings, _ = server
    registry = Registry(settings)
    version = registry.register(saved(tmp_path / "third", "lightgbm", seed=3))
    run = registry.client.get_model_version(registry.name, str(version)).run_id
    member = next((settings.home / "mlflow" / "artifacts").rglob(f"{run}/**/member-0.txt"))
    member.write_bytes(member.read_bytes() + b"\n")
    with pytest.raises(FinlakeError, match="so they were changed and are not loaded"):
        registry.fetch(version)


def test_when_it_is_down_that_is_said_in_one_line(server):
    settings, process = server
    registry = Registry(settings)
    assert registry.version(CHAMPION)
    process.terminate()
    process.wait()
    with pytest.raises(ComponentMissing, match="does not answer") as caught:
        registry.fetch(CHAMPION)
    assert "\n" not in str(caught.value)


@pytest.mark.minio
def test_with_a_lake_on_minio_models_lie_there_and_nowhere_else(tmp_path, monkeypatch):
    try:
        check_minio()
    except ComponentMissing as error:
        pytest.skip(f"NO MINIO WAS TESTED: {error}")
    home = tmp_path / "my home"
    home.mkdir()
    wanted = ["minio", "mlflow"]
    try:
        settings = launched(home, monkeypatch, wanted, ("mlflow",), FINLAKE_LAKE="s3a://warehouse")
        make_bucket(settings)
        registry = Registry(settings)
        folder = saved(tmp_path / "first", "lightgbm", seed=1)
        version = registry.register(folder)
        registry.promote(version)
        registry.log_text(version, "a card", "model_card.md")
        bucket = object_store(settings)
        kept = [o.object_name for o in bucket.list_objects("warehouse", "mlflow/", recursive=True)]
        assert {name.rpartition("/")[2] for name in kept} == {
            "model.json", "member-0.txt", "model_card.md",
        }  # fmt: skip
        assert not (home / "mlflow" / "artifacts").exists()
        assert registry.text(version, "model_card.md") == "a card"
        # Another machine has the server's address alone: no home with models, no key of the bucket.
        code = (
            "from infra.settings import load_settings\n"
            "from models.registry import Registry\n"
            "print(Registry(load_settings()).fetch('champion').folder.name)\n"
        )
        clean = {
            "PYTHONPATH": str(PROJECT),
            "FINLAKE_HOME": str(tmp_path / "elsewhere"),
            "FINLAKE_MLFLOW_URL": str(settings.mlflow_url),
        }
        done = subprocess.run(
            [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=False
        )
        assert done.stdout.strip() == digest(folder), done.stderr
        (member,) = (name for name in kept if name.endswith("member-0.txt"))
        there = bucket.get_object("warehouse", member).read()
        bucket.put_object("warehouse", member, io.BytesIO(there + b"\n"), len(there) + 1)
        with pytest.raises(FinlakeError, match="so they were changed and are not loaded"):
            Registry(load_settings(home=tmp_path / "third", mlflow_url=settings.mlflow_url)).fetch(
                CHAMPION
            )
    finally:
        control.down(load_settings(home=home))
