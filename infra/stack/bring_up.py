"""Bring the stack up as a whole: components, the source's tables, the connector, programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from finlake.errors import FinlakeError
from infra.database.schema import apply_schema
from infra.settings import Settings, load_settings
from infra.stack import control, plan
from infra.stack.minio import make_bucket
from infra.stack.progress import Progress, quiet
from infra.stack.supervisor import Report

__all__ = ["bring_up"]

_OTHERS_S = 300
_FIRST_S = 900  # the first start of these makes some hundred tables
_TABLES = {"superset", "airflow"}


def bring_up(
    settings: Settings,
    extras: Iterable[str] = (),
    *,
    connector: bool = True,
    progress: Progress = quiet,
    tell: Callable[[Report], None] = lambda _: None,
) -> Settings:
    """Start what the settings ask for and wait until it is healthy; returns the settings then.

    Programs that read the topics (``extras``) start when the connector is applied. When a component
    does not come up and nothing ran before, all is stopped again.

    Raises:
        ComponentMissing: a component cannot be had or does not come up.
        UsageProblem: a setting is wrong.
    """
    extras = plan.programs(extras)
    plan.wanted(settings, extras)  # a wrong extra is told before anything starts
    settings = _start(settings, [], progress, tell)
    apply_schema(settings)
    if connector:
        import connectors

        connectors.apply(settings)
    if extras:
        settings = _start(settings, extras, progress, tell)
    if "superset" in plan.wanted(settings, extras):
        from infra.superset.jobs import import_once, warm_dashboards

        with progress("bringing the dashboards into Superset, once", 0):
            import_once(settings)
        # A chart of a table that is not there yet has no answer; that is for its reader to see.
        with (
            progress("asking every chart once, so that nobody waits for it", 0),
            suppress(FinlakeError),
        ):
            warm_dashboards(settings)
    return settings


def _start(
    settings: Settings, extras: list[str], progress: Progress, tell: Callable[[Report], None]
) -> Settings:
    ran = control.supervisor_of(settings) is not None
    try:
        components = control.prepare(settings, extras, progress)
        control.launch(settings)
        patience_s = _FIRST_S if _TABLES.intersection(extras) else _OTHERS_S
        control.wait_until_healthy(settings, extras or components, tell, patience_s)
    except BaseException:  # Ctrl-C too
        if not ran:
            control.down(settings)
        raise
    settings = load_settings(home=settings.home)
    if settings.lake.startswith("s3a:"):
        make_bucket(settings)
    return settings
