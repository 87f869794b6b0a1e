#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154 # those who source this use what it sets and set base
#
# common.sh - what the benchmarks share; sourced, with $base, their own
# directory, set before anything is measured.  A row of a table is
#
#     result KEY WHAT MEASURED BESIDE RATIO VALUE BAR [BY]
#
# where VALUE, the ratio or what was measured, decides and BAR is "<= 2", ">= 0.9" or empty.  A bar in milliseconds
# was set on some machine; on another it is met by a RATIO of at most BY, what the bar was there of what stood
# beside it.  The last column divides MEASURED and RATIO by those that $bench/RESULTS.md has under KEY.

top=$(cd "$(dirname "$0")/../.." && pwd)
bench=$top/tests/bench
build=${STEWARD_BUILD:-$top/build}
pgbin=$(pg_config --bindir)
owner=$(id -un)
[ "$(id -u)" != 0 ] || owner=postgres

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
fail() { echo "$(basename "$0"): $*" >&2; exit 1; }
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
has_part() { case " $BENCH_ONLY " in *" $1 "*) ;; *) return 1 ;; esac; }
as_owner() { if [ "$(id -u)" = 0 ]; then runuser -u "$owner" -- "$@"; else "$@"; fi; }

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
at() { sort -n | awk -v p="$1" '{ v[NR] = $1 } END { i = int(NR * p / 100 + 0.5); print v[i < 1 ? 1 : i] }'; }

result() {
	met=- on=
	[ "$5" != "$6" ] || on='ratio '
	[ -z "$7" ] || met=$(awk -v v="$6" -v b="$7" -v r="$5" -v by="${8:-}" 'BEGIN {
		split(b, bar, " ")
		if (bar[1] == ">=" ? v >= bar[2] : v <= bar[2]) print "yes"
		else if (by != "" && r + 0 > 0 && r + 0 <= by + 0) print "by ratio"
		else print "**no**" }')
	last=$(awk -F ' *[|] *' -v k="$1" -v m="$3" -v r="$5" '
		function by(is, was) { return is + 0 > 0 && was + 0 > 0 ? sprintf("%.2f", is / was) : "-" }
		$2 == k { print by(m, $4) ", " by(r, $6); exit }' "$bench/RESULTS.md" 2>/dev/null || true)
	printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$3" "$4" "$5" "${7:+$on}$7${8:+, or ratio <= $8}" "$met" "${last:--}" >>"$base/table"
	say "$2: $3, beside $4"
}

table() {
	echo '| key | what | measured | beside it | ratio | bar | met | last |'
	echo '|---|---|---|---|---|---|---|---|'
	cat "$base/table"
	! grep -q 'or ratio' "$base/table" || cat <<-'END'

	A bar in milliseconds was set on another machine, where what stands beside it was measured too. It is met as it stands, or *by ratio*: when the figure is no more of what stands beside it in this run than the bar was of that there.
	END
}

# Whether every bar of the table was met.
all_met() { ! grep -q '| \*\*no\*\* |' "$base/table"; }

# put SECTION FILE - $base/report between the marks of the section, which are made at the end when they are not there
put() {
	[ -e "$2" ] || : >"$2"
	grep -q "^<!-- $1 -->\$" "$2" || printf '\n<!-- %s -->\n<!-- /%s -->\n' "$1" "$1" >>"$2"
	awk -v report="$base/report" -v first="<!-- $1 -->" -v last="<!-- /$1 -->" '
		$0 == last { inside = 0 }
		!inside { print }
		$0 == first { inside = 1; while ((getline line < report) > 0) print line }
	' "$2" >"$base/put"
	cat "$base/put" >"$2"
}
