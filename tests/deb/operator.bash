# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What an operator sees and does on the machine: `load operator`, after machine and ../system/matches.

# In the machine's database; what tests/system/matches.bash builds on.
# shellcheck disable=SC2120 # its other callers are the tests
sql() { machine runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 -d "${DATABASE:-steward}" "$@" 2>/dev/null; }

books_are_right() {
	local wrong
	# shellcheck disable=SC2119
	wrong=$(sql <"$TREE/tests/system/books.sql") || return 1
	[ -z "$wrong" ] || { printf '%s\n' "$wrong" >&2; return 1; }
}

main_pid() { machine systemctl show --value -p MainPID steward; }

worker_pid() { machine stewardctl status --json | jq -r '.workers[0].pid'; }

is_up() { machine stewardctl status --json | jq -e '.database.state == "up"'; }

is_waiting() { machine systemctl show --value -p StatusText steward | grep -q "$1"; }

is_active() { machine systemctl --quiet is-active steward; }

is_other() {
	local pid
	pid=$("$1")
	[ "$pid" != "$2" ] && [ "$pid" != 0 ] && [ "$pid" != null ] && [ -n "$pid" ]
}

apt_install() { machine apt-get -q -y -o Dpkg::Options::=--force-confdef install "$@" </dev/null; }

configure() { printf '%s\n' "$2" >"$MACHINE/root/etc/steward/conf.d/$1.conf"; }

# told WORDS - the journal may be a moment behind
told() { journal | grep -q "$1"; }

journal() { machine journalctl --no-pager --quiet --output cat -u steward "$@"; }

# What was there to see when a test failed; its last output too.
show_failure() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || [ -n "${SKIP:-}" ] || {
		printf '%s\n' "output: ${output:-}"
		machine systemctl status steward --no-pager --lines 40
		machine stewardctl status
	} >&2 || true
}
