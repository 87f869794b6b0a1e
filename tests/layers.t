#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# layers.t - who may include whom, stated as data and held against the tree.
set -u
cd "$(dirname "$0")/.." || exit 1

n=0
# tell DESCRIPTION OFFENDERS - one TAP line; an offender is a file:line
tell() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/# /'
	fi
}

code() { git ls-files --cached --others --exclude-standard -- '*.c' '*.h' '*.def' | grep -v '^tests/'; }

# Library header (regex)         the only files that may include it (regex)
while read -r header door; do
	tell "only $door includes <$header>" \
		"$(code | grep -Ev "^($door)\$" | xargs grep -nE "#include <$header>")"
done <<'DOORS'
libpq-fe\.h|pg_config.*\.h    common/db_libpq\.h
msgpack.*                     common/message_codec\.c
libconfig\.h                  common/config[a-z_]*\.c
nng/.*                        common/bus[a-z_]*\.[ch]
systemd/.*                    supervisor/notify\.c
jansson\.h                    supervisor/ctl/output\.c
DOORS

# Folder (regex)                 headers it must not include (regex)
while read -r folder header; do
	tell "$folder does not include $header" \
		"$(code | grep -E "^$folder" | xargs -r grep -nE "#include \"($header)\"")"
done <<'RULES'
common/                                (restart|lifecycle|spawn|notify|status|command|output|migration)\.h
common/(error|clock|log|worker_kind|backoff)\.  (db|bus|session|worker|config|message)\.h
common/(config|message)[a-z_]*\.       (db|bus|session|worker)\.h
common/bus[a-z_]*\.                    (db|session|worker|config)\.h
common/db[a-z_]*\.                     (bus|session|worker|message)\.h
supervisor/[a-z_]*\.                   (db|session|worker|command|output|migration)\.h
supervisor/ctl/                        (session|worker)\.h
workers/                               (bus|session|message|message_codec|restart|lifecycle)\.h
RULES

# Pure files: time and data come in, a decision goes out.
for pure in common/backoff.c supervisor/restart.c supervisor/lifecycle.c; do
	own=$(basename "$pure" .c).h
	[ -e "$pure" ] || { tell "$pure is there" "$pure: missing"; continue; }
	tell "$pure is pure" \
		"$(grep -nE '#include' "$pure" | grep -vE "\"($own|${own%.h}\\.def|base\\.h|error\\.h|backoff\\.h|worker_kind\\.h)\"|<(string|stddef|stdint|stdbool|inttypes)\\.h>")"
done

rows=$(sed -n 's/^WORKER(\([a-z_]*\),.*/\1/p' common/workers.def | sort)
folders=$(git ls-files --cached --others --exclude-standard -- 'workers/*/*' | cut -d/ -f2 | sort -u)
tell "every row of workers.def has a folder in workers/, and the other way round" \
	"$([ "$rows" = "$folders" ] || printf 'rows: %s\nfolders: %s\n' "$rows" "$folders")"

tell "every id of catalogue.def is explained in the journal's catalogue, and the other way round" \
	"$({ sed -n 's/^EXPLAINED(.*"\([0-9a-f]*\)")$/\1/p' common/catalogue.def
		sed -n 's/^-- \([0-9a-f]\{32\}\)$/\1/p' packaging/journal/steward.catalog; } | sort | uniq -u)"

tell "workers hold no SQL; statements.def does" \
	"$(code | grep '^workers/' | xargs -r grep -nE '"(SELECT|INSERT|UPDATE|DELETE|WITH|BEGIN|COMMIT) ')"

tell "the supervisor knows no kind by name" \
	"$(code | grep '^supervisor/[a-z_]*\.c' | xargs -r grep -nE "$(echo "$rows" | tr '\n' '|' | sed 's/|$//')")"

tell "the top level is as the plan says" \
	"$(git ls-files --cached --others --exclude-standard | cut -d/ -f1 | sort -u | grep -v '^\.' |
		grep -vxE 'Makefile|supervisor|workers|common|conf|migrations|tests|packaging|README.md|LICENSE')"

echo "1..$n"
