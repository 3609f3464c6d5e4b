"""Superset's settings, in its image and natively.

Secrets come from the environment, which ``with-secrets`` fills, or from the file that
``<NAME>_FILE`` names. Results are cached in Redis where there is one, else in Superset's folder.
"""

import os
from pathlib import Path


def _secret(name: str) -> str:
    file = os.environ.get(f"{name}_FILE")
    return Path(file).read_text(encoding="ascii").strip() if file else os.environ[name]


SECRET_KEY = _secret("SUPERSET_SECRET_KEY")
SQLALCHEMY_DATABASE_URI = _secret("SUPERSET_DATABASE_URI")
if SQLALCHEMY_DATABASE_URI.startswith("sqlite:"):
    # An import writes for as long as it asks the engine for tables; others wait for it.
    SQLALCHEMY_ENGINE_OPTIONS = {"connect_args": {"timeout": 300}}

_REDIS = os.environ.get("REDIS_PASSWORD")
_REDIS_URL = f"redis://:{_REDIS}@redis:6379/0"


def _cache(name: str, seconds: int) -> dict[str, object]:
    where: dict[str, object] = {
        "CACHE_TYPE": "FileSystemCache",
        "CACHE_DIR": str(Path(os.environ.get("SUPERSET_HOME", "/tmp")) / "cache" / name),  # noqa: S108
        "CACHE_THRESHOLD": 2000,
    }
    if _REDIS:
        where = {
            "CACHE_TYPE": "RedisCache",
            "CACHE_REDIS_URL": _REDIS_URL,
            "CACHE_KEY_PREFIX": f"superset_{name}_",
        }
    return {**where, "CACHE_DEFAULT_TIMEOUT": seconds}


CACHE_CONFIG = _cache("metadata", 300)
# Results may be this old when a dashboard is opened; a refresh, by itself or by hand, asks anew.
DATA_CACHE_CONFIG = _cache("data", 60)
DASHBOARD_AUTO_REFRESH_MODE = "force"
FILTER_STATE_CACHE_CONFIG = _cache("filter", 86_400)
EXPLORE_FORM_DATA_CACHE_CONFIG = _cache("explore", 86_400)
if _REDIS:
    RATELIMIT_STORAGE_URI = _REDIS_URL

# `finlake superset import` makes users and roles through the API.
FAB_ADD_SECURITY_API = True
# Charts that are looked at by many and change every second are not worth their thumbnails.
FEATURE_FLAGS = {"THUMBNAILS": False, "ALERT_REPORTS": False}
# A dashboard refreshes this often at most; the ones of the project do so every 30 seconds.
SUPERSET_DASHBOARD_PERIODICAL_REFRESH_LIMIT = 10
# The pages ask no other host: neither for maps and fonts nor to count their readers.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": False,
}
LOG_LEVEL = os.environ.get("SUPERSET_LOG_LEVEL", "WARNING")
