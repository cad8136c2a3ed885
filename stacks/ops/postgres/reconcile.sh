#!/bin/sh
# Brings roles, passwords and databases to the stack's word, on every deploy.
#
# The image's own init scripts run on an empty data directory only: a database added later, or a changed
# password, would never arrive. This speaks to the server over its socket, where the superuser needs no
# password, so it can set that one too. The others come by environment; no argument list shows one.
set -eu
folder=$(dirname "$0")

# database ROLE DATABASE CONNECTIONS PASSWORD
database() {
	ROLE_PASSWORD=$4 psql -X -q -v role="$1" -v db="$2" -v conns="$3" -f "$folder/database.sql"
	echo "$2: owned by $1, at most $3 connections"
}

psql -X -q -f "$folder/server.sql"
# The limits add up to less than max_connections. Mattermost opens 40, Superset 10 a worker,
# Focalboard knows no limit of its own.
database mattermost mattermost_db 50 "$MATTERMOST_DB_PASSWORD"
database focalboard focalboard_db 20 "$FOCALBOARD_DB_PASSWORD"
database superset superset_db 40 "$SUPERSET_DB_PASSWORD"
database n8n n8n_db 15 "$N8N_DB_PASSWORD"
