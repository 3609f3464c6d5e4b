"""What the DAGs are made of: jobs, which are finlake commands, and what all of them share.

It runs in Airflow's own environment, which has nothing of this project in it: a job is a process of
the program ``finlake`` on the path.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import (
    DAG,
    Asset,
    BaseOperator,
    DeadlineAlert,
    DeadlineReference,
    DeltaTriggerTimetable,
    SyncCallback,
)
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

__all__ = ["Job", "dag_of", "job", "on_deadline", "on_failure", "within"]

_log = logging.getLogger(__name__)
_NOT_THERE = 3  # exit code of finlake when a component is not there
_WEBHOOK_S = 10


class Job(BaseOperator):  # type: ignore[misc]
    """Runs one finlake command; its exit code decides what becomes of the task.

    0 is good. A component that is not there (3) and a process that was killed are tried again; a
    check that failed (1) and wrong use (2) are not, since the next try would say the same. A task
    that is stopped or runs into its time-out ends the command with SIGTERM.

    Args:
        words: the command's words, without ``finlake``; templates.
        embedded: the command is about the programs of the embedded stack; where Airflow does not
            run in one, the task is skipped.
    """

    template_fields: Sequence[str] = ("words",)
    ui_color = "#e0f2f1"

    def __init__(self, *, words: Sequence[str], embedded: bool = False, **rest: Any) -> None:
        super().__init__(**rest)
        self.words = list(words)
        self.embedded = embedded
        self._process = SubprocessHook()

    def execute(self, context: dict[str, Any]) -> str:
        """Run it; gives the last line it printed."""
        if self.embedded and os.environ.get("EMBEDDED_STACK") != "yes":
            raise AirflowSkipException("the components here are not those of `finlake up`")
        done = self._process.run_command(["finlake", *self.words], cwd=str(Path.cwd()))
        if done.exit_code == 0:
            return str(done.output)
        why = done.output or f"finlake {' '.join(self.words)} ended with {done.exit_code}"
        if done.exit_code == _NOT_THERE or done.exit_code < 0:
            raise AirflowException(why)
        raise AirflowFailException(why)

    def on_kill(self) -> None:
        """End the command with its task."""
        self._process.send_sigterm()


def job(
    name: str,
    *words: str,
    doc: str,
    timeout: timedelta = timedelta(minutes=10),
    embedded: bool = False,
    outlets: Sequence[Asset] = (),
    **rest: Any,
) -> Job:
    """The task ``name`` that runs ``finlake`` with these words.

    Args:
        name: id of the task.
        words: of the command; templates.
        doc: what it does, and what to do when it fails; Markdown.
        timeout: after which it is stopped.
        embedded: see :class:`Job`.
        outlets: assets of the tables that it writes.
        rest: more arguments of the operator.
    """
    return Job(
        task_id=name,
        words=words,
        doc_md=doc,
        execution_timeout=timeout,
        embedded=embedded,
        outlets=list(outlets),
        **rest,
    )


def dag_of(
    file: str,
    doc: str | None,
    *,
    owner: str,
    deadline: timedelta,
    schedule: object = None,
    retries: int = 2,
    tags: Sequence[str] = (),
    **rest: Any,
) -> DAG:
    """The DAG of a file, which has its name; one run at a time, failures told by webhook.

    Args:
        file: ``__file__``.
        doc: ``__doc__``; its first sentence becomes the description, the whole the documentation.
        owner: who answers for it, as the contracts name owners.
        deadline: longest time from the moment a run is queued to its end, retries included; a
            later one is told by webhook.
        schedule: when it runs; ``None`` on request alone.
        retries: how often a task is tried again when something was not there.
        tags: to find it by.
        rest: more arguments of the DAG.
    """
    text = doc or ""
    return DAG(
        dag_id=Path(file).stem,
        description=text.strip().partition("\n")[0].rstrip("."),
        doc_md=text,
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        tags=["finlake", *tags],
        default_args={
            "owner": owner,
            "on_failure_callback": on_failure,
            # Said here: Airflow's own default for all tasks gets lost in `airflow dags test`.
            "retries": retries,
            "retry_delay": timedelta(seconds=float(os.environ.get("JOBS_RETRY_S", "60"))),
        },
        deadline=_alert(deadline),
        **rest,
    )


def _alert(deadline: timedelta) -> DeadlineAlert | None:
    if "NO_DEADLINES" in os.environ:
        # `airflow dags test` of Airflow 3.3 breaks off after a good run of a DAG that has one:
        # https://github.com/apache/airflow/issues/73428
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=deadline,
        callback=SyncCallback(on_deadline, kwargs={"minutes": deadline.total_seconds() / 60}),
    )


def within(freshness: timedelta) -> DeltaTriggerTimetable:
    """Twice in the time in which the contract wants a table renewed: one run may fail."""
    return DeltaTriggerTimetable(freshness / 2)


def on_failure(context: dict[str, Any]) -> None:
    """Tell the webhook of a task that failed for good."""
    task, found = context["task"], context["task_instance"]
    _tell(
        f"{found.dag_id}.{found.task_id} failed: {context.get('exception')}",
        dag=found.dag_id,
        task=found.task_id,
        run=found.run_id,
        tries=found.try_number,
        owner=task.owner,
        error=str(context.get("exception")),
        url=found.log_url,
        next=task.doc_md or "",
    )


def on_deadline(minutes: float, context: dict[str, Any]) -> None:
    """Tell the webhook of a run that has not ended well in time."""
    run = context["dag_run"]
    name, number = run["dag_id"], run["dag_run_id"]
    _tell(f"{name} has not ended well within {minutes:g} minutes", dag=name, run=number)


def _tell(text: str, **facts: Any) -> None:
    """Post it as one JSON object; a webhook that does not answer fails no run a second time."""
    url = _webhook()
    if not url:
        _log.warning("%s; no webhook is set, so nobody is told", text)
        return
    body = json.dumps({"text": text, **facts}).encode()
    request = urllib.request.Request(  # noqa: S310 (the address is a setting)
        url, body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_WEBHOOK_S):  # noqa: S310
            _log.info("the webhook was told: %s", text)
    except OSError as error:
        _log.error("the webhook was not told (%s): %s", type(error).__name__, text)


def _webhook() -> str:
    """Its address, of a file: an environment can be read for as long as its process runs."""
    try:
        return Path(os.environ["JOBS_WEBHOOK_FILE"]).read_text(encoding="utf-8").strip()
    except (KeyError, FileNotFoundError):
        return ""
