"""What all tests share: each folder's marker, one Hypothesis profile, a home of one's own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

TESTS = Path(__file__).parent
MARKERS = {"security": "integration", "benchmarks": "benchmark"}  # other folders: their own name
MARKED = {"spark", "integration", "chaos", "browser", "bi", "airflow", *MARKERS}

# A test's Java programs live for a minute or two, in which compiling well does not pay: with the
# quick compiler alone, a stack with Spark comes up in three fifths of the processor time.
os.environ.setdefault("_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

# Shared machines stall; what a test takes is the business of benchmarks.
hypothesis.settings.register_profile("finlake", deadline=None, print_blob=True)
hypothesis.settings.load_profile("finlake")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in MARKED:
            item.add_marker(MARKERS.get(folder, folder))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty FINLAKE_HOME; the working directory has no .env that could speak into the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINLAKE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """Give ``__main__`` back: Streamlit's tests leave a page there, which spawned children run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before
