"""While traffic runs, the source's log never seems to be behind what the connector has read."""

from contextlib import contextmanager

import connectors
from connectors import epoch as epochs
from connectors.config import parse_source
from infra.settings import load_settings


class Moving:
    """A source whose log goes on at each look, and a connector that has read all of it: a mock,
    since a real one goes on when it likes."""

    def __init__(self) -> None:
        self.position = 100

    def log_range(self, _cursor: object) -> tuple[int, tuple[int, int]]:
        self.position += 1
        return 1, (1, self.position)

    def offset(self, _name: str) -> dict[str, object]:
        self.position += 1
        return {"file": "binlog.000001", "pos": self.position}

    def config(self, _name: str) -> dict[str, str]:
        return {epochs.EPOCH_KEY: "1"}


def test_a_log_that_goes_on_begins_no_epoch(tmp_path, monkeypatch):
    @contextmanager
    def cursor(*_: object, **__: object):
        yield None

    moving = Moving()
    monkeypatch.setattr(connectors, "cursor", cursor)
    monkeypatch.setattr(connectors, "log_range", moving.log_range)
    monkeypatch.setattr(connectors.preflight, "inspect", lambda *_: None)
    monkeypatch.setattr(connectors.preflight, "judge", lambda *_: [])
    monkeypatch.setattr(connectors, "identity", lambda *_: "its own")
    monkeypatch.setattr(connectors, "ensure_beat", lambda *_: "")
    monkeypatch.setattr(connectors, "write_connect_secrets", lambda *_: False)
    url = "mysql://somebody:x@127.0.0.1:3306/finance"  # pragma: allowlist secret
    settings = load_settings(home=tmp_path, source_url=url)
    memory = epochs.Memory(1, "its own", ran=True)
    who, decision, _ = connectors._examine(
        settings,
        parse_source(settings),
        moving,  # type: ignore[arg-type]
        memory,
        lambda _: None,
    )
    assert (who, decision) == ("its own", epochs.Decision(1, None))
