"""The root of the command line: which commands there are, and how each of them may end.

Commands are imported when they are called, so that ``finlake --help`` answers at once.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import click

from finlake.errors import FinlakeError

__all__ = ["COMMANDS", "Entry", "main"]

STOPPED = 130  # what a shell expects of a program that Ctrl-C ended: 128 + SIGINT


class Entry(NamedTuple):
    """A command: the section of the help it stands in, its module, and its line there."""

    section: str
    module: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "up": Entry("Stack", "stack", "Start the embedded stack and wait until it is healthy."),
    "down": Entry("Stack", "stack", "Stop it cleanly; all data stays."),
    "status": Entry("Stack", "stack", "Show each component, its state and its address."),
    "logs": Entry("Stack", "stack", "Show the log of one component."),
    "doctor": Entry("Stack", "stack", "Check that this machine has what FinLake needs."),
    "observe": Entry("Stack", "observe", "Freshness, lag, batches and components on one page."),
    "airflow": Entry("Stack", "stack", "Airflow's own command line, for the stack's Airflow."),
    "demo": Entry("Stack", "demo", "Everything at once: stack, data, streams, dashboard, traffic."),
    "load": Entry("Data", "data", "Load the Kaggle files into the source database."),
    "generate": Entry("Data", "data", "Fill the source with synthetic data of the same tables."),
    "traffic": Entry("Data", "data", "Commit live inserts, updates and deletes to the source."),
    "maintain": Entry(
        "Data", "maintain", "Keep the tables of batch jobs small: retention, vacuum."
    ),
    "connectors": Entry("Capture", "capture", "Apply, watch, pause and restart the connector."),
    "topics": Entry("Capture", "topics", "Look after the Kafka topics: list, browse, lag, empty."),
    "dead-letters": Entry("Capture", "letters", "Records that were set aside: show, replay."),
    "snapshot": Entry("Capture", "snapshot", "Read the whole source straight into the lake."),
    "stream": Entry("Stream", "stream", "Run the streaming jobs until stopped."),
    "alerts": Entry("Stream", "stream", "Publish alerts as the changes come, until stopped."),
    "score": Entry("Stream", "stream", "Score transactions as they come, until stopped."),
    "train": Entry("Models", "train", "Train a model of fraud, judge it and register it."),
    "promote": Entry("Models", "models", "Make the challenger the champion, through the gate."),
    "models": Entry("Models", "models", "List the registry's versions, and make model cards."),
    "drift": Entry("Models", "models", "Measure the champion's drift and decay."),
    "retrain": Entry("Models", "models", "Train again when it is called for, through the gate."),
    "forecast": Entry("Models", "forecast", "Forecast every customer's spending, with intervals."),
    "analytics": Entry("Figures", "analytics", "Segments, cohorts, value and risk of customers."),
    "report": Entry("Figures", "report", "Make a regulatory report, or one that was made before."),
    "verify": Entry("Check", "check", "Prove that source, silver and gold agree."),
    "freshness": Entry("Check", "observe", "Are the tables as new as their contracts want?"),
    "schemas": Entry("Check", "schemas", "Show, check and render the table contracts."),
    "features": Entry("Check", "features", "List and document the features of the models."),
    "bench": Entry("Check", "bench", "Measure freshness, throughput, alerts and models."),
    "query": Entry("Read", "query", "Ask the gold tables in SQL."),
    "catalogue": Entry("Read", "query", "Make the lake's tables known to Trino."),
    "dremio": Entry("Read", "dremio", "Set Dremio up on the lake, and keep it fresh."),
    "superset": Entry("Read", "superset", "Dashboards of Superset as code: import, export."),
    "dashboard": Entry("Read", "dashboard", "Serve the live dashboard."),
    "api": Entry("Read", "api", "Serve insights into customers' money by HTTP; manage its keys."),
    "client": Entry("Read", "client", "Ask the API from the terminal."),
    "settings": Entry("Read", "settings", "Show every setting, its value and its origin."),
}


class _LazyGroup(click.Group):
    """The commands of ``COMMANDS``; a module is imported when one of its commands is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"finlake.commands.{entry.module}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, items in groupby(COMMANDS.items(), key=lambda item: item[1].section):
            with formatter.section(section):
                formatter.write_dl([(name, entry.summary) for name, entry in items])


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`finlake COMMAND --help` shows a command's options and an example.",
)
@click.version_option(package_name="finlake", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """FinLake: card transactions from the source database to live gold tables.

    Exit codes: 0 good, 1 a check failed, 2 wrong use or setting, 3 a component is not there.

    \b
    Example:
      finlake up && finlake generate --transactions 100000 && finlake stream
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is one line on stderr.

    ``FINLAKE_DEBUG=1`` in the environment shows the Python trace before that line.
    """
    words = list(sys.argv[1:] if args is None else args)
    name = " ".join(["finlake", *[word for word in words if word in COMMANDS][:1]])
    try:
        result = root.main(words, prog_name="finlake", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return _end(STOPPED, f"{name}: stopped")
    except click.exceptions.NoArgsIsHelpError as error:
        path = error.ctx.command_path
        return _end(error.exit_code, f"{path}: a command is missing; try {path} --help")
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else name
        message = error.format_message().rstrip(".")
        return _end(
            error.exit_code, f"{path}: {message[:1].lower()}{message[1:]}; try {path} --help"
        )
    except click.ClickException as error:
        return _end(error.exit_code, f"{name}: {error.format_message()}")
    except FinlakeError as error:
        return _end(error.exit_code, f"{name}: {error}")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if importlib.util.find_spec(package):
            return _unexpected(name, error)
        return _end(3, f"{name}: the Python package {package} is not installed; run make setup")
    except Exception as error:  # noqa: BLE001 (the last net: a user gets a line, not a trace)
        return _unexpected(name, error)
    return result if type(result) is int else 0


def _unexpected(name: str, error: Exception) -> int:
    lines = str(error).strip().splitlines()
    said = f": {lines[0][:300]}" if lines else ""
    return _end(
        1, f"{name}: unexpected {type(error).__name__}{said}; FINLAKE_DEBUG=1 shows the trace"
    )


def _end(code: int, message: str) -> int:
    if os.environ.get("FINLAKE_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    click.echo(" ".join(message.splitlines()), err=True)
    return code
