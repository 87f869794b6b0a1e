# SPDX-License-Identifier: Apache-2.0
#
# An operator's life with the package, on one real machine: each test goes on
# where the one before it ended.

bats_require_minimum_version 1.5.0
load machine
load ../system/matches
load operator

setup_file() {
	SKIP=$(machine_possible) || { export SKIP; return 0; }
	package_build
	machine_start
	cp "$PACKAGE" "$MACHINE/root/root/steward.deb"
	machine find / -xdev | sort >"$MACHINE/before"
}

teardown_file() {
	machine_stop
}

setup() {
	[ -z "${SKIP:-}" ] || skip "$SKIP"
}

teardown() {
	show_failure
}

# ---------------------------------------------------------------- install
@test "apt install: the service runs, waits for its database and names the next command" {
	run -0 apt_install /root/steward.deb
	wait_until 10 is_active
	wait_until 10 is_waiting 'run: sudo stewardctl db setup'
	run -0 machine systemctl status --no-pager steward
	[[ $output == *"waiting for database: "*"run: sudo stewardctl db setup"* ]]
	run machine stewardctl status
	[[ $output == *"database down"* ]]
}

@test "the files are where Debian wants them, and the unit's exposure is at most 1.5" {
	for file in /usr/sbin/steward /usr/bin/stewardctl /etc/steward/steward.conf \
		$(sed -n 's#^WORKER(\([a-z_]*\),.*#/usr/libexec/steward/\1#p' "$TREE/common/workers.def") \
		/usr/share/steward/migrations/roles.sql /usr/share/man/man8/steward.8.gz /usr/share/man/man1/stewardctl.1.gz \
		/usr/share/man/man5/steward.conf.5.gz /usr/share/man/man7/steward-workers.7.gz /usr/share/man/man7/steward-sql.7.gz \
		/usr/share/bash-completion/completions/stewardctl /usr/share/zsh/vendor-completions/_stewardctl \
		/usr/share/fish/vendor_completions.d/stewardctl.fish /usr/lib/systemd/catalog/steward.catalog; do
		[ -s "$MACHINE/root$file" ] || { echo "missing: $file"; false; }
	done
	run -0 machine systemd-analyze --no-pager security --offline=true --threshold=15 /lib/systemd/system/steward.service
	run -0 machine systemd-analyze verify --man=no /lib/systemd/system/steward.service
	[ -z "$output" ]
	machine steward --check
	# The catalogue is the journal's own from now on.
	machine journalctl --list-catalog | grep -q 'steward: A kind of worker has failed'
}

@test "everything runs as steward, without capabilities, in the directories of the unit" {
	for pid in $(main_pid) $(worker_pid); do
		run -0 machine cat "/proc/$pid/status"
		[ "$(sed -n 's/^CapEff:\s*//p' <<<"$output")" = 0000000000000000 ]
		[ "$(sed -n 's/^NoNewPrivs:\s*//p' <<<"$output")" = 1 ]
		[ "$(machine stat -c %U "/proc/$pid")" = steward ]
	done
	[ "$(machine stat -c '%a %U %G' /run/steward)" = "750 steward steward" ]
	[ "$(machine stat -c '%a %U %G' /run/steward/control.ipc)" = "660 steward steward" ]
	[ "$(machine stat -c '%a %U' /var/lib/steward)" = "750 steward" ]
}

@test "who is not in the group cannot look, root can, as the socket sees who is there" {
	run ! machine runuser -u nobody -- stewardctl status
	machine usermod -a -G steward games
	machine runuser -u games -- stewardctl status
	run -77 machine runuser -u games -- stewardctl drain
	[[ $output == *"may look but not act"* ]]
	machine gpasswd -d games steward
}

# --------------------------------------------------------------- database
@test "db setup --dry-run prints and changes nothing" {
	run -0 machine stewardctl db setup --dry-run
	[[ $output == *"CREATE DATABASE"* ]]
	DATABASE=postgres
	[ "$(sql -c "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'steward%'")" = 0 ]
}

@test "db setup does not take a role that is somebody else's" {
	DATABASE=postgres sql -c 'CREATE ROLE steward SUPERUSER LOGIN'
	run -1 machine stewardctl db setup
	[[ $output == *"role steward exists and is a superuser"* ]]
	DATABASE=postgres sql -c 'DROP ROLE steward'
}

@test "db setup makes it, steward picks it up by itself, and a second setup does nothing" {
	pid=$(main_pid)
	run -0 machine stewardctl db setup
	[[ $output == *"created database steward"* ]]
	wait_until 10 is_up
	[ "$(main_pid)" = "$pid" ]
	run -0 machine stewardctl db setup
	[[ $output == *"nothing to do"* ]]
	run -0 machine stewardctl status
	run -0 machine stewardctl db verify
}

@test "a match that two people approve becomes a workspace" {
	make_matches 20
	finalize
	wait_until 10 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 20 ]
	books_are_right
}

# ----------------------------------------------------------------- reload
@test "systemctl reload takes up what changed" {
	pid=$(main_pid)
	configure size 'workers = { provisioning = { processes = 2; }; };'
	run -0 machine systemctl reload steward
	wait_until 10 machine sh -c '[ "$(stewardctl worker list --no-headers | grep -c "^provisioning.*ready")" = 2 ]'
	[ "$(main_pid)" = "$pid" ]
}

@test "a reload of a wrong configuration fails with file and line, and the old one stays in force" {
	pid=$(main_pid)
	configure wrong $'provisioning = {\n    batch = 5000;\n};'
	run ! machine systemctl reload steward
	wait_until 10 told '/etc/steward/conf.d/wrong.conf:2: .*batch is 5000'
	run -78 machine stewardctl reload
	[[ $output == *"/etc/steward/conf.d/wrong.conf:2"* ]]
	[ "$(main_pid)" = "$pid" ]
	is_active
	rm "$MACHINE/root/etc/steward/conf.d/wrong.conf"
	machine systemctl reload steward
}

@test "a restart with a wrong configuration stays down at once with status 78, and says why" {
	configure wrong 'nonsense = 1;'
	run ! machine systemctl restart steward
	[ "$(machine systemctl show --value -p ExecMainStatus steward)" = 78 ]
	[ "$(machine systemctl show --value -p NRestarts steward)" = 0 ]
	wait_until 10 told '/etc/steward/conf.d/wrong.conf:1: '
	rm "$MACHINE/root/etc/steward/conf.d/wrong.conf"
	machine systemctl start steward
	wait_until 10 is_up
}

# ------------------------------------------------------------------ death
@test "a worker that crashes is replaced and leaves its core in the state directory" {
	pid=$(worker_pid)
	machine sh -c "kill -SEGV $pid"
	wait_until 10 is_other worker_pid "$pid"
	case $(cat /proc/sys/kernel/core_pattern) in
	core*) machine sh -c 'ls /var/lib/steward/core*' ;;
	esac
	machine sh -c 'rm -f /var/lib/steward/core*'
}

@test "kill -9 of the supervisor: the init system starts another, and no work is lost" {
	pid=$(main_pid)
	make_matches 50
	finalize_together
	machine sh -c "kill -KILL $pid"
	wait_until 15 is_other main_pid "$pid"
	wait_until 10 is_up
	wait_until 10 nothing_waits
	books_are_right
}

@test "a supervisor whose loop does not turn is ended by the watchdog and started again" {
	mkdir -p "$MACHINE/root/etc/systemd/system/steward.service.d"
	printf '[Service]\nWatchdogSec=5\n' >"$MACHINE/root/etc/systemd/system/steward.service.d/test.conf"
	machine systemctl daemon-reload
	machine systemctl restart steward
	pid=$(main_pid)
	sleep 7 # longer than that
	[ "$(main_pid)" = "$pid" ]
	machine sh -c "kill -STOP $pid"
	wait_until 15 is_other main_pid "$pid"
	wait_until 10 told 'Watchdog timeout'
	rm -r "$MACHINE/root/etc/systemd/system/steward.service.d"
	machine systemctl daemon-reload
	machine systemctl restart steward
	wait_until 10 is_up
}

@test "the plug is pulled in the middle of a batch: after the boot everything is done, once" {
	machine stewardctl worker pause provisioning
	make_matches 60
	finalize_together
	make_hold
	machine runuser -u postgres -- psql -Xq -d steward >/dev/null 2>&1 3>&- <<-'SQL' &
		SELECT pg_advisory_lock(4711);
		SELECT pg_sleep(600);
	SQL
	wait_until 5 is_holding
	machine stewardctl worker resume provisioning
	wait_until 5 is_stuck_on_a_lock
	machine_crash
	wait_until 20 is_up
	wait_until 20 nothing_waits
	sql -c 'DROP FUNCTION public.hold_batch() CASCADE'
	books_are_right
}

is_holding() { [ "$(count "pg_stat_activity WHERE query LIKE '%pg_sleep%' AND wait_event = 'PgSleep'")" -gt 0 ]; }

@test "PostgreSQL restarts: steward waits, says so, and comes back by itself" {
	pid=$(main_pid)
	machine systemctl stop postgresql@15-main
	wait_until 10 is_waiting 'waiting for database'
	machine systemctl start postgresql@15-main
	wait_until 15 is_up
	[ "$(main_pid)" = "$pid" ]
}

# -------------------------------------------------------------- bad places
@test "over TCP with a password from the credential store" {
	DATABASE=postgres sql -c "ALTER ROLE steward PASSWORD 'quite secret'"
	printf 'quite secret\n' >"$MACHINE/root/etc/steward.password"
	machine install -D -m 600 /etc/steward.password /etc/credstore/steward.db-password
	rm "$MACHINE/root/etc/steward.password"
	configure tcp 'database = { conninfo = "host=127.0.0.1 dbname=steward user=steward"; };'
	machine systemctl restart steward
	wait_until 10 is_up
	[ "$(count "pg_stat_activity WHERE usename = 'steward' AND client_addr = '127.0.0.1'")" -gt 0 ]
	run ! machine grep -r 'quite secret' /proc/"$(worker_pid)"/environ
	run ! journal -g 'quite secret'
	rm "$MACHINE/root/etc/steward/conf.d/tcp.conf" "$MACHINE/root/etc/credstore/steward.db-password"
	machine systemctl restart steward
	wait_until 10 is_up
}

@test "a second steward on the same run directory is refused and disturbs nobody" {
	pid=$(main_pid)
	run ! machine runuser -u steward -- timeout 20 steward
	[[ $output == *"$pid"* || $output == *"run"* ]]
	[ "$(main_pid)" = "$pid" ]
	is_up
}

@test "a full run directory: it says so, and starts by itself when there is room" {
	machine systemctl stop steward
	machine sh -c 'rm -rf /run/steward && mkdir /run/steward && mount -t tmpfs -o nr_inodes=1 none /run/steward'
	run ! timeout 20 nsenter --target "$(machine_init)" --mount --pid --root --wd -- systemctl start steward
	wait_until 10 told 'No space left on device'
	machine umount -l /run/steward
	wait_until 15 is_active
	wait_until 10 is_up
}

@test "a read-only /etc is no matter" {
	machine sh -c 'mount --bind /etc /etc && mount -o remount,bind,ro /etc'
	machine systemctl restart steward
	wait_until 10 is_up
	machine umount /etc
}

# ---------------------------------------------------------------- upgrade
@test "an upgrade over a wrong configuration leaves the old process at work and names file and line" {
	pid=$(main_pid)
	configure wrong $'\n\nnode = 7;'
	run -0 apt_install --reinstall /root/steward.deb
	[[ $output == *"/etc/steward/conf.d/wrong.conf:3"* ]]
	[[ $output == *"not restarted"* ]]
	[ "$(main_pid)" = "$pid" ]
	make_matches 3
	finalize
	wait_until 10 nothing_waits
	rm "$MACHINE/root/etc/steward/conf.d/wrong.conf"
}

@test "a sound upgrade restarts, asks nothing and loses no job" {
	pid=$(main_pid)
	make_matches 200
	finalize_together
	run -0 apt_install --reinstall /root/steward.deb
	[[ $output != *"steward.conf"*"***"* ]]
	wait_until 10 is_other main_pid "$pid"
	wait_until 10 is_up
	wait_until 20 nothing_waits
	books_are_right
}

# ------------------------------------------------------------------ leave
@test "apt remove stops it and keeps configuration, state and database" {
	configure mine 'node = "here";'
	echo kept >"$MACHINE/root/var/lib/steward/kept"
	run -0 machine apt-get -q -y remove steward
	run ! is_active
	run ! machine sh -c 'grep -l "^Uid:.*\b$(id -u steward)\b" /proc/[0-9]*/status'
	[ -e "$MACHINE/root/etc/steward/steward.conf" ]
	[ -e "$MACHINE/root/etc/steward/conf.d/mine.conf" ]
	[ -e "$MACHINE/root/var/lib/steward/kept" ]
	books_are_right
}

@test "apt install again goes on where it was" {
	run -0 apt_install /root/steward.deb
	wait_until 10 is_up
}

@test "apt purge leaves nothing but the user, and the database as it was" {
	run -0 machine apt-get -q -y purge steward
	[[ $output == *"databases and roles are left"* ]]
	machine getent passwd steward
	books_are_right
	machine find / -xdev | sort >"$MACHINE/after"
	run comm -13 "$MACHINE/before" "$MACHINE/after"
	left=$(grep -vE '^/(root|run|tmp|var/(tmp|log|cache)|var/lib/(postgresql|dpkg|apt|systemd|private)|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc/credstore$)' <<<"$output" | grep -vxE '/etc|/etc/machine-id|/etc/\.pwd\.lock|/etc/(passwd|group|shadow|gshadow)-?|/etc/credstore' || true)
	[ -z "$left" ] || { echo "left behind: $left"; false; }
}

@test "without any PostgreSQL on the machine it installs, runs and says what it waits for" {
	machine sh -c 'dpkg --purge postgresql postgresql-15 postgresql-client postgresql-client-15 >/dev/null 2>&1'
	machine rm -rf /run/postgresql
	run -0 apt_install --no-install-recommends /root/steward.deb
	wait_until 10 is_active
	wait_until 10 is_waiting 'waiting for database: .*No such file or directory'
	run ! machine stewardctl db setup
	[[ $output == *"--admin CONNINFO"* ]]
}
