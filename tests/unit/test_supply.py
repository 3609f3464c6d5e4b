"""The bill of materials, the licences that are accepted, and the search for secrets."""

import json
import subprocess
import sys
from importlib.metadata import PathDistribution

import pytest

from infra.stack.jars import read_lock
from tests.support.stack import PROJECT
from tests.support.supply import Part, bill, is_accepted, licences, main, parts


@pytest.mark.parametrize(
    "licence",
    ["MIT", "Apache-2.0 AND BSD-3-Clause", "Mozilla Public License 2.0 (MPL 2.0)", "LGPL-3.0-only"],
)
def test_licences_without_conditions_on_use_are_accepted(licence):
    assert is_accepted(Part("some", "1", licence))


@pytest.mark.parametrize(
    "licence",
    [
        "",
        "Proprietary",
        "GPL-3.0-or-later",
        "AGPL-3.0",
        "GNU Affero General Public License, or MIT",
        "SSPL-1.0",
        "BUSL-1.1",
        "Elastic-2.0",
        "Apache-2.0 with Commons-Clause",
        "CC-BY-NC-4.0",
        "MIT, for non-commercial use",
    ],
)
def test_any_other_licence_is_not(licence):
    assert not is_accepted(Part("some", "1", licence))


def test_a_tool_of_development_may_be_under_the_gpl():
    assert is_accepted(Part("yamllint", "1", "GPL-3.0-or-later"))


def _distribution(tmp_path, name, metadata, files=()):
    folder = tmp_path / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n{metadata}")
    names = [f"{folder.name}/METADATA", *files]
    (folder / "RECORD").write_text("".join(f"{path},,\n" for path in names))
    return PathDistribution(folder)


def test_a_licence_is_read_from_wherever_a_package_says_it(tmp_path):
    (tmp_path / "LICENSE").write_text("\nISC License\n\nPermission to use ...\n")
    given = [
        _distribution(tmp_path, "expression", "License-Expression: MIT OR Apache-2.0\n"),
        _distribution(
            tmp_path, "classifier", "Classifier: License :: OSI Approved :: BSD License\n"
        ),
        _distribution(tmp_path, "field", "License: Zlib\n"),
        _distribution(tmp_path, "file", "", ["LICENSE"]),
        _distribution(tmp_path, "silent", ""),
    ]
    assert {part.name: part.licence for part in parts(given)} == {
        "expression": "MIT OR Apache-2.0",
        "classifier": "BSD License",
        "field": "Zlib",
        "file": "ISC License",
        "silent": "",
    }


def test_the_bill_names_every_package_and_every_jar_with_its_hash():
    python, jars = parts(), read_lock()
    found = json.loads(bill(python, jars))
    assert found["specVersion"] == "1.6"
    by_purl = {one["purl"]: one for one in found["components"]}
    assert len(by_purl) == len(python) + len(jars)
    jar = next(jar for jar in jars if jar.artifact == "debezium-connector-mysql")
    purl = f"pkg:maven/{jar.group}/{jar.artifact}@{jar.version}?type=jar"
    assert by_purl[purl]["hashes"] == [{"alg": "SHA-256", "content": jar.sha256}]


def test_the_list_of_licences_is_a_table():
    table = licences([Part("one", "1", "MIT"), Part("two", "2", "")])
    assert table.splitlines()[2:] == ["| one | 1 | MIT |", "| two | 2 | unknown |"]


def test_a_package_under_another_licence_is_named_and_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tests.support.supply.parts", lambda: [Part("odd", "3", "SSPL-1.0")])
    assert main(tmp_path) == 1
    assert "odd 3: licence SSPL-1.0 is not accepted" in capsys.readouterr().err
    assert (tmp_path / "licences.md").read_text().count("odd") == 1


def test_a_secret_that_is_not_in_the_baseline_is_found(tmp_path):
    leaked = tmp_path / "leaked.py"
    key = "AKIA" + "Q3EGRIZT5HNEVJ2Q"  # in two parts, or it would be found here
    leaked.write_text(f'access = "{key}"\n')
    baseline = tmp_path / "baseline"
    baseline.write_text((PROJECT / ".secrets.baseline").read_text())
    hook = [sys.executable, "-m", "detect_secrets.pre_commit_hook", "--baseline", baseline]
    found = subprocess.run(
        [*hook, leaked], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert "AWS Access Key" in found.stdout
