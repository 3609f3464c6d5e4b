"""The tracking server for real: what was registered with it and without it is one registry."""

import warnings

import psutil
import pytest

from finlake.errors import ComponentMissing, FinlakeError
from infra.settings import load_settings
from infra.stack import plan
from infra.stack.ports import Wish, choose_ports
from infra.stack.process import Identity, spawn, stop_group
from infra.stack.progress import quiet
from models.artifact import digest
from models.registry import CHAMPION, EXPERIMENT, Registry
from tests.support.stack import wait_for
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
