"""What a lake knows of models, made up from a seed: a champion, a challenger, and how they did."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from math import exp
from random import Random

from models.mcnemar import mcnemar
from tests.browser.gold import Row, World

CHAMPION, CHALLENGER, PREVIOUS = 3, 4, 2
FEATURES = [
    "amount", "amount_over_card_mean", "card_count_10min", "card_count_24h", "card_ratio_90d",
    "chip_not_used", "day_of_month", "hour", "is_online", "merchant_fraud_run", "merchant_sum_7d",
    "minutes_since_last", "score",
]  # fmt: skip
THRESHOLD = 0.31


def add_models(world: World, *, roles: bool = True, seed: int = 5) -> None:
    """Everything that the models' page shows, over the world's transactions."""
    rng = Random(seed)
    until = max(t["transaction_ts"] for t in world.transactions)
    if roles:
        world.write("model_versions", versions(until))
        world.write("model_decisions", decided(until))
    scored = [score(t, rng) for t in world.transactions[len(world.transactions) // 3 :]]
    world.write("fraud_scores", scored)
    world.write("model_comparison", compared(scored, until))
    world.write("model_drift", drifted(until, rng))
    world.write("model_decay", decayed(until))


def versions(until: datetime) -> list[Row]:
    """Three versions; the champion had been the challenger before."""
    metrics = {
        "average precision": {"value": 0.752, "low": 0.701, "high": 0.803},
        "card precision@100": {"value": 0.304, "low": 0.281, "high": 0.33},
        "recall at 90 % precision": {"value": 0.611, "low": 0.54, "high": 0.68},
        "AUC": {"value": 0.942, "low": 0.925, "high": 0.958},
    }

    def row(number: int, role: str, days: int, **given: object) -> Row:
        first = until.date() - timedelta(days=400)
        about: Row = {
            "model_version": number,
            "role": role,
            "registered_at": until - timedelta(days=days + 1),
            "kind": "lightgbm",
            "recipe": "lightgbm(learning_rate=0.05)",
            "features": 161,
            "trained_from": first,
            "trained_until": first + timedelta(days=300 + number),
            "tested_from": first + timedelta(days=308 + number),
            "tested_until": first + timedelta(days=338 + number),
            "rows_trained": 612_000 + number,
            "threshold": THRESHOLD,
            "metrics": json.dumps(metrics),
            "sha256": f"{number:064x}",
            "code_commit": "0badc0ffee",
            "measured_at": until - timedelta(days=days),
        }
        return about | given

    return [
        row(PREVIOUS, "champion", 60),
        row(PREVIOUS, "previous", 20),
        row(CHAMPION, "challenger", 30),
        row(CHAMPION, "champion", 20, kind="xgboost"),
        row(CHALLENGER, "challenger", 5, threshold=None),
    ]


def decided(until: datetime) -> list[Row]:
    """A refusal, and a promotion after it."""
    checks = [
        {"name": "clean load", "verdict": "passed", "reason": "the same answers", "figures": {}},
        {"name": "latency", "verdict": "passed", "reason": "p99 3.1 ms", "figures": {}},
        {"name": "channel Online", "verdict": "not judged", "reason": "3 frauds, and 8 are needed",
         "figures": {}},
    ]  # fmt: skip
    same = {"action": "promote", "champion_version": PREVIOUS, "checks": json.dumps(checks)}
    refused = same | {
        "decided_at": until - timedelta(days=33), "model_version": 2, "champion_version": 1,
        "promoted": False,
        "reason": "average precision: 0.7012 against 0.7240, with 95 % confidence not better",
    }  # fmt: skip
    taken = same | {
        "decided_at": until - timedelta(days=20), "model_version": CHAMPION, "promoted": True,
        "reason": "all 9 checks passed",
    }  # fmt: skip
    return [refused, taken]


def score(transaction: Row, rng: Random) -> Row:
    """What both models said of a transaction; now and then there was no champion."""
    fraud = transaction["is_fraud"] is True
    said = [min(0.999, rng.betavariate(*((3, 2) if fraud else (0.25, 9)))) for _ in range(2)]
    limits = ((THRESHOLD + 1) / 2, THRESHOLD, THRESHOLD / 2)
    band = next(
        (b for b, at in zip(("critical", "high", "medium"), limits, strict=True) if said[0] >= at),
        "low",
    )
    row: Row = {
        name: transaction[name]
        for name in (
            "transaction_id", "transaction_ts", "user_id", "card_id", "merchant_id", "mcc",
            "amount",
        )
    }  # fmt: skip
    row |= {
        "card_last4": f"{transaction['card_id'] % 10_000:04d}",
        "scored_at": transaction["transaction_ts"] + timedelta(milliseconds=640),
        "model": "finlake-fraud",
    }
    if rng.random() < 0.01:
        return row | {"is_alert": False, "note": "no champion"}
    return row | {
        "score": said[0],
        "band": band,
        "is_alert": said[0] >= THRESHOLD,
        "reasons": "amount_over_card_mean,merchant_fraud_run" if said[0] >= THRESHOLD else None,
        "model_version": CHAMPION,
        "challenger_score": said[1],
        "challenger_alert": said[1] >= THRESHOLD,
        "challenger_version": CHALLENGER,
    }


def compared(scored: list[Row], until: datetime) -> list[Row]:
    """Days of two pairs: the one that serves, and the one before, which was told apart surely."""
    days: dict[object, list[Row]] = {}
    for row in scored:
        if row.get("score") is not None:
            days.setdefault(row["transaction_ts"].date(), []).append(row)
    found = []
    for number, (day, rows) in enumerate(sorted(days.items(), key=str)):
        alerts = [sum(r["is_alert"] for r in rows), sum(r["challenger_alert"] for r in rows)]
        found.append(_compared(day, (CHAMPION, CHALLENGER), len(rows), alerts, number % 3, until))
        found.append(_compared(day, (PREVIOUS, CHAMPION), 900, [5, 4], 9, until - timedelta(20)))
    return found


def _compared(
    day: object, pair: tuple[int, int], number: int, alerts: list[int], ahead: int, at: datetime
) -> Row:
    only = (1, ahead)
    return {
        "comparison_id": f"{day}:{pair[0]}:{pair[1]}",
        "date": day,
        "champion_version": pair[0],
        "challenger_version": pair[1],
        "transactions": number,
        "labelled": 2 * number // 3,
        "frauds": 3,
        "champion_alerts": alerts[0],
        "challenger_alerts": alerts[1],
        "champion_caught": 1,
        "challenger_caught": 2,
        "champion_precision": 0.61,
        "challenger_precision": 0.68,
        "only_champion": only[0],
        "only_challenger": only[1],
        "p_value": mcnemar(*only),
        "compared_at": at,
    }


def drifted(until: datetime, rng: Random) -> list[Row]:
    """Six weeks of windows; two features are in alarm and one warns in the newest."""
    levels = {"chip_not_used": (1.92, "alarm"), "merchant_sum_7d": (0.31, "alarm"),
              "amount": (0.14, "warn")}  # fmt: skip
    found = []
    for back in range(42):
        end = until.date() - timedelta(days=1 + back)
        for feature in FEATURES:
            psi, level = levels.get(feature, (rng.uniform(0.005, 0.06), "ok"))
            if back:
                psi, level = psi * exp(-back / 15), "ok"
            found.append(
                {
                    "model_version": CHAMPION,
                    "feature": feature,
                    "window_start": end - timedelta(days=27),
                    "window_end": end,
                    "reference_rows": 20_000,
                    "window_rows": 18_311,
                    "psi": psi,
                    "ks": min(1.0, psi / 3),
                    "level": level,
                    "measured_at": until - timedelta(days=back),
                }
            )
    return found


def decayed(until: datetime) -> list[Row]:
    """Eight weeks: fine at first, worse at the end, and one with too few frauds."""
    found = []
    for number in range(8):
        precision = None if number == 2 else 0.76 - 0.035 * number
        frauds = 2 if precision is None else 21 - number
        found.append(
            {
                "model_version": CHAMPION,
                "week_start": until.date() - timedelta(days=7 * (9 - number)),
                "transactions": 4_100 + number,
                "frauds": frauds,
                "foretold": 19.4 - number / 2,
                "average_precision": precision,
                "average_precision_low": precision and precision - 0.09,
                "average_precision_high": precision and precision + 0.08,
                "average_precision_trained": 0.752,
                "level": "alarm" if number == 7 else "warn" if number == 6 else "ok",
                "measured_at": until,
            }
        )
    return found
