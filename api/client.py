"""The API from Python, typed: questions and answers are the models of :mod:`api.schemas`.

>>> with Client("http://127.0.0.1:8000", "fl_...") as client:       # doctest: +SKIP
...     client.anomaly(AskTransaction(at=now, amount="12.50", card_id=3)).probability
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Generator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from api.access import PREFIX
from api.problems import ProblemBody
from api.schemas import budget as b
from api.schemas import forecasts as f
from api.schemas import goals as g
from api.schemas import insights as i
from api.schemas import models as m
from api.schemas import predictions as p
from api.schemas import recommendations as r
from api.schemas import session as s
from api.schemas.base import Page
from api.schemas.money import AboutMoney
from finlake.errors import ComponentMissing, FinlakeError

__all__ = ["Client", "Refused"]

Kind = TypeVar("Kind", bound=BaseModel)


class Refused(FinlakeError):
    """The service said no; ``problem`` is what it said."""

    def __init__(self, problem: ProblemBody) -> None:
        wrong = "".join(f"; {one.place}: {one.reason}" for one in problem.errors[:3])
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}{wrong}")
        self.problem = problem


class Client:
    """One connection; use it from one thread.

    Every method raises ``Refused`` when the service says no, and ``ComponentMissing`` when it does
    not answer.

    Args:
        url: where the service is, ``http://host:port`` or ``https://host``.
        key: an API key.
        timeout_s: longest wait for an answer.
    """

    def __init__(self, url: str, key: str, timeout_s: float = 30.0) -> None:
        self._url = url
        place = urlsplit(url)
        made = (
            http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = made(place.netloc, timeout=timeout_s)
        self._base = place.path.rstrip("/") + PREFIX
        self._key = key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def anomaly(self, asked: p.AskTransaction) -> p.Anomaly:
        """How likely a transaction is a fraud, and why."""
        return self._post("/predict/anomaly", asked, p.Anomaly)

    def category(self, asked: p.AskCategory) -> p.Category:
        """Which category a transaction is likely of."""
        return self._post("/predict/category", asked, p.Category)

    def amount(self, asked: p.AskAmount) -> p.Expected:
        """What a purchase is likely to cost."""
        return self._post("/predict/amount", asked, p.Expected)

    def batch(self, asked: p.AskBatch) -> p.Batch:
        """One of these for up to 10,000 rows."""
        return self._post("/predict/batch", asked, p.Batch)

    def validate(self, asked: p.AskBatch) -> p.Validated:
        """What is wrong with each row."""
        return self._post("/predict/validate", asked, p.Validated)

    def health_score(self, asked: i.AskHealth) -> i.Health:
        """Financial health."""
        return self._post("/insights/health-score", asked, i.Health)

    def budget(self, asked: b.AskBudget) -> b.Budget:
        """A monthly budget."""
        return self._post("/budget/recommend", asked, b.Budget)

    def subscriptions(self, asked: r.AskSubscriptions) -> r.Subscriptions:
        """What recurs."""
        return self._post("/recommendations/subscriptions", asked, r.Subscriptions)

    def opportunities(self, asked: AboutMoney) -> r.Opportunities:
        """What could be saved."""
        return self._post("/recommendations/opportunities", asked, r.Opportunities)

    def cash_flow(self, asked: f.AskCashFlow) -> f.CashFlow:
        """How an account will stand."""
        return self._post("/forecast/cashflow", asked, f.CashFlow)

    def trends(self, asked: i.AskHealth) -> i.Trends:
        """The score month over month and quarter over quarter."""
        return self._post("/insights/trends", asked, i.Trends)

    def budget_alerts(self, asked: b.AskAlerts) -> b.Alerts:
        """Which of this month's budgets will not hold."""
        return self._post("/budget/alerts", asked, b.Alerts)

    def savings(self, asked: f.AskMonths) -> f.Savings:
        """What the next months will leave."""
        return self._post("/predictions/savings", asked, f.Savings)

    def reverse_plan(self, asked: g.AskReverse) -> g.ReversePlan:
        """What a goal takes a month."""
        return self._post("/goals/reverse-plan", asked, g.ReversePlan)

    def feasibility(self, asked: g.AskFeasibility) -> g.Feasibility:
        """How likely a goal is reached in time."""
        return self._post("/goals/feasibility", asked, g.Feasibility)

    def every_key(self) -> Generator[s.KeyShown]:
        """All keys, dead ones among them; page after page."""
        after: str | None = ""
        while after is not None:
            found = Page[s.KeyShown].model_validate(self.ask("GET", f"/keys?after={after}"))
            yield from found.items
            after = found.next

    def create_key(self, asked: s.AskKey, once: str | None = None) -> s.NewKey:
        """A new key; ``once`` is an idempotency key, by which the same again is done once."""
        return s.NewKey.model_validate(self.ask("POST", "/keys", _plain(asked), once=once))

    def rotate_key(self, key_id: str, once: str | None = None) -> s.NewKey:
        """A new secret for a key; ``once`` as in :meth:`create_key`."""
        return s.NewKey.model_validate(self.ask("POST", f"/keys/{key_id}/rotate", once=once))

    def revoke_key(self, key_id: str) -> s.KeyShown:
        """End a key and its sessions."""
        return s.KeyShown.model_validate(self.ask("DELETE", f"/keys/{key_id}"))

    def models(self) -> m.Status:
        """Which models answer."""
        return m.Status.model_validate(self.ask("GET", "/models/status"))

    def ask(self, method: str, path: str, body: Any = None, once: str | None = None) -> Any:
        """Any question, plainly: ``path`` is below the version's prefix; the answer's JSON.

        ``once`` is an idempotency key: the same write again under it is done once.
        """
        answer = self._sent(method, path, body, {"Idempotency-Key": once} if once else {})
        text = answer.read()
        if answer.status >= 400:
            raise Refused(_problem(answer.status, text))
        return json.loads(text) if text else None

    def alerts(self, last: str = "") -> Generator[tuple[str, dict[str, Any]]]:
        """Alerts as they are raised, each with its id; from behind ``last`` when that is given.

        It ends when the service ends it; come again with the last id.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        answer = self._sent("GET", "/alerts/stream", None, headers)
        if answer.status >= 400:
            raise Refused(_problem(answer.status, answer.read()))
        event: dict[str, str] = {}
        try:
            while line := answer.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if line != "\n":
                    event[name] = value
                    continue
                if event.get("event") == "alert":
                    yield event["id"], json.loads(event["data"])
                event = {}
        except (OSError, http.client.HTTPException) as error:
            raise self._missing(error) from None
        finally:
            self._connection.close()  # what is left of the stream is no answer to a next question

    def _post(self, path: str, asked: BaseModel, kind: type[Kind]) -> Kind:
        return kind.model_validate(self.ask("POST", path, _plain(asked)))

    def _sent(
        self, method: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        content = None if body is None else json.dumps(body).encode()
        own = {"X-API-Key": self._key, "Content-Type": "application/json", **headers}
        idle = self._connection.sock is not None
        try:
            try:
                self._connection.request(method, self._base + path, content, own)
                return self._connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                if not idle:
                    raise
                self._connection.close()  # the service closes what has been idle for too long
                self._connection.request(method, self._base + path, content, own)
                return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise self._missing(error) from None

    def _missing(self, error: Exception) -> ComponentMissing:
        return ComponentMissing(
            f"the API at {self._url} does not answer ({error}); `finlake api serve` starts it"
        )


def _plain(asked: BaseModel) -> Any:
    """The question as JSON: cents as the exact texts that the service wants."""
    return json.loads(asked.model_dump_json(exclude_none=True, exclude_unset=True))


def _problem(status: int, text: bytes) -> ProblemBody:
    try:
        return ProblemBody.model_validate_json(text)
    except ValidationError:
        return ProblemBody(
            type="about:blank", title="No problem+json", status=status, detail="", instance=""
        )
