# SPDX-License-Identifier: Apache-2.0
# stewardctl from outside: its exit statuses, its output, and its talk with a
# daemon that has no database.

# shellcheck disable=SC2016,SC2030,SC2031,SC2153
bats_require_minimum_version 1.5.0
load steward

setup() {
	unset STEWARD_SOCKET NO_COLOR CLICOLOR_FORCE
	steward_setup
}

teardown() {
	steward_teardown
}

# --separate-stderr leaves $output to what is meant for a pipe.
ctl() {
	run --separate-stderr "$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" "$@"
}

# -------------------------------------------------------------- command line
@test "no command, an unknown command, an unknown option, a missing operand: 64 with the next step" {
	ctl
	[ "$status" -eq 64 ]
	[[ $stderr == "steward: which command?"* ]]
	ctl wroker list
	[ "$status" -eq 64 ]
	[[ $stderr == *'did you mean "worker"?' ]]
	ctl worker lst
	[ "$status" -eq 64 ]
	[[ $stderr == *'did you mean "worker list"?' ]]
	ctl status --jsn
	[ "$status" -eq 64 ]
	[[ $stderr == *'did you mean --json?' ]]
	ctl status --follow
	[ "$status" -eq 64 ]
	[[ $stderr == *'does not take --follow'* ]]
	ctl worker scale provisioning
	[ "$status" -eq 64 ]
	[[ $stderr == *'stewardctl worker scale KIND N' ]]
	ctl status --color=sometimes
	[ "$status" -eq 64 ]
	[[ $stderr == *'auto, always, never'* ]]
	[ -z "$output" ]
}

@test "help names every command, and every command has help" {
	ctl help
	[ "$status" -eq 0 ]
	overview=$output
	run "$STEWARD_DIR/bin/stewardctl" help --json
	for words in $(jq -r '.items[].command | gsub(" "; "_")' <<<"$output"); do
		[[ $overview == *"  ${words//_/ } "* ]]
		# shellcheck disable=SC2086
		run "$STEWARD_DIR/bin/stewardctl" help ${words//_/ }
		[ "$status" -eq 0 ]
		[[ ${lines[0]} == "usage: stewardctl ${words//_/ }"* ]]
	done
}

@test "help of a group, of a command by --help, and of nothing known" {
	ctl worker --help
	[ "$status" -eq 0 ]
	[[ $output == *"worker restart KIND[SLOT]"* ]]
	ctl worker scale provisioning --help
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "usage: stewardctl worker scale KIND N" ]]
	ctl help wroker
	[ "$status" -eq 64 ]
	ctl --version
	[ "$status" -eq 0 ]
	[[ $output =~ ^stewardctl\ [0-9]+\.[0-9]+ ]]
}

@test "help protocol lists every row of messages.def" {
	ctl help protocol
	[ "$status" -eq 0 ]
	rows=$(sed -nE 's/^MSG\(([a-z_]+), ([0-9]+), ([a-z]+), ([a-z]+),.*/\2 \1  \3 -> \4/p' "$STEWARD_TREE/common/messages.def")
	[ "$(wc -l <<<"$rows")" -gt 20 ]
	while read -r row; do
		grep -qE "^ *$row\$" <<<"$output"
	done <<<"$rows"
}

@test "help lifecycle lists every move, help errors every row of errors.def" {
	ctl help lifecycle
	[ "$status" -eq 0 ]
	while read -r state event next; do
		grep -qE "^  $state +--$event--> $next\$" <<<"$output"
	done < <(sed -nE 's/^MOVE\(([a-z_]+), *([a-z_]+), *([a-z_]+)\)/\1 \2 \3/p' "$STEWARD_TREE/supervisor/lifecycle.def")
	ctl help errors --json
	[ "$(jq '.items | length' <<<"$output")" -eq "$(grep -c '^ERR(' "$STEWARD_TREE/common/errors.def")" ]
}

@test "no page of help is wider than 80 columns" {
	for topic in '' protocol lifecycle config errors worker 'config diff'; do
		# shellcheck disable=SC2086
		ctl help $topic
		[ "$status" -eq 0 ]
		[ -z "$(awk 'length > 80' <<<"$output")" ]
	done
}

@test "completion scripts are accepted by their shells" {
	ctl completion bash
	[ "$status" -eq 0 ]
	bash -n <<<"$output"
	for shell in zsh fish; do
		ctl completion "$shell"
		[ "$status" -eq 0 ]
		[[ $output == *worker* ]]
		echo "$output" >"$STEWARD_DIR/completion"
		if command -v "$shell" >/dev/null; then
			"$shell" -n "$STEWARD_DIR/completion"
		fi
	done
	ctl completion tcsh
	[ "$status" -eq 64 ]
}

@test "the bash completion knows commands, operands, and options with their values" {
	"$STEWARD_DIR/bin/stewardctl" completion bash >"$STEWARD_DIR/completion"
	# shellcheck source=/dev/null
	source "$STEWARD_DIR/completion"
	completes() { # WANTED WORD...
		local wanted=$1
		shift
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_stewardctl
		[ "${COMPREPLY[*]}" = "$wanted" ] || { echo "$*: ${COMPREPLY[*]}" && return 1; }
	}
	completes 'worker' stewardctl w
	completes 'list show scale pause resume restart' stewardctl worker ''
	completes 'show scale' stewardctl -c file --json worker s
	completes "$(sed -n 's/^WORKER(\([a-z_]*\),.*/\1/p' "$STEWARD_TREE/common/workers.def" | xargs)" stewardctl worker show ''
	completes 'error warning info debug' stewardctl log-level provisioning ''
	completes 'setup migrate revert status verify sql' stewardctl help db ''
	completes 'auto always never' stewardctl --color ''
	completes 'always' stewardctl --color = al
	completes 'status stop' stewardctl --color = always st
	completes '--fields --follow' stewardctl events --f
	completes '--fields' stewardctl status --f
}

# -------------------------------------------------------------- output
@test "a reader that goes away is no failure, a full disk is one" {
	"$STEWARD_DIR/bin/stewardctl" completion bash | head -n 1 >/dev/null
	[ "${PIPESTATUS[0]}" -eq 0 ]
	run -0 bash -c 'set -o pipefail; for i in {1..20}; do "$0" help protocol | true || exit; done' "$STEWARD_DIR/bin/stewardctl"
	run -70 bash -c '"$0" help >/dev/full' "$STEWARD_DIR/bin/stewardctl"
	run -70 bash -c '"$0" help --json >/dev/full' "$STEWARD_DIR/bin/stewardctl"
}

@test "colours only where they are wanted" {
	is_coloured() { [[ $output == *$'\033['* ]]; }
	is_plain() { [[ $output != *$'\033['* ]]; }
	ctl help
	is_plain
	ctl help --color=always
	is_coloured
	CLICOLOR_FORCE=1 ctl help
	is_coloured
	CLICOLOR_FORCE=1 NO_COLOR=1 ctl help
	is_plain
	CLICOLOR_FORCE=1 ctl help --color never
	is_plain
}

@test "on a terminal there are colours, unless it is dumb or NO_COLOR is set" {
	command -v script >/dev/null || skip "no script(1)"
	run script -qec "TERM=xterm $STEWARD_DIR/bin/stewardctl help" /dev/null
	[[ $output == *$'\033['* ]]
	run script -qec "TERM=dumb $STEWARD_DIR/bin/stewardctl help" /dev/null
	[[ $output != *$'\033['* ]]
	run script -qec "TERM=xterm NO_COLOR=1 $STEWARD_DIR/bin/stewardctl help" /dev/null
	[[ $output != *$'\033['* ]]
}

# -------------------------------------------------------------- configuration
@test "config check prints every mistake with file and line and exits 78" {
	printf 'nonsense = 1;\nsupervisor = {\n\theartbeat = "soon";\n};\n' >"$STEWARD_DIR/steward.conf"
	ctl config check
	[ "$status" -eq 78 ]
	[[ $stderr == *"steward.conf:1: "*nonsense* ]]
	[[ $stderr == *"steward.conf:3: "*heartbeat* ]]
	ctl config check --json
	[ "$status" -eq 78 ]
	[ "$(jq -c '[.ok, (.complaints | length)]' <<<"$output")" = '[false,2]' ]
}

@test "config show tells values and where they come from, and no password" {
	steward_set database.conninfo '"host=db password=hush"'
	export STEWARD__LOG__LEVEL=debug
	ctl config show --origin --json
	[ "$status" -eq 0 ]
	[ "$(jq -r '.items[] | select(.path == "log.level") | .value + " " + .origin' <<<"$output")" = "debug environment" ]
	[ "$(jq -r '.items[] | select(.path == "supervisor.heartbeat") | .value' <<<"$output")" = 100 ]
	jq -re '.items[] | select(.path == "user") | .origin' <<<"$output" | grep -q 'steward.conf:[0-9]'
	[[ $output != *hush* ]]
	[[ $output != *restart_limit* ]]
	ctl config show --effective --origin --no-headers
	grep -qE '^supervisor\.restart_limit +5 +default$' <<<"$output"
	[[ $output != *hush* ]]
	ctl config diff
	[[ $output != *hush* ]]
}

@test "config show of one setting, of a group, of none" {
	ctl config show supervisor.restart_limit --no-headers
	[ "$status" -eq 0 ]
	[[ $output =~ ^supervisor\.restart_limit\ +5$ ]]
	ctl config show database -o path --no-headers
	[ "${lines[0]}" = database.conninfo ]
	[ "${#lines[@]}" -gt 3 ]
	ctl config show supervisor.restart_limt
	[ "$status" -eq 4 ]
	[[ $stderr == *"did you mean supervisor.restart_limit?" ]]
}

@test "config diff exits 1 when something differs, 0 when nothing does" {
	ctl config diff --json
	[ "$status" -eq 1 ]
	[ -z "$stderr" ]
	[ "$(jq -c '.items[] | select(.path == "supervisor.heartbeat") | [.default, .value]' <<<"$output")" = '[5000,100]' ]
	: >"$STEWARD_DIR/steward.conf"
	ctl config diff
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "config paths and config sample" {
	ctl config paths --json
	[ "$status" -eq 0 ]
	[ "$(jq -r '.items[] | select(.name == "control") | .path' <<<"$output")" = "$STEWARD_RUN/control.ipc" ]
	ctl config sample
	[ "$status" -eq 0 ]
	echo "$output" >"$STEWARD_DIR/steward.conf"
	ctl config check
	[ "$status" -eq 0 ]
}

# -------------------------------------------------------------- no daemon
@test "without a daemon status and ping exit 3, everything else 69" {
	for words in status ping 'status --json'; do
		# shellcheck disable=SC2086
		ctl $words
		[ "$status" -eq 3 ]
		[[ $stderr == *"the daemon is not running"*"$STEWARD_RUN/control.ipc"* ]]
		[ -z "$output" ]
	done
	for words in reload stop drain events 'events --follow' 'worker list' 'worker show provisioning' \
		'worker scale provisioning 2' 'worker restart provisioning' 'log-level supervisor debug'; do
		# shellcheck disable=SC2086
		ctl $words
		[ "$status" -eq 69 ]
		[[ $stderr == steward:\ * ]]
	done
	ctl version
	[ "$status" -eq 0 ]
}

@test "what speaks no SQL loads no libpq" {
	start_steward
	LD_DEBUG=files ctl status
	[ "$status" -eq 0 ]
	[[ $stderr != *libpq* ]]
	LD_DEBUG=files ctl db status
	[[ $stderr == *"calling init: "*libpq.so* ]]
}

@test "the socket is found from --socket, STEWARD_SOCKET and the configuration, in this order" {
	ctl --socket /nowhere/a.ipc status
	[[ $stderr == */nowhere/a.ipc* ]]
	STEWARD_SOCKET=/nowhere/b.ipc ctl status
	[[ $stderr == */nowhere/b.ipc* ]]
	STEWARD_SOCKET=/nowhere/b.ipc ctl status --socket=/nowhere/a.ipc
	[[ $stderr == */nowhere/a.ipc* ]]
	ctl status
	[[ $stderr == *"$STEWARD_RUN/control.ipc"* ]]
	ctl status -c "$STEWARD_DIR/absent.conf"
	[ "$status" -eq 78 ]
}

# -------------------------------------------------------------- a daemon
@test "status --json has the promised shape" {
	start_steward
	ctl status --json
	[ "$status" -eq 0 ]
	[ "$(jq -c 'keys_unsorted[:6]' <<<"$output")" = '["version","node","state","uptime_seconds","workers","database"]' ]
	[ "$(jq -c '.workers[0] | keys_unsorted[:7]' <<<"$output")" = \
		'["kind","slot","pid","state","restarts","uptime_seconds","last_exit"]' ]
	[ "$(jq -c '[.workers[0].kind, .workers[0].slot, .workers[0].last_exit, .database.state]' <<<"$output")" = \
		'["provisioning",0,null,"down"]' ]
	kill -9 "$(jq '.workers[0].pid' <<<"$output")"
	wait_until 5 is_replaced provisioning 0 "$(jq '.workers[0].pid' <<<"$output")"
	ctl status --json
	[ "$(jq -c '.workers[0].last_exit | [.status, .signal, (.time | test("^20..-..-..T.*Z$"))]' <<<"$output")" = '[null,9,true]' ]
	[ "$(jq '.workers[0].restarts' <<<"$output")" -eq 1 ]
}

@test "a worker that is down has no pid" {
	start_steward
	ctl drain
	[ "$status" -eq 0 ]
	wait_until 5 is_node drained
	ctl status --json
	[ "$(jq -c '[.state, .workers[0].pid, .workers[0].state]' <<<"$output")" = '["drained",null,"down"]' ]
	ctl status
	[[ $output == *"stewardctl drain --undo"* ]]
	ctl drain --undo
	wait_until 5 has_state provisioning 0 ready
}

@test "status is a screen that begins with what is wrong" {
	start_steward
	ctl status
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == steward\ * && ${lines[1]} == "! database down"* ]]
	grep -qE '^provisioning\[0\] +[0-9]+ +ready ' <<<"$output"
	[ -z "$(awk 'length > 80' <<<"$output")" ]
	ctl worker pause provisioning
	wait_until 5 has_state provisioning 0 paused
	ctl status
	[[ $output == *"  next: stewardctl worker resume provisioning"* ]]
}

@test "-o picks columns, --no-headers takes the headings away" {
	start_steward
	ctl status -o kind,slot --no-headers
	[[ ${lines[0]} =~ ^provisioning\ +0$ ]]
	ctl worker list -o state,kind
	[[ ${lines[0]} =~ ^STATE\ +KIND$ ]]
	ctl worker list -o state,kind --json
	[ "$(jq -c '.items[0]' <<<"$output")" = '{"state":"ready","kind":"provisioning"}' ]
	ctl worker list -o stat
	[ "$status" -eq 64 ]
	[[ $stderr == *"did you mean state?" ]]
	ctl ping -o state
	[ "$status" -eq 64 ]
}

@test "worker show tells of the dead" {
	start_steward
	pid=$(pid_of provisioning 0)
	ctl worker show 'provisioning[0]'
	[ "$status" -eq 0 ]
	[[ $output == *"pid $pid"*"none has ended yet"* ]]
	kill -ABRT "$pid"
	wait_until 5 is_replaced provisioning 0 "$pid"
	ctl worker show provisioning --json
	[ "$(jq -c '.deaths[0] | [.process, .pid, .status, .signal]' <<<"$output")" = "[\"provisioning[0]\",$pid,null,6]" ]
	ctl worker show provisioning
	[[ $output == *"signal 6 (ABRT)"* ]]
	ctl worker show 'provisioning[7]'
	[ "$status" -eq 4 ]
	ctl worker show provisionin
	[ "$status" -eq 4 ]
	[[ $stderr == *"did you mean provisioning?" ]]
	ctl worker show 'provisioning[x'
	[ "$status" -eq 64 ]
}

@test "worker scale, pause, resume, restart and log-level do as they say" {
	start_steward
	ctl worker scale provisioning 3
	[ "$status" -eq 0 ]
	wait_until 5 has_state provisioning 2 ready
	pid=$(pid_of provisioning 1)
	ctl worker restart 'provisioning[1]'
	[ "$status" -eq 0 ]
	wait_until 5 is_replaced provisioning 1 "$pid"
	ctl worker pause provisioning
	wait_until 5 has_state provisioning 0 paused
	ctl worker resume provisioning
	wait_until 5 has_state provisioning 0 ready
	ctl worker pause 'provisioning[0]'
	[ "$status" -eq 64 ]
	ctl worker scale provisioning -- -1
	[ "$status" -eq 64 ]
	ctl worker scale provisioning 1000000
	[ "$status" -eq 65 ]
	ctl log-level provisioning debug
	[ "$status" -eq 0 ]
	ctl log-level provisioning loud
	[ "$status" -eq 64 ]
	ctl log-level provisionin debug
	[ "$status" -eq 4 ]
	ctl worker scale provisioning 1 --quiet
	[ "$status" -eq 0 ]
	[ -z "$output$stderr" ]
}

@test "reload lists what changed and how, or every mistake" {
	start_steward
	ctl reload
	[ "$status" -eq 0 ]
	[[ $output == "nothing has changed" ]]
	steward_set supervisor.heartbeat 200
	steward_set log.level '"debug"'
	ctl reload --json
	[ "$status" -eq 0 ]
	[ "$(jq -c '.changed | map([.path, .how]) | sort' <<<"$output")" = \
		'[["log.level","live"],["supervisor.heartbeat","respawn"]]' ]
	steward_set supervisor.heartbeat '"soon"'
	steward_set log.level '"loud"'
	ctl reload
	[ "$status" -eq 78 ]
	[[ $stderr == *supervisor.heartbeat* && $stderr == *log.level* && $stderr == *"stays in force"* ]]
	ctl status
	[ "$status" -eq 0 ]
	[[ $output == *"the last reload was refused"*"stewardctl config check"* ]]
}

@test "events come with their numbers, one object a line" {
	start_steward
	ctl events --json
	[ "$status" -eq 0 ]
	[ "$(jq -s 'map(.number) == [range(1; length + 1)]' <<<"$output")" = true ]
	[ "$(jq -sr 'map(.name) | index("worker_ready") != null' <<<"$output")" = true ]
	ctl events
	[[ $output == *" worker_ready "*"provisioning[0]"* ]]
	ctl events -o name,process
	[[ $output == *"worker_ready  provisioning[0]"* ]]
}

follow() {
	"$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" events --follow --json >"$STEWARD_DIR/events" 3>&- &
	FOLLOWER=$!
	wait_until 5 grep -q steward_ready "$STEWARD_DIR/events"
}

@test "events --follow misses nothing and doubles nothing, also in a storm" {
	start_steward
	follow
	for _ in {1..40}; do
		ask ask_log_level kind=supervisor level=info >/dev/null
	done
	ask ask_log_level kind=nobody level=info >/dev/null || true
	wait_until 5 grep -q kind=nobody "$STEWARD_DIR/events"
	kill "$FOLLOWER"
	[ "$(jq -s 'map(.number) == [range(1; length + 1)]' "$STEWARD_DIR/events")" = true ]
}

@test "events --follow goes on with the next daemon" {
	start_steward
	follow
	stop_steward
	start_steward
	followed_twice() { [ "$(grep -c steward_ready "$STEWARD_DIR/events")" -eq 2 ]; }
	wait_until 5 followed_twice
	ask ask_log_level kind=nobody level=info >/dev/null || true
	wait_until 5 grep -q kind=nobody "$STEWARD_DIR/events"
	kill "$FOLLOWER"
	# Each daemon counts from 1.
	[ "$(jq -s '[.[] | select(.number == 1)] | length' "$STEWARD_DIR/events")" -eq 2 ]
	[ "$(jq -c . "$STEWARD_DIR/events" | sort | uniq -d | wc -l)" -eq 0 ]
	tail -n +2 "$STEWARD_DIR/events" | jq -r .number | awk '$1 != 1 && $1 != last + 1 && NR > 1 { exit 1 } { last = $1 }'
}

@test "stop returns when the daemon is gone" {
	start_steward
	ctl stop
	[ "$status" -eq 0 ]
	# Ended, and perhaps not yet waited for by this shell.
	[[ "$(cut -d' ' -f3 "/proc/$STEWARD_PID/stat" 2>/dev/null)" == @(|Z) ]]
	wait "$STEWARD_PID"
	STEWARD_PID=
	has_no_processes
	ctl status
	[ "$status" -eq 3 ]
}

@test "a daemon that does not answer is 99" {
	start_steward
	kill -STOP "$STEWARD_PID"
	ctl ping --timeout 1
	kill -CONT "$STEWARD_PID"
	[ "$status" -eq 99 ]
	ctl ping
	[ "$status" -eq 0 ]
}
