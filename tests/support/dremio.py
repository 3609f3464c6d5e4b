"""A stand-in for Dremio's REST interface, since Dremio itself is in no registry.

It keeps what it is given in memory and follows https://docs.dremio.com/current/reference/api/,
whose page each answer names, and where that is silent the source of the community edition
(dremio-oss 25.2). It is strict: a field or a path that the pages do not name is refused, and so is
a change whose tag is not the newest.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

__all__ = ["DremioRestStandIn", "dremio_rest"]

Answer = tuple[int, Any]

# What the pages name of each object that a call may carry.
_OBJECT = {"entityType", "id", "tag", "path", "type", "name"}
_POLICY = {
    *("accelerationActivePolicyType", "accelerationRefreshPeriodMs", "accelerationGracePeriodMs"),
    *("accelerationNeverExpire", "accelerationNeverRefresh", "accelerationRefreshSchedule"),
}
_FIELDS = {
    "source": _OBJECT | _POLICY | {"config", "metadataPolicy", "description"},
    "space": {"entityType", "name"},
    "VIRTUAL_DATASET": _OBJECT | {"sql", "sqlContext"},
    "PHYSICAL_DATASET": _OBJECT | {"format", "accelerationRefreshPolicy"},
    "reflection": {
        *("id", "tag", "type", "name", "datasetId", "enabled", "dimensionFields", "measureFields"),
        *("displayFields", "distributionFields", "partitionFields", "sortFields"),
    },
    "user": {"@type", "name", "firstName", "lastName", "email", "password", "roles"},
    "config": {  # of an S3 source: container-source-config
        *("accessKey", "accessSecret", "credentialType", "secure", "rootPath", "enableAsync"),
        *("compatibilityMode", "isCachingEnabled", "maxCacheSpacePct", "whitelistedBuckets"),
        *("propertyList", "requesterPays", "enableFileStatusCheck", "defaultCtasFormat"),
        *("isPartitionInferenceEnabled", "externalBucketList", "awsProfile", "assumedRoleARN"),
    },
}
_EXISTING = "$DREMIO_EXISTING_VALUE$"
_MEASURES = {"SUM", "COUNT", "MIN", "MAX", "APPROX_COUNT_DISTINCT"}


class Refused(Exception):
    """A call that Dremio would refuse: the status, and the message of the error object."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = (status, {"errorMessage": message, "moreInfo": ""})


class DremioRestStandIn:
    """What Dremio knows; ``calls`` are the calls it got, as "METHOD path".

    Args:
        lake: folder that stands for the bucket: its folders are those that the source shows.
        enterprise: with roles and privileges.
    """

    ADMIN: ClassVar = ("finlake", "one2three4")

    def __init__(self, lake: Path, *, enterprise: bool = False) -> None:
        self.lake = lake
        self.enterprise = enterprise
        self.url = ""
        self.calls: list[str] = []
        self.users: dict[str, dict[str, Any]] = {}
        self.roles: dict[str, dict[str, Any]] = {}
        self.objects: dict[tuple[str, ...], dict[str, Any]] = {}
        self.reflections: dict[str, dict[str, Any]] = {}
        self.granted: dict[str, list[dict[str, Any]]] = {}
        self.refreshed: list[str] = []
        self.statements: list[str] = []
        self.jobs: dict[str, list[dict[str, Any]]] = {}
        self.failing_job = ""
        self.reachable = True

    def answer(self, method: str, path: str, headers: Any, body: Any) -> Answer:
        """What a call is answered."""
        self.calls.append(f"{method} {path}")
        place, _, _ = path.partition("?")
        try:
            if place == "/apiv2/login":  # api/#authentication
                return self._login(body)
            if place == "/apiv2/bootstrap/firstuser":  # BootstrapResource of dremio-oss
                return self._first(body)
            if headers.get("Authorization", "") not in self._tokens():
                raise Refused(401, "HTTP 401 Unauthorized")
            for pattern, call in self._routes():
                found = re.fullmatch(pattern, f"{method} {place}")
                if found:
                    return call(body, *map(unquote, found.groups()))
        except Refused as refused:
            return refused.answer
        return 404, {"errorMessage": "HTTP 404 Not Found", "moreInfo": ""}

    def _routes(self) -> Iterator[tuple[str, Callable[..., Answer]]]:
        catalog = "/api/v3/catalog"
        yield rf"GET {catalog}/by-path/(.+)", self._by_path
        yield rf"POST {catalog}", self._create
        yield rf"POST {catalog}/([^/]+)/refresh", self._refresh
        yield rf"POST {catalog}/([^/]+)", self._promote
        yield rf"PUT {catalog}/([^/]+)", self._change
        yield r"POST /api/v3/reflection", self._reflect
        yield r"GET /api/v3/reflection/([^/]+)", self._reflection
        yield r"PUT /api/v3/reflection/([^/]+)", self._change_reflection
        yield r"POST /api/v3/sql", self._sql
        yield r"GET /api/v3/job/([^/]+)", self._job
        yield r"GET /api/v3/job/([^/]+)/results", self._results
        if self.enterprise:
            yield r"GET /api/v3/role", lambda _: (200, {"data": [*self.roles.values()]})
            yield r"POST /api/v3/role", self._create_role
            yield r"GET /api/v3/role/by-name/([^/]+)", self._role
            yield r"PATCH /api/v3/role/([^/]+)/member", self._member
            yield r"GET /api/v3/user/by-name/([^/]+)", self._user
            yield r"POST /api/v3/user", self._create_user
            yield rf"GET {catalog}/([^/]+)/grants", self._grants
            yield rf"PUT {catalog}/([^/]+)/grants", self._grant

    # ── api/#authentication ──────────────────────────────────────────────────────────────────────

    def _tokens(self) -> set[str]:
        return {f"_dremiotoken-of-{name}" for name in self.users} | {"Bearer pat"}

    def _login(self, body: Any) -> Answer:
        _only(body, {"userName", "password"})
        if not self.users:  # NoUserFilter of dremio-oss
            raise Refused(403, "No User Available")
        user = self.users.get(body["userName"])
        if user is None or user["password"] != body["password"]:
            raise Refused(401, "Login failed: Invalid username or password")
        return 200, {"token": f"token-of-{body['userName']}", "userName": body["userName"]}

    def _first(self, body: Any) -> Answer:
        _only(body, {"userName", "password", "firstName", "lastName", "email"})
        if self.users:
            raise Refused(400, "First user can only be created when no user is already registered")
        self.users[body["userName"]] = {"id": _id(), "roles": [], **body}
        return 200, {"userName": body["userName"]}

    # ── api/catalog, source, container-space, view, table ────────────────────────────────────────

    def _by_path(self, _: Any, path: str) -> Answer:
        parts = tuple(path.split("/"))
        if parts in self.objects:
            return 200, _shown(self.objects[parts])
        if parts[:1] in self.objects and self.lake.joinpath(*parts[1:]).is_dir():
            return 200, {"entityType": "folder", "id": f"dremio:/{path}", "path": list(parts)}
        raise Refused(404, f"Could not find entity with path [{list(parts)}]")

    def _create(self, body: Any) -> Answer:
        kind = body["type"] if body["entityType"] == "dataset" else body["entityType"]
        if kind not in _FIELDS or kind == "PHYSICAL_DATASET":
            raise Refused(400, f"Catalog item of type [{kind}] can not be created.")
        self._valid(kind, body)
        path = tuple(body["path"]) if kind == "VIRTUAL_DATASET" else (body["name"],)
        if path in self.objects:
            raise Refused(409, f"{path} already exists")
        self.objects[path] = {**body, "id": _id(), "tag": _id(), **self._state(kind)}
        return 200, _shown(self.objects[path])

    def _valid(self, kind: str, body: Any) -> None:
        _only(body, _FIELDS[kind])
        if kind == "source":
            _only(body["config"], _FIELDS["config"])
            policy = body["metadataPolicy"]
            least = min(value for name, value in policy.items() if name.endswith("Ms"))
            if least < 60_000:
                raise Refused(400, "the least of the metadata policy is a minute")
            if body["accelerationRefreshPeriodMs"] < 3_600_000:
                raise Refused(400, "the least refresh period of reflections is an hour")
        if kind == "VIRTUAL_DATASET":
            if tuple(body["path"][:-1]) not in self.objects:
                raise Refused(400, f"Could not find the space [{body['path'][0]}].")
            for layer, table in re.findall(r"\blake\.(\w+)\.(\w+)", body["sql"]):
                if ("lake", layer, table) not in self.objects:
                    raise Refused(400, f"Object '{layer}.{table}' not found within 'lake'")

    def _state(self, kind: str) -> dict[str, Any]:
        return (
            {"state": {"status": "good" if self.reachable else "bad"}} if kind == "source" else {}
        )

    def _promote(self, body: Any, identity: str) -> Answer:
        _only(body, _FIELDS["PHYSICAL_DATASET"])
        path = tuple(body["path"])
        if identity != f"dremio:/{'/'.join(path)}":
            raise Refused(400, "Entity id does not match the path specified in the dataset.")
        if not self.lake.joinpath(*path[1:], "_delta_log").is_dir():
            raise Refused(400, "the folder is no Delta table")
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        kept = {"id": _id(), "tag": _id(), "lastMetadataRefreshAt": now}
        self.objects[path] = {**body, **kept}
        return 200, self.objects[path]

    def _change(self, body: Any, identity: str) -> Answer:
        path, found = self._of(identity)
        self._valid(body["type"] if body["entityType"] == "dataset" else body["entityType"], body)
        if body.get("tag") != found["tag"]:
            raise Refused(409, "the tag is not that of the newest version")
        kept = {key: found[key] for key in ("lastMetadataRefreshAt",) if key in found}
        self.objects[path] = {**body, "tag": _id(), **kept, **self._state(body["entityType"])}
        return 200, _shown(self.objects[path])

    def _refresh(self, _: Any, identity: str) -> Answer:
        path, _found = self._of(identity)
        self.refreshed.append(".".join(path))
        return 204, None

    def _of(self, identity: str) -> tuple[tuple[str, ...], dict[str, Any]]:
        for path, found in self.objects.items():
            if found["id"] == identity:
                return path, found
        raise Refused(404, f"Could not find dataset with id [{identity}].")

    # ── api/reflections ──────────────────────────────────────────────────────────────────────────

    def _reflect(self, body: Any) -> Answer:
        self._valid_reflection(body)
        identity = _id()
        status = {"config": "OK", "availability": "NONE", "combinedStatus": "REFRESHING"}
        self.reflections[identity] = {**body, "id": identity, "tag": _id(), "status": status}
        return 200, self.reflections[identity]

    def _valid_reflection(self, body: Any) -> None:
        _only(body, _FIELDS["reflection"])
        _, dataset = self._of(body["datasetId"])
        if body["type"] == "RAW" and not body.get("displayFields"):
            raise Refused(400, "a raw reflection needs display fields")
        if body["type"] == "AGGREGATION":
            for one in body["dimensionFields"]:
                if one.get("granularity", "DATE") not in ("DATE", "NORMAL"):
                    raise Refused(400, "the granularity is DATE or NORMAL")
            for one in body["measureFields"]:
                if not set(one["measureTypeList"]) <= _MEASURES:
                    raise Refused(400, "no such measure")
        sql = dataset.get("sql")
        names = [
            one["name"]
            for key in ("displayFields", "dimensionFields", "measureFields", "sortFields")
            for one in body.get(key, ())
        ]
        if sql and any(f'"{name}"' not in sql for name in names):
            raise Refused(400, "a field is not in the view")

    def _reflection(self, _: Any, identity: str) -> Answer:
        if identity not in self.reflections:
            raise Refused(404, f"No reflection found with id {identity}")
        return 200, self.reflections[identity]

    def _change_reflection(self, body: Any, identity: str) -> Answer:
        self._valid_reflection(body)
        if body.get("tag") != self.reflections[identity]["tag"]:
            raise Refused(409, "The reflection seems to have been modified by another flow.")
        self.reflections[identity] = {**body, "id": identity, "tag": _id()}
        return 200, self.reflections[identity]

    # ── api/sql, api/job ─────────────────────────────────────────────────────────────────────────

    def _sql(self, body: Any) -> Answer:
        _only(body, {"sql", "context", "references"})
        self.statements.append(body["sql"])
        job = _id()
        self.jobs[job] = []
        columns = {"reflection_id": "id", "reflection_name": "name", "dataset_id": "datasetId"}
        if body["sql"] == f"SELECT {', '.join(columns)} FROM sys.reflections":
            self.jobs[job] = [
                {column: one[key] for column, key in columns.items()}
                for one in self.reflections.values()
            ]
            return 200, {"id": job}
        refresh = re.fullmatch(
            r'ALTER TABLE "lake"\."(\w+)"\."(\w+)" REFRESH METADATA', body["sql"]
        )
        if not refresh:
            raise Refused(400, "the stand-in does not know this statement")
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.objects["lake", refresh[1], refresh[2]]["lastMetadataRefreshAt"] = now
        return 200, {"id": job}

    def _job(self, _: Any, job: str) -> Answer:
        asked = self.calls.count(self.calls[-1])
        if asked == 1:
            return 200, {"jobState": "RUNNING", "rowCount": 0}
        if self.failing_job:
            return 200, {"jobState": "FAILED", "rowCount": 0, "errorMessage": self.failing_job}
        return 200, {"jobState": "COMPLETED", "rowCount": len(self.jobs[job]), "errorMessage": ""}

    def _results(self, _: Any, job: str) -> Answer:
        query = dict(part.split("=") for part in self.calls[-1].partition("?")[2].split("&"))
        start, most = int(query["offset"]), int(query["limit"])
        if most > 500:
            raise Refused(400, "limit can not exceed 500 rows")
        rows = self.jobs[job]
        return 200, {"rowCount": len(rows), "schema": [], "rows": rows[start : start + most]}

    # ── api/roles, api/user, api/catalog/grants: the enterprise edition ──────────────────────────

    def _create_role(self, body: Any) -> Answer:
        _only(body, {"name", "description", "roles"})
        if body["name"].upper() in ("ADMIN", "PUBLIC"):
            raise Refused(400, "there is such a role already")
        found = {"id": _id(), "type": "INTERNAL", "roles": [], "memberCount": 0, **body}
        self.roles[body["name"]] = found
        return 200, found

    def _role(self, _: Any, name: str) -> Answer:
        if name not in self.roles:
            raise Refused(404, f"role {name} not found")
        return 200, self.roles[name]

    def _member(self, body: Any, identity: str) -> Answer:
        (role,) = [one for one in self.roles.values() if one["id"] == identity]
        for one in body:
            assert (one["op"], one["type"]) == ("add", "user")
            (user,) = [each for each in self.users.values() if each["id"] == one["id"]]
            user["roles"].append({key: role[key] for key in ("id", "name", "type")})
        return 200, None

    def _user(self, _: Any, name: str) -> Answer:
        if name not in self.users:
            raise Refused(404, f"No user {name}")
        return 200, {key: value for key, value in self.users[name].items() if key != "password"}

    def _create_user(self, body: Any) -> Answer:
        _only(body, _FIELDS["user"])
        self.users[body["name"]] = {"id": _id(), "roles": [], **body}
        return 200, {"id": self.users[body["name"]]["id"]}

    def _grants(self, _: Any, identity: str) -> Answer:
        return 200, {"id": identity, "grants": self.granted.get(identity, [])}

    def _grant(self, body: Any, identity: str) -> Answer:
        _only(body, {"grants"})
        for one in body["grants"]:
            _only(one, {"privileges", "granteeType", "id"})
        self._of(identity)
        self.granted[identity] = [{"name": "", **one} for one in body["grants"]]
        return 204, None


def _shown(entity: dict[str, Any]) -> dict[str, Any]:
    """Without its secret, which Dremio never gives back."""
    if entity["entityType"] != "source":
        return entity
    return {**entity, "config": {**entity["config"], "accessSecret": _EXISTING}}


def _only(body: Any, known: set[str]) -> None:
    unknown = sorted(set(body) - known)
    if unknown:
        raise Refused(400, f"Unrecognized field {', '.join(unknown)}")


def _id() -> str:
    return str(uuid.uuid4())


@contextmanager
def dremio_rest(lake: Path, *, enterprise: bool = False) -> Iterator[DremioRestStandIn]:
    """The stand-in, on a free port of loopback."""
    stand_in = DremioRestStandIn(lake, enterprise=enterprise)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = stand_in.answer(self.command, self.path, self.headers, body)
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_PATCH = answer  # noqa: N815 (names of the base class)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
