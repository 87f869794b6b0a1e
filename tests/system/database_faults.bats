# SPDX-License-Identifier: Apache-2.0
# What happens to the main job when PostgreSQL itself suffers.  A cluster of its own per test.

bats_require_minimum_version 1.5.0
load steward
load matches
load cluster

setup() {
	steward_setup
	steward_set provisioning.tick 500
}

teardown() {
	[ -z "${space:-}" ] || ip netns delete "$space" || true
	cluster_teardown
	if [ -n "${small:-}" ] && mountpoint -q "$small"; then
		umount -l "$small"
	fi
	steward_teardown
}

all_done() {
	nothing_waits && [ "$(count "advisor_match_requests WHERE status = 'client_approved'")" = 0 ]
}

@test "absent at start: workers stay up and say so, and begin by themselves when it comes" {
	cluster_setup
	make_matches 5
	finalize
	cluster_stop fast
	start_steward
	wait_until 5 database_is down
	[[ $(database_detail) == *"$CLUSTER"* ]]
	logged "event=database_changed .*state=down .*$CLUSTER"
	has_state provisioning 0 ready
	cluster_start
	within 10 database_is up
	within 10 nothing_waits
	[ "$(field provisioning 0 restarts)" = 0 ]
	books_are_right
}

# done_after MS - all is, at most that long from now, and what the work itself may take on a busy machine
done_after() {
	local until=$(($(date +%s%3N) + $1 + 5 * usual))
	until all_done; do
		[ "$(date +%s%3N)" -lt "$until" ] || { tail -n 40 "$STEWARD_DIR/log" >&2; return 1; }
	done
}

# work_is_held - of 600 jobs one worker has a batch that is done and not committed; how long 600 take is in $usual
work_is_held() {
	local began
	cluster_setup
	steward_set workers.provisioning.processes 2
	start_steward
	make_matches 600
	began=$(date +%s%3N)
	finalize_together
	wait_until 10 all_done
	usual=$(($(date +%s%3N) - began))
	make_matches 600
	hold_batch
	finalize_together
	wait_until 5 is_stuck_on_a_lock
}

everything_was_done_at_the_first_attempt() {
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed' AND attempt_count = 0")" = 1200 ]
	books_are_right
}

@test "stopped at once in the middle of the work: all is done 2 s after it is back" {
	work_is_held
	cluster_stop immediate
	wait_until 5 database_is down
	cluster_start
	done_after 2000
	everything_was_done_at_the_first_attempt
}

@test "kill -9 of the backend in the middle of a batch: all is done 2 s after the recovery" {
	work_is_held
	backend=$(sql -c "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'steward/provisioning%' AND wait_event_type = 'Lock' LIMIT 1")
	kill -KILL "$backend"
	answers_afresh() { [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE pid = $backend")" = 0 ]; }
	wait_until 10 answers_afresh
	done_after 2000
	logged 'event=database_changed.*state=down'
	everything_was_done_at_the_first_attempt
}

@test "no schema at all: status names the command; after it, steward goes on by itself" {
	cluster_setup
	sql -d postgres -c 'DROP DATABASE steward' -c 'CREATE DATABASE steward'
	start_steward
	wait_until 5 database_is schema_old
	[[ $(database_detail) == *"stewardctl db"* ]]
	logged 'event=database_changed .*state=schema_old .*stewardctl db'
	"$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" db setup --admin "host=$CLUSTER dbname=postgres user=postgres"
	wait_until 5 database_is up
	[ "$(field provisioning 0 restarts)" = 0 ]
}

@test "no role: status says which and names the command; after it, steward goes on by itself" {
	cluster_setup
	sql -d postgres -c 'ALTER ROLE steward RENAME TO somebody'
	start_steward
	wait_until 5 database_is down
	[[ $(database_detail) == *'role "steward" does not exist'*"stewardctl db setup"* ]]
	logged 'event=database_changed .*state=down .*role .*steward.* does not exist.*stewardctl db setup'
	sql -d postgres -c 'ALTER ROLE somebody RENAME TO steward'
	wait_until 5 database_is up
	[ "$(field provisioning 0 restarts)" = 0 ]
}

@test "a wrong password: a sentence without the password, no crash loop, it goes on when it is right" {
	cluster_setup
	cluster_as_owner sh -c "echo 'local all postgres trust
local all all scram-sha-256' >$CLUSTER/data/pg_hba.conf"
	sql -c "ALTER ROLE steward PASSWORD 'right-horse'" -c 'SELECT pg_reload_conf()'
	steward_set database.conninfo "\"host=$CLUSTER dbname=steward user=steward password=wrong-horse\""
	start_steward
	wait_until 5 database_is down
	[[ $(database_detail) == *"password authentication failed"* ]]
	logged 'event=database_changed .*state=down .*password authentication failed'
	[[ $(database_detail) != *horse* ]]
	run ! grep -q horse "$STEWARD_DIR/log"
	make_matches 2
	finalize
	sql -c "ALTER ROLE steward PASSWORD 'wrong-horse'"
	wait_until 5 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE attempt_count > 0")" = 0 ]
	[ "$(field provisioning 0 restarts)" = 0 ]
}

@test "the disk of the database full: nothing is counted, it says so, it goes on when there is room" {
	[ "$(id -u)" = 0 ] || skip "needs root to mount a small disk"
	small=$STEWARD_DIR/small
	mkdir "$small"
	mount -t tmpfs -o size=24m,mode=777 tmpfs "$small" || skip "cannot mount a tmpfs here"
	cluster_setup
	cluster_as_owner mkdir "$small/space"
	start_steward
	make_matches 200
	sql -c "CREATE TABLESPACE small LOCATION '$small/space'"
	sql -c 'ALTER TABLE steward.event SET TABLESPACE small' -c 'ALTER TABLE project_chat_log_minimal SET TABLESPACE small'
	# What is left of the disk goes to a file; the next page does not fit.
	dd if=/dev/zero of="$small/filler" bs=1k 2>/dev/null || true
	finalize_together
	wait_until 10 database_is down
	[[ $(database_detail) == *"No space left on device"* ]]
	logged 'event=database_changed .*state=down .*No space left on device'
	[ "$(count "workspace_provisioning_queue WHERE attempt_count > 0 OR status = 'failed'")" = 0 ]
	rm "$small/filler"
	wait_until 10 nothing_waits
	wait_until 5 database_is up
	[ "$(field provisioning 0 restarts)" = 0 ]
	books_are_right
}

# start_steward_beyond_a_network - in a namespace of its own, the database at the other end of v$space
start_steward_beyond_a_network() {
	[ "$(id -u)" = 0 ] || skip "needs root for a network namespace"
	space=steward$$ net=10.213.$(($$ % 256))
	ip netns add "$space" 2>/dev/null || { space= && skip "cannot make a network namespace here"; }
	ip -n "$space" link >/dev/null 2>&1 || { ip netns delete "$space"; space= && skip "cannot enter a network namespace here"; }
	ip link add "v$space" type veth peer name inner netns "$space"
	ip addr add "$net.1/29" dev "v$space"
	ip link set "v$space" up
	ip -n "$space" addr add "$net.2/29" dev inner
	ip -n "$space" link set inner up
	# .3 is a machine that is switched off: named first in the conninfo, it must cost a pause and no more.
	for host in "$net.1" "$net.3"; do
		ip -n "$space" neigh replace "$host" dev inner nud permanent lladdr "$(cat "/sys/class/net/v$space/address")"
	done
	cluster_setup -c "listen_addresses=$net.1"
	echo "host all all $net.0/29 trust" >>"$CLUSTER/data/pg_hba.conf"
	sql -c 'SELECT pg_reload_conf()' >/dev/null
	steward_set database.conninfo "\"host=$net.3,$net.1 dbname=steward user=steward\""
	steward_set database.connect_timeout 2000
	ip netns exec "$space" "$STEWARD_DIR/bin/steward" -c "$STEWARD_DIR/steward.conf" >>"$STEWARD_DIR/log" 2>&1 3>&- &
	STEWARD_PID=$!
	wait_until 10 database_is up
}

@test "a silent partition is noticed within ten seconds, and healed by itself" {
	start_steward_beyond_a_network
	# Without its address the other end takes the packets and says nothing, no reset and no ARP failure.
	ip addr del "$net.1/29" dev "v$space"
	within 15 database_is down
	ip addr add "$net.1/29" dev "v$space"
	make_matches 3
	finalize
	wait_until 10 nothing_waits
	wait_until 5 database_is up
	books_are_right
}

@test "a listener whose connection is half open: the poll carries on meanwhile, and it listens again within ten seconds" {
	steward_set workers.provisioning.processes 1
	start_steward_beyond_a_network
	is_listening() { [ "$(count "pg_stat_activity WHERE application_name = 'steward/provisioning[0]/listen'")" -ge 1 ]; }
	wait_until 5 is_listening
	port=$(sql -c "SELECT client_port FROM pg_stat_activity WHERE application_name = 'steward/provisioning[0]/listen'")
	# What the server sends to this one connection goes into a queue without room.
	{
		tc qdisc add dev "v$space" root handle 1: htb default 1 &&
			tc class add dev "v$space" parent 1: classid 1:1 htb rate 1gbit &&
			tc class add dev "v$space" parent 1: classid 1:2 htb rate 1mbit &&
			tc qdisc add dev "v$space" parent 1:2 handle 2: pfifo limit 0 &&
			tc filter add dev "v$space" parent 1: protocol ip prio 1 u32 match ip dport "$port" 0xffff flowid 1:2
	} 2>/dev/null || skip "cannot shape traffic here"
	cut_off=$(date +%s%3N)
	make_matches 3
	finalize
	within 8 nothing_waits
	run ! logged 'session=steward/provisioning\[0\]/listen state=down'
	listens_again() { [ "$(count "pg_stat_activity WHERE application_name = 'steward/provisioning[0]/listen' AND client_port <> $port")" = 1 ]; }
	wait_until 12 listens_again
	[ $(($(date +%s%3N) - cut_off)) -le 15000 ]
	logged 'session=steward/provisioning\[0\]/listen state=down'
	run ! logged 'session=steward/provisioning\[0\] state=down'
	books_are_right
}
