#!/bin/sh
# Run by PostgreSQL's image when the database is made: Postfach's role, and a database that belongs to it.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/database_password)" <<'END'
CREATE ROLE postfach LOGIN PASSWORD :'password';
CREATE DATABASE postfach OWNER postfach ENCODING 'UTF8' TEMPLATE template0;
END
