"""Every setting of FinLake, in one place.

A value comes from, first to last: an environment variable ``FINLAKE_NAME``, a line in ``.env``,
``<home>/stack.env`` (which the embedded stack writes), a file ``<home>/secrets/<name>``, the
default here.
"""

from __future__ import annotations

import difflib
import os
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from finlake.errors import UsageProblem

__all__ = ["Settings", "load_settings", "secret", "secret_files"]

_TOKEN_KEY_LENGTH: Final = 32  # bytes of SHA-256, below which HMAC loses strength


def secret(home: Path, name: str, length: int = 24) -> str:
    """The secret of that name in ``<home>/secrets``; made at the first asking, mode 0600.

    ``length`` is in random bytes; the text is hexadecimal.
    """
    folder = home / "secrets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / name
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(length))
    return path.read_text(encoding="ascii").strip()


def secret_files(home: Path) -> dict[str, str]:
    """The secret settings for which there is a file in ``<home>/secrets``."""
    found = {}
    for name, field in Settings.model_fields.items():
        path = home / "secrets" / name
        if "Secret" in str(field.annotation) and path.is_file():
            found[name] = path.read_text(encoding="utf-8").strip()
    return found


class Settings(BaseSettings):
    """What can be set; see the module for where values come from."""

    model_config = SettingsConfigDict(env_prefix="FINLAKE_", extra="ignore", frozen=True)

    home: Path = Field(Path(".finlake"), description="Folder of all state.")

    source_flavour: Literal["mariadb", "mysql", "postgresql"] = Field(
        "mariadb", description="Kind of source database."
    )
    source_url: SecretStr | None = Field(
        None, description="Source, mysql://user:password@host:port/database."
    )
    source_review_url: SecretStr | None = Field(
        None,
        description="Source as who judges alerts, mysql://user:password@host:port/database;"
        " without it the dashboard only shows them.",
    )
    source_cdc_user: str = Field("finlake_cdc", description="User of the connector.")
    source_cdc_password: SecretStr | None = Field(None, description="Its password.")
    source_ca: Path | None = Field(
        None, description="Authority of the source's certificate, PEM; the system's if empty."
    )
    source_epoch: int = Field(1, ge=1, description="Rises when the source is rebuilt.")

    lake: str = Field("", description="Tables: file:/folder or s3a://bucket; <home>/lake if empty.")
    s3_endpoint: str | None = Field(None, description="Object store, http[s]://host:port.")
    s3_access_key: str | None = Field(None, description="Object store user.")
    s3_secret_key: SecretStr | None = Field(None, description="Object store password.")
    s3_ca: Path | None = Field(
        None, description="Authority of its certificate, PEM; the system's if empty."
    )

    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Kafka, host:port.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How Kafka is spoken to."
    )
    kafka_ca: Path | None = Field(
        None, description="Authority of Kafka's certificate, PEM; the system's if empty."
    )
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "PLAIN"] = Field(
        "SCRAM-SHA-512", description="How Kafka's user proves itself."
    )
    kafka_user: str | None = Field(None, description="Kafka's user, for the SASL protocols.")
    kafka_password: SecretStr | None = Field(None, description="Its password.")
    connect_url: str = Field("http://127.0.0.1:8083", description="Kafka Connect's REST address.")
    connect_secrets_folder: str = Field(
        "",
        description="The connector's passwords, a folder as Connect sees it; in the home if empty.",
    )
    topic_partitions: int = Field(2, ge=1, description="Partitions of the transactions' topic.")
    topic_retention_hours: int = Field(168, ge=1, description="How long topics keep changes.")

    stack_tls: bool = Field(
        False, description="Embedded stack: TLS everywhere, and Kafka wants a password."
    )
    port_source: int = Field(0, description="Embedded source; 0 takes a free port.")
    port_kafka: int = Field(0, description="Embedded Kafka; 0 takes a free port.")
    port_connect: int = Field(0, description="Embedded Connect; 0 takes a free port.")
    port_minio: int = Field(0, description="Embedded MinIO; 0 takes a free port.")
    port_minio_console: int = Field(9901, description="MinIO's console, or the next free port.")
    port_spark_ui: int = Field(4040, description="Spark's pages, or the next free port.")
    dashboard_role: Literal["analyst", "operator", "admin", "login"] = Field(
        "operator",
        description="Dashboard: what everybody who opens it may do; login asks who they are.",
    )
    port_dashboard: int = Field(8501, description="Streamlit, or the next free port.")
    port_metrics: int = Field(9108, description="Prometheus metrics, or the next free port.")
    port_alerts: int = Field(
        9118, description="Prometheus metrics of the live alerts, or the next free port."
    )
    port_score: int = Field(
        9128, description="Prometheus metrics of the scoring, or the next free port."
    )
    port_prometheus: int = Field(9090, description="Prometheus, or the next free port.")
    port_observe: int = Field(
        9148, description="Figures of the stack as a whole for Prometheus, or the next free port."
    )
    port_verify: int = Field(
        9158, description="Figures of `finlake verify --watch` in the stack, or the next free port."
    )
    port_mlflow: int = Field(5000, description="MLflow's pages, or the next free port.")
    advertised_host: str = Field(
        "127.0.0.1",
        description="Name of the stream's machine, for Spark's executors; loopback closes it.",
    )

    port_trino: int = Field(8443, description="Trino, by https, or the next free port.")
    port_airflow: int = Field(8080, description="Airflow's pages, or the next free port.")
    jobs_webhook: SecretStr | None = Field(
        None,
        description="Where Airflow tells of failed jobs by POST, http[s]://...; nobody if empty.",
    )
    port_superset: int = Field(8088, description="Superset's pages, or the next free port.")

    mlflow_url: str | None = Field(
        None,
        description="MLflow's tracking server, http[s]://host:port; a store in the home if empty.",
    )
    trino_url: str | None = Field(None, description="Trino, https://host:port.")
    trino_user: str = Field("viewer", description="Who asks Trino.")
    trino_password: SecretStr | None = Field(None, description="Their password.")
    trino_ca: Path | None = Field(
        None, description="Authority of Trino's certificate, PEM; the system's if empty."
    )
    dremio_rest_url: str | None = Field(
        None, description="Dremio's pages and REST interface, http[s]://host:port."
    )
    dremio_url: str | None = Field(
        None, description="Dremio's Arrow Flight, grpc://host:port or grpc+tls://host:port."
    )
    dremio_user: str | None = Field(None, description="Who asks Dremio.")
    dremio_password: SecretStr | None = Field(None, description="Their password.")
    dremio_token: SecretStr | None = Field(
        None, description="A personal access token, in place of user and password."
    )
    dremio_ca: Path | None = Field(
        None, description="Authority of Dremio's certificate, PEM; the system's if empty."
    )
    dremio_routing_tag: str | None = Field(None, description="Tag that Dremio routes queries by.")
    dremio_routing_queue: str | None = Field(None, description="Queue that Dremio puts them in.")
    superset_url: str | None = Field(None, description="Superset, http[s]://host:port.")
    superset_user: str = Field("admin", description="Who imports and exports its dashboards.")
    superset_password: SecretStr | None = Field(None, description="Their password.")
    flightsql_url: str | None = Field(
        None, description="A Flight SQL server, grpc://host:port or grpc+tls://host:port."
    )
    flightsql_user: str | None = Field(None, description="Who asks it.")
    flightsql_password: SecretStr | None = Field(None, description="Their password.")
    flightsql_token: SecretStr | None = Field(
        None, description="A bearer token, in place of user and password."
    )
    flightsql_ca: Path | None = Field(
        None, description="Authority of its certificate, PEM; the system's if empty."
    )
    cost_missed_fraud: float = Field(
        100, ge=0, description="What a fraud costs that nobody sees, US dollars."
    )
    cost_false_alarm: float = Field(
        5, ge=0, description="What it costs to look at a genuine transaction, US dollars."
    )
    alarms_a_day: int = Field(100, ge=1, description="How many alarms a day can be looked at.")

    gate_days: int = Field(
        28, ge=7, description="Promotion: the newest so many days with labels are the contest."
    )
    gate_confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1,
        description="Promotion: how sure it has to be that the new one is better.",
    )
    gate_frauds: int = Field(30, ge=1, description="Promotion: fewest frauds in those days.")
    gate_segment_frauds: int = Field(
        20, ge=1, description="Fewest frauds of a segment that say how a model does in it."
    )
    gate_latency_ms: float = Field(
        50, gt=0, description="Promotion: most processor time to score 1,000 rows, p99."
    )
    drift_days: int = Field(28, ge=1, description="Drift: the newest so many days are compared.")
    drift_psi_warn: float = Field(0.1, gt=0, description="Drift: PSI from which on it warns.")
    drift_psi_alarm: float = Field(0.25, gt=0, description="Drift: PSI from which on it alarms.")
    drift_ks_warn: float = Field(0.1, gt=0, description="Drift: KS from which on it warns.")
    drift_ks_alarm: float = Field(0.2, gt=0, description="Drift: KS from which on it alarms.")
    decay_warn: float = Field(
        0.1, gt=0, description="Decay: share of the average precision whose loss warns."
    )
    decay_alarm: float = Field(
        0.25, gt=0, description="Decay: share of the average precision whose loss alarms."
    )
    decay_calibration: float = Field(
        1.5, gt=1, description="Decay: so many times the frauds foretold warn; its square alarms."
    )
    retrain_features: float = Field(
        0.2, gt=0, le=1, description="Share of the features in alarm that calls for a new training."
    )
    retrain_days: int = Field(
        30, ge=1, description="A champion is replaced when labels are so many days newer."
    )

    token_key_id: str = Field("k1", description="Id of the key that makes card tokens.")
    token_key: SecretStr | None = Field(
        None, description="That key, hexadecimal, 32 bytes or more."
    )

    mask_key: SecretStr | None = Field(
        None, description="The key of numbers that views show hashed; made in the home if empty."
    )

    spark_master: str = Field(
        "local[2]", description="Spark: local[N] in one process, spark://host:port on a cluster."
    )
    spark_driver_memory: str = Field("1g", description="Heap of the Spark driver.")
    stream_trigger_ms: int = Field(200, ge=0, description="Shortest time between micro-batches.")
    stream_max_offsets: int = Field(
        100_000, ge=1, description="Most Kafka records in a micro-batch."
    )
    stream_cache_mb: int = Field(
        256, ge=16, description="Memory for rows that the stream changed or looked up lately."
    )
    stream_checkpoint: str = Field("", description="Spark's checkpoint; in the home if empty.")
    score_trigger_ms: int = Field(
        100, ge=0, description="Shortest time between the beginnings of two scored batches."
    )
    score_commit_ms: int = Field(
        500, ge=0, description="Longest time that scores wait to be written to their table."
    )
    score_batch: int = Field(5_000, ge=1, description="Most Kafka records in a scored batch.")
    score_reload_seconds: float = Field(
        10, gt=0, description="How often the registry is asked for new models."
    )
    lake_history_minutes: int = Field(
        60, ge=5, description="How long replaced files stay, for readers and time travel."
    )
    delete_marker_days: int = Field(30, ge=1, description="How long deleted keys keep a marker.")

    port_api: int = Field(8000, description="The API, or the next free port.")
    api_url: str | None = Field(
        None, description="The API, http[s]://host:port; on this machine at its port if empty."
    )
    api_key: SecretStr | None = Field(
        None, description="Key by which `finlake client` and the dashboard ask it."
    )
    api_token_key: SecretStr | None = Field(
        None, description="Key that signs the API's tokens, 32 characters or more."
    )
    api_token_minutes: float = Field(15, gt=0, le=60, description="How long a token lives.")
    api_refresh_days: float = Field(30, gt=0, description="How long a session can be refreshed.")
    api_rate_key: str = Field("600/minute", description="Most requests of one key.")
    api_rate_address: str = Field("1200/minute", description="Most requests of one address.")
    api_rate_failures: str = Field("30/minute", description="Most bad keys from one address.")
    api_body_kb: int = Field(4096, ge=1, description="Largest body of a request, KiB.")
    api_timeout_s: float = Field(20, gt=0, description="Longest time until an answer, seconds.")
    api_fresh_ms: float = Field(
        50, ge=0, description="For how long the API takes gold's version for the newest."
    )
    api_heartbeat_seconds: float = Field(
        15, gt=0, description="How often the API tells who listens to alerts that it is there."
    )
    api_cors_origins: str = Field(
        "", description="Pages of others that may call the API, https://host, with commas."
    )
    api_docs: bool = Field(True, description="Whether the API serves /docs and /openapi.json.")
    api_https: bool = Field(False, description="Whether the API is reached by https alone.")

    redis_url: SecretStr | None = Field(
        None,
        description="Redis, redis[s]://:password@host:port/0: the API's workers share answers and"
        " limits there; each has its own if empty.",
    )
    redis_ca: Path | None = Field(
        None, description="Authority of its certificate, PEM; the system's if empty."
    )
    port_redis: int = Field(0, description="Embedded Redis; 0 takes a free port.")

    otlp_url: str | None = Field(
        None,
        description="OpenTelemetry collector for the API's traces, http[s]://host:4318; none if"
        " empty.",
    )
    otlp_share: float = Field(1.0, ge=0, le=1, description="Share of the requests traced.")

    value_margin: float = Field(
        0.015, ge=0, le=1, description="Share of what customers spend that is earned."
    )
    value_discount: float = Field(
        0.1, ge=0, description="Discount of the lifetime value, a share a year."
    )
    report_large_from: Decimal = Field(
        Decimal(3000), gt=0, description="Large transactions are reported from this, US dollars."
    )

    rule_amount_over: float = Field(3000, description="Alert above this amount, US dollars.")
    rule_testing_count: int = Field(4, description="Small amounts on a card that make a burst.")
    rule_testing_amount: float = Field(5, description="A small amount is at most this, US dollars.")
    rule_testing_minutes: int = Field(10, description="Length of a burst of small amounts.")
    rule_travel_kmh: float = Field(1000, description="Faster than this between uses is impossible.")
    rule_travel_min_km: float = Field(800, description="Shorter distances are never impossible.")
    rule_travel_hours: int = Field(24, description="How far back the last physical use may lie.")
    rule_declined_count: int = Field(3, description="Declines on a card that make a burst.")
    rule_declined_minutes: int = Field(15, description="Length of a burst of declines.")

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator(
        "source_ca",
        "s3_ca",
        "kafka_ca",
        "trino_ca",
        "dremio_ca",
        "flightsql_ca",
        "redis_ca",
        mode="before",
    )
    @classmethod
    def _authority(cls, value: str | Path | None) -> Path | None:
        return Path(value).expanduser().absolute() if value else None

    @field_validator("api_token_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < _TOKEN_KEY_LENGTH:
            raise ValueError(f"is shorter than {_TOKEN_KEY_LENGTH} characters")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value and urlsplit(value.get_secret_value()).scheme not in ("redis", "rediss"):
            raise ValueError("is neither redis:// nor rediss://")
        return value

    @field_validator("lake")
    @classmethod
    def _known_lake(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in ("file", "s3a"):
            raise ValueError("is neither file:/folder nor s3a://bucket")
        return value.rstrip("/")

    @model_validator(mode="before")
    @classmethod
    def _lake_in_home(cls, values: dict[str, Any]) -> dict[str, Any]:
        if not values.get("lake"):
            home = Path(values.get("home") or ".finlake").expanduser().absolute()
            values["lake"] = f"file:{home / 'lake'}"
        return values

    @property
    def listen_host(self) -> str:
        """Where the stream listens: on loopback, unless others must reach it by its name."""
        return "127.0.0.1" if self.advertised_host in ("127.0.0.1", "localhost") else "0.0.0.0"  # noqa: S104

    @property
    def api_address(self) -> str:
        """Where the API is."""
        return self.api_url or f"http://127.0.0.1:{self.port_api}"

    @property
    def on_cluster(self) -> bool:
        """Whether Spark's executors are other processes than the stream's."""
        return self.spark_master.partition("[")[0] != "local"

    @property
    def token_key_bytes(self) -> bytes:
        """The key of card tokens; made in the home at the first asking when none is set."""
        text = (
            self.token_key.get_secret_value()
            if self.token_key
            else secret(self.home, "token_key", 32)
        )
        return bytes.fromhex(text)

    @property
    def mask_key_text(self) -> str:
        """The key of hashes in views; made in the home at the first asking when none is set."""
        if self.mask_key:
            return self.mask_key.get_secret_value()
        return secret(self.home, "mask_key", 32)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The places that values come from, the first wins."""
        return init_settings, env_settings, dotenv_settings, _SecretFiles(settings_cls)


class _SecretFiles(PydanticBaseSettingsSource):
    """Settings that are secret, each from the file of its name in ``<home>/secrets``."""

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self().get(field_name), field_name, False

    @override
    def __call__(self) -> dict[str, Any]:
        home = self.current_state.get("home")
        return secret_files(Path(home)) if home else {}


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; keyword arguments win over every other place.

    Raises:
        UsageProblem: one line that names the setting and what it may be.
    """
    _refuse_unknown()
    first = Settings.model_construct(home=_home(overrides))
    try:
        return Settings(
            _env_file=(first.home / "stack.env", ".env"),
            **{"home": first.home, **overrides},
        )
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        name = "FINLAKE_" + "_".join(str(part) for part in problem["loc"]).upper()
        raise UsageProblem(
            f"setting {name}: {problem['msg']}; `finlake settings` lists them all"
        ) from None


def _refuse_unknown() -> None:
    """A misspelt name would otherwise be passed over without a word."""
    known = [f"FINLAKE_{name.upper()}" for name in Settings.model_fields] + ["FINLAKE_DEBUG"]
    for name in sorted({*os.environ, *dotenv_values(".env")}):
        if name.startswith("FINLAKE_") and name.upper() not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else "; `finlake settings` lists them all"
            raise UsageProblem(f"setting {name}: there is no such setting{hint}")


def _home(overrides: dict[str, Any]) -> Path:
    if "home" in overrides:
        return Path(overrides["home"]).expanduser().absolute()
    from_env = os.environ.get("FINLAKE_HOME")
    if from_env is None:
        from_env = dotenv_values(".env").get("FINLAKE_HOME")
    return Path(from_env or ".finlake").expanduser().absolute()
