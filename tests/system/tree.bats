#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What the tree itself says to those who build and try it, when something is wrong.

bats_require_minimum_version 1.5.0

top=$BATS_TEST_DIRNAME/../..

setup() {
	tree=$(mktemp -d /tmp/steward-tree.XXXXXX)
	chmod 755 "$tree"
}

teardown() {
	rm -rf "$tree"
}

@test "tests/run without what it needs says how to get it" {
	# A machine without bats.
	for tool in /usr/bin/*; do
		[ "${tool##*/}" = bats ] || ln -s "$tool" "$tree/"
	done
	run -69 env -u STEWARD_TEST_CLUSTER PATH="$tree" sh "$top/tests/run" nothing.sql
	[ "$output" = "tests/run: bats is missing; run: make deps" ]
}

@test "make clean says who can remove what root has built" {
	[ "$(id -u)" = 0 ] || skip "only root can leave what others cannot remove"
	cp "$top/Makefile" "$tree/"
	mkdir -p "$tree/build/obj"
	touch "$tree/build/obj/roots.o"
	chown nobody "$tree"
	run -2 runuser -u nobody -- make -C "$tree" clean
	[[ $output == *"make clean: what root has built root removes; run: sudo make clean"* ]]
	make -C "$tree" clean
	[ ! -e "$tree/build" ]
}

@test "make run with a migration that fails names the migration, and advises nothing that would not help" {
	mkdir -p "$tree/tests" "$tree/build"
	cp -a "$top/Makefile" "$top/common" "$top/supervisor" "$top/workers" "$top/migrations" "$top/conf" "$tree/"
	cp -a "$top/tests/demo" "$tree/tests/"
	(cd "${STEWARD_BUILD:-$top/build}" && cp -a obj gen common.a steward stewardctl workers "$tree/build/")
	broken=$(printf '%04d_broken' $(($(find "$top/migrations" -name '*.up.sql' | wc -l) + 1)))
	for which in up down verify; do
		echo "SELECT of_nothing;" >"$tree/migrations/$broken.$which.sql"
	done
	env -u MAKEFLAGS make -C "$tree" all >/dev/null
	RUN_SECONDS=0 run -1 "$tree/tests/demo/run.sh"
	[[ $output == *"migrations/$broken.up.sql"*"of_nothing"* ]]
	[[ $output == *"make run: the database cannot be set up"* ]]
	[[ $output != *"earlier run"* ]]
}
