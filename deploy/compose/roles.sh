#!/bin/sh
# Makes the roles of Dovecot, Postfix and the filter once the views are there; all of them or none, and only once.
set -eu
secrets=${SECRETS:-/run/secrets}
PGPASSWORD=$(cat "$secrets/superuser_password")
export PGPASSWORD
[ -n "$(psql --no-psqlrc --tuples-only --no-align --command "SELECT 1 FROM pg_roles WHERE rolname = 'postfach_milter'")" ] ||
    psql --no-psqlrc --quiet --single-transaction --set ON_ERROR_STOP=1 \
        --set dovecot_password="$(cat "$secrets/dovecot_password")" \
        --set postfix_password="$(cat "$secrets/postfix_password")" \
        --set milter_password="$(cat "$secrets/milter_password")" \
        --file "$(dirname "$0")/roles.sql"
