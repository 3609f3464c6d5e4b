"""Starts Superset in its own environment: its tables and first user once, then the server.

Run with the Python of that environment: ``start.py MARK PASSWORD-FILE SERVER ...``. The
file ``MARK`` holds the version that made the tables; what follows the password's file is run at the
end, in place of this process.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path


def prepare(password: str) -> None:
    """Make or renew the tables, the roles of Superset itself and the user ``admin``."""
    from flask_migrate import upgrade
    from superset.app import create_app

    with create_app().app_context():
        import superset
        from superset import security_manager
        from superset.extensions import appbuilder

        upgrade(directory=str(Path(superset.__file__).parent / "migrations"))
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        if security_manager.find_user("admin") is None:
            made = security_manager.add_user(
                username="admin",
                first_name="Fin",
                last_name="Lake",
                email="admin@finlake.invalid",
                role=security_manager.find_role("Admin"),
                password=password,
            )
            if not made:
                raise SystemExit("the user admin could not be made; the lines above say why")


def main(mark: Path, password: Path, server: list[str]) -> None:
    """Prepare what this version has not prepared yet, and become the server."""
    wanted = version("apache-superset")
    if not mark.exists() or mark.read_text(encoding="ascii") != wanted:
        prepare(password.read_text(encoding="ascii").strip())
        mark.write_text(wanted, encoding="ascii")
    os.execv(server[0], server)  # noqa: S606 (no shell is meant)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
