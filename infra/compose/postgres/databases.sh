#!/bin/bash
# Sourced by the image's entrypoint at the first start: one database and one owner for each service.

for service in airflow mlflow superset; do
  password=$(< "/run/secrets/${service}_database_password")
  docker_process_sql --dbname=postgres --set=name="$service" --set=password="$password" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
unset password
