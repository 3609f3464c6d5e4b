"""docker-compose.yml, read into a strict model: what the tests of the stack in containers share.

The models are the part of the Compose specification that the file uses; a key that they do not
know, or a value of another kind, fails.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
START = ROOT / "infra" / "start_infra.sh"
DOCS = ROOT / "docs" / "operations" / "compose.md"
IMAGES = ROOT / "infra" / "images"

Profile = Literal["core", "bi", "ops", "scale", "all"]
Duration = Annotated[str, StringConstraints(pattern=r"^\d+(s|m)$")]
Port = Annotated[str, StringConstraints(pattern=r"^127\.0\.0\.1:\d{2,5}:\d{2,5}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$")]
Text = Annotated[str, Field(strict=True)]  # YAML's numbers and booleans must be quoted


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Build(Strict):
    context: Literal["."]
    dockerfile: str
    target: Name | None = None


class Healthcheck(Strict):
    test: list[Text] = Field(min_length=2)
    interval: Duration
    timeout: Duration
    retries: int = Field(ge=1)
    start_period: Duration


class Dependency(Strict):
    condition: Literal["service_healthy", "service_completed_successfully"]


class SecretUse(Strict):
    source: Name
    target: str


class Limits(Strict):
    cpus: Annotated[str, StringConstraints(pattern=r"^\d(\.\d)?$")]
    memory: Annotated[str, StringConstraints(pattern=r"^\d+[mg]$")]


class Resources(Strict):
    limits: Limits


class Deploy(Strict):
    resources: Resources


class Logging(Strict):
    driver: Literal["json-file"]
    options: dict[Literal["max-size", "max-file"], Text]


class Service(Strict):
    image: str
    build: Build | None = None
    profiles: list[Profile] = Field(min_length=1)
    restart: Literal["unless-stopped", "no"]
    networks: list[Name] = Field(min_length=1)
    security_opt: list[str]
    cap_drop: list[Literal["ALL"]] = []
    read_only: bool = False
    tmpfs: list[str] = []
    logging: Logging
    hostname: str | None = None
    command: list[Text] = []
    environment: dict[str, Text] = {}
    secrets: list[Name | SecretUse] = []
    volumes: list[str] = []
    ports: list[Port] = []
    depends_on: dict[Name, Dependency] = {}
    healthcheck: Healthcheck | None = None
    stop_grace_period: Duration = "10s"
    ulimits: dict[Literal["nofile"], int] = {}
    deploy: Deploy

    @property
    def once(self) -> bool:
        """Whether it does its work and ends."""
        return self.restart == "no"

    @property
    def host_ports(self) -> dict[int, int]:
        """Ports of the container by the port of the host that leads there."""
        return {int(port.split(":")[1]): int(port.split(":")[2]) for port in self.ports}

    @property
    def granted(self) -> dict[str, str]:
        """Secrets by the name of their file in the container."""
        return {
            use.target if isinstance(use, SecretUse) else use: (
                use.source if isinstance(use, SecretUse) else use
            )
            for use in self.secrets
        }

    @property
    def mounts(self) -> dict[str, tuple[str, bool]]:
        """Volumes by their place in the container: where from, and whether read-only."""
        parts = [volume.split(":") for volume in self.volumes]
        return {place: (source, mode == ["ro"]) for source, place, *mode in parts}

    @property
    def words(self) -> str:
        """All that it is told: environment, command and health check."""
        check = self.healthcheck.test if self.healthcheck else []
        return "\n".join([*self.environment.values(), *self.command, *check])


class Network(Strict):
    internal: bool = False


class Volume(Strict):
    pass


class Secret(Strict):
    file: str


class Stack(Strict):
    name: Literal["finlake"]
    services: dict[Name, Service]
    networks: dict[Name, Network]
    volumes: dict[Name, Volume]
    secrets: dict[Name, Secret]


def read_stack() -> Stack:
    document = yaml.safe_load(COMPOSE.read_text())
    return Stack(**{key: value for key, value in document.items() if not key.startswith("x-")})


STACK = read_stack()
SERVICES = STACK.services
ONCE = {name for name, service in SERVICES.items() if service.once}
OWN = {name: service.build for name, service in SERVICES.items() if service.build}
PUBLISHED = {name: sorted(s.host_ports) for name, s in SERVICES.items() if s.ports}


def megabytes(text: str) -> int:
    return int(text[:-1]) * {"m": 1, "g": 1024}[text[-1]]


def dockerfile(name: str) -> Path:
    """The Dockerfile of a service with an image of ours."""
    return ROOT / OWN[name].dockerfile


def froms(path: Path) -> list[str]:
    """Images that a Dockerfile stands on, without its own stages."""
    found = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", path.read_text(), re.MULTILINE)
    stages = {stage for _, stage in found if stage}
    return [image for image, _ in found if image not in stages]


def finlake_commands() -> list[str]:
    """Commands of FinLake that services run, or that the document lets `register` run."""
    lines = [" ".join(service.command) for service in SERVICES.values()]
    ran = [re.findall(r"finlake ([a-z]+(?: [a-z]+)?)(?= &&|$)", line) for line in lines]
    shown = re.findall(r"register finlake ([a-z]+)", DOCS.read_text())
    return sorted({*shown, *(words for found in ran for words in found)})


def shell(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it says."""
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def make_secrets(place: Path) -> dict[str, Path]:
    """Let a copy of start_infra.sh make its secrets below ``place``; the files by name."""
    script = place / "infra" / START.name
    script.parent.mkdir(exist_ok=True)
    shutil.copy(START, script)
    done = shell(script, "secrets")
    assert done.returncode == 0, done.stderr
    return {path.name: path for path in (place / "infra/compose/secrets").iterdir()}
