"""Bring the stack up as a whole: components, the source's tables, topics and connector, programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from infra.database.schema import apply_schema
from infra.settings import Settings, load_settings
from infra.stack import control, plan
from infra.stack.progress import Progress, quiet
from infra.stack.supervisor import Report

__all__ = ["bring_up"]


def bring_up(
    settings: Settings,
    extras: Iterable[str] = (),
    *,
    connector: bool = True,
    progress: Progress = quiet,
    tell: Callable[[Report], None] = lambda _: None,
) -> Settings:
    """Start what the settings ask for and wait until it is healthy; returns the settings then.

    Programs that read the topics (``extras``) start when the connector is applied. When the stack
    did not run before and does not come up, it is stopped again.

    Raises:
        ComponentMissing: a component cannot be had or does not come up.
        UsageProblem: a setting is wrong.
    """
    ran = control.supervisor_of(settings) is not None
    extras = list(extras)
    plan.wanted(settings, extras)
    try:
        settings = _start(settings, [], progress, tell)
        apply_schema(settings)
        if connector:
            import connectors

            connectors.apply(settings)
        if extras:
            settings = _start(settings, extras, progress, tell)
    except BaseException:  # Ctrl-C too
        if not ran:
            control.down(settings)
        raise
    return settings


def _start(
    settings: Settings, extras: list[str], progress: Progress, tell: Callable[[Report], None]
) -> Settings:
    components = control.prepare(settings, extras, progress)
    control.launch(settings)
    control.wait_until_healthy(settings, components, tell)
    return load_settings(home=settings.home)
