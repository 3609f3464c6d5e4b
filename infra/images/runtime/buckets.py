"""Make the buckets that are named on the command line, where they are missing."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

from minio import Minio

from infra.settings import load_settings


def main(names: list[str]) -> None:
    """Make the buckets in the object store of the settings."""
    settings = load_settings()
    endpoint = urlsplit(settings.s3_endpoint or "")
    secret = settings.s3_secret_key
    store = Minio(
        endpoint.netloc,
        access_key=settings.s3_access_key,
        secret_key=secret.get_secret_value() if secret else None,
        secure=endpoint.scheme == "https",
    )
    for name in names:
        if not store.bucket_exists(name):
            store.make_bucket(name)
            sys.stdout.write(f"made the bucket {name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
