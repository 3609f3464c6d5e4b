"""Superset's settings: all secrets come from the environment, which ``with-secrets`` fills."""

import os

SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = os.environ["SUPERSET_DATABASE_URI"]

_REDIS_URL = f"redis://:{os.environ['REDIS_PASSWORD']}@redis:6379/0"


def _cache(name: str, seconds: int) -> dict[str, object]:
    return {
        "CACHE_TYPE": "RedisCache",
        "CACHE_REDIS_URL": _REDIS_URL,
        "CACHE_KEY_PREFIX": f"superset_{name}_",
        "CACHE_DEFAULT_TIMEOUT": seconds,
    }


CACHE_CONFIG = _cache("metadata", 300)
# Results may be this old: the gold tables change every second or two.
DATA_CACHE_CONFIG = _cache("data", 15)
FILTER_STATE_CACHE_CONFIG = _cache("filter", 86_400)
EXPLORE_FORM_DATA_CACHE_CONFIG = _cache("explore", 86_400)
RATELIMIT_STORAGE_URI = _REDIS_URL
