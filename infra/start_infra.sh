#!/usr/bin/env bash
# Starts, watches and stops the stack of docker-compose.yml. See --help.
set -euo pipefail
shopt -s inherit_errexit

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly root secrets="$root/infra/compose/secrets"
readonly oldest_compose=2.24.0

usage() {
  cat << 'TEXT'
Usage: infra/start_infra.sh [start|stop|status|secrets] [options]

  start     make missing secrets, build and start the services, wait until all are
            healthy, register topics and connector, print the addresses (the default)
  stop      stop and remove the containers; all data stays in its volumes
  status    show each service, its state and the addresses
  secrets   make missing secrets in infra/compose/secrets and start nothing

Options
  --profile NAME     core, bi, ops, scale or all; may be repeated. core is always started.
                       core  source, Kafka, Connect, MinIO, Spark, stream, dashboard
                       bi    and Dremio, Superset
                       ops   and Airflow, MLflow, scoring, drift, Prometheus, Grafana
                       scale and a second Spark worker
                       all   everything (the default is core)
  --timeout SECONDS  how long to wait until all are healthy (default 900)
  --no-build         take the images as they are
  -h, --help         show this text

Exit codes: 0 good, 1 a service is not healthy, 2 wrong use, 3 Docker is not there.

Example:
  infra/start_infra.sh --profile bi --profile ops --timeout 1200
TEXT
}

say() { printf '%s\n' "$*"; }

fail() { # exit code, message
  printf 'start_infra.sh: %s\n' "$2" >&2
  exit "$1"
}

# ── Arguments ────────────────────────────────────────────────────────────────────────────────────────

action=start
timeout=900
build=(--build)
profiles=(core)

parse() {
  local chosen=''
  while (($#)); do
    case $1 in
      start | stop | status | secrets)
        [[ -z $chosen ]] || fail 2 "$chosen and $1 cannot go together; try --help"
        chosen=$1 action=$1
        ;;
      --profile)
        case ${2-} in
          core | bi | ops | scale | all) profiles+=("$2") ;;
          '') fail 2 "--profile wants a name: core, bi, ops, scale or all" ;;
          *) fail 2 "--profile $2 is unknown; use core, bi, ops, scale or all" ;;
        esac
        shift
        ;;
      --timeout)
        [[ ${2-} =~ ^[1-9][0-9]{0,5}$ ]] || fail 2 "--timeout wants a number of seconds, not '${2-}'"
        timeout=$2
        shift
        ;;
      --no-build) build=(--no-build) ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) fail 2 "$1 is unknown; try --help" ;;
    esac
    shift
  done
}

# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────────

hex() { # bytes
  od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

keep() { # name, value: writes the secret unless it is there
  local file="$secrets/$1.txt" new
  [[ ! -s $file ]] || return 0
  new=$(mktemp "$secrets/.new.XXXXXX")
  printf '%s' "$2" > "$new"
  chmod 0444 "$new"
  mv -f "$new" "$file"
  made=$((made + 1))
}

value() { printf '%s' "$(< "$secrets/$1.txt")"; } # name

# Compose binds these files into the containers with the owner and mode they have here, and most services run as users
# of their own. So each file may be read by all, and the folder by its owner alone: on the host nobody else gets in.
make_secrets() {
  local name made=0
  mkdir -p "$secrets"
  chmod 0700 "$secrets"
  umask 077
  for name in source_root_password source_cdc_password source_read_password minio_password postgres_password \
    redis_password superset_database_password superset_admin_password airflow_database_password \
    mlflow_database_password grafana_password dremio_password; do
    keep "$name" "$(hex 24)"
  done
  for name in token_key superset_secret_key airflow_jwt_secret airflow_secret_key; do
    keep "$name" "$(hex 32)"
  done
  keep airflow_fernet_key "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
  keep airflow_passwords "{\"admin\": \"$(hex 24)\"}"
  keep source_url "mysql://finlake_app:$(hex 24)@source:3306/finance"
  keep source_review_url "mysql://finlake_review:$(hex 24)@source:3306/finance"
  keep redis_config "requirepass $(value redis_password)"
  keep redis_url "redis://:$(value redis_password)@redis:6379/1" # Superset has 0
  for name in airflow mlflow superset; do
    keep "${name}_database_uri" "postgresql+psycopg2://$name:$(value "${name}_database_password")@postgres:5432/$name"
  done
  ((made == 0)) || say "made $made secret(s) in ${secrets#"$root"/}"
}

# ── Docker ───────────────────────────────────────────────────────────────────────────────────────────

compose() {
  local name flags=()
  for name in "${profiles[@]}"; do flags+=(--profile "$name"); done
  docker compose --project-directory "$root" --file "$root/docker-compose.yml" "${flags[@]}" "$@"
}

need_docker() {
  local version
  command -v docker > /dev/null || fail 3 "docker is not on the path; install Docker Engine with its compose plugin"
  version=$(docker compose version --short 2> /dev/null) ||
    fail 3 "docker has no compose plugin; install docker-compose-plugin $oldest_compose or later"
  version=${version#v}
  [[ $(printf '%s\n' "$oldest_compose" "$version" | sort -V | head -n 1) == "$oldest_compose" ]] ||
    fail 3 "docker compose $version is too old; install $oldest_compose or later"
  docker info > /dev/null 2>&1 || fail 3 "the Docker engine does not answer; start it, or see 'docker info'"
}

# One line for each service: name, then what it lacks; nothing when all are well. A service that ended well is done.
missing() {
  compose ps --all --format '{{.Service}} {{.State}} {{.ExitCode}} {{.Health}}' | sort |
    awk '$2 == "running" && ($4 == "healthy" || $4 == "") { next }
         $2 == "exited" && $3 == 0 { next }
         { print $1, ($2 == "exited" || $2 == "dead") ? "ended with code " $3 : ($4 == "" ? $2 : $4) }'
}

names() { awk '{ printf "%s%s", sep, $1; sep = ", " }'; } # the first word of each line

wait_until_healthy() { # point in time
  local lacking before=''
  while true; do
    lacking=$(missing)
    [[ -n $lacking ]] || return 0
    if ((SECONDS >= $1)); then
      give_up "not healthy after $timeout s" "$lacking"
    fi
    if [[ $lacking != "$before" ]]; then
      say "waiting for $(sed -E 's/^([^ ]+) (.*)$/\1 (\2)/' <<< "$lacking" | paste -sd ,)"
      before=$lacking
    fi
    sleep 3
  done
}

give_up() { # reason, lines of missing()
  local service
  printf '%s\n' "$2" >&2
  while read -r service _; do
    printf -- '--- the last lines of %s\n' "$service" >&2
    compose logs --no-color --no-log-prefix --tail 15 "$service" >&2 || true
  done <<< "$2"
  service=${2%% *}
  fail 1 "$1: $(names <<< "$2"); see 'docker compose logs $service'"
}

addresses() { # of the services that run
  local running name service url
  running=" $(compose ps --services --status running | tr '\n' ' ')"
  while read -r service name url; do
    [[ $running != *" $service "* ]] || printf '  %-20s %s\n' "${name//_/ }" "$url"
  done << 'TEXT'
dashboard Dashboard http://127.0.0.1:8501
stream Spark_application http://127.0.0.1:4040
stream Stream_metrics http://127.0.0.1:9108/metrics
alerts Alert_metrics http://127.0.0.1:9118/metrics
score Score_metrics http://127.0.0.1:9128/metrics
api API http://127.0.0.1:8000
drift Drift_metrics http://127.0.0.1:9138/metrics
observe Stack_metrics http://127.0.0.1:9148/metrics
spark-master Spark_master http://127.0.0.1:8081
kafka-ui Kafka_UI http://127.0.0.1:9089
connect Kafka_Connect http://127.0.0.1:8083
kafka Kafka 127.0.0.1:9092
minio MinIO_console http://127.0.0.1:9901 (finlake, minio_password.txt)
minio MinIO_S3 http://127.0.0.1:9900
source Source_database 127.0.0.1:30306 (finlake_app, source_url.txt)
dremio Dremio http://127.0.0.1:9047 (admin, dremio_password.txt)
dremio Dremio_Arrow_Flight 127.0.0.1:32010
superset Superset http://127.0.0.1:8088 (admin, superset_admin_password.txt)
airflow-api-server Airflow http://127.0.0.1:8080 (admin, airflow_passwords.txt)
mlflow MLflow http://127.0.0.1:5000
prometheus Prometheus http://127.0.0.1:9090
grafana Grafana http://127.0.0.1:3000 (admin, grafana_password.txt)
TEXT
}

# ── Actions ──────────────────────────────────────────────────────────────────────────────────────────

start() {
  local until=$((SECONDS + timeout)) lacking
  need_docker
  make_secrets
  compose config --quiet || fail 1 "docker-compose.yml is not valid; the lines above say where"
  say "starting ${profiles[*]}; the first time images are fetched and built, which takes a while"
  # The services of `register` and the like run here too: `up` waits for what others stand on.
  if ! compose up --detach --remove-orphans "${build[@]}"; then
    lacking=$(missing)
    [[ -z $lacking ]] || give_up "the start failed" "$lacking"
    fail 1 "the start failed; the lines above say why"
  fi
  wait_until_healthy "$until"
  say "all services are healthy; passwords are in ${secrets#"$root"/}"
  addresses
}

stop() {
  need_docker
  make_secrets # Compose reads the whole file, and it names them
  profiles=(all)
  compose down --timeout 60
  say "stopped; the data stays in the volumes of the project finlake"
}

status() {
  need_docker
  make_secrets
  profiles=(all)
  local lacking
  [[ -n $(compose ps --all --quiet) ]] || fail 1 "nothing is started; infra/start_infra.sh starts it"
  compose ps --all
  addresses
  lacking=$(missing)
  [[ -z $lacking ]] || fail 1 "not healthy: $(names <<< "$lacking")"
}

parse "$@"
case $action in
  start) start ;;
  stop) stop ;;
  status) status ;;
  secrets) make_secrets ;;
esac
