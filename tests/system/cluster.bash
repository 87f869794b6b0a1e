# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A PostgreSQL of the test's own, with fsync on, for what a shared one cannot
# suffer: `load cluster`.  Needs steward.bash; sets PGHOST, PGUSER, PGDATABASE.

CLUSTER_BIN=$(pg_config --bindir)

cluster_as_owner() {
	if [ "$(id -u)" = 0 ]; then runuser -u postgres -- env -C / "$@"; else "$@"; fi
}

# cluster_setup [POSTGRES OPTIONS] - made, started, migrated; steward's configuration points at it
cluster_setup() {
	CLUSTER=$(mktemp -d /tmp/steward-pg.XXXXXX)
	CLUSTER_OPTIONS="-k $CLUSTER -c listen_addresses= $*"
	[ "$(id -u)" != 0 ] || chown postgres "$CLUSTER"
	chmod 755 "$CLUSTER"
	cluster_as_owner "$CLUSTER_BIN/initdb" -D "$CLUSTER/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
	cluster_start
	export PGHOST=$CLUSTER PGUSER=postgres PGDATABASE=steward
	steward_set database.conninfo "\"host=$CLUSTER dbname=steward user=steward\""
	"$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" db setup --admin "host=$CLUSTER dbname=postgres user=postgres" >/dev/null
}

cluster_start() {
	cluster_as_owner "$CLUSTER_BIN/pg_ctl" -D "$CLUSTER/data" -w -s -l "$CLUSTER/log" -o "$CLUSTER_OPTIONS" start 3>&- || { cat "$CLUSTER/log" >&2; return 1; }
}

cluster_stop() { # MODE
	cluster_as_owner "$CLUSTER_BIN/pg_ctl" -D "$CLUSTER/data" -w -s -m "$1" stop 3>&-
}

cluster_teardown() {
	[ -n "${CLUSTER:-}" ] || return 0
	cluster_stop immediate 2>/dev/null || true
	rm -rf "$CLUSTER"
}
