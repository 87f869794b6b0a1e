# SPDX-License-Identifier: Apache-2.0
# What a subscriber of the publication hears.  A cluster of its own, for the shared one has no logical decoding.

bats_require_minimum_version 1.5.0
load steward
load matches
load cluster
load staff

setup() {
	steward_setup
	cluster_setup -c wal_level=logical
	make_staff
}

teardown() {
	cluster_teardown
	steward_teardown
}

# heard - what the subscriber has not been told yet: how and of which table, and whether the word is in it
heard() {
	sql -v word="$1" <<-'SQL'
	SELECT DISTINCT chr(get_byte(m.data, 0)) || ' ' || c.relname || CASE WHEN position(convert_to(:'word', 'UTF8') IN m.data) > 0 THEN ' ' || :'word' ELSE '' END
	  FROM pg_logical_slot_get_binary_changes('ears', NULL, NULL, 'proto_version', '1', 'publication_names', 'supabase_realtime') m
	  JOIN pg_class c ON c.oid = ('x' || encode(substr(m.data, 2, 4), 'hex'))::bit(32)::int8::oid
	 WHERE chr(get_byte(m.data, 0)) IN ('I', 'U', 'D') ORDER BY 1
	SQL
}

@test "R04: a subscriber hears of assignments, of the queue and of escalations, of each change, and of no other table" {
	sql -c "SELECT pg_create_logical_replication_slot('ears', 'pgoutput')" >/dev/null
	busy lawyer 1
	[ "$(heard load-lawyer-1)" = 'I assignments load-lawyer-1' ]
	sql -c "UPDATE public.assignments SET status = 'in_progress'"
	[ "$(heard in_progress)" = 'U assignments in_progress' ]
	queue waits legal
	[ "$(heard waits)" = 'I assignment_queue waits' ]
	sql -c "DELETE FROM public.assignment_queue"
	[ "$(heard waits)" = 'D assignment_queue' ]
	sql -c "SELECT steward.escalate(id, 'manual', assignee_id, 'a note') FROM public.assignments" >/dev/null
	[ "$(heard 'a note')" = $'I escalation_events a note\nU assignments' ]
	sql -c "SELECT steward.escalation_answer(id, NULL, true) FROM public.escalation_events" >/dev/null
	[ "$(heard resolved)" = 'U escalation_events' ]
}
