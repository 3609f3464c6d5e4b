"""Why a connector failed, in words: the root cause of a Java trace and the way out of it.

Pure. ``docs/operations/capture.md`` tells each way out at length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Explanation", "explain", "root_cause"]

_LONGEST: Final = 300
_RECOVER: Final = (
    "run `finlake connectors recover`, which starts a new epoch and reads every table again"
)


@dataclass(frozen=True)
class Explanation:
    """``kind`` is a word for programs, ``why`` and ``next_step`` are for people."""

    kind: str
    why: str
    next_step: str

    def __str__(self) -> str:
        return f"{self.why}; {self.next_step}"

    @classmethod
    def of(cls, kind: str) -> Explanation:
        """The explanation of a known kind."""
        return next(cls(kind, why, step) for name, _, why, step in _KNOWN if name == kind)


# First match wins: the particular before the general. A named group `what` is put into the text.
_KNOWN: Final[tuple[tuple[str, str, str, str], ...]] = (
    (
        "server-log-gone",
        r"no longer available on the server"
        r"|binary log files? .*purged|required binlog files have been purged"
        r"|Could not find first log file name in binary log index file"
        r"|requested starting GTID .* is not in the (?:master|source)'s binlog"
        r"|Client requested (?:master|source) to start replication from (?:impossible )?position",
        "the source no longer has the change log from where the connector stopped"
        " (purged, or started again)",
        f"raise binlog_expire_logs_seconds and {_RECOVER}",
    ),
    (
        "history-missing",
        r"(?:db|schema) history topic(?: or its content)? is (?:fully or partially )?missing",
        "the schema-history topic is missing or has lost records, so old changes cannot be read",
        f"never delete it or let it expire; {_RECOVER}",
    ),
    (
        "schema-unknown",
        r"whose schema isn't known to this connector",
        "a change came for a table whose columns the schema history does not have",
        _RECOVER,
    ),
    (
        "server-id",
        r"same server_uuid/server_id",
        "another connector or replica reads the source under the same server id",
        "stop the other one (two stacks with one FINLAKE_HOME?), then `finlake connectors restart`",
    ),
    (
        "lock-tables",
        r"does not have the '(?P<what>LOCK TABLES)' privilege",
        "the connector's user lacks {what}, which the snapshot needs",
        "GRANT it, then `finlake connectors restart`",
    ),
    (
        "privileges",
        r"you need \(at least one of\) the (?P<what>[A-Z, ]+?) privilege",
        "the connector's user lacks {what} on the source",
        "GRANT it on *.*, then `finlake connectors restart`",
    ),
    (
        "privileges",
        r"(?P<what>[A-Z, ]+?) command denied to user .* for table",
        "the connector's user may not {what} in a service table (heartbeat or signal)",
        "GRANT SELECT, INSERT, UPDATE, DELETE on finlake_heartbeat and finlake_signal,"
        " then `finlake connectors restart`",
    ),
    (
        "credentials",
        r"Access denied for user '(?P<what>[^']*)'",
        "the source refuses the user {what} or its password",
        "correct FINLAKE_SOURCE_CDC_USER and FINLAKE_SOURCE_CDC_PASSWORD,"
        " then `finlake connectors apply`",
    ),
    (
        "source-away",
        r"Socket fail to connect|Communications link failure|Connection refused"
        r"|Connect timed out|UnknownHostException",
        "the source database does not answer",
        "start it or correct FINLAKE_SOURCE_URL, then `finlake connectors apply`",
    ),
    (
        "ddl",
        r"DDL statement couldn't be parsed.*?the statement '(?P<what>[^\n]{0,120}?)(?='?\n|'?$)",
        "Debezium cannot read a DDL statement of the source: {what}",
        f"undo it, then {_RECOVER}",
    ),
    (
        "columns",
        r"Error processing row in (?P<what>\S+), internal schema size",
        "table {what} has other columns than the schema history says (DDL past the binlog?)",
        _RECOVER,
    ),
    (
        "plugin",
        r"Failed to find any class that implements Connector and which name matches (?P<what>\S+?),"
        r"|Class (?P<what2>\S+) could not be found",
        "Kafka Connect has no {what}",
        "put its jar on Connect's class path (`finlake doctor`), restart Connect,"
        " then `finlake connectors apply`",
    ),
    (
        "too-large",
        r"RecordTooLargeException|message is \d+ bytes when serialized which is larger",
        "a change is larger than Kafka takes in one message",
        "raise Kafka's message.max.bytes to 8388608 (what the connector sends at most), then"
        " `finlake connectors restart`",
    ),
    (
        "topic",
        r"UnknownTopicOrPartitionException|not present in metadata after",
        "a topic is missing or Kafka does not answer",
        "`finlake topics create`, then `finlake connectors restart`",
    ),
)


def explain(trace: str) -> Explanation:
    """Recognise a Java trace or a message of Kafka Connect."""
    for kind, pattern, why, next_step in _KNOWN:
        match = re.search(pattern, trace, re.DOTALL)
        if match:
            what = next((text for text in match.groupdict().values() if text), "")
            return Explanation(kind, why.format(what=_one_line(what)), next_step)
    return Explanation(
        "unknown",
        root_cause(trace),
        "read Kafka Connect's log (`finlake logs connect`), then `finlake connectors restart`",
    )


def root_cause(trace: str) -> str:
    """The last cause of a Java trace in one line; of another text its first lines."""
    causes = re.split(r"^Caused by: ", trace, flags=re.MULTILINE)
    cause = re.split(r"^\s+(?:at |\.\.\. \d+ more)", causes[-1], flags=re.MULTILINE)[0]
    return _one_line(re.sub(r"^(?:[a-z]\w*\.)+(\w+): ", r"\1: ", cause))


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
