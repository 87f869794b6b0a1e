#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.t - every fuzzer for FUZZ_RUNS inputs (default 50000), starting from the
# kept corpus.  A finding is written to build-fuzz/ and named.
set -u
cd "$(dirname "$0")/../.." || exit 1

n=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for source in tests/fuzz/*.c; do
	name=$(basename "$source" .c)
	n=$((n + 1))
	mkdir -p "$work/$name"
	if ASAN_OPTIONS=allocator_may_return_null=1 "build-fuzz/tests/fuzz/$name" -runs="${FUZZ_RUNS:-50000}" \
		-max_len=8192 -rss_limit_mb=1024 -timeout=10 -verbosity=0 -close_fd_mask=1 \
		-artifact_prefix="build-fuzz/$name-" "$work/$name" "tests/fuzz/corpus/$name" >"$work/log" 2>&1; then
		echo "ok $n - $name survives ${FUZZ_RUNS:-50000} inputs"
	else
		echo "not ok $n - $name"
		tail -n 40 "$work/log" | sed 's/^/# /'
	fi
done
echo "1..$n"
