# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What chaos does to steward.  An action is a function do_NAME A B, two numbers
# to choose by; it succeeds when it had an effect and fails when there was
# nobody to have it on.  Everything random is drawn in `rampage`, the same
# number of draws per step, so that a seed gives the same actions again.

PROCESSES=3 # in the configuration; scale goes from 1 to 5
OTHERS=6    # processes of the other kinds
PATIENCE=60 # s until somebody who was told to go is gone

# Action and weight.
ACTIONS='
kill_worker 12            term_worker 6          segv_worker 6
stop_worker 4             nap_worker 6
kill_supervisor 3         term_supervisor 1      segv_supervisor 1   nap_supervisor 3
terminate_backends 6      restart_database 1
reload_live 4             reload_respawn 3       reload_broken 3
scale 6                   pause 4                restart_kind 3      restart_slot 4
delete_advisor 6          flag 4'

declare -A tried took
steps=0 changes=0 wanted=$PROCESSES most_slots=$PROCESSES paused=false flag=true
doomed=()  # "pid birth deadline why"
asleep=()  # "pid birth wake_at", in ms

now_ms() { echo $((${EPOCHREALTIME/[^0-9]/} / 1000)); }

ctl() { "$STEWARD_DIR/bin/stewardctl" --socket "$STEWARD_RUN/control.ipc" "$@"; }

# ------------------------------------------------------------------ processes
# processes_of EXE PATTERN - of this test's copy
processes_of() {
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$1" 2>/dev/null | cut -d / -f 3 | sort -n
}

workers() { processes_of "$STEWARD_DIR/bin/workers/${1:-*}"; } # [KIND]

# A pid alone may be somebody else's by now.
birth_of() { [ -r "/proc/$1/stat" ] && awk '$3 != "Z" { print $22 }' "/proc/$1/stat" 2>/dev/null; }
state_of() { awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null; }
parent_of() { awk '{ print $4 }' "/proc/$1/stat" 2>/dev/null; }
is_same() { [ "$(birth_of "$1")" = "$2" ]; }
is_gone() { ! is_same "$1" "$2"; }
is_stopped() { [ "$(state_of "$1")" = T ]; }

# choose NUMBER WORD... - one of the words
choose() {
	local n=$1
	shift
	[ $# -gt 0 ] && echo "${@:n % $# + 1:1}"
}

# It must be gone in time; looked after by `reap`.
doom() { # PID WHY
	local birth
	birth=$(birth_of "$1")
	[ -z "$birth" ] || doomed+=("$1 $birth $((SECONDS + PATIENCE)) $2")
}

reap() {
	local entry left=() pid birth deadline why
	for entry in "${doomed[@]}"; do
		read -r pid birth deadline why <<<"$entry"
		is_same "$pid" "$birth" || continue
		if ((SECONDS > deadline)); then
			fault "$pid is there $PATIENCE s after $why, state $(state_of "$pid")"
		else
			left+=("$entry")
		fi
	done
	doomed=("${left[@]}")
}

# Each has its deadline.
await_the_doomed() {
	while [ ${#doomed[@]} -gt 0 ]; do
		reap
		sleep 0.1
	done
}

wake_the_stopped() { # [all]
	local entry left=() pid birth at
	for entry in "${asleep[@]}"; do
		read -r pid birth at <<<"$entry"
		is_same "$pid" "$birth" || continue
		if [ "${1:-}" = all ] || (($(now_ms) >= at)); then
			kill -CONT "$pid" 2>/dev/null
		else
			left+=("$entry")
		fi
	done
	asleep=("${left[@]}")
}

# signal_worker NAME A - and what was sent is written down before
signal_worker() {
	local victim
	# shellcheck disable=SC2046 # words
	victim=$(choose "$2" $(workers)) || return 1
	echo "$victim $1" >>"$STEWARD_DIR/sent"
	kill -s "${1^^}" "$victim" 2>/dev/null || return 1
	signalled=$victim
}

# ------------------------------------------------------------------ workers
do_kill_worker() { signal_worker kill "$1" && doom "$signalled" SIGKILL; }
do_term_worker() { signal_worker term "$1" && doom "$signalled" SIGTERM; }
do_segv_worker() { signal_worker segv "$1" && doom "$signalled" SIGSEGV; }

# For ever: it must be found and replaced.
do_stop_worker() {
	signal_worker stop "$1" || return
	doom "$signalled" SIGSTOP
	wait_until 1 is_stopped "$signalled" 2>/dev/null
}

# Woken after less or more than hang_timeout.
do_nap_worker() {
	local birth
	signal_worker stop "$1" || return
	birth=$(birth_of "$signalled")
	[ -z "$birth" ] || asleep+=("$signalled $birth $(($(now_ms) + 100 + $2 % 4500))")
	wait_until 1 is_stopped "$signalled" 2>/dev/null
}

# ------------------------------------------------------------------ supervisor
descriptors() { find "/proc/$STEWARD_PID/fd" -mindepth 1 2>/dev/null | wc -l; }

is_calm() {
	local before
	before=$(descriptors)
	for _ in 1 2 3 4 5; do
		sleep 0.1
		[ "$before" = "$(descriptors)" ] || return
	done
}

# What an init system does.
start() {
	wanted=$PROCESSES most_slots=$PROCESSES paused=false
	start_steward || { fault "steward did not start"; return 1; }
	must 30 "steward is not calm" is_calm
	descriptors_at_start=$(descriptors)
}

do_kill_supervisor() {
	kill -KILL "$STEWARD_PID" && wait "$STEWARD_PID" 2>/dev/null
	sleep "0.$(($1 % 10))"
	start
}

do_segv_supervisor() {
	kill -SEGV "$STEWARD_PID" && wait "$STEWARD_PID" 2>/dev/null
	start
}

do_term_supervisor() {
	local status=0
	stop_steward 2>/dev/null || status=$?
	[ $status = 0 ] || fault "steward left with status $status after SIGTERM"
	[ -z "$(workers)" ] || fault "steward left before its workers: $(workers)"
	start
}

# A worker may die meanwhile.
do_nap_supervisor() {
	kill -STOP "$STEWARD_PID"
	wait_until 1 is_stopped "$STEWARD_PID" || return
	(($2 % 3)) || do_kill_worker "$2"
	sleep "$(($1 % 2000 / 1000)).$(printf %03d $(($1 % 1000)))"
	kill -CONT "$STEWARD_PID"
}

# ------------------------------------------------------------------ database
do_terminate_backends() {
	local ended
	ended=$(sql -c "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM (
		SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'steward/%' ORDER BY pid OFFSET $(($1 % 3)) LIMIT $((1 + $2 % 4))) s")
	[ "${ended:-0}" -gt 0 ]
}

do_restart_database() {
	cluster_stop immediate
	sleep "0.$(($1 % 10))"
	cluster_start || fault "the database did not start again"
}

do_delete_advisor() {
	[ "$(sql -c "WITH gone AS (DELETE FROM auth.users WHERE id = (
		SELECT matched_advisor_id FROM advisor_match_requests WHERE matched_advisor_id IS NOT NULL
		 ORDER BY finalized_at DESC NULLS $(choose "$1" FIRST LAST), id OFFSET $(($2 % 20)) LIMIT 1)
		RETURNING 1) SELECT count(*) FROM gone" 2>>"$STEWARD_DIR/feed.log")" = 1 ]
}

set_flag() {
	sql -c "SELECT steward.flag_set('advisor_auto_provision', $1, 100, 'chaos')" >/dev/null || return 1
	flag=$1 flag_since=$steps
}

do_flag() {
	if [ $flag = true ]; then set_flag false; else set_flag true; fi
}

# ------------------------------------------------------------------ orders
# reload HOW PATH VALUE - a setting that differs from what it was
reload() {
	local answer
	steward_set "$2" "$3"
	answer=$(ctl reload 2>&1) || { fault "reload of $2 = $3: $answer"; return 1; }
	grep -q "^$2 .*$1" <<<"$answer" || { fault "reload of $2 = $3 did not say $1: $answer"; return 1; }
	wanted=$PROCESSES
}

do_reload_live() {
	local setting
	setting=$(choose "$1" provisioning.tick provisioning.upkeep supervisor.restart_delay_max sla_monitor.tick queue_fallback.tick)
	reload live "$setting" $((400 + ++changes))
}

do_reload_respawn() {
	local old
	old=$(workers)
	case $(($1 % 3)) in
	0) reload respawn supervisor.heartbeat $((80 + ++changes % 40)) ;;
	1) reload respawn database.retry_max $((500 + ++changes)) ;;
	2)
		old=$(workers provisioning)
		reload respawn workers.provisioning.open_files $((256 + ++changes))
		;;
	esac || return
	for pid in $old; do doom "$pid" "a reload that respawns"; done
}

# Refused; the file is put right and reloaded, as an operator would.
do_reload_broken() {
	local status=0 answer
	cp "$STEWARD_DIR/steward.conf" "$STEWARD_DIR/good.conf"
	choose "$1" 'workers = { provisioning = { processes = ' 'supervisor = { heartbeat = 1; };' 'nonsense = 3;' >"$STEWARD_DIR/broken.conf"
	mv "$STEWARD_DIR/broken.conf" "$STEWARD_DIR/steward.conf"
	answer=$(ctl reload 2>&1) || status=$?
	mv "$STEWARD_DIR/good.conf" "$STEWARD_DIR/steward.conf"
	[ $status = 78 ] || fault "a broken configuration was not refused: status $status, $answer"
	ctl reload >/dev/null || fault "the configuration that was in force is refused"
	wanted=$PROCESSES
}

scale_to() {
	ctl worker scale provisioning "$1" >/dev/null || { fault "scale to $1"; return; }
	wanted=$1
	((wanted <= most_slots)) || most_slots=$wanted
}

do_scale() { scale_to $(((wanted + $1 % 4) % 5 + 1)); } # never what it is

set_pause() {
	if [ "$1" = true ]; then
		ctl worker pause provisioning >/dev/null || fault "pause"
	else
		ctl worker resume provisioning >/dev/null || fault "resume"
	fi
	paused=$1 paused_since=$steps
}

do_pause() {
	if [ $paused = true ]; then
		set_pause false
		[ "$(ask ask_status | grep -c ' state=paused ')" = 0 ]
	else
		set_pause true
		[ "$(ask ask_status | grep -c ' state=paused ')" -gt 0 ]
	fi
}

order_restart() { # KIND
	local old
	old=$(workers "$1")
	ctl worker restart "$1" >/dev/null || { fault "restart of $1"; return; }
	for pid in $old; do doom "$pid" "a restart of its kind"; done
	[ -n "$old" ]
}

# The second order may come while the first is under way.
do_restart_kind() {
	local kind
	kind=$(choose "$2" provisioning sla_monitor queue_fallback capacity_snapshot escalation_cleanup)
	order_restart "$kind" && { (($1 % 2)) || order_restart "$kind"; }
}

do_restart_slot() {
	local slot=$(($1 % wanted)) pid
	pid=$(pid_of provisioning $slot)
	ctl worker restart "provisioning[$slot]" >/dev/null || { fault "restart of $slot"; return; }
	[ "${pid:-0}" -gt 0 ] && doom "$pid" "a restart of its slot"
}

# ------------------------------------------------------------------ rampage
# Work must be able to flow most of the time.
relent() {
	[ $flag = true ] || ((steps - flag_since < 4)) || set_flag true
	[ $paused = false ] || ((steps - paused_since < 4)) || set_pause false
}

# What one more slot costs a supervisor whom it no longer has a process for.
weigh_a_slot() {
	ctl worker scale provisioning 5 >/dev/null
	wait_until 5 has_state provisioning 4 ready
	ctl worker scale provisioning "$PROCESSES" >/dev/null
	wait_until 5 has_processes $((PROCESSES + OTHERS))
	must 30 "steward is not calm" is_calm
	descriptors_of_slot=$((($(descriptors) - descriptors_at_start) / (5 - PROCESSES)))
	most_slots=5
}

has_processes() { [ "$(workers | wc -l)" = "$1" ]; }

rampage() { # UNTIL
	local list=() name weight action a b pause
	# shellcheck disable=SC2086 # words
	set -- "$1" $ACTIONS
	local until=$1
	shift
	while [ $# -gt 0 ]; do
		for ((weight = $2; weight > 0; weight--)); do list+=("$1"); done
		shift 2
	done
	RANDOM=$seed
	while ((SECONDS < until)); do
		action=${list[RANDOM % ${#list[@]}]} a=$RANDOM b=$RANDOM pause=$((50 + RANDOM % 300))
		steps=$((steps + 1))
		printf '%s %s %s %s\n' "$(now_ms)" "$action" "$a" "$b" >>"$STEWARD_DIR/actions"
		tried[$action]=$((${tried[$action]:-0} + 1))
		"do_$action" "$a" "$b" && took[$action]=$((${took[$action]:-0} + 1))
		relent
		sleep "0.$(printf %03d $pause)"
		reap
		wake_the_stopped
	done
}
