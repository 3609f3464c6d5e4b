"""What the embedded source databases have in common: who may know of them, and their TLS."""

from __future__ import annotations

from infra.database.users import APP, CDC
from infra.settings import Settings, secret
from infra.stack.certificates import authority, certificate

__all__ = ["source_exports", "tls_lines"]


def source_exports(settings: Settings, flavour: str, address: str) -> dict[str, str]:
    """What other programs must know of the source."""
    app = secret(settings.home, "source_app_password")
    exports = {
        "FINLAKE_SOURCE_FLAVOUR": flavour,
        "FINLAKE_SOURCE_URL": f"mysql://{APP}:{app}@{address}",
        "FINLAKE_SOURCE_CDC_USER": CDC,
        "FINLAKE_SOURCE_CDC_PASSWORD": secret(settings.home, "source_cdc_password"),
    }
    if settings.stack_tls:
        exports["FINLAKE_SOURCE_URL"] += "?tls=verify"
        exports["FINLAKE_SOURCE_CA"] = str(authority(settings.home))
    return exports


def tls_lines(settings: Settings, otherwise: str = "") -> str:
    """Lines of the server's configuration: nobody is let in over plain TCP."""
    if not settings.stack_tls:
        return otherwise
    own = certificate(settings.home, "source")
    return (
        "require-secure-transport=ON\n"
        "tls-version=TLSv1.2,TLSv1.3\n"
        f"ssl-ca={authority(settings.home)}\n"
        f"ssl-cert={own / 'public.crt'}\n"
        f"ssl-key={own / 'private.key'}"
    )
