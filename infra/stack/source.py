"""What the embedded source databases have in common: their users, their address and their TLS."""

from __future__ import annotations

from typing import Literal

from typing_extensions import override

from infra.database.users import APP, CDC, DATABASE, READ, REVIEW, user_statements
from infra.settings import secret
from infra.stack.certificates import authority, certificate, trusted
from infra.stack.component import HOST, Component, answers_mysql

__all__ = ["SourceServer"]

_USERS = {APP: "app", CDC: "cdc", READ: "read", REVIEW: "review"}


class SourceServer(Component):
    """A source database; its tables are made afterwards."""

    name = "source"
    flavour: Literal["mariadb", "mysql"]

    @property
    @override
    def address(self) -> str:
        return f"{HOST}:{self.ports['source']}/{DATABASE}"

    @override
    def exports(self) -> dict[str, str]:
        exports = {
            "FINLAKE_SOURCE_FLAVOUR": self.flavour,
            "FINLAKE_SOURCE_URL": f"mysql://{APP}:{self._password('app')}@{self.address}",
            "FINLAKE_SOURCE_REVIEW_URL": (
                f"mysql://{REVIEW}:{self._password('review')}@{self.address}"
            ),
            "FINLAKE_SOURCE_CDC_USER": CDC,
            "FINLAKE_SOURCE_CDC_PASSWORD": self._password("cdc"),
        }
        if self.settings.stack_tls:
            for name in ("FINLAKE_SOURCE_URL", "FINLAKE_SOURCE_REVIEW_URL"):
                exports[name] += "?tls=verify"
            exports["FINLAKE_SOURCE_CA"] = str(authority(self.settings.home))
        return exports

    @override
    def is_healthy(self) -> bool:
        return answers_mysql(
            self.ports["source"], APP, self._password("app"), DATABASE, trusted(self.settings)
        )

    def write_users(self, *first: str) -> None:
        """Write ``init.sql``, which makes the users at each start after these statements."""
        passwords = {user: self._password(whose) for user, whose in _USERS.items()}
        statements = [
            "SET sql_log_bin = 0",  # nothing of this concerns those who read the binary log
            *first,
            f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{self._password('root')}'",
            *user_statements(self.flavour, passwords, tls=self.settings.stack_tls),
        ]
        init = self.data / "init.sql"
        init.touch(mode=0o600)
        init.write_text("".join(f"{statement};\n" for statement in statements), encoding="utf-8")

    def tls_lines(self, otherwise: str = "") -> str:
        """Lines of the server's configuration: nobody is let in over plain TCP."""
        if not self.settings.stack_tls:
            return otherwise
        own = certificate(self.settings.home, self.name)
        return (
            "require-secure-transport=ON\n"
            "tls-version=TLSv1.2,TLSv1.3\n"
            f"ssl-ca={authority(self.settings.home)}\n"
            f"ssl-cert={own / 'public.crt'}\n"
            f"ssl-key={own / 'private.key'}"
        )

    def _password(self, whose: str) -> str:
        return secret(self.settings.home, f"source_{whose}_password")
