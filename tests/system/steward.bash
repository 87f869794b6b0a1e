# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What tests with a real steward share: `load steward` in a .bats file.
#
#   steward_setup [kinds]     a directory of its own, the programs, a configuration without a database;
#                             with `kinds` the supervisor of kinds.def, whose workers are dummies
#   steward_set KEY VALUE     a setting, as supervisor.heartbeat 100; libconfig syntax on the right
#   start_steward [ARGS]      returns when it has said READY
#   stop_steward              SIGTERM, and waits; its exit status
#   start_second              another node beside it, on the same database; its pid is $STEWARD_SECOND
#   stop_second               as stop_steward
#   steward_teardown          ends and removes whatever is left
#   wait_until SECONDS CMD    until the command succeeds; a busy machine has ten times as long
#   within SECONDS CMD        the same where the time itself is the promise
#   punctual CMD              it keeps its time in one of five tries: others may have had the CPU
#   ask QUESTION [FIELD=VAL]  see ask.c
#   behave KIND[.SLOT] WORDS  see dummy_worker.c

STEWARD_TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
STEWARD_BUILD=${STEWARD_BUILD:-$STEWARD_TREE/build}

# Poll, with a deadline: no test waits longer than it must.
wait_until() { within $((10 * $1)) "${@:2}"; }

within() {
	local until=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= until)); then
			echo "still not so: $*" >&2
			[ -z "${STEWARD_DIR:-}" ] || tail -n 40 "$STEWARD_DIR/log" >&2
			return 1
		fi
		sleep 0.02
	done
}

punctual() { "$@" || "$@" || "$@" || "$@" || "$@"; }

# As root everything runs as somebody else; the tree may be where that one cannot read.
steward_setup() {
	STEWARD_DIR=$(mktemp -d /tmp/steward.XXXXXX)
	STEWARD_RUN=$STEWARD_DIR/run
	STEWARD_USER=
	if [ "$(id -u)" = 0 ]; then
		STEWARD_USER=nobody
		getent passwd postgres >/dev/null && STEWARD_USER=postgres
	fi
	mkdir "$STEWARD_DIR/bin" "$STEWARD_DIR/conf.d"
	if [ "${1:-}" = kinds ]; then
		cp -r "$STEWARD_BUILD/tests/kinds/." "$STEWARD_DIR/bin/"
	else
		cp "$STEWARD_BUILD/steward" "$STEWARD_DIR/bin/"
		cp -r "$STEWARD_BUILD/workers" "$STEWARD_DIR/bin/"
	fi
	cp "$STEWARD_BUILD/stewardctl" "$STEWARD_BUILD/tests/system/ask" "$STEWARD_DIR/bin/"
	: >"$STEWARD_DIR/log"
	: >"$STEWARD_DIR/notify"
	: >"$STEWARD_DIR/settings"
	steward_set run_directory "\"$STEWARD_RUN\""
	steward_set user "\"$STEWARD_USER\""
	steward_set database.conninfo "\"host=$STEWARD_DIR/nowhere dbname=none\""
	steward_set supervisor.libexec_directory "\"$STEWARD_DIR/bin/workers\""
	steward_set supervisor.heartbeat 100
	if [ "${1:-}" = kinds ]; then
		for kind in careful single sla_monitor queue_fallback; do steward_set workers.$kind.processes 0; done
	fi
	chmod 755 "$STEWARD_DIR"
	[ -z "$STEWARD_USER" ] || chown "$STEWARD_USER" "$STEWARD_DIR"
}

# The last value of a key counts; groups are made of the dots.
steward_set() {
	echo "$1 $2" >>"$STEWARD_DIR/settings"
	perl -e '
		my %tree;
		while (<STDIN>) {
			chomp; my ($path, $value) = split / /, $_, 2;
			my @step = split /\./, $path; my $last = pop @step; my $at = \%tree;
			$at = $at->{$_} //= {} for @step;
			$at->{$last} = $value;
		}
		sub text { my ($at, $in) = @_;
			return join "", map { ref $at->{$_} ? "$in$_ = {\n" . text($at->{$_}, "$in\t") . "$in};\n"
			                                    : "$in$_ = $at->{$_};\n" } sort keys %$at }
		print text(\%tree, "");
	' <"$STEWARD_DIR/settings" >"$STEWARD_DIR/steward.conf.new"
	# At once: a process that starts meanwhile must not read half of it.
	mv "$STEWARD_DIR/steward.conf.new" "$STEWARD_DIR/steward.conf"
}

behave() {
	mkdir -p "$STEWARD_DIR/behave"
	echo "${*:2}" >"$STEWARD_DIR/behave/$1"
}

# Everything the init system would hear, a line each, in $STEWARD_DIR/notify.
steward_listen() {
	perl -MIO::Socket::UNIX -MSocket -e '
		my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die;
		chmod 0777, $ARGV[0];
		$| = 1;
		while (defined $s->recv(my $m, 4096)) { print "$m\n" }
	' "$STEWARD_DIR/notify.socket" >"$STEWARD_DIR/notify" 3>&- &
	STEWARD_LISTENER=$!
	wait_until 5 test -S "$STEWARD_DIR/notify.socket"
}

# Does not wait for anything.
launch_steward() {
	"$STEWARD_DIR/bin/steward" -c "$STEWARD_DIR/steward.conf" "$@" >>"$STEWARD_DIR/log" 2>&1 3>&- &
	STEWARD_PID=$!
}

start_steward() {
	local before
	before=$(grep -c 'event=steward_ready ' "$STEWARD_DIR/log") || true
	launch_steward "$@"
	wait_until 10 is_ready_after "$before"
}

is_ready_after() {
	[ "$(grep -c 'event=steward_ready ' "$STEWARD_DIR/log")" -gt "$1" ]
}

stop_steward() {
	kill -TERM "$STEWARD_PID"
	wait "$STEWARD_PID"
}

start_second() {
	local before
	before=$(grep -c 'event=steward_ready ' "$STEWARD_DIR/log") || true
	sed "s#$STEWARD_RUN#$STEWARD_DIR/run2#" "$STEWARD_DIR/steward.conf" >"$STEWARD_DIR/second.conf"
	"$STEWARD_DIR/bin/steward" -c "$STEWARD_DIR/second.conf" >>"$STEWARD_DIR/log" 2>&1 3>&- &
	STEWARD_SECOND=$!
	wait_until 10 is_ready_after "$before"
}

stop_second() {
	local pid=$STEWARD_SECOND
	STEWARD_SECOND=
	kill -TERM "$pid"
	wait "$pid"
}

# Nothing that this test started is left, also when it failed half-way.
steward_teardown() {
	local pid
	[ -n "${STEWARD_DIR:-}" ] || return 0
	# Supervisors first, and they have to be gone: one that lives replaces the workers that are killed.
	for pid in ${STEWARD_PID:-} ${STEWARD_SECOND:-}; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	[ -z "${STEWARD_LISTENER:-}" ] || kill "$STEWARD_LISTENER" 2>/dev/null || true
	for pid in $(steward_processes); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	[ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 60 "$STEWARD_DIR/log" >&2
	if grep -A 30 "Sanitizer\|runtime error" "$STEWARD_DIR/log" >&2; then
		STEWARD_SICK=1 # and fail below
	fi
	rm -rf "$STEWARD_DIR"
	[ -z "${STEWARD_SICK:-}" ]
}

# The worker processes of this test, whoever is their parent.
steward_processes() {
	local exe
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in
		"$STEWARD_DIR"/bin/workers/*) exe=${exe#/proc/} && echo "${exe%/exe}" ;;
		esac
	done
}

has_no_processes() {
	[ -z "$(steward_processes)" ]
}

ask() {
	"$STEWARD_DIR/bin/ask" "$STEWARD_RUN/control.ipc" "$@"
}

# field KIND SLOT NAME: of the worker's row.
field() {
	ask ask_status | sed -n "s/^worker kind=$1 slot=$2 .*\\b$3=\\([^ ]*\\).*/\\1/p"
}

pid_of() {
	field "$1" "$2" pid
}

# kill_worker KIND SLOT - if it has a process just now: 0 would be everybody in our group
kill_worker() {
	local pid
	pid=$(pid_of "$1" "$2")
	((${pid:-0} == 0)) || kill -KILL "$pid" 2>/dev/null || true
}

has_state() {
	[ "$(field "$1" "$2" state)" = "$3" ]
}

node_state() {
	ask ask_status | sed -n 's/^node .* state=\([a-z]*\).*/\1/p'
}

has_field() { # KIND SLOT NAME VALUE
	[ "$(field "$1" "$2" "$3")" = "$4" ]
}

is_node() {
	[ "$(node_state)" = "$1" ]
}

# Is ready with another process than this one.
is_replaced() {
	has_state "$1" "$2" ready && [ "$(pid_of "$1" "$2")" != "$3" ]
}

logged() {
	grep -q -- "$1" "$STEWARD_DIR/log"
}

notified() {
	grep -q -- "$1" "$STEWARD_DIR/notify"
}
