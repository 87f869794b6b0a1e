# SPDX-License-Identifier: Apache-2.0
# The supervisor with real processes: dummies of several kinds, no database.

bats_require_minimum_version 1.5.0
load steward

setup() {
	steward_setup kinds
}

teardown() {
	steward_teardown
}

restart_quickly() {
	steward_set supervisor.restart_delay_min 1
	steward_set supervisor.restart_delay_max 20
	steward_set supervisor.restart_limit 3
	steward_set supervisor.restart_probe 1
	steward_set supervisor.healthy_after 1
}

# ------------------------------------------------------------- configuration
@test "--check names every complaint with file and line and exits 78" {
	printf 'nonsense = 1;\nsupervisor = {\n\theartbeat = "soon";\n};\n' >"$STEWARD_DIR/steward.conf"
	run "$STEWARD_DIR/bin/steward" -c "$STEWARD_DIR/steward.conf" --check
	[ "$status" -eq 78 ]
	[[ $output == *"steward.conf:1: "*nonsense* ]]
	[[ $output == *"steward.conf:3: "*heartbeat* ]]
}

@test "--check of a good file exits 0 and needs no database" {
	run "$STEWARD_DIR/bin/steward" -c "$STEWARD_DIR/steward.conf" --check
	[ "$status" -eq 0 ]
}

@test "a missing configuration exits 78 and names the file" {
	run "$STEWARD_DIR/bin/steward" -c "$STEWARD_DIR/absent.conf"
	[ "$status" -eq 78 ]
	[[ $output == *absent.conf* ]]
}

@test "an unknown option exits 64" {
	run "$STEWARD_DIR/bin/steward" --frobnicate
	[ "$status" -eq 64 ]
}

@test "root without a user to become is refused with a sentence and 78" {
	[ "$(id -u)" = 0 ] || skip "not root"
	steward_set user '""'
	run "$STEWARD_DIR/bin/steward" -c "$STEWARD_DIR/steward.conf"
	[ "$status" -eq 78 ]
	[[ $output == *"does not run as root"* ]]
	[ ! -e "$STEWARD_RUN" ]
}

# ---------------------------------------------------------------------- boot
@test "boots to READY, rank after rank, with modes as promised" {
	steward_listen
	NOTIFY_SOCKET=$STEWARD_DIR/notify.socket start_steward
	wait_until 5 notified '^READY=1'
	wait_until 5 notified '^STATUS=running: 3 of 3 workers ready'
	[ "$(grep -c '^READY=1' "$STEWARD_DIR/notify")" -eq 1 ]
	[ "$(sed -n 's/.*event=worker_started .* process=\([a-z]*\).*/\1/p' "$STEWARD_DIR/log" | xargs)" = "early provisioning late" ]
	is_node running
	[ "$(stat -c %a "$STEWARD_RUN")" = 750 ]
	[ "$(stat -c %a "$STEWARD_RUN/worker")" = 700 ]
	[ "$(stat -c %a "$STEWARD_RUN/control.ipc")" = 660 ]
	[ "$(stat -c %a "$STEWARD_RUN/worker/late.0.ipc")" = 600 ]
	[ -z "$STEWARD_USER" ] || [ "$(stat -c %U "/proc/$STEWARD_PID")" = "$STEWARD_USER" ]
	stop_steward
	wait_until 5 notified '^STOPPING=1'
}

@test "a database that is away is told to the init system with the next step, and is no reason to fail" {
	behave early down
	steward_listen
	NOTIFY_SOCKET=$STEWARD_DIR/notify.socket start_steward
	wait_until 5 notified '^STATUS=waiting for database: told to say so'
	ask ask_status | grep -q '^node .* state=running .* database=down detail=told to say so'
}

@test "an older schema that workers are at work on is not said to be waited for" {
	behave early behind
	steward_listen
	NOTIFY_SOCKET=$STEWARD_DIR/notify.socket start_steward
	wait_until 5 notified '^STATUS=database schema_old: told to say so'
}

@test "feeds the watchdog from its loop" {
	steward_listen
	NOTIFY_SOCKET=$STEWARD_DIR/notify.socket WATCHDOG_USEC=200000 start_steward
	wait_until 5 notified '^WATCHDOG=1'
}

@test "a worker gets the lifeline, the log, a pipe for the rest, no other descriptor, no word of the init system" {
	NOTIFY_SOCKET=/nonexistent start_steward
	local pid pipe
	pid=$(pid_of early 0)
	pipe=$(readlink "/proc/$pid/fd/1")
	[[ $(readlink "/proc/$pid/fd/3") == */lifeline ]]
	[ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
	[[ $pipe == pipe:* ]]
	[ "$(readlink "/proc/$pid/fd/2")" = "$pipe" ]
	[ "$(readlink "/proc/$pid/fd/4")" = "$STEWARD_DIR/log" ]
	[ "$(readlink "/proc/$(pid_of late 0)/fd/1")" != "$pipe" ]
	run ! grep -qz NOTIFY_SOCKET "/proc/$pid/environ"
	run ! sh -c "ls -l /proc/$pid/fd | grep -v ' 3 -> ' | grep -E 'lifeline|steward.lock'"
	# Neither the reading end nor the pipe of another slot.
	[ "$(readlink "/proc/$pid/fd/"* | grep -cF "$pipe")" -eq 2 ]
	grep -q '^flags:.*1$' "/proc/$pid/fdinfo/1"
	grep -q '^flags:.*[^1-3]$' "/proc/$pid/fdinfo/3"
}

@test "a second start in the same directory is refused, naming the pid" {
	start_steward
	run "$STEWARD_DIR/bin/steward" -c "$STEWARD_DIR/steward.conf"
	[ "$status" -eq 1 ]
	[[ $output == *"already running"*"pid $STEWARD_PID"* ]]
	is_node running
}

@test "stale files of every kind are no obstacle" {
	start_steward
	kill -KILL "$STEWARD_PID"
	wait "$STEWARD_PID" || true
	[ -e "$STEWARD_RUN/control.ipc" ]
	start_steward
	is_node running
}

# ------------------------------------------------------------------- restart
@test "a killed worker is replaced at once, and its death is kept" {
	start_steward
	local pid
	pid=$(pid_of late 0)
	kill -KILL "$pid"
	within 10 is_replaced late 0 "$pid"
	[ "$(field late 0 restarts)" = 1 ]
	ask ask_deaths kind=late slot=-1 | grep -q "^death kind=late slot=0 pid=$pid .*exit_status=-1 exit_signal=9 .*reason=signal 9 (SIGKILL)"
	logged "event=worker_exited .*process=late\[0\] pid=$pid .*signal=9"
}

@test "a crash loop fails its kind alone, a probe heals it when the reason is gone" {
	restart_quickly
	behave late crash
	launch_steward
	wait_until 10 has_state late 0 failed
	# The probe may have started another by now.
	[ "$(sed '/event=kind_failed/q' "$STEWARD_DIR/log" | grep -c 'event=worker_started .*process=late')" -eq 4 ]
	has_state early 0 ready
	wait_until 5 is_node degraded
	wait_until 5 logged 'event=kind_probed .*process=late'
	wait_until 5 has_state late 0 failed
	behave late well
	wait_until 10 logged 'event=kind_recovered .*process=late'
	wait_until 5 is_node running
	[ "$(field early 0 restarts)" = 0 ]
}

@test "an order restarts a failed kind at once" {
	restart_quickly
	steward_set supervisor.restart_probe 3600
	behave late crash
	launch_steward
	wait_until 10 has_state late 0 failed
	behave late well
	ask ask_restart kind=late slot=-1
	wait_until 5 has_state late 0 ready
}

@test "status 78 is hopeless: no restart, until a reload" {
	behave late exit 78
	launch_steward
	wait_until 5 has_state late 0 failed
	[ "$(grep -c 'event=worker_started .*process=late' "$STEWARD_DIR/log")" -eq 1 ]
	behave late well
	kill -HUP "$STEWARD_PID"
	wait_until 5 has_state late 0 ready
}

@test "status 75 is tried again for ever and opens no breaker" {
	restart_quickly
	behave late exit 75
	launch_steward
	wait_until 10 logged 'event=worker_started .*process=late\[0\] .*starts=8'
	run ! logged 'event=kind_failed'
	behave late well
	wait_until 5 has_state late 0 ready
}

@test "the policies once and on_crash are kept" {
	steward_set workers.careful.processes 1
	steward_set workers.single.processes 1
	start_steward
	local careful single
	careful=$(pid_of careful 0)
	single=$(pid_of single 0)
	kill -KILL "$careful" "$single"
	wait_until 5 is_replaced careful 0 "$careful"
	wait_until 5 has_state single 0 down
	kill -TERM "$(pid_of careful 0)"
	wait_until 5 has_state careful 0 down
	is_node running
}

@test "a program that is not there is retried with pauses and fails its kind alone" {
	restart_quickly
	rm "$STEWARD_DIR/bin/workers/late"
	launch_steward
	wait_until 10 has_state late 0 failed
	ask ask_deaths kind=late slot=0 | grep -q 'pid=0 .*reason=start .*No such file'
	has_state early 0 ready
	cp "$STEWARD_DIR/bin/workers/early" "$STEWARD_DIR/bin/workers/late"
	wait_until 10 has_state late 0 ready
}

# ---------------------------------------------------------------------- hang
@test "a stopped worker gets SIGABRT, and what it did last is recorded" {
	steward_set supervisor.hang_timeout 1000
	start_steward
	local pid
	pid=$(pid_of late 0)
	wait_until 5 has_field late 0 activity pretending
	kill -STOP "$pid"
	wait_until 5 is_replaced late 0 "$pid"
	ask ask_deaths kind=late slot=0 | grep -q "pid=$pid .*exit_signal=6 .*activity=pretending .*reason=hung: silent for"
	logged 'event=worker_hung .*process=late\[0\]'
}

@test "a worker that never says ready, and one that never beats, are found" {
	steward_set supervisor.hang_timeout 400
	behave late mute
	behave early silent
	launch_steward
	wait_until 5 logged 'event=worker_hung .*process=late\[0\]'
	wait_until 5 logged 'event=worker_hung .*process=early\[0\]'
}

@test "a supervisor that was stopped itself calls nobody hung" {
	steward_set supervisor.hang_timeout 2000
	start_steward
	kill -STOP "$STEWARD_PID"
	sleep 3 # longer than hang_timeout; nothing to wait for
	kill -CONT "$STEWARD_PID"
	is_node running
	run ! logged 'event=worker_hung'
}

# ---------------------------------------------------------------------- stop
@test "SIGTERM drains the last rank first and exits 0" {
	behave late slow 200
	start_steward
	stop_steward
	[ "$(sed -n 's/.*event=worker_exited .* process=\([a-z]*\).*reason="told to leave".*/\1/p' "$STEWARD_DIR/log" | xargs)" = "late provisioning early" ]
	has_no_processes
	[ ! -e "$STEWARD_RUN/control.ipc" ]
}

@test "who does not leave within drain_timeout is killed" {
	steward_set workers.late.drain_timeout 200
	behave late deaf
	start_steward
	stop_steward
	logged 'event=worker_exited .*process=late\[0\] .*signal=9 .*still there after drain_timeout'
}

@test "a second SIGTERM hurries" {
	behave late deaf
	start_steward
	kill -TERM "$STEWARD_PID"
	wait_until 5 logged 'event=worker_dismissed .*process=late'
	kill -TERM "$STEWARD_PID"
	SECONDS=0
	wait "$STEWARD_PID"
	[ "$SECONDS" -lt 9 ] # drain_timeout is ten
	has_no_processes
}

stops_at_once() {
	local began ended
	start_steward || return
	began=$(date +%s%N)
	stop_steward || return
	ended=$(date +%s%N)
	echo "stopped in $(((ended - began) / 1000)) us" >&2
	[ $(((ended - began) / 1000000)) -le 250 ] # the bench has the promise; here the machine is busy
}

@test "eight idle workers stop at once" {
	steward_set workers.late.processes 8
	steward_set workers.early.processes 0
	steward_set workers.provisioning.processes 0
	punctual stops_at_once
}

@test "ask_stop answers first and stops then" {
	start_steward
	ask ask_stop | grep -q '^done'
	wait "$STEWARD_PID"
}

@test "ask_drain ends the workers and stays, undo starts them again" {
	start_steward
	ask ask_drain undo=false
	wait_until 5 is_node drained
	has_state late 0 down
	ask ask_drain undo=true
	wait_until 5 is_node running
}

@test "killed with -9, its workers are gone within a second and the next set is clean" {
	steward_set workers.late.processes 4
	start_steward
	local old
	old=$(steward_processes | sort)
	kill -KILL "$STEWARD_PID"
	wait "$STEWARD_PID" || true
	start_steward # it waits for the old ones
	for pid in $old; do
		run ! test -e "/proc/$pid/fd/3"
	done
	[ "$(steward_processes | wc -l)" -eq 6 ]
}

@test "a worker that outlives its supervisor is killed by the next one" {
	behave late linger
	start_steward
	local pid
	pid=$(pid_of late 0)
	kill -KILL "$STEWARD_PID"
	wait "$STEWARD_PID" || true
	rm -r "$STEWARD_DIR/behave"
	only_is_left() { [ "$(steward_processes)" = "$pid" ]; }
	wait_until 5 only_is_left
	start_steward
	logged 'event=orphans_killed .*count=1'
	[ "$(steward_processes | wc -l)" -eq 3 ]
	run ! test -e "/proc/$pid/fd/3"
}

# -------------------------------------------------------------------- reload
@test "a reload with errors answers all of them and changes nothing" {
	start_steward
	local pid
	pid=$(pid_of late 0)
	steward_set supervisor.heartbeat 7777777
	steward_set workers.late.processes 999
	run ask ask_reload
	[ "$status" -eq 78 ]
	[ "$(grep -c '^complaint ' <<<"$output")" -eq 2 ]
	grep -q '^refused error=config' <<<"$output"
	[ "$(pid_of late 0)" = "$pid" ]
	ask ask_status | grep -q '^node .*config_error=.*steward.conf:'
	kill -HUP "$STEWARD_PID"
	failed_twice() { [ "$(grep -c 'event=reload_failed' "$STEWARD_DIR/log")" -eq 2 ]; }
	wait_until 5 failed_twice
}

@test "what a reload refused, or nobody reloaded, does not reach a worker that is replaced" {
	start_steward
	local before
	before=$(pid_of early 0)
	cp "$STEWARD_DIR/steward.conf" "$STEWARD_DIR/good.conf"
	echo 'nonsense = 1;' >>"$STEWARD_DIR/steward.conf"
	run -78 ask ask_reload
	kill -KILL "$before"
	wait_until 5 is_replaced early 0 "$before"
	[ "$(stat -c %a "$STEWARD_RUN/worker/steward.conf")" = 600 ]
	cp "$STEWARD_DIR/good.conf" "$STEWARD_DIR/steward.conf"
	ask ask_reload
	[ "$(field early 0 restarts)" = 1 ]
}

@test "restart orders in quick succession are all obeyed" {
	start_steward
	for _ in 1 2 3; do
		local before
		before=$(pid_of early 0)
		ask ask_restart kind=early slot=-1
		ask ask_restart kind=early slot=-1
		wait_until 5 is_replaced early 0 "$before"
		before=$(pid_of early 0)
		ask ask_restart kind=early slot=-1
		wait_until 5 is_replaced early 0 "$before"
	done
}

@test "a live setting is applied to running workers" {
	start_steward
	local pid
	pid=$(pid_of late 0)
	steward_set provisioning.batch 17
	ask ask_reload | grep -q '^changed path=provisioning.batch how=live'
	wait_until 5 logged 'event=dummy_reloaded from=late\[0\]'
	[ "$(pid_of late 0)" = "$pid" ]
}

@test "a kind's own setting restarts that kind alone, one process at a time" {
	steward_set workers.late.processes 3
	behave late slow 100
	start_steward
	local early late
	early=$(pid_of early 0)
	late=$(pid_of late 2)
	steward_set workers.late.nice 3
	ask ask_reload | grep -q '^changed path=workers.late.nice how=respawn'
	wait_until 10 is_replaced late 2 "$late"
	[ "$(pid_of early 0)" = "$early" ]
	# Each is dismissed only after the one before was ready again.
	[ "$(sed -n 's/.*event=worker_\(dismissed\|ready\) from=steward process=late\[\([0-9]\)\].*/\1\2/p' "$STEWARD_DIR/log" |
		sed -n '/dismissed0/,$p' | xargs)" = "dismissed0 ready0 dismissed1 ready1 dismissed2 ready2" ]
}

@test "a global respawn setting restarts every kind, a boot setting is only reported" {
	start_steward
	local early late
	early=$(pid_of early 0)
	late=$(pid_of late 0)
	steward_set database.retry_min 60
	steward_set node '"elsewhere"'
	ask ask_reload >"$STEWARD_DIR/answer"
	grep -q '^changed path=database.retry_min how=respawn' "$STEWARD_DIR/answer"
	grep -q '^changed path=node how=boot' "$STEWARD_DIR/answer"
	wait_until 10 is_replaced late 0 "$late"
	wait_until 10 is_replaced early 0 "$early"
	ask ask_reload | grep -q '^changed path=node how=boot'
}

@test "SIGHUP scales, and says RELOADING and READY" {
	steward_listen
	NOTIFY_SOCKET=$STEWARD_DIR/notify.socket start_steward
	steward_set workers.late.processes 3
	kill -HUP "$STEWARD_PID"
	wait_until 5 has_state late 2 ready
	ready_twice() { [ "$(grep -c '^READY=1' "$STEWARD_DIR/notify")" -eq 2 ]; }
	wait_until 5 ready_twice
	notified '^RELOADING=1'
	notified '^MONOTONIC_USEC='
}

# -------------------------------------------------------------------- orders
@test "scales up and down; the highest slots go" {
	start_steward
	local pid
	pid=$(pid_of late 0)
	ask ask_scale kind=late processes=3
	wait_until 5 has_state late 2 ready
	ask ask_scale kind=late processes=1
	wait_until 5 has_no_row late 2
	[ "$(pid_of late 0)" = "$pid" ]
	ask ask_scale kind=late processes=2
	wait_until 5 has_state late 1 ready
	run ask ask_scale kind=late processes=65
	[ "$status" -eq 65 ]
	run ask ask_scale kind=nobody processes=1
	[ "$status" -eq 4 ]
}

has_no_row() {
	[ -z "$(field "$1" "$2" state)" ]
}

@test "a paused kind stays paused when its process is replaced" {
	start_steward
	ask ask_pause kind=late paused=true
	has_state late 0 paused
	kill_worker late 0
	wait_until 5 has_field late 0 restarts 1
	wait_until 5 has_state late 0 paused
	ask ask_pause kind=late paused=false
	wait_until 5 has_state late 0 ready
}

@test "an order to restart one slot replaces that one" {
	steward_set workers.late.processes 2
	start_steward
	local zero one
	zero=$(pid_of late 0)
	one=$(pid_of late 1)
	ask ask_restart kind=late slot=1
	wait_until 5 is_replaced late 1 "$one"
	[ "$(pid_of late 0)" = "$zero" ]
	run ask ask_restart kind=late slot=7
	[ "$status" -eq 4 ]
}

@test "a worker's wake nudges a ready worker of the other kind" {
	behave late wake early
	start_steward
	wait_until 5 has_field early 0 done 1
}

# -------------------------------------------------------------------- rights
@test "others who can connect may look but not act, and both are logged" {
	[ "$(id -u)" = 0 ] || skip "not root"
	start_steward
	as_other() {
		setpriv --reuid=daemon --regid="$(stat -c %g "$STEWARD_RUN")" --clear-groups \
			"$STEWARD_DIR/bin/ask" "$STEWARD_RUN/control.ipc" "$@"
	}
	as_other ask_status | grep -q '^node '
	run as_other ask_stop
	[ "$status" -eq 77 ]
	[[ $output == *"may look but not act"* ]]
	is_node running
	ask ask_events after=0 | grep -q 'name=order_received .*order=stop uid=1 .*result=denied'
	steward_set control.admin_group '"daemon"'
	ask ask_reload
	as_other ask_pause kind=late paused=true
	ask ask_events after=0 | grep -q 'name=order_received .*order=pause uid=1 .*result=ok kind=late paused=yes'
}

@test "peers that leave, talk garbage or say half a word cost nothing" {
	start_steward
	perl -MIO::Socket::UNIX -e '
		for my $n (1 .. 60) {
			my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!";
			print $s "GET / HTTP/1.0\r\n\r\n" if $n % 3 == 1;
			print $s "\0SP\0\0\x30\0\0\1\0\0\0\0" if $n % 3 == 2;
			close $s;
		}
	' "$STEWARD_RUN/control.ipc"
	is_node running
	perl -MIO::Socket::UNIX -e '
		IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "connect: $!" for 1 .. 60
	' "$STEWARD_RUN/worker/late.0.ipc"
	local pid
	pid=$(pid_of late 0)
	kill -KILL "$pid"
	wait_until 10 is_replaced late 0 "$pid"
}
