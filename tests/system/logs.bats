# SPDX-License-Identifier: Apache-2.0
# The log of real processes: its forms, and what workers say beside it.

bats_require_minimum_version 1.5.0
load steward

setup() {
	steward_setup kinds
}

teardown() {
	steward_teardown
}

told() {
	grep -c "event=worker_output .*process=$1" "$STEWARD_DIR/log"
}

has_told() {
	[ "$(told "$1")" -ge "$2" ]
}

# --------------------------------------------------------------------- forms
@test "json: one object a line, of the supervisor and of its workers, whatever the workers write" {
	steward_set log.format '"json"'
	behave late chatter 3
	launch_steward
	wait_until 10 logged '"event":"steward_ready"'
	ask ask_reload
	steward_set provisioning.batch 17
	ask ask_reload
	wait_until 5 logged '"event":"dummy_reloaded","from":"late\[0\]"'
	stop_steward
	jq -e -s 'all(.ts and .level and .event and .from)' "$STEWARD_DIR/log"
	[ "$(jq -s 'map(select(.event == "worker_ready" and .process == "late[0]").pid | numbers) | length' "$STEWARD_DIR/log")" -eq 1 ]
	[ "$(jq -r 'select(.event == "worker_output" and .process == "late[0]").line' "$STEWARD_DIR/log" | head -n 1)" = "chatter 1 \"quoted\" �" ]
}

@test "a stream that is the journal's gets lines with a level before them when the journal's socket is away" {
	[ ! -e /run/systemd/journal/socket ] || skip "the journal is there"
	JOURNAL_STREAM=$(stat -c %d:%i "$STEWARD_DIR/log") launch_steward
	wait_until 10 logged '^<6>event=steward_ready from=steward '
	run ! logged '^ts='
	wait_until 5 logged '^<6>event=worker_ready '
}

@test "JOURNAL_STREAM of somebody else changes nothing" {
	JOURNAL_STREAM=1:1 start_steward
	run ! logged '^<'
	logged '^ts=.* level=info event=steward_ready '
}

@test "log.format is live, for the workers too, and a wrong one is refused" {
	start_steward
	steward_set log.format '"jsn"'
	run ask ask_reload
	[ "$status" -eq 78 ]
	[[ $output == *"log.format is \"jsn\"; allowed: auto, logfmt or json"* ]]
	steward_set log.format '"json"'
	ask ask_reload | grep -q '^changed path=log.format how=live'
	wait_until 5 logged '^{.*"event":"dummy_reloaded","from":"late\[0\]"'
	wait_until 5 logged '^{.*"event":"config_reloaded","from":"steward"'
}

# -------------------------------------------------------------------- strays
@test "stray lines of both streams are tagged, the last without its end too; its own log lines are not" {
	behave late chatter 4
	start_steward
	wait_until 5 has_told 'late\[0\] line="chatter' 4
	logged 'level=warning event=worker_output from=steward process=late\[0\] line="chatter 1 \\"quoted\\" '
	run ! logged 'not the end of'
	ask ask_reload
	steward_set provisioning.batch 17
	ask ask_reload
	wait_until 5 logged '^ts=.* event=dummy_reloaded from=late\[0\]$'
	run ! logged 'worker_output.*dummy_reloaded'
	kill_worker late 0
	wait_until 5 logged 'process=late\[0\] line="not the end of"'
	wait_until 5 has_told 'late\[0\] line="chatter' 8
	[ "$(told early)" -eq 0 ]
}

@test "last words come before the death, and before those of the next process" {
	behave late.0 chatter 2 crash
	steward_set supervisor.restart_delay_min 1
	steward_set supervisor.restart_limit 1
	launch_steward
	wait_until 10 has_state late 0 failed
	[ "$(LC_ALL=C sed -n 's/.*event=worker_\(output\|exited\|started\) .*process=late\[0\]\( line="\([a-z]*\).*\)*.*/\1\3/p' "$STEWARD_DIR/log" | xargs)" = \
		"started outputchatter outputchatter outputnot exited started outputchatter outputchatter outputnot exited" ]
}

@test "a worker that says too much is ready, is counted, and nobody waits" {
	behave late chatter 50000
	local began=$SECONDS
	start_steward
	wait_until 5 has_state late 0 ready
	wait_until 5 logged 'event=worker_output_dropped .*process=late\[0\] lines=[0-9]'
	wait_until 5 logged 'line="chatter 50000'
	# A hundred, and twenty in each second.
	[ "$(told late)" -le $((200 + 20 * (SECONDS - began))) ]
	is_node running
	local pid
	pid=$(pid_of early 0)
	kill -KILL "$pid"
	wait_until 5 is_replaced early 0 "$pid"
}

@test "the last words of a process are told, however much it said before" {
	behave late chatter 20000 crash
	steward_set supervisor.restart_limit 1
	launch_steward
	wait_until 10 has_state late 0 failed
	[ "$(grep -c 'process=late\[0\] line="not the end of"' "$STEWARD_DIR/log")" -eq 2 ]
	[ "$(grep -c 'process=late\[0\] line="chatter 20000' "$STEWARD_DIR/log")" -eq 2 ]
}

@test "no line is lost without being counted" {
	behave late chatter 5000
	start_steward
	wait_until 5 logged 'line="chatter 5000'
	kill_worker late 0
	wait_until 5 logged 'line="not the end of"'
	[ "$(LC_ALL=C awk '/not the end of/ { exit } !/process=late/ { next } /worker_output_dropped/ { n += substr($NF, 7) }
		/worker_output .*chatter/ { n++ } END { print n }' "$STEWARD_DIR/log")" -eq 5000 ]
}

@test "slots have their pipe from the beginning: restarts open nothing, an idle supervisor sleeps" {
	steward_set supervisor.heartbeat 5000
	behave late chatter 2
	start_steward
	local before after pid
	wait_until 5 has_state late 0 ready
	before=$(descriptors)
	for _ in 1 2 3; do
		pid=$(pid_of late 0)
		kill -KILL "$pid"
		wait_until 5 is_replaced late 0 "$pid"
	done
	has_no_more_descriptors() { [ "$(descriptors)" -le "$before" ]; }
	wait_until 5 has_no_more_descriptors
	before=$(switches) began=$SECONDS
	sleep 1 # idle is what is measured
	after=$(switches)
	# A round of heartbeats may fall into it, one in five seconds; a timer of 20 ms would make 50.
	[ $((after - before)) -le $((12 * (1 + (SECONDS - began) / 5))) ]
}

descriptors() {
	find "/proc/$STEWARD_PID/fd" -type l | wc -l
}

switches() {
	awk '/^voluntary/ { print $2 }' "/proc/$STEWARD_PID/status"
}
