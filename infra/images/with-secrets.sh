#!/bin/sh
# Starts a command with the secrets of Compose in its environment: a file /run/secrets/NAME in capital letters
# becomes the variable NAME. Programs that read such files themselves get them in small letters.
set -eu

for file in "${SECRETS_FOLDER:-/run/secrets}"/[A-Z]*; do
  [ -f "$file" ] || continue
  name=${file##*/}
  if ! value=$(cat "$file") || [ -z "$value" ]; then
    echo "with-secrets: $file is empty or cannot be read; run infra/start_infra.sh secrets on the host" >&2
    exit 2
  fi
  export "$name=$value"
done

exec "$@"
