"""How the components are spoken to safely: TLS, passwords, and who may see them.

One place turns the settings into the form that each client wants; nobody else names a security
property.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from finlake.errors import UsageProblem
from infra.settings import Settings

if TYPE_CHECKING:
    from pydantic import SecretStr
    from pyspark.sql import SparkSession

__all__ = [
    "TRUSTSTORE_PASSWORD",
    "connect_secrets",
    "java_kafka_options",
    "kafka_options",
    "s3_storage_options",
    "s3a_options",
    "secret_reference",
    "set_s3a_password",
    "source_ssl",
    "source_tls",
    "spark_kafka_options",
    "trust_s3",
    "truststore",
    "write_connect_secrets",
]

SourceTls = Literal["off", "auto", "required", "verify"]

# Java's customary one: the store holds certificates of authorities, which are no secret.
TRUSTSTORE_PASSWORD: Final = "changeit"  # noqa: S105
_LOGIN: Final = {
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
}
_SYSTEM_CERTIFICATES: Final = "/etc/ssl/certs"


# ── Kafka ────────────────────────────────────────────────────────────────────────────────────────


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Options of a confluent-kafka client, the address among them.

    Raises:
        UsageProblem: the protocol wants a user and there is none.
    """
    protocol = settings.kafka_security_protocol
    options = {"bootstrap.servers": settings.kafka_bootstrap}
    if protocol == "PLAINTEXT":
        return options
    options["security.protocol"] = protocol
    if protocol.endswith("SSL") and settings.kafka_ca:
        options["ssl.ca.location"] = str(settings.kafka_ca)
    if protocol.startswith("SASL"):
        user, password = _kafka_login(settings)
        options |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": user,
            "sasl.password": password,
        }
    return options


def java_kafka_options(settings: Settings, jaas: str | None = None) -> dict[str, str]:
    """Security options of a Java client, without the address; none for plain text.

    ``jaas`` stands in for the line with user and password, for configurations that others can
    read.

    Raises:
        UsageProblem: the protocol wants a user and there is none.
    """
    protocol = settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return {}
    options: dict[str, str] = {"security.protocol": protocol}
    if protocol.endswith("SSL") and settings.kafka_ca:
        options["ssl.truststore.type"] = "PEM"
        options["ssl.truststore.location"] = str(settings.kafka_ca)
    if protocol.startswith("SASL"):
        options["sasl.mechanism"] = settings.kafka_sasl_mechanism
        options["sasl.jaas.config"] = jaas or kafka_jaas(settings)
    return options


def spark_kafka_options(settings: Settings) -> dict[str, str]:
    """Options of Spark's Kafka source and sink, the address among them. Raises as the others do."""
    options = {"bootstrap.servers": settings.kafka_bootstrap, **java_kafka_options(settings)}
    return {f"kafka.{name}": value for name, value in options.items()}


def kafka_jaas(settings: Settings) -> str:
    """The line by which a Java client logs in. Raises UsageProblem where there is no user."""
    user, password = _kafka_login(settings)
    return (
        f"{_LOGIN[settings.kafka_sasl_mechanism]} required"
        f" username={_quoted(user)} password={_quoted(password)};"
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _kafka_login(settings: Settings) -> tuple[str, str]:
    user, password = settings.kafka_user, settings.kafka_password
    if not user or not password:
        missing = "PASSWORD" if user else "USER"
        raise UsageProblem(
            f"setting FINLAKE_KAFKA_{missing}: not set, and FINLAKE_KAFKA_SECURITY_PROTOCOL="
            f"{settings.kafka_security_protocol} wants a user and a password"
        )
    return user, password.get_secret_value()


# ── Passwords that Connect reads from files ──────────────────────────────────────────────────────


def connect_secrets(settings: Settings) -> str:
    """The folder of the connector's passwords, as Connect sees it."""
    return settings.connect_secrets_folder or str(_own_connect_secrets(settings))


def _own_connect_secrets(settings: Settings) -> Path:
    return settings.home / "secrets" / "connect"


def secret_reference(settings: Settings, name: str) -> str:
    """What stands in a configuration of Connect's instead of the secret of that name."""
    return f"${{secrets:{connect_secrets(settings)}:{name}}}"


def write_connect_secrets(settings: Settings) -> bool:
    """Bring that folder up to date, when it is the home's own; says whether a file changed.

    It holds what the connector needs and nothing else, as whoever reaches Connect's REST interface
    can make it read there.

    Raises:
        UsageProblem: Kafka's protocol wants a user and there is none.
    """
    if settings.connect_secrets_folder:
        return False
    folder = _own_connect_secrets(settings)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    password = settings.source_cdc_password
    wanted = {"source_cdc_password": password.get_secret_value() if password else ""}
    if settings.kafka_security_protocol.startswith("SASL"):
        wanted["kafka_jaas"] = kafka_jaas(settings)
    changed = [_replace(folder / name, text.encode()) for name, text in wanted.items()]
    return any(changed)


def _replace(path: Path, content: bytes) -> bool:
    """Write a file for the owner alone, in one step; False when it was so already."""
    if path.is_file() and path.read_bytes() == content:
        return False
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)
    return True


# ── The source ───────────────────────────────────────────────────────────────────────────────────


def source_tls(url: str) -> SourceTls:
    """What the source's URL asks for by ``?tls=``; off by default on this machine, else auto.

    Raises:
        UsageProblem: it asks for something unknown.
    """
    parts = urlsplit(url)
    default = "off" if _is_loopback(parts.hostname or "") else "auto"
    asked = dict(parse_qsl(parts.query)).get("tls", default)
    for known in ("off", "auto", "required", "verify"):
        if asked == known:
            return known
    raise UsageProblem(
        f"setting FINLAKE_SOURCE_URL: tls={asked} is unknown; use off, auto, required or verify"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def source_ssl(settings: Settings, address: SecretStr | None = None) -> dict[str, Any]:
    """Arguments of ``pymysql.connect`` for the TLS that the source's URL asks for.

    ``address`` is another URL of the source than that of the application's user.

    ``auto`` is PyMySQL's own way: TLS where the server has it, without a look at its certificate.

    Raises:
        UsageProblem: the URL asks for something unknown, or FINLAKE_SOURCE_CA cannot be read.
    """
    asked = address or settings.source_url
    tls = source_tls(asked.get_secret_value() if asked else "")
    if tls == "off":
        return {"ssl_disabled": True}
    if tls == "auto":
        return {}
    if tls == "verify":
        return {"ssl": _context("FINLAKE_SOURCE_CA", settings.source_ca)}
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return {"ssl": context}


def _context(setting: str, authority: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise _unreadable(setting, authority, error) from None


def _unreadable(setting: str, authority: Path | None, error: Exception) -> UsageProblem:
    reason = getattr(error, "strerror", None) or error
    return UsageProblem(
        f"setting {setting}: {authority} is no readable PEM certificate ({reason}); correct it"
    )


# ── Java's truststores ───────────────────────────────────────────────────────────────────────────


def truststore(settings: Settings, name: Literal["source_ca", "s3_ca"]) -> Path | None:
    """The authority of that setting as a Java truststore in the home; None when none is set.

    Raises:
        UsageProblem: its file cannot be read.
    """
    authority: Path | None = getattr(settings, name)
    if authority is None:
        return None
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    place = settings.home / "tls" / f"{name}.p12"
    try:
        pem = authority.read_bytes()
        if place.is_file() and place.stat().st_mtime_ns >= authority.stat().st_mtime_ns:
            return place
        found = x509.load_pem_x509_certificates(pem)
    except (OSError, ValueError) as error:
        raise _unreadable(f"FINLAKE_{name.upper()}", authority, error) from None
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    certificates = [
        pkcs12.PKCS12Certificate(certificate, f"{name}-{number}".encode())
        for number, certificate in enumerate(found)
    ]
    encryption = BestAvailableEncryption(TRUSTSTORE_PASSWORD.encode())
    _replace(place, pkcs12.serialize_java_truststore(certificates, encryption))
    return place


# ── The object store ─────────────────────────────────────────────────────────────────────────────


def s3_storage_options(settings: Settings) -> dict[str, str]:
    """Options of delta-rs for the lake's bucket; also makes this process trust ``s3_ca``."""
    trust_s3(settings)
    key = settings.s3_secret_key
    return {
        "aws_endpoint": settings.s3_endpoint or "",
        "aws_access_key_id": settings.s3_access_key or "",
        "aws_secret_access_key": key.get_secret_value() if key else "",
        "aws_region": "us-east-1",
        "aws_allow_http": "false" if _is_https(settings) else "true",
        # A commit is a put that fails when the version is there already.
        "aws_conditional_put": "etag",
    }


def trust_s3(settings: Settings) -> None:
    """Make delta-rs in this process trust ``s3_ca``, beside what the system trusts.

    It knows no option for that; it reads these variables when it first opens a bucket.
    """
    if settings.s3_ca and _is_https(settings):
        os.environ["SSL_CERT_FILE"] = str(settings.s3_ca)
        os.environ.setdefault("SSL_CERT_DIR", _SYSTEM_CERTIFICATES)


def s3a_options(settings: Settings) -> dict[str, str]:
    """Spark's settings of the object store, without the password: see :func:`set_s3a_password`.

    Raises:
        UsageProblem: FINLAKE_S3_CA cannot be read.
    """
    options = {
        "spark.hadoop.fs.s3a.endpoint": settings.s3_endpoint or "",
        "spark.hadoop.fs.s3a.access.key": settings.s3_access_key or "",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "true" if _is_https(settings) else "false",
    }
    store = truststore(settings, "s3_ca") if _is_https(settings) else None
    if store is not None:
        trust = (
            f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStoreType=PKCS12"
            f" -Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD}"
        )
        options["spark.driver.defaultJavaOptions"] = trust
        options["spark.executor.defaultJavaOptions"] = trust
    return options


def set_s3a_password(session: SparkSession, settings: Settings) -> None:
    """Give the object store's password to a session that has just started.

    Spark's settings stand in the arguments of its process, where every user of the machine can
    read them; this goes to its Hadoop configuration, from where jobs take it to their executors.
    """
    key = settings.s3_secret_key
    context: Any = session.sparkContext
    hadoop = context._jsc.hadoopConfiguration()
    hadoop.set("fs.s3a.secret.key", key.get_secret_value() if key else "")


def _is_https(settings: Settings) -> bool:
    return urlsplit(settings.s3_endpoint or "").scheme == "https"
