"""A table with every column type of MySQL and MariaDB, its extremes, and what comes out of it.

``CASES`` is the one place that says what comes out: the capture writes the rows from it, the tests
compare the captured events with it. The values hold for the settings of ``connectors.config``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "CASES",
    "EXPECTED_NULL",
    "HIGH",
    "LOW",
    "ODD",
    "Case",
    "cases",
    "create_table",
    "insert",
    "insert_nulls",
]

LOW: Final = 1
HIGH: Final = 2
ODD: Final = 3
EXPECTED_NULL: Final = 4
_ROWS: Final = (LOW, HIGH, ODD)


@dataclass(frozen=True)
class Case:
    """One column: its type, three values as SQL, and the JSON value of each in an event."""

    name: str
    type: str
    sql: tuple[str, ...]
    json: tuple[Any, ...]
    only: str = ""
    # where a snapshot and the binlog give different JSON for the same value: the binlog's
    streamed: tuple[Any, ...] | None = None

    @property
    def column(self) -> str:
        """Name of the column."""
        return f"c_{self.name}"


def _us(seconds: int, micro: int = 0) -> int:
    return seconds * 1_000_000 + micro


_MAX_TEXT = "'\U0001f600'"
_DEC65 = "9" * 35 + "." + "9" * 30
_Y9999 = 253402300799
_Y1000 = -30610224000

CASES: Final[tuple[Case, ...]] = (
    Case("tinyint", "TINYINT", ("-128", "127", "0"), (-128, 127, 0)),
    Case("tinyint_u", "TINYINT UNSIGNED", ("0", "255", "128"), (0, 255, 128)),
    Case("smallint", "SMALLINT", ("-32768", "32767", "0"), (-32768, 32767, 0)),
    Case("smallint_u", "SMALLINT UNSIGNED", ("0", "65535", "32768"), (0, 65535, 32768)),
    Case("mediumint", "MEDIUMINT", ("-8388608", "8388607", "0"), (-8388608, 8388607, 0)),
    Case("mediumint_u", "MEDIUMINT UNSIGNED", ("0", "16777215", "8388608"), (0, 16777215, 8388608)),
    Case("int", "INT", ("-2147483648", "2147483647", "0"), (-2147483648, 2147483647, 0)),
    Case("int_u", "INT UNSIGNED", ("0", "4294967295", "2147483648"), (0, 4294967295, 2147483648)),
    Case("bigint", "BIGINT", (str(-(2**63)), str(2**63 - 1), "0"), (-(2**63), 2**63 - 1, 0)),
    Case("bigint_u", "BIGINT UNSIGNED", ("0", str(2**64 - 1), str(2**63)), (0, 2**64 - 1, 2**63)),
    Case("bool", "BOOLEAN", ("FALSE", "TRUE", "2"), (0, 1, 2)),
    Case("bit1", "BIT(1)", ("b'0'", "b'1'", "b'1'"), (False, True, True)),
    # base64 of the bits in little-endian bytes
    Case(
        "bit64",
        "BIT(64)",
        ("b'0'", "b'" + "1" * 64 + "'", "b'1'"),
        ("AAAAAAAAAAA=", "//////////8=", "AQAAAAAAAAA="),
    ),
    Case(
        "decimal65",
        "DECIMAL(65,30)",
        (f"-{_DEC65}", _DEC65, "0"),
        (f"-{_DEC65}", _DEC65, "0." + "0" * 30),
    ),
    Case(
        "decimal12",
        "DECIMAL(12,2)",
        ("-9999999999.99", "9999999999.99", "0.1"),
        ("-9999999999.99", "9999999999.99", "0.10"),
    ),
    Case("decimal0", "DECIMAL(5,0)", ("-99999", "99999", "0"), ("-99999", "99999", "0")),
    Case(
        "float",
        "FLOAT",
        ("-3.40282e38", "3.40282e38", "1.17549e-38"),
        (-3.40282e38, 3.40282e38, 1.17549e-38),
    ),
    Case(
        "double",
        "DOUBLE",
        ("-1.7976931348623157e308", "1.7976931348623157e308", "2.2250738585072014e-308"),
        (-1.7976931348623157e308, 1.7976931348623157e308, 2.2250738585072014e-308),
    ),
    Case(
        "char", "CHAR(4)", ("''", f"REPEAT({_MAX_TEXT}, 4)", "'a  '"), ("", "\U0001f600" * 4, "a")
    ),
    Case(
        "varchar",
        "VARCHAR(64)",
        ("''", f"REPEAT({_MAX_TEXT}, 64)", "'a \"q\" \\\\ \\n\\0 '"),
        ("", "\U0001f600" * 64, 'a "q" \\ \n\0 '),
    ),
    Case("varchar_default", "VARCHAR(8) DEFAULT 'set'", ("''", "'x'", "NULL"), ("", "x", None)),
    Case("latin1", "VARCHAR(8) CHARACTER SET latin1", ("''", "'ÿ€'", "'é'"), ("", "ÿ€", "é")),
    Case("tinytext", "TINYTEXT", ("''", "REPEAT('x', 255)", "'ß'"), ("", "x" * 255, "ß")),
    Case("text", "TEXT", ("''", "REPEAT('x', 1000)", "'東京'"), ("", "x" * 1000, "東京")),
    Case("mediumtext", "MEDIUMTEXT", ("''", "'x'", "'y'"), ("", "x", "y")),
    Case("longtext", "LONGTEXT", ("''", "'x'", "'y'"), ("", "x", "y")),
    Case(
        "binary", "BINARY(4)", ("''", "x'FFFFFFFF'", "x'01'"), ("AAAAAA==", "/////w==", "AQAAAA==")
    ),
    Case(
        "varbinary",
        "VARBINARY(8)",
        ("''", "x'FFFFFFFFFFFFFFFF'", "x'0100'"),
        ("", "//////////8=", "AQA="),
    ),
    Case("tinyblob", "TINYBLOB", ("''", "x'FF'", "x'00'"), ("", "/w==", "AA==")),
    Case("blob", "BLOB", ("''", "x'FF'", "x'00'"), ("", "/w==", "AA==")),
    Case("mediumblob", "MEDIUMBLOB", ("''", "x'FF'", "x'00'"), ("", "/w==", "AA==")),
    Case("longblob", "LONGBLOB", ("''", "x'FF'", "x'00'"), ("", "/w==", "AA==")),
    Case(
        "enum",
        "ENUM('a','b,c','')",
        ("'a'", "'b,c'", "''"),
        ("a", "b,c", ""),
        streamed=("a", "b\\,c", ""),
    ),
    Case("set", "SET('a','b','c')", ("''", "'a,b,c'", "'c,a'"), ("", "a,b,c", "a,c")),
    Case(
        "date", "DATE", ("'1000-01-01'", "'9999-12-31'", "'0000-00-00'"), (-354285, 2932896, None)
    ),
    Case(
        "date_required",
        "DATE NOT NULL",
        ("'1970-01-01'", "'9999-12-31'", "'0000-00-00'"),
        (0, 2932896, 0),
    ),
    Case(
        "date_year50",
        "DATE",
        ("'0050-01-01'", "'0001-01-01'", "'0099-12-31'"),
        (-701265, -719162, -683004),
    ),
    Case(
        "time",
        "TIME",
        ("'-838:59:59'", "'838:59:59'", "'-00:00:01'"),
        (_us(-3020399), _us(3020399), _us(-1)),
    ),
    Case(
        "time6",
        "TIME(6)",
        ("'-838:59:59.000000'", "'838:59:59.000000'", "'-00:00:00.000001'"),
        (_us(-3020399), _us(3020399), -1),
    ),
    Case(
        "datetime",
        "DATETIME",
        ("'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'0000-00-00 00:00:00'"),
        (_us(_Y1000), _us(_Y9999), None),
    ),
    *(
        Case(
            f"datetime{digits}",
            f"DATETIME({digits})",
            (
                "'1969-12-31 23:59:59.9'",
                f"'9999-12-31 23:59:59.{'9' * digits}'",
                "'2010-01-01 00:01:00'",
            ),
            (-100_000, _us(_Y9999, int(("9" * digits).ljust(6, "0"))), _us(1262304060)),
        )
        for digits in range(1, 7)
    ),
    # instants: the session that writes them is in UTC, the server in another zone
    Case(
        "timestamp",
        "TIMESTAMP NULL",
        ("'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'0000-00-00 00:00:00'"),
        ("1970-01-01T00:00:01Z", "2038-01-19T03:14:07Z", None),
        streamed=("1970-01-01T00:00:01Z", "2038-01-19T03:14:07Z", "1970-01-01T00:00:00Z"),
    ),
    Case(
        "timestamp6",
        "TIMESTAMP(6) NULL",
        ("'1970-01-01 00:00:01.000001'", "'2038-01-19 03:14:07.999999'", "'2010-01-01 00:01:00.5'"),
        ("1970-01-01T00:00:01.000001Z", "2038-01-19T03:14:07.999999Z", "2010-01-01T00:01:00.5Z"),
        streamed=(
            "1970-01-01T00:00:01.000001Z",
            "2038-01-19T03:14:07.999999Z",
            "2010-01-01T00:01:00.500000Z",
        ),
    ),
    Case("year", "YEAR", ("1901", "2155", "0"), (1901, 2155, 2000), streamed=(1901, 2155, 1900)),
    Case(
        "json",
        "JSON",
        ("'{}'", """'{"a": [1, null, "\\\\u00fc"], "b": 1.5}'""", "'null'"),
        ("{}", '{"a": [1, null, "\\u00fc"], "b": 1.5}', "null"),
        only="mariadb",
    ),
    Case(
        "json",
        "JSON",
        ("'{}'", """'{"a": [1, null, "\\\\u00fc"], "b": 1.5}'""", "'null'"),
        ("{}", '{"a": [1, null, "ü"], "b": 1.5}', "null"),
        only="mysql",
        streamed=("{}", '{"a":[1,null,"ü"],"b":1.5}', "null"),
    ),
    Case(
        "point",
        "POINT",
        (
            "ST_GeomFromText('POINT(-180 -90)')",
            "ST_GeomFromText('POINT(180 90)')",
            "ST_GeomFromText('POINT(0 0)')",
        ),
        (
            {"x": -180.0, "y": -90.0, "wkb": "AQEAAAAAAAAAAIBmwAAAAAAAgFbA", "srid": None},
            {"x": 180.0, "y": 90.0, "wkb": "AQEAAAAAAAAAAIBmQAAAAAAAgFZA", "srid": None},
            {"x": 0.0, "y": 0.0, "wkb": "AQEAAAAAAAAAAAAAAAAAAAAAAAAA", "srid": None},
        ),
    ),
    Case(
        "uuid",
        "UUID",
        tuple(f"'00000000-0000-0000-0000-00000000000{n}'" for n in (0, 1, 2)),
        tuple(f"00000000-0000-0000-0000-00000000000{n}" for n in (0, 1, 2)),
        only="mariadb",
    ),
    Case(
        "vector",
        "VECTOR(2)",
        tuple(f"STRING_TO_VECTOR('[{n}, 0.5]')" for n in (-1, 0, 1)),
        tuple([float(n), 0.5] for n in (-1, 0, 1)),
        only="mysql",
    ),
)


def cases(flavour: str) -> tuple[Case, ...]:
    """The columns that this kind of server has."""
    return tuple(case for case in CASES if case.only in ("", flavour))


def create_table(flavour: str, name: str) -> str:
    """``CREATE TABLE`` with one column for each case."""
    columns = ",\n".join(f"  {case.column} {case.type}" for case in cases(flavour))
    return f"CREATE TABLE {name} (\n  id INT NOT NULL PRIMARY KEY,\n{columns}\n)"


def insert(flavour: str, name: str, row: int, key: int) -> str:
    """``INSERT`` of the lows, the highs or the odd values under a key."""
    used = cases(flavour)
    names = ", ".join(case.column for case in used)
    values = ", ".join(case.sql[row - 1] for case in used)
    return f"INSERT INTO {name} (id, {names}) VALUES ({key}, {values})"


def insert_nulls(flavour: str, name: str, key: int) -> str:
    """``INSERT`` of a NULL wherever there may be one."""
    used = [case for case in cases(flavour) if "NOT NULL" not in case.type]
    names = ", ".join(case.column for case in used)
    nulls = ", ".join(["NULL"] * len(used))
    return (
        f"INSERT INTO {name} (id, c_date_required, {names}) VALUES ({key}, '1970-01-01', {nulls})"
    )
