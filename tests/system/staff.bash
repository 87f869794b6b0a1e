# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# People, work for them, and what they do with it.  Needs matches.bash (sql) and
# steward.bash (wait_until).  A person's user id is md5 of the name, so that a
# test can say whom it means; a work item is named by its text.

# make_staff - the units, skills and people of the acceptance scenarios, and nothing else
make_staff() {
	sql -f "${BASH_SOURCE[0]%/*}/staff.sql"
}

# as PERSON OPERATION REQUEST - what the HTTP gateway will do for somebody; prints the status, then the body
as() {
	sql -v who="$1" -v request="$3" <<-SQL
		SELECT set_config('request.jwt.claims', json_build_object('sub', md5(:'who')::uuid, 'role', 'authenticated')::text, false),
		       set_config('role', 'authenticated', false) \g /dev/null
		SELECT status || ' ' || body FROM api.$2(:'request');
	SQL
}

# busy PERSON N [SKILL] - N open items of no hurry
busy() {
	sql -v who="$1" -v n="$2" -v skill="${3:-}" <<-'SQL'
		INSERT INTO public.assignments (work_item_id, work_item_type, assignee_id, priority, required_skills)
		SELECT 'load-' || :'who' || '-' || i, 'task', md5(:'who')::uuid, 'low',
		       ARRAY(SELECT s.id FROM public.skills s WHERE s.name_en = :'skill')
		  FROM generate_series(1, :n) i
	SQL
}

# complete ITEM - its active assignment is done
complete() {
	sql -v item="$1" <<-'SQL' | grep -q .
		UPDATE public.assignments SET status = 'completed'
		 WHERE work_item_id = :'item' AND status IN ('assigned', 'in_progress') RETURNING id
	SQL
}

# queue ITEM SKILL [PRIORITY] [MINUTES] - an item that has been waiting for so long
queue() {
	sql -v item="$1" -v skill="$2" -v priority="${3:-normal}" -v minutes="${4:-0}" <<-'SQL'
		INSERT INTO public.assignment_queue (work_item_id, work_item_type, required_skills, priority, created_at)
		SELECT :'item', 'ticket', ARRAY[s.id], :'priority', steward.now() - :minutes * interval '1 minute'
		  FROM public.skills s WHERE s.name_en = :'skill'
	SQL
}

# assign ITEM PERSON DEADLINE - a deadline as SQL, as "steward.now() + interval '1 s'"; the warning was sent
assign() {
	sql -v item="$1" -v who="$2" <<-SQL
		INSERT INTO public.assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at, sla_deadline, warning_sent_at, warn_at)
		SELECT :'item', 'ticket', md5(:'who')::uuid, 'normal', LEAST(steward.now(), d) - interval '1 hour', d, LEAST(steward.now(), d), LEAST(steward.now(), d)
		  FROM (SELECT ($3)::timestamptz AS d) x
	SQL
}

# assignee_of ITEM - the name of who has it, or nothing
assignee_of() {
	sql -v item="$1" <<-'SQL'
		SELECT split_part(u.email, '@', 1) FROM public.assignments a JOIN auth.users u ON u.id = a.assignee_id
		 WHERE a.work_item_id = :'item' AND a.status IN ('assigned', 'in_progress')
	SQL
}

has() { [ "$(assignee_of "$2")" = "$1" ]; } # PERSON ITEM
is_queued() { [ "$(count "assignment_queue WHERE work_item_id = '$1'")" = 1 ]; }
breaches_of() { count "escalation_events WHERE work_item_id = '$1' AND reason = 'sla_breach'"; }

# assignments_are_right [crowded] - or prints what is wrong; crowded: the test itself gave people more than they may have
assignments_are_right() {
	local wrong
	wrong=$(sql -v crowded="${1:+true}" -f "${BASH_SOURCE[0]%/*}/assignment_books.sql") || return 1
	[ -z "$wrong" ] || { printf '%s\n' "$wrong" >&2; return 1; }
}
