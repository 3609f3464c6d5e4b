"""Kafka and Kafka Connect, each one Java process."""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import subprocess
import uuid
from pathlib import Path

from typing_extensions import override

from finlake.errors import ComponentMissing, UsageProblem
from infra.security import (
    connect_secrets,
    java_kafka_options,
    secret_reference,
    write_connect_secrets,
)
from infra.settings import Settings, secret
from infra.stack.certificates import authority, certificate, trusted
from infra.stack.component import CONF, HOST, Component, answers_http, java
from infra.stack.jars import fetch_jars, jar_paths
from infra.stack.ports import Wish
from infra.stack.progress import Progress

__all__ = ["Connect", "Kafka"]

_USER = "finlake"

_BROKER = """\
# one process is broker and controller
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={protocol}://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={protocol}://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
log.dirs={data}/data
num.partitions=1
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=4
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=16777216
message.max.bytes=8388608
replica.fetch.max.bytes=8388608
"""

# Added to the above for FINLAKE_STACK_TLS; the controller knows its broker by its certificate.
_BROKER_TLS = """\
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:SSL
security.inter.broker.protocol=SASL_SSL
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}
listener.name.sasl_ssl.plain.sasl.jaas.config={plain}
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={own}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={authority}
"""

_WORKER = """\
bootstrap.servers={bootstrap}
group.id=finlake-connect
listeners=http://127.0.0.1:{port}
rest.advertised.host.name=127.0.0.1
config.storage.topic=finlake.connect-configs
offset.storage.topic=finlake.connect-offsets
status.storage.topic=finlake.connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
offset.flush.interval.ms=1000
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter.schemas.enable=false
connector.client.config.override.policy=All
# start fast: no search through every class, no waiting for other workers
plugin.discovery=service_load
scheduled.rebalance.max.delay.ms=0
# a worker that was killed is forgotten soon, so that its successor need not wait for it
session.timeout.ms=6000
heartbeat.interval.ms=2000
# passwords stay in files: a configuration that can be asked for names them
config.providers=secrets
config.providers.secrets.class=org.apache.kafka.common.config.provider.DirectoryConfigProvider
config.providers.secrets.param.allowed.paths={secrets}
"""

# The serial collector and small heaps: two cores and a shared memory budget.
_SMALL = ["-XX:+UseSerialGC", "-XX:MaxMetaspaceSize=192m", "-Xss512k", "-XX:-UsePerfData"]


def _java_command(group: str, heap_mb: int, *arguments: str) -> list[str]:
    return [
        java(),
        "-Xms64m",
        f"-Xmx{heap_mb}m",
        *_SMALL,
        f"-Dlog4j2.configurationFile={CONF / 'log4j2.xml'}",
        "-cp",
        ":".join(str(path) for path in jar_paths(group)),
        *arguments,
    ]


class Kafka(Component):
    """A broker that is its own controller."""

    name = "kafka"
    folder = "kafka"

    @property
    @override
    def version(self) -> str:
        return "Kafka 4.3.1"

    @property
    @override
    def address(self) -> str:
        return f"{HOST}:{self.ports['kafka']}"

    @classmethod
    @override
    def wishes(cls, settings: Settings, given: set[str]) -> list[Wish]:
        return [*super().wishes(settings, given), Wish("kafka_controller")]

    @override
    def exports(self) -> dict[str, str]:
        exports = {"FINLAKE_KAFKA_BOOTSTRAP": self.address}
        authority = trusted(self.settings)
        if authority is None:
            return exports
        return exports | {
            "FINLAKE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "FINLAKE_KAFKA_CA": str(authority),
            "FINLAKE_KAFKA_USER": _USER,
            "FINLAKE_KAFKA_PASSWORD": self._password,
        }

    @property
    def _password(self) -> str:
        return secret(self.settings.home, "kafka_password")

    @override
    def fetch(self, progress: Progress) -> None:
        java()
        fetch_jars(["kafka"], progress)
        if self.settings.stack_tls and self._formatted.exists() and not self._with_user.exists():
            raise UsageProblem(
                f"setting FINLAKE_STACK_TLS: {self.data} was made by an older version and knows no"
                " users; set FINLAKE_HOME to another folder"
            )

    @property
    def _config(self) -> Path:
        return self.data / "server.properties"

    @override
    def prepare(self) -> None:
        super().prepare()
        config = _BROKER.format(
            protocol="SASL_SSL" if self.settings.stack_tls else "PLAINTEXT",
            broker=self.ports["kafka"],
            controller=self.ports["kafka_controller"],
            data=self.data,
        )
        if self.settings.stack_tls:
            config += self._tls()
        self._config.touch(mode=0o600)
        self._config.write_text(config, encoding="utf-8")
        if not self._formatted.exists():
            self._format()

    def _tls(self) -> str:
        login = f'required username="{_USER}" password="{self._password}"'
        modules = "org.apache.kafka.common.security"
        return _BROKER_TLS.format(
            scram=f"{modules}.scram.ScramLoginModule {login};",
            plain=f'{modules}.plain.PlainLoginModule {login} user_{_USER}="{self._password}";',
            own=certificate(self.settings.home, self.name),
            authority=authority(self.settings.home),
        )

    @property
    def _formatted(self) -> Path:
        return self.data / "data" / "meta.properties"

    @property
    def _with_user(self) -> Path:
        return self.data / "with_user"

    def _format(self) -> None:
        """Make the log folders; the user is made too, so that TLS can be switched on later."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        command = _java_command("kafka", 128, "kafka.tools.StorageTool", "format")
        arguments = self.data / "format.arguments"  # arguments of a process can be read by all
        arguments.touch(mode=0o600)
        arguments.write_text(
            f"--ignore-formatted\n--cluster-id\n{cluster.replace('-', 'A')}\n--config\n"
            f"{self._config}\n--add-scram\n"
            f"SCRAM-SHA-512=[name={_USER},password={self._password}]\n",
            encoding="utf-8",
        )
        done = subprocess.run(
            [*command, f"@{arguments}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        arguments.unlink()
        self._with_user.touch()
        if done.returncode:
            reason = " ".join(done.stdout.split())[-300:]
            raise ComponentMissing(f"Kafka cannot format {self.data / 'data'}: {reason}")

    @override
    def command(self) -> list[str]:
        return _java_command("kafka", 384, "kafka.Kafka", str(self._config))

    @override
    def is_healthy(self) -> bool:
        """A broker answers requests from when it has joined its cluster."""
        request = struct.pack(">hhih", 18, 0, 1, -1)  # ApiVersions, version 0, no client id
        try:
            with self._connected() as link:
                link.settimeout(1)
                link.sendall(struct.pack(">i", len(request)) + request)
                answer = link.recv(10)
        except OSError:
            return False
        return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (1, 0)

    def _connected(self) -> socket.socket:
        link = socket.create_connection((HOST, self.ports["kafka"]), timeout=1)
        authority = trusted(self.settings)
        if authority is None:
            return link
        context = ssl.create_default_context(cafile=authority)
        return context.wrap_socket(link, server_hostname=HOST)


class Connect(Component):
    """A Connect worker with the Debezium connectors on its class path."""

    name = "connect"
    folder = "connect"
    needs = ("source", "kafka")
    # Its two shutdown hooks can block each other for a minute; what is not flushed is read again.
    patience_s = 15

    @property
    @override
    def version(self) -> str:
        return "Connect 4.3.1, Debezium 3.5.0"

    @property
    @override
    def address(self) -> str:
        return f"http://{HOST}:{self.ports['connect']}"

    @override
    def exports(self) -> dict[str, str]:
        return {"FINLAKE_CONNECT_URL": self.address}

    @override
    def fetch(self, progress: Progress) -> None:
        java()
        fetch_jars(["connect"], progress)

    @override
    def prepare(self) -> None:
        super().prepare()
        bootstrap = (
            f"{HOST}:{self.ports['kafka']}"
            if "kafka" in self.ports
            else self.settings.kafka_bootstrap
        )
        write_connect_secrets(self.settings)
        config = _WORKER.format(
            bootstrap=bootstrap,
            port=self.ports["connect"],
            secrets=connect_secrets(self.settings),
        )
        # for itself, and for the clients that it starts for its connectors
        options = java_kafka_options(self.settings, secret_reference(self.settings, "kafka_jaas"))
        for prefix in ("", "producer.", "consumer.", "admin."):
            config += "".join(f"{prefix}{name}={value}\n" for name, value in options.items())
        (self.data / "connect.properties").write_text(config, encoding="utf-8")

    @override
    def command(self) -> list[str]:
        main = "org.apache.kafka.connect.cli.ConnectDistributed"
        return _java_command("connect", 512, main, str(self.data / "connect.properties"))

    @override
    def is_healthy(self) -> bool:
        """``/health`` answers 200 when the worker has joined its group and read its topics."""
        return answers_http(f"{self.address}/health")
