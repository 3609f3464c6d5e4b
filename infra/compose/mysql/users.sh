#!/bin/bash
# Sourced by the image's entrypoint at the first start: the connector's user, with the rights it needs and no more.
# The application's user comes from MYSQL_USER.

cdc_password=$(< /run/secrets/source_cdc_password)
[[ $cdc_password =~ ^[0-9a-f]+$ ]] || mysql_error "source_cdc_password is not hexadecimal; run infra/start_infra.sh secrets"

# CREATE is what allows rights on the two service tables before `finlake connectors apply` makes them.
docker_process_sql --database=mysql <<SQL
CREATE USER 'finlake_cdc'@'%' IDENTIFIED BY '$cdc_password';
GRANT SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT, LOCK TABLES ON *.* TO 'finlake_cdc'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON finance.finlake_heartbeat TO 'finlake_cdc'@'%';
GRANT CREATE, SELECT, INSERT, UPDATE, DELETE ON finance.finlake_signal TO 'finlake_cdc'@'%';
SQL
unset cdc_password
