"""Trino: SQL over the lake's tables for BI tools, with passwords, and for reading only."""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import urllib.request
from pathlib import Path

from typing_extensions import override

from finlake.errors import UsageProblem
from infra.security import TRUSTSTORE_PASSWORD, truststore
from infra.settings import Settings, secret
from infra.stack.certificates import authority, certificate, make_certificates
from infra.stack.component import HOST, Component
from infra.stack.ports import Wish
from infra.stack.progress import Progress
from infra.stack.trino_server import VERSION, fetch_trino, java_for_trino, trino_base
from lakehouse_schemas.generate import TRINO_RULES
from lakehouse_schemas.model import ROLES
from lakehouse_schemas.render.access import CATALOGUE_USER, REGISTRY, VIEW_OWNER
from lakehouse_schemas.render.views import CATALOGUE

__all__ = ["TRINO_USERS", "Trino", "trino_password"]

TRINO_USERS = (*ROLES, CATALOGUE_USER, VIEW_OWNER)
_ITERATIONS = 10_000  # of a password's hash; the passwords are 24 random bytes

# Passwords go over TLS alone, so the plain port answers nobody but Trino itself, by its secret.
_CONFIG = """\
coordinator=true
node-scheduler.include-coordinator=true
node.environment=finlake
node.id=finlake
node.bind-ip=127.0.0.1
node.internal-address=127.0.0.1
plugin.dir={base}/plugin
catalog.config-dir={etc}/catalog
discovery.uri=http://127.0.0.1:{internal}
http-server.http.port={internal}
http-server.https.enabled=true
http-server.https.port={port}
http-server.https.keystore.path={own}/keystore.pem
http-server.authentication.type=PASSWORD
password-authenticator.config-files={etc}/password-authenticator.properties
access-control.config-files={etc}/access-control.properties
internal-communication.shared-secret={shared}
hide-inaccessible-columns=true
catalog.management=static
# a small machine: one query may take half of the heap, and what it takes is known early
query.max-memory=400MB
query.max-memory-per-node=400MB
memory.heap-headroom-per-node=300MB
query.max-history=50
query.min-expire-age=5m
task.concurrency=2
task.max-worker-threads=4
task.http-response-threads=8
exchange.client-threads=4
node-scheduler.min-candidates=1
"""

_CATALOGUE = """\
connector.name=delta_lake
hive.metastore=file
hive.metastore.catalog.dir=local://{data}/metastore
fs.native-local.enabled=true
local.location=/
"""

_FOR_READERS = "delta.security=read_only\n"
_FOR_THE_CATALOGUE = "delta.register-table-procedure.enabled=true\n"

_S3 = """\
fs.native-s3.enabled=true
s3.endpoint={endpoint}
s3.region=us-east-1
s3.path-style-access=true
s3.aws-access-key={user}
s3.aws-secret-key={password}
"""

_JVM = (
    *("-Xms256m", "-Xmx1g", "-XX:MaxMetaspaceSize=384m", "-XX:ReservedCodeCacheSize=192m"),
    *("-XX:+UseParallelGC", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData"),
    *("-XX:-OmitStackTraceInFastThrow", "-XX:+EnableDynamicAgentLoading"),
    "-XX:PerMethodRecompilationCutoff=10000",
    "-XX:PerBytecodeRecompilationCutoff=10000",
    "-Djdk.attach.allowAttachSelf=true",
    "-Dfile.encoding=UTF-8",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)


def trino_password(home: Path, user: str) -> str:
    """The password of one of ``TRINO_USERS``; made at the first asking."""
    return secret(home, f"trino_{user}_password")


class Trino(Component):
    """One process that is coordinator and worker; users stand in ``TRINO_USERS``."""

    name = "trino"
    folder = "trino"
    needs = ("minio",)
    patience_s = 20

    @property
    @override
    def version(self) -> str:
        return f"Trino {VERSION}"

    @property
    @override
    def address(self) -> str:
        return f"https://{HOST}:{self.ports['trino']}"

    @classmethod
    @override
    def wishes(cls, settings: Settings, given: set[str]) -> list[Wish]:
        return [*super().wishes(settings, given), Wish("trino_internal")]

    @override
    def exports(self) -> dict[str, str]:
        return {
            "FINLAKE_TRINO_URL": self.address,
            "FINLAKE_TRINO_USER": "admin",
            "FINLAKE_TRINO_PASSWORD": trino_password(self.settings.home, "admin"),
            "FINLAKE_TRINO_CA": str(authority(self.settings.home)),
        }

    @override
    def fetch(self, progress: Progress) -> None:
        fetch_trino(progress)
        make_certificates(self.settings.home)
        if not certificate(self.settings.home, self.name).is_dir():
            raise UsageProblem(
                f"{self.settings.home / 'tls'} was made by an older version and has no certificate"
                " for Trino; run `finlake down`, remove that folder and try again"
            )

    @property
    def _etc(self) -> Path:
        return self.data / "etc"

    @override
    def prepare(self) -> None:
        super().prepare()
        home = self.settings.home
        self._write(
            "config.properties",
            _CONFIG.format(
                data=self.data,
                etc=self._etc,
                base=trino_base(),
                own=certificate(home, self.name),
                port=self.ports["trino"],
                internal=self.ports["trino_internal"],
                shared=secret(home, "trino_shared_secret", 32),
            ),
        )
        self._write(
            "password-authenticator.properties",
            f"password-authenticator.name=file\nfile.password-file={self._etc}/password.db\n",
        )
        passwords = {user: trino_password(home, user) for user in TRINO_USERS}
        self._write("password.db", "".join(f"{u}:{_hash(p)}\n" for u, p in passwords.items()))
        self._write(
            "access-control.properties",
            f"access-control.name=file\nsecurity.config-file={TRINO_RULES}\n",
        )
        catalogue = _CATALOGUE.format(data=self.data)
        if self.settings.lake.startswith("s3a:"):
            key = self.settings.s3_secret_key
            catalogue += _S3.format(
                endpoint=self.settings.s3_endpoint,
                user=self.settings.s3_access_key,
                password=key.get_secret_value() if key else "",
            )
        self._write(f"catalog/{CATALOGUE}.properties", catalogue + _FOR_READERS)
        self._write(f"catalog/{REGISTRY}.properties", catalogue + _FOR_THE_CATALOGUE)
        self._write("log.properties", "io.trino=WARN\nio.airlift=WARN\nBootstrap=WARN\n")

    def _write(self, name: str, text: str) -> None:
        """Write a file of the configuration; some hold secrets, so it is for the owner alone."""
        path = self._etc / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")

    @override
    def command(self) -> list[str]:
        trust = []
        if self.settings.lake.startswith("s3a:") and self.settings.s3_ca:
            store = truststore(self.settings, "s3_ca")
            trust = [
                f"-Djavax.net.ssl.trustStore={store}",
                "-Djavax.net.ssl.trustStoreType=PKCS12",
                f"-Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD}",
            ]
        return [
            java_for_trino(),
            *_JVM,
            *trust,
            f"-Dconfig={self._etc / 'config.properties'}",
            f"-Dlog.levels-file={self._etc / 'log.properties'}",
            "-Dlog.format=text",
            "-cp",
            f"{trino_base()}/lib/*",
            "io.trino.server.TrinoServer",
        ]

    @override
    def is_healthy(self) -> bool:
        """``/v1/info`` says when everything has started; it answers before that."""
        try:
            context = ssl.create_default_context(cafile=authority(self.settings.home))
            with urllib.request.urlopen(  # noqa: S310 (loopback)
                f"{self.address}/v1/info", timeout=2, context=context
            ) as answer:
                return json.load(answer)["starting"] is False
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False


def _hash(password: str) -> str:
    salt = hashlib.sha256(b"finlake" + password.encode()).digest()[:16]
    digest = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, _ITERATIONS, 64)
    return f"{_ITERATIONS}:{salt.hex()}:{digest.hex()}"
