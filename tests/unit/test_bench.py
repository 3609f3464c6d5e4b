"""The benchmarks' own parts: what they time, what they read, what they print."""

import importlib
import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

import batch_jobs.bench
from batch_jobs.bench import figures, markers, processes
from batch_jobs.bench.alerts import Arrivals
from batch_jobs.bench.figures import Figure, Figures, percentiles
from batch_jobs.bench.freshness import Reader, Sightings, over_batches
from batch_jobs.bench.markers import AMOUNTS, Markers
from batch_jobs.bench.model import own_models, save_model
from batch_jobs.bench.processes import Watch, thread_seconds
from batch_jobs.bench.scrape import quantiles, read, scrape
from batch_jobs.follow import Follower
from finlake.cli import main
from finlake.errors import ComponentMissing, FinlakeError, UsageProblem
from infra.lake.tables import Lake
from infra.metrics import serve
from infra.settings import load_settings
from infra.stack.supervisor import Report
from lakehouse_schemas import contracts
from models.artifact import load
from models.features import NAMES
from stream_jobs.io.writer import LakeWriter, Tables
from tests.unit.stream_world import Stream, Topics, World, row

# ── Figures ──────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_percentiles_are_in_order_and_among_the_values(values):
    found = percentiles(values)
    assert list(found) == ["p50", "p95", "p99", "max"]
    ordered = list(found.values())
    assert ordered == sorted(ordered)
    assert ordered[-1] == max(values)
    assert ordered[0] >= min(values)


def test_nothing_measured_has_a_count_and_no_percentiles():
    (only,) = Figures("b", {}).spread("m", [], "ms")
    assert (only.metric, only.value) == ("m.count", 0)


def test_a_figure_says_what_it_was_measured_on(monkeypatch):
    figure = Figures("freshness", {"rate": 5}, {"kafka": "4.3.1"}).of("m", 1.23456, "ms").as_dict()
    assert list(figure) == [
        "bench",
        "metric",
        "value",
        "unit",
        "params",
        "machine",
        "versions",
        "commit",
    ]
    assert figure["value"] == 1.2346
    versions: Any = figure["versions"]
    assert versions["kafka"] == "4.3.1"
    assert versions.keys() >= {"python", "deltalake", "pyspark"}
    assert "cores" in str(figure["machine"])


def test_without_git_there_is_no_commit(monkeypatch):
    def nothing(*arguments: object, **options: object) -> None:
        raise FileNotFoundError

    figures.commit.cache_clear()
    monkeypatch.setattr(subprocess, "run", nothing)
    assert figures.commit() == ""
    figures.commit.cache_clear()


# ── Reading gold ─────────────────────────────────────────────────────────────────────────────────


class Chain:
    """A source, a stream and a reader, moved by hand, on Delta tables."""

    def __init__(self, home: Any) -> None:
        self.settings = load_settings(home=home)
        self.lake = Lake(self.settings)
        self.world = World()
        self.stream = Stream(
            self.lake, lambda: LakeWriter(Tables(self.lake, 1 << 24), "app"), self.settings
        )
        self.topics = Topics([])
        self.sent = 0
        self.clock = 100.0
        self.found = Sightings()

    def reader(self, newest: int = 0) -> Reader:
        return Reader(self.lake, self.found, newest, lambda: self.clock)

    def batch(self) -> None:
        """Apply what the source has done since."""
        self.topics.send(self.world.sent[self.sent :])
        self.sent = len(self.world.sent)
        self.stream.process(self.topics.take())
        self.clock += 1


@pytest.fixture
def chain(home) -> Iterator[Chain]:
    chain = Chain(home)
    yield chain
    chain.stream.stop()


def put(chain: Chain, number: int, cents: int) -> None:
    chain.world.put("transactions", row("transactions", id=number, amount=f"{cents / 100:.2f}"))


def test_a_follower_gives_each_commit_once_with_its_files_and_batch(chain):
    fact = contracts.get("gold.fact_transactions")
    before = Follower(chain.lake, fact)
    assert before.poll() is None
    put(chain, 1, 500)
    chain.batch()
    put(chain, 1, 600)
    chain.batch()
    first, second = (before.poll() for _ in range(2))
    assert before.poll() is None
    assert first is not None
    assert second is not None
    assert (first.batch, second.batch) == (("app", 0), ("app", 1))
    assert second.removed == first.added
    (path,) = second.added
    assert before.read(path, ["transaction_id"])["transaction_id"].to_pylist() == [1]
    assert Follower(chain.lake, fact).poll() is None


def test_the_reader_sees_inserts_updates_and_deletes_when_they_are_there(chain):
    put(chain, 1, 500)
    chain.batch()
    reader = chain.reader(newest=1)
    put(chain, 7, 500)
    put(chain, -1, AMOUNTS["insert"])
    put(chain, -2, AMOUNTS["insert"])
    chain.batch()
    look(reader)
    at_first = chain.clock
    assert chain.found.seen == dict.fromkeys(
        [(7, "insert"), (-1, "insert"), (-2, "insert")], at_first
    )
    put(chain, -1, AMOUNTS["update"])
    put(chain, 1, 900)  # rewrites the file in which the other marker is
    chain.batch()
    look(reader)
    assert chain.found.seen[-1, "update"] == at_first + 1
    chain.world.delete("transactions", -1)
    chain.batch()
    look(reader)
    assert chain.found.seen[-1, "delete"] == at_first + 2
    assert chain.found.seen[-2, "insert"] == at_first
    assert (-2, "delete") not in chain.found.seen
    assert chain.found.in_aggregates == chain.found.seen


def look(reader: Reader) -> None:
    while reader.look():
        pass


def test_joining_files_is_no_change(chain):
    reader = chain.reader()
    for number in (-1, -2, -3):
        put(chain, number, AMOUNTS["insert"])
        chain.batch()
    look(reader)
    seen = dict(chain.found.seen)
    table = chain.lake.open(contracts.get("gold.fact_transactions"))
    assert table is not None
    table.optimize.compact()
    chain.clock += 5
    look(reader)
    assert chain.found.seen == seen
    chain.stream.restart()
    chain.world.delete("transactions", -2)
    chain.batch()
    look(reader)
    assert chain.found.seen.keys() - seen.keys() == {(-2, "delete")}


def test_changes_that_become_visible_together_are_all_seen(chain):
    reader = chain.reader()
    put(chain, -1, AMOUNTS["insert"])
    put(chain, -1, AMOUNTS["update"])
    chain.batch()
    look(reader)
    assert chain.found.seen.keys() == {(-1, "update")}


def test_ages_are_of_one_kind_and_of_changes_after_the_warm_up():
    found = Sightings(
        committed={
            (1, "insert"): 10.0,
            (2, "insert"): 20.0,
            (-1, "delete"): 20.0,
            (3, "insert"): 21.0,
        },
        seen={(1, "insert"): 11.0, (2, "insert"): 20.5, (-1, "delete"): 22.0},
    )
    assert found.ages_ms(found.seen, "insert", 0) == [1000, 500]
    assert found.ages_ms(found.seen, "insert", 15) == [500]
    assert found.ages_ms(found.seen, "delete", 15) == [2000]
    assert found.unseen(0) == {3}
    assert found.unseen(21.5) == set()
    assert found.appeared() == {1, 2, -1}


def test_a_change_that_a_later_one_has_overtaken_is_not_missed():
    found = Sightings(
        committed={(-1, "insert"): 10.0, (-1, "update"): 13.0, (-1, "delete"): 16.0},
        seen={(-1, "update"): 14.0},
    )
    assert found.unseen(0) == {-1}
    found.seen[-1, "delete"] = 17.0
    assert found.unseen(0) == set()


# ── Markers ──────────────────────────────────────────────────────────────────────────────────────


class Database:
    """Takes a marker's statements."""

    def __init__(self, cards: list[tuple[int, int]]) -> None:
        self.cards = cards
        self.log: list[tuple[str, tuple[Any, ...]]] = []
        self.commits = 0

    def cursor(self) -> "Database":
        return self

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, sql: str, values: tuple[Any, ...] = ()) -> None:
        self.log.append((sql.split(maxsplit=1)[0], values))

    def fetchone(self) -> tuple[int, int] | None:
        return self.cards[0] if self.cards else None

    def commit(self) -> None:
        self.commits += 1

    def close(self) -> None:
        pass


def test_every_marker_is_inserted_updated_and_deleted_in_turn(monkeypatch, home):
    database = Database([(825, 4524)])
    monkeypatch.setattr(markers, "connect", lambda settings: database)
    heard: list[tuple[int, str]] = []
    work = Markers(load_settings(home=home), 0.001, 0.001, lambda n, c, _: heard.append((n, c)))
    work.start()
    while len(heard) < 30:
        time.sleep(0.001)
    work.stop()
    for number in {number for number, _ in heard}:
        assert number < 0
        assert [c for n, c in heard if n == number] == ["insert", "update", "delete"]
    done = [word for word, _ in database.log if word in ("INSERT", "UPDATE", "DELETE")]
    assert done[0] == "DELETE"  # what an earlier run has left
    assert [word.lower() for word in done[1:]] == [change for _, change in heard]
    assert database.commits == len(done)


def test_a_source_without_cards_has_no_markers(monkeypatch, home):
    monkeypatch.setattr(markers, "connect", lambda settings: Database([]))
    with pytest.raises(UsageProblem, match="finlake generate"):
        Markers(load_settings(home=home), 1, 1, lambda *_: None).start()


def test_a_source_that_goes_away_ends_the_markers_with_its_reason(monkeypatch, home):
    there = [Database([(1, 1)])]

    def connect(settings: object) -> Database:
        if not there:
            raise ComponentMissing("the source is gone")
        return there.pop()

    monkeypatch.setattr(markers, "connect", connect)
    work = Markers(load_settings(home=home), 1, 1, lambda *_: None)
    work.start()
    with pytest.raises(FinlakeError, match="the source is gone"):
        work.stop()


# ── Processes ────────────────────────────────────────────────────────────────────────────────────


def test_memory_and_time_of_a_process_and_its_children_are_counted(monkeypatch):
    monkeypatch.setattr(processes, "_EVERY_S", 0.02)
    grow = "x = bytearray(64 << 20); sum(range(3_000_000)); print('ready', flush=True); input()"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grow!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with Watch({"job": process.pid, "gone": 2**22 - 1}) as watch:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
    process.communicate("\n")
    found = {one.metric: one.value for one in watch.figures(Figures("b", {}))}
    assert found["peak_rss.job"] > 64
    assert found["peak_rss.total"] == found["peak_rss.job"]
    assert found["cpu.job"] > 0
    assert watch.spent("job")[0] == pytest.approx(found["cpu.job"], abs=1e-3)


def test_the_seconds_of_threads_are_those_of_the_whole_family():
    work = "import threading; t = threading.Thread(target=lambda: sum(range(9_000_000)));"
    work += "t.start(); t.join(); print('ready', flush=True); input()"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    before = thread_seconds(process.pid)
    assert process.stdout.readline() == "ready\n"
    after = thread_seconds(process.pid)
    process.communicate("\n")
    assert {pid for pid, _ in after} > {process.pid}, "children count too"
    assert sum(after.values()) > sum(before.values())
    assert thread_seconds(2**22 - 1) == {}


# ── The commands ─────────────────────────────────────────────────────────────────────────────────


def runs_now(monkeypatch: pytest.MonkeyPatch, component: str) -> None:
    """Let that component be all that runs."""
    report = Report(component, "healthy", "a", "1.0", pid=1)
    monkeypatch.setattr(processes, "status", lambda settings: [report])


def test_freshness_needs_a_running_stream(monkeypatch, home):
    runs_now(monkeypatch, "kafka")
    assert main(["bench", "freshness", "--seconds", "1"]) == 3


def test_throughput_needs_a_stopped_stream(monkeypatch, home):
    runs_now(monkeypatch, "stream")
    assert main(["bench", "throughput"]) == 2


def test_scale_needs_a_stopped_stream_and_a_list_of_numbers(monkeypatch, home, capsys):
    runs_now(monkeypatch, "stream")
    assert main(["bench", "scale"]) == 2
    assert main(["bench", "scale", "--workers", "one"]) == 2
    assert "no list of numbers" in capsys.readouterr().err


@pytest.mark.parametrize("rates", ["", "x", "0", "100,", "-5", "100;200"])
def test_rates_are_numbers_with_commas(home, capsys, rates):
    assert main(["bench", "freshness", "--rate", rates]) == 2
    assert "100,1000" in capsys.readouterr().err


@pytest.fixture
def runs(monkeypatch, home):
    """Runs of a measurement that is made up."""
    calls: list[tuple[object, ...]] = []

    def measure(settings: object, *arguments: Any) -> Iterator[Figure]:
        *known, said = arguments
        calls.append(tuple(known))
        said("measuring")
        yield Figures("made_up", {"rate": known[0]}).of("commit_to_fact.p50", 1234.5, "ms")

    monkeypatch.setattr(batch_jobs.bench, "freshness", measure)
    monkeypatch.setattr(batch_jobs.bench, "throughput", measure)
    return calls


def test_each_rate_is_a_run_and_each_figure_a_line(runs, capsys):
    assert main(["bench", "freshness", "--rate", "100,1000", "--seconds", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["params"]["rate"] for line in lines] == [100, 1000]
    assert runs == [(100.0, 3.0, 1), (1000.0, 3.0, 2)]
    assert err == "finlake bench: measuring\n" * 2


def test_people_get_a_table_with_what_it_was_measured_on(runs, capsys):
    assert main(["bench", "throughput", "--changes", "5000"]) == 0
    out = capsys.readouterr().out
    for text in ("made_up: rate 5000", "cores", "commit_to_fact.p50", "1,234.50", "ms"):
        assert text in out
    assert runs == [(5000, 1)]


# ── A whole run, with a source and a stack that are made up ──────────────────────────────────────


class NoMarkers:
    def __init__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    stop = start


def test_a_run_of_freshness_times_what_the_traffic_inserts(chain, monkeypatch):
    module = importlib.import_module("batch_jobs.bench.freshness")
    runs_now(monkeypatch, "stream")
    monkeypatch.setattr(module, "WARM_UP_S", 0.0)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.5)
    monkeypatch.setattr(module, "Markers", NoMarkers)
    monkeypatch.setattr(module, "_newest", lambda settings: 1)
    monkeypatch.setattr(module, "_still_there", lambda settings, numbers: numbers - {9})
    put(chain, 1, 500)
    chain.batch()

    def traffic(settings: object, *, on_commit: Any, **_: object) -> Any:
        for ids in ((2, 3), (3, 4)):
            for number in ids:
                put(chain, number, 700 + number)
            on_commit(ids, time.time())
            chain.batch()
        on_commit((8,), time.time())  # never arrives
        on_commit((9,), time.time())  # was deleted before anybody could see it
        return SimpleNamespace(rate=12.5)

    monkeypatch.setattr(module.traffic, "run", traffic)
    found = {one.metric: one for one in module.freshness(chain.settings, 10, 1)}
    assert found["changes_per_second"].value == 12.5
    assert found["commit_to_fact.insert.count"].value == 3
    assert 0 <= found["commit_to_fact.insert.p50"].value < 60_000
    assert found["commit_to_aggregate.count"].value == 3
    assert found["commit_to_fact.delete.count"].value == 0
    assert found["never_seen"].value == 1
    assert found["hop.transactions.gold.max"].unit == "ms"
    assert found["never_seen"].params["rate"] == 10


def test_a_run_of_throughput_counts_what_the_stream_applied(chain, monkeypatch):
    module = importlib.import_module("batch_jobs.bench.throughput")
    runs_now(monkeypatch, "kafka")
    monkeypatch.setattr(module, "_STILL_S", 0.05)
    ends = iter([100, 100, 140, 150])
    monkeypatch.setattr(module, "records_in_kafka", lambda settings: next(ends, 150))
    rates = []

    def traffic(settings: object, *, rate: float, seconds: float, seed: int) -> Any:
        rates.append((rate, seconds))
        return SimpleNamespace(changes=30_000)

    monkeypatch.setattr(module.traffic, "run", traffic)

    def stream(settings: object) -> Any:
        for number in range(1, 6):
            put(chain, number, 500)
        chain.batch()
        return subprocess.Popen([sys.executable, "-c", ""], stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr(module, "start_once", stream)
    found = {one.metric: one.value for one in module.throughput(chain.settings, 50_000)}
    assert rates == [(20_000.0, 2.5), (20_000.0, 1.0)]
    assert found["capture.rate"] > 0
    assert found["stream.rate"] == pytest.approx(5 / found["stream.seconds"], rel=0.01)
    assert found["lake.grown"] > 0
    assert "capture.cpu.kafka" in found


def test_what_is_known_to_come_to_kafka_is_waited_for(monkeypatch, home):
    module = importlib.import_module("batch_jobs.bench.throughput")
    monkeypatch.setattr(module, "_STILL_S", 0.01)
    monkeypatch.setattr(module, "_PATIENCE_S", 0.5)
    settings = load_settings(home=home)
    ends = iter([10, 10, 10, 17, 17])
    monkeypatch.setattr(module, "records_in_kafka", lambda settings: next(ends, 17))
    records, _ = module.wait_for_kafka(settings, 10, time.monotonic(), at_least=7)
    assert records == 7
    with pytest.raises(FinlakeError, match="7 of 8 records came to Kafka"):
        module.wait_for_kafka(settings, 10, time.monotonic(), at_least=8)


def batch(events: int, p50: float, p95: float, most: float) -> dict[str, float]:
    return {"events": events, "p50_ms": p50, "p95_ms": p95, "max_ms": most}


def test_percentiles_over_batches_weigh_each_by_its_changes():
    alone = over_batches([batch(10, 100, 190, 500)])
    assert alone["p50"] == pytest.approx(100, rel=0.05)
    assert alone["p95"] == pytest.approx(190, rel=0.15)
    assert alone["max"] == 500
    mostly = over_batches([batch(990, 100, 100, 100), batch(10, 900, 900, 901)])
    assert (mostly["p50"], mostly["p95"], mostly["max"]) == (100, 100, 901)
    assert mostly["p99"] <= 900
    other = over_batches([batch(900, 100, 100, 100), batch(100, 900, 900, 901)])
    assert other["p95"] == pytest.approx(900, rel=0.01)


@given(
    st.lists(
        st.tuples(st.integers(1, 1000), *[st.floats(0, 1e5)] * 3).map(
            lambda one: batch(one[0], *sorted(one[1:]))
        ),
        min_size=1,
    )
)
def test_percentiles_over_batches_are_in_order_and_never_above_the_maximum(batches):
    values = list(over_batches(batches).values())
    assert values == sorted(values)
    assert values[-1] == max(one["max_ms"] for one in batches)


def test_a_stream_that_fails_ends_the_measurement_with_its_last_words():
    module = importlib.import_module("batch_jobs.bench.throughput")
    words = "import sys; sys.stderr.write('first\\nno Kafka\\n'); sys.exit(3)"
    process = subprocess.Popen([sys.executable, "-c", words], stderr=subprocess.PIPE, text=True)
    with pytest.raises(FinlakeError, match="finlake stream --once failed: no Kafka"):
        module.end_once(process)


def test_alerts_of_rules_and_of_the_model_have_ways_of_their_own():
    found = Arrivals(committed={-1: 10.0, -2: 11.0}, in_kafka={-1: 10.1, -2: 11.1})

    def alert(number, rule, second):
        raised = f"2026-01-01T00:00:{second:02}+00:00"
        row = {"transaction_id": number, "rule": rule, "raised_at": raised}
        return json.dumps(row).encode()

    for number, rule, at in ((-1, "amount_over", 10.5), (-2, "amount_over", 11.5),
                             (-1, "model", 10.75), (-1, "model", 12.0),
                             (-1, "first_abroad", 13.0), (7, "model", 13.0)):  # fmt: skip
        found.alert(alert(number, rule, 5), at)
    ways = found.legs(0)
    assert ways["commit_to_alert"] == [500.0, 500.0]
    assert ways["scored.commit_to_alert"] == [750.0]
    assert found.repeated == 1
    assert not found.unseen()


# ── Figures that a process serves ────────────────────────────────────────────────────────────────


@given(
    st.lists(st.floats(0.001, 50), min_size=1, max_size=60),
    st.lists(st.floats(0.001, 50)),
    st.sampled_from([0.5, 0.9, 0.99]),
)
def test_a_quantile_is_in_the_bucket_of_the_value(counted, earlier, share):
    registry = CollectorRegistry()
    bounds = (0.01, 0.1, 1.0, 10.0)
    histogram = Histogram("x_seconds", "x", ["hop"], buckets=bounds, registry=registry)
    for seconds in earlier:
        histogram.labels("a").observe(seconds)
    histogram.labels("b").observe(5)
    before = read(generate_latest(registry).decode())
    wanted = ("x_seconds", {"hop": "a"}, (share,))
    assert quantiles(before, before, *wanted) == []
    for seconds in counted:
        histogram.labels("a").observe(seconds)
    (found,) = quantiles(before, read(generate_latest(registry).decode()), *wanted)
    exact = sorted(counted)[math.ceil(share * len(counted)) - 1]
    high = next((bound for bound in bounds if exact <= bound), 10.0)
    low = max(bound for bound in (0.0, *bounds) if bound < exact)
    assert low <= found <= high


def test_figures_are_read_where_a_process_serves_them():
    registry = CollectorRegistry()
    Counter("x_things", "x", ["kind"], registry=registry).labels("a b").inc(3)
    port = serve(registry, 0, "127.0.0.1")
    assert scrape(f"http://127.0.0.1:{port}/metrics")['x_things_total{kind="a b"}'] == 3
    with pytest.raises(ComponentMissing, match="does not answer"):
        scrape("http://127.0.0.1:9/metrics")


def test_a_model_of_the_bench_is_sure_of_large_amounts_alone(tmp_path):
    save_model(tmp_path / "model", 1)
    found = load(tmp_path / "model")
    assert found.features == NAMES
    values = np.zeros((2, len(NAMES)))
    values[:, NAMES.index("amount")] = (40.0, 3001.0)
    told = found.probability(values)
    assert told[0] < found.threshold <= told[1]


class _Aliases:
    """What the bench asks of a registry, which has a champion."""

    name = "fraud"

    def __init__(self, _):
        pass

    def version(self, alias):
        return 7 if alias == "champion" else None


def test_models_of_the_bench_do_not_push_others_aside(monkeypatch):
    monkeypatch.setattr("batch_jobs.bench.model.Registry", _Aliases)
    with (
        pytest.raises(UsageProblem, match="there is a champion; leave --own-models out"),
        own_models(load_settings(), "http://127.0.0.1:9/metrics", lambda _: None),
    ):
        pass
