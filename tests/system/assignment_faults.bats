# SPDX-License-Identifier: Apache-2.0
# Deadlines and the queue with real processes, whatever is killed, lost or late.

bats_require_minimum_version 1.5.0
load steward
load matches
load staff

setup() {
	main_job_setup
	steward_set workers.provisioning.processes 0
	steward_set workers.capacity_snapshot.processes 0
	steward_set workers.escalation_cleanup.processes 0
	make_staff
}

teardown() {
	steward_teardown
	sql -c "ALTER DATABASE $PGDATABASE RESET steward.clock_offset" -c "ALTER DATABASE $PGDATABASE RESET track_functions" \
		-c 'DROP FUNCTION IF EXISTS public.dawdle() CASCADE' -c 'DROP TABLE IF EXISTS public.dawdles'
}

begin() {
	start_steward
	wait_until 10 database_is up
}

# due N WITHIN - N items of translator1 whose deadlines pass within that interval
due() {
	sql -v n="$1" -v within="$2" <<-'SQL'
		INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at, sla_deadline)
		SELECT 'due-' || i, 'ticket', md5('translator1')::uuid, 'normal', steward.now() - interval '1 hour',
		       steward.now() + i * interval :'within' / :n
		  FROM generate_series(1, :n) i
	SQL
}

# nothing is due at the moment
all_are_watched() { [ "$(count 'assignments WHERE warning_sent_at IS NULL AND warn_at <= steward.now()')" = 0 ]; }

# escalated N - that many breaches, each with one event
escalated() {
	[ "$(sql -c "SELECT count(*), count(DISTINCT COALESCE(assignment_id, queue_id)) FROM escalation_events WHERE reason = 'sla_breach'")" = "$1|$1" ]
}

# Of half of them: of some somebody else may have had the CPU.
lateness_ms() {
	sql -c "SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM escalated_at - sla_deadline) * 1000)) FROM escalation_events"
}

# ms; by no poll, which comes after 30 s
PROMPT=2000

end_listeners() {
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'steward/%/listen' AND datname = current_database()" >/dev/null
}

# Of sessions that are over: one that goes on tells what it did up to 10 s later.
calls_of() {
	sql -c "SELECT COALESCE(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = '$1'"
}

dawdles() { [ "$(count "pg_stat_activity WHERE application_name LIKE 'steward/queue_fallback%' AND datname = current_database() AND wait_event = 'PgSleep'")" = 1 ]; }
no_sessions() { [ "$(count "pg_stat_activity WHERE application_name LIKE 'steward/%' AND datname = current_database()")" = 0 ]; }

# passes [busy] - of the queue that had something to try; needs log.level debug
passes() { grep -c "event=queue_drained .*${1:+busy=1}" "$STEWARD_DIR/log" || true; }

# ------------------------------------------------------------------ deadlines
@test "kill -9 of a monitor in the middle of a batch: each breach has exactly one event" {
	due 30 '1 ms'
	hold_lock "SELECT FROM auth.users WHERE id = md5('supervisor')::uuid FOR UPDATE"
	begin
	wait_until 5 is_stuck_on_a_lock sla_monitor
	victim=$(pid_of sla_monitor 0)
	kill -KILL "$victim"
	wait_until 5 is_replaced sla_monitor 0 "$victim"
	release_lock
	wait_until 10 escalated 30
	wait_until 5 assignments_are_right crowded
}

@test "kill -9 of monitors again and again while deadlines pass: each breach has exactly one event" {
	steward_set supervisor.restart_delay_min 1
	steward_set supervisor.restart_delay_max 5
	steward_set supervisor.restart_limit 1000
	steward_set workers.sla_monitor.processes 2
	begin
	due 300 '3 s'
	for _ in $(seq 10); do
		wait_until 5 has_state sla_monitor 0 ready
		kill_worker sla_monitor 0
		wait_until 5 has_state sla_monitor 1 ready
		kill_worker sla_monitor 1
	done
	wait_until 15 escalated 300
	wait_until 5 assignments_are_right crowded
}

@test "two monitors on each of two nodes: each breach has exactly one event" {
	steward_set workers.sla_monitor.processes 2
	begin
	start_second
	due 400 '2 s'
	wait_until 15 escalated 400
	wait_until 5 assignments_are_right crowded
	stop_second
	stop_steward
}

@test "the monitor acts in the moment of the deadline, neither early nor in a spin" {
	sql -c "ALTER DATABASE $PGDATABASE SET track_functions = 'pl'"
	begin
	due 20 '4 s'
	wait_until 15 escalated 20
	[ "$(count 'escalation_events WHERE escalated_at < sla_deadline')" = 0 ]
	late=$(lateness_ms)
	echo "median of the lateness: $late ms"
	[ "$late" -le 100 ]
	# Warnings, then one turn per deadline, each with one more that finds the next.
	stop_steward
	wait_until 5 no_sessions
	calls=$(calls_of sla_turn)
	echo "turns: $calls"
	[ "$calls" -ge 2 ]
	[ "$calls" -le 70 ]
}

@test "a deadline that comes nearer wakes the monitor, one that goes away does not escalate" {
	steward_set sla_monitor.tick 30000
	assign far translator1 "steward.now() + interval '1 hour'"
	begin
	assign near translator1 "steward.now() + interval '1 hour'"
	# The monitor hears of each.
	sql -c "UPDATE assignments SET sla_deadline = steward.now() + interval '2 s' WHERE work_item_id = 'near'" \
		-c "UPDATE assignments SET sla_deadline = steward.now() + interval '1 hour' WHERE work_item_id = 'near'" \
		-c "UPDATE assignments SET sla_deadline = steward.now() + interval '0.3 s' WHERE work_item_id = 'far'"
	within 10 escalated 1
	[ "$(breaches_of far)" = 1 ]
	[ "$(lateness_ms)" -le "$PROMPT" ]
	assign last translator1 "steward.now() + interval '2.5 s'"
	within 10 escalated 2
	[ "$(breaches_of near)" = 0 ]
}

@test "what waits in the queue is escalated in the moment of its deadline, once, whoever gets it then" {
	steward_set sla_monitor.tick 30000
	busy lawyer 5
	begin
	queue waits legal urgent 119.97
	within 10 escalated 1
	[ "$(lateness_ms)" -le "$PROMPT" ]
	is_queued waits
	complete load-lawyer-1
	within 10 has lawyer waits
	assign next translator1 "steward.now() + interval '0.5 s'"
	within 10 escalated 2
	[ "$(breaches_of waits)" = 1 ]
	wait_until 5 assignments_are_right crowded
}

@test "a monitor that listens in vain still escalates: the safety poll finds what nobody told of" {
	steward_set sla_monitor.tick 500
	begin
	sql <<-'SQL'
		SET session_replication_role = replica;
		INSERT INTO assignments (organization_id, unit_id, work_item_id, work_item_type, assignee_id, priority, sla_started_at, warn_at, sla_deadline)
		SELECT p.organization_id, p.unit_id, 'untold', 'ticket', p.user_id, 'normal', steward.now(), steward.now(), steward.now() + interval '0.1 s'
		  FROM staff_profiles p WHERE p.user_id = md5('translator1')::uuid;
	SQL
	wait_until 5 escalated 1
}

@test "an outage while 50 items become due: one event per item, and one digest for each who is told" {
	due 50 '50 minutes'
	begin
	wait_until 5 all_are_watched
	stop_steward
	sql -c "ALTER DATABASE $PGDATABASE SET steward.clock_offset = '1 hour'"
	begin
	wait_until 10 escalated 50
	wait_until 5 assignments_are_right crowded
	told=$(sql -c "SELECT string_agg(split_part(u.email, '@', 1) || ' ' || n.notification_type || ' ' || (n.payload #>> '{metadata,count}'), ', ' ORDER BY u.email)
		FROM notification_outbox n JOIN auth.users u ON u.id = n.recipient_id WHERE 'sla_escalation' IN (n.notification_type, n.payload #>> '{metadata,of}')")
	echo "$told"
	[ "$told" = 'supervisor sla_digest 50, translator1 sla_digest 50' ]
}

@test "a breach that nobody can be told about is stamped and blocks nothing" {
	sql -c "UPDATE staff_profiles SET availability_status = 'unavailable' WHERE user_id IN (md5('supervisor')::uuid, md5('director')::uuid)"
	due 3 '1 ms'
	begin
	wait_until 5 logged 'event=escalations_unserved .*count=3'
	[ "$(count 'assignments WHERE breached_at IS NULL')" = 0 ]
	sql -c "UPDATE staff_profiles SET availability_status = 'available'"
	assign next translator1 "steward.now() + interval '0.2 s'"
	breached() { [ "$(breaches_of next)" = 1 ]; }
	within 10 breached
}

@test "the clock is moved by days, and back: everything that was due is escalated once" {
	due 10 '40 hours'
	begin
	stop_steward
	sql -c "ALTER DATABASE $PGDATABASE SET steward.clock_offset = '3 days'"
	begin
	wait_until 5 escalated 10
	stop_steward
	sql -c "ALTER DATABASE $PGDATABASE SET steward.clock_offset = '-3 days'"
	begin
	assign after translator1 "steward.now() + interval '0.3 s'"
	within 10 escalated 11
	stop_steward
	sql -c "ALTER DATABASE $PGDATABASE RESET steward.clock_offset"
	begin
	assign again translator1 "steward.now() + interval '0.3 s'"
	within 10 escalated 12
	wait_until 5 assignments_are_right crowded
}

# ------------------------------------------------------------------ the queue
@test "kill -9 of a drain in the middle of a batch loses nothing and assigns nothing twice" {
	busy lawyer 3
	for i in 1 2 3 4 5; do queue q-$i legal normal $((10 - i)); done
	sql <<-'SQL'
		CREATE TABLE public.dawdles AS SELECT;
		CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
		    PERFORM pg_sleep(60) FROM public.dawdles;
		    RETURN NEW;
		END $$;
		CREATE TRIGGER dawdle AFTER INSERT ON public.assignments FOR EACH ROW EXECUTE FUNCTION public.dawdle();
	SQL
	begin
	wait_until 5 dawdles
	victim=$(pid_of queue_fallback 0)
	# Only this one.
	sql -c 'DELETE FROM public.dawdles'
	kill -KILL "$victim"
	wait_until 5 is_replaced queue_fallback 0 "$victim"
	# Which two is open: the killed one's session holds the first item until it notices.
	two_went() { [ "$(count "assignments WHERE work_item_id LIKE 'q-%'")" = 2 ] && [ "$(count assignment_queue)" = 3 ]; }
	wait_until 10 two_went
	wait_until 10 assignments_are_right
}

@test "two drains on each of two nodes: every freed place is used once, in order, and no limit exceeded" {
	steward_set workers.queue_fallback.processes 2
	begin
	start_second
	busy lawyer 5
	busy analyst 5
	sql <<-'SQL'
		INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, created_at)
		SELECT s || '-' || lpad(i::text, 2, '0'), 'ticket', ARRAY[md5(s)::uuid], 'normal', steward.now() - interval '1 hour' + i * interval '1 s'
		  FROM generate_series(1, 30) i, unnest('{legal, analysis}'::text[]) s
	SQL
	served() { [ "$(count "assignments WHERE work_item_id ~ '^(legal|analysis)'")" = "$1" ]; }
	for n in $(seq 15); do
		sql -c "UPDATE assignments SET status = 'completed' WHERE id IN (
			SELECT DISTINCT ON (assignee_id) id FROM assignments WHERE status = 'assigned' ORDER BY assignee_id, assigned_at, work_item_id)"
		within 10 served $((2 * n))
	done
	wait_until 5 assignments_are_right
	[ "$(sql -c "SELECT string_agg(right(work_item_id, 2), ' ' ORDER BY assigned_at) FROM assignments WHERE work_item_id LIKE 'legal-%'")" = \
		"$(seq -f %02g -s ' ' 15)" ]
	stop_second
	stop_steward
}

@test "somebody holds a unit for long: the drain looks again and again, and does not spin" {
	steward_set log.level '"debug"'
	busy lawyer 4
	begin
	hold_lock "SELECT FROM organizational_units WHERE id = md5('Legal')::uuid FOR UPDATE; SELECT FROM organizational_units WHERE id = md5('Analysis')::uuid FOR UPDATE"
	from=$((${EPOCHREALTIME/[^0-9]/} / 1000))
	queue first legal
	queue second analysis
	looked() { [ "$(passes busy)" -ge 3 ]; }
	wait_until 5 looked
	sleep 1 # for a spin to be seen
	looks=$(passes busy)
	# A look has found nothing: from the first one on, pauses of 2, 4 .. 128 and then 200 ms.
	held=$((${EPOCHREALTIME/[^0-9]/} / 1000 - from))
	release_lock
	echo "passes in $held ms: $looks"
	[ "$looks" -le $((9 + held / 200)) ]
	within 10 has lawyer first
	within 10 has analyst second
}

@test "a burst of freed places is one pass or two" {
	steward_set log.level '"debug"'
	steward_set queue_fallback.debounce 1000
	begin
	busy lawyer 5
	for i in 1 2 3 4 5; do queue item-$i legal; done
	all_looked_at() { [ "$(count 'assignment_queue WHERE last_attempt_at IS NULL')" = 0 ]; }
	wait_until 5 all_looked_at
	before=$(passes)
	[ "$before" -ge 1 ]
	# Far enough from each other for a pass of each.
	for i in 1 2 3 4 5; do
		echo "UPDATE assignments SET status = 'completed' WHERE work_item_id = 'load-lawyer-$i'; SELECT pg_sleep(0.05);"
	done | sql
	all_served() { [ "$(count assignment_queue)" = 0 ]; }
	within 10 all_served
	after=$(passes)
	echo "passes: $((after - before))"
	[ "$after" -gt "$before" ]
	# A third where the machine had a pause, or told late of the one before.
	[ $((after - before)) -le 3 ]
}

@test "a listener that was terminated listens again, and what was freed meanwhile is used" {
	begin
	busy lawyer 5
	queue waits legal
	end_listeners
	complete load-lawyer-1
	within 10 has lawyer waits
	queue waits-too legal
	complete load-lawyer-2
	within 10 has lawyer waits-too
}

@test "a lost notification: the safety poll uses the note" {
	steward_set queue_fallback.tick 500
	begin
	busy lawyer 5
	queue waits legal
	sql -c 'ALTER TABLE assignments DISABLE TRIGGER assignment_completion_trigger'
	complete load-lawyer-1
	sql -c 'ALTER TABLE assignments ENABLE TRIGGER assignment_completion_trigger'
	sql -c "INSERT INTO steward.capacity_freed (organization_id, unit_id, user_id) SELECT organization_id, unit_id, user_id FROM staff_profiles WHERE user_id = md5('lawyer')::uuid"
	within 10 has lawyer waits
}

@test "neither notification nor note: the job of each minute finds the item" {
	begin
	busy lawyer 5
	queue waits legal
	looked_at() { [ "$(count 'assignment_queue WHERE last_attempt_at IS NOT NULL')" = 1 ]; }
	wait_until 5 looked_at
	sql -c 'ALTER TABLE assignments DISABLE TRIGGER assignment_completion_trigger'
	complete load-lawyer-1
	sql -c 'ALTER TABLE assignments ENABLE TRIGGER assignment_completion_trigger'
	sql -c "UPDATE assignment_queue SET last_attempt_at = last_attempt_at - interval '1 minute'"
	sql -c "UPDATE steward.job_schedule SET schedule = 'every second' WHERE name = 'queue-fallback-processor'"
	wait_until 10 has lawyer waits
	sql -c "UPDATE steward.job_schedule SET schedule = '* * * * *' WHERE name = 'queue-fallback-processor'"
}

@test "whatever frees capacity drains the queue: completion, cancellation, deletion, a limit, a return, a new colleague" {
	begin
	busy lawyer 5
	local road item n=0
	for road in \
		"UPDATE assignments SET status = 'completed' WHERE work_item_id = 'load-lawyer-1'" \
		"UPDATE assignments SET status = 'cancelled' WHERE work_item_id = 'load-lawyer-2'" \
		"DELETE FROM assignments WHERE work_item_id = 'load-lawyer-3'" \
		"UPDATE staff_profiles SET individual_wip_limit = individual_wip_limit + 1 WHERE user_id = md5('lawyer')::uuid" \
		"UPDATE staff_profiles SET availability_status = 'available', unavailable_until = NULL WHERE user_id = md5('second')::uuid" \
		"INSERT INTO auth.users (id, email) VALUES (md5('third')::uuid, 'third@example.org'); INSERT INTO staff_profiles (user_id, unit_id, skills, individual_wip_limit)
		 VALUES (md5('third')::uuid, md5('Legal')::uuid, ARRAY[md5('legal')::uuid], 1)"; do
		[[ $road != *second* ]] || sql -c "INSERT INTO auth.users (id, email) VALUES (md5('second')::uuid, 'second@example.org')" \
			-c "INSERT INTO staff_profiles (user_id, unit_id, skills, individual_wip_limit, availability_status) VALUES (md5('second')::uuid, md5('Legal')::uuid, ARRAY[md5('legal')::uuid], 1, 'on_leave')"
		item=item-$((++n))
		queue $item legal
		is_queued $item
		sql -c "$road"
		gone() { ! is_queued $item; }
		within 10 gone
	done
	wait_until 5 assignments_are_right
}

# ------------------------------------------------------------------ the jobs
@test "the jobs run in their workers, and each run is a row" {
	steward_set workers.capacity_snapshot.processes 1
	steward_set workers.escalation_cleanup.processes 1
	begin
	sql -c "CREATE TABLE schedules AS SELECT name, schedule FROM steward.job_schedule" -c "UPDATE steward.job_schedule SET schedule = 'every second'"
	all_ran() { [ "$(sql -c "SELECT count(DISTINCT job) FROM steward.job_run WHERE status = 'completed'")" = "$(count steward.job_schedule)" ]; }
	wait_until 15 all_ran
	sql -c "UPDATE steward.job_schedule j SET schedule = s.schedule FROM schedules s WHERE s.name = j.name" -c "DROP TABLE schedules"
	[ "$(sql -c 'SELECT count(DISTINCT unit_id) FROM capacity_snapshots')" = 3 ]
	[ "$(count "steward.job_run r JOIN steward.job_schedule s ON s.name = r.job WHERE r.status = 'failed'")" = 0 ]
}
