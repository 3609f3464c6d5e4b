"""``finlake promote``, ``models``, ``drift`` and ``retrain``: a model's life after its training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from batch_jobs.drift import Health
    from batch_jobs.promotion import Outcome
    from infra.settings import Settings
    from models.registry import What

__all__ = ["drift", "models", "promote", "retrain"]

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
_which = click.argument("which", default="champion", metavar="[VERSION|ALIAS]")
_KINDS = ("fraud", "category", "amount")
_what = click.argument(
    "what", type=click.Choice(_KINDS), default="fraud", metavar="[fraud|category|amount]"
)
_of = click.option(
    "--of", "what", type=click.Choice(_KINDS), default="fraud", show_default=True,
    help="What the model tells.",
)  # fmt: skip


def _said(command: str) -> Callable[[str], None]:
    return lambda text: click.echo(f"finlake {command}: {text}", err=True)


@click.command()
@_what
@click.option(
    "--version", type=click.IntRange(min=1), metavar="N", help="Which; else the challenger."
)
@click.option("--force", default="", metavar="REASON", help="Without the gate, for this reason.")
@click.option("--rollback", is_flag=True, help="Back to the champion before, at once.")
@_json
def promote(what: What, version: int | None, force: str, rollback: bool, as_json: bool) -> None:
    """Make the challenger the champion, if it passes the gate.

    The gate judges both on the newest labelled days: better average precision and no dearer with
    confidence, in no segment surely worse, fast enough, and the same answers in a process of its
    own. Categories and amounts are judged by their loss on the newest days, labelled or not. Ends
    with 1 when a check fails. FINLAKE_GATE_... settings say what it asks for; every decision is
    noted on the version, and those of fraud in gold.model_decisions.

    \b
    Example:
      finlake promote
      finlake promote category
      finlake promote --version 7 --force "the champion's source is gone"
      finlake promote --rollback
    """
    from batch_jobs.promotion import promote as run
    from batch_jobs.promotion import roll_back
    from finlake.errors import FinlakeError
    from infra.settings import load_settings

    if rollback and (version or force):
        raise click.UsageError("--rollback goes to the champion before; leave out the others")
    settings, said = load_settings(), _said("promote")
    back = rollback and roll_back(settings, said, what)
    outcome = back or run(settings, said, version, what=what, force=force)
    _print_outcome(outcome, as_json)
    if not outcome.promoted:
        raise FinlakeError(f"version {outcome.version} is refused: {outcome.reason}")


def _print_outcome(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(outcome)))
        return
    judged = [check for check in outcome.checks if check.verdict != "not judged"]
    for check in judged:
        click.echo(f"{check.verdict:6}  {check.name:24}  {check.reason}")
    if few := len(outcome.checks) - len(judged):
        click.echo(f"        {few} more segments have too little in them to tell")
    if outcome.promoted:
        before = f"version {outcome.champion}" if outcome.champion else "nobody"
        click.echo(f"champion is version {outcome.version}, before it {before}: {outcome.reason}")


@click.group()
def models() -> None:
    """The versions of a model in the registry.

    \b
    Example:
      finlake models list
    """


@models.command("list")
@_of
@_json
def list_(what: What, as_json: bool) -> None:
    """List versions: aliases, when they were made, and what was decided about them.

    \b
    Example:
      finlake models list --json
      finlake models list --of amount
    """
    from infra.settings import load_settings
    from models.registry import NAMES, Registry

    for one in Registry(load_settings(), NAMES[what]).versions():
        if as_json:
            click.echo(json.dumps(one._asdict() | {"made": one.made.isoformat()}))
            continue
        decision = one.tags.get("decision", "not decided about")
        aliases = ", ".join(one.aliases)
        click.echo(f"{one.number:4}  {one.made:%Y-%m-%d %H:%M}  {aliases:22}  {decision}")


@models.command()
@_json
def fetch(as_json: bool) -> None:
    """Fetch the models that serve to this machine, and note them for the API.

    The API's workers see the note and change to them; none of them asks the registry itself.

    \b
    Example:
      finlake models fetch
    """
    from infra.settings import load_settings
    from models.serving import look

    for role, one in look(load_settings()).items():
        if as_json:
            click.echo(json.dumps({"role": role, **asdict(one)}))
        else:
            state = f"{one.version:4}  {one.sha256[:12]}" if one.version else "none"
            problem = f"  {one.problem}" if one.problem else ""
            click.echo(f"{role:10}  {one.name:16}  {state}{problem}")


@models.command()
@_which
@_of
def show(which: str, what: What) -> None:
    """Show all that is known of a version, as one JSON object.

    \b
    Example:
      finlake models show challenger
    """
    from infra.settings import load_settings
    from models.registry import NAMES, Registry

    registry = Registry(load_settings(), NAMES[what])
    model = registry.open(_wanted(which))
    (own,) = (one for one in registry.versions() if one.number == model.version)
    shown = {"version": model.version, "aliases": own.aliases, "tags": own.tags, **model.facts}
    click.echo(json.dumps(shown, indent=1))


@models.command()
@_which
@_of
def card(which: str, what: What) -> None:
    """Print the model card of a version, as it is kept beside it in the registry.

    Of fraud it is made anew from the newest labelled days; of categories and amounts it is the one
    that the gate has made.

    \b
    Example:
      finlake models card champion > model_card.md
      finlake models card --of category
    """
    from batch_jobs.promotion import describe
    from finlake.errors import FinlakeError
    from infra.settings import load_settings
    from models.lifecycle.card import FILE
    from models.registry import NAMES, Registry

    settings = load_settings()
    registry = Registry(settings, NAMES[what])
    version = registry.fetch(_wanted(which)).version
    text = describe(settings, version) if what == "fraud" else registry.text(version, FILE)
    if text is None:
        raise FinlakeError(
            f"model {registry.name} {version}: has no card yet, the gate makes it; `finlake"
            f" promote {what} --version {version}`"
        )
    click.echo(text, nl=False)


def _wanted(which: str) -> str | int:
    return int(which) if which.isdecimal() else which


@click.command()
@_json
@click.option("--watch", is_flag=True, help="Again and again, with gauges for Prometheus.")
@click.option(
    "--every", type=click.FloatRange(min=1), default=3600, show_default=True, metavar="SECONDS",
    help="Time between two rounds of --watch.",
)  # fmt: skip
@click.option(
    "--port", type=click.IntRange(0, 65535), default=9138, show_default=True,
    help="Prometheus gauges of --watch, or the next free one; 0 takes any.",
)  # fmt: skip
def drift(as_json: bool, watch: bool, every: float, port: int) -> None:
    """Measure how far the champion's features and scores have moved, and whether it decays.

    The newest days are compared with those it learnt from (PSI, KS), and weeks whose labels have
    arrived with the test of its training. Written to gold.model_drift and gold.model_decay.

    \b
    Example:
      finlake drift
      finlake drift --watch --every 3600
    """
    from infra.settings import load_settings

    settings = load_settings()
    if watch:
        _watch(settings, as_json, every, port)
    else:
        _print_health(_measure(settings), as_json)


def _measure(settings: Settings) -> Health:
    from batch_jobs.drift import health, note_health

    found = health(settings, _said("drift"))
    note_health(settings, found)
    return found


def _watch(settings: Settings, as_json: bool, every: float, port: int) -> None:
    import time

    from batch_jobs.drift.gauges import Gauges
    from finlake.errors import FinlakeError
    from infra.metrics import serve

    gauges, said = Gauges(), _said("drift")
    served = serve(gauges.registry, port, settings.listen_host)
    said(f"metrics on http://{settings.advertised_host}:{served}/metrics")
    while True:
        began = time.monotonic()
        try:
            found = _measure(settings)
        except FinlakeError as error:  # a champion, labels or the lake may come, and it goes on
            said(str(error))
        else:
            gauges.take(found)
            _print_health(found, as_json)
        time.sleep(max(0.0, every - (time.monotonic() - began)))


def _print_health(found: Health, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(found), default=str))
        return
    order = {"alarm": 0, "warn": 1, "ok": 2}
    for one in sorted(found.drifts, key=lambda d: (order[d.level], -d.psi)):
        if one.level != "ok" or one.name == "score":
            click.echo(f"{one.level:6} {one.name:32} PSI {one.psi:7.3f}  KS {one.ks:.3f}")
    for week in found.decays:
        told = f"{week.frauds} frauds, {week.foretold:.0f} foretold"
        if not isnan(week.average_precision):
            bounds = f"{week.low:.3f}-{week.high:.3f}"
            told = f"average precision {week.average_precision:.3f} ({bounds}), {told}"
        click.echo(f"{week.level:6} {'week of ' + _day(week.first_day):32} {told}")
    calm = sum(one.level == "ok" for one in found.drifts)
    click.echo(
        f"version {found.version}, {found.window[0]} to {found.window[1]}: {calm} of"
        f" {len(found.drifts)} as they were; {found.due or 'nothing calls for a new training'}"
    )


def _day(number: int) -> str:
    from datetime import date, timedelta

    return (date(1970, 1, 1) + timedelta(number)).isoformat()


@click.command()
@_what
@click.option(
    "--if-needed", is_flag=True, help="Only when drift, decay or age of the champion calls for it."
)
@click.option(
    "--trials", type=click.IntRange(min=0), default=12, show_default=True,
    help="How many recipes tuning tries, for fraud.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed.")
def retrain(what: What, if_needed: bool, trials: int, seed: int) -> None:
    """Train a challenger from all labelled days and put it through the gate.

    Prints in one line what was decided and why. The same data, seed and trials give the same
    model; with --if-needed no two models learn from the same days. Models of categories and
    amounts learn from all days, and their age alone calls for it.

    \b
    Example:
      finlake retrain --if-needed
      finlake retrain category --if-needed
    """
    from batch_jobs.retrain import retrain as run
    from batch_jobs.retrain import retrain_spending
    from batch_jobs.train import Asked, spending
    from infra.settings import load_settings

    settings, said = load_settings(), _said("retrain")
    if what == "fraud":
        made = run(settings, Asked(trials=trials, seed=seed), said, if_needed=if_needed)
    else:
        asked = spending.Asked(what, seed=seed)
        made = retrain_spending(settings, asked, said, if_needed=if_needed)
    click.echo(made)
