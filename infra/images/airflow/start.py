"""Starts Airflow's API server in its own environment: its tables once, then the server.

Run with the Python of that environment: ``start.py MARK SERVER ...``. The file ``MARK`` holds the
version that made the tables; what follows is run at the end, in place of this process.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path


def main(mark: Path, server: list[str]) -> None:
    """Prepare what this version has not prepared yet, and become the server."""
    wanted = version("apache-airflow")
    if not mark.exists() or mark.read_text(encoding="ascii") != wanted:
        from airflow.utils.db import initdb

        initdb()
        mark.write_text(wanted, encoding="ascii")
    os.execvp(server[0], server)  # noqa: S606 (no shell is meant)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
