# SPDX-License-Identifier: Apache-2.0
#
# The package's own tests (DEP-8, packaging/debian/tests) on a machine as they expect it.

bats_require_minimum_version 1.5.0
load machine

setup_file() {
	SKIP=$(machine_possible) || { export SKIP; return 0; }
	package_build
	package_build --prev
	machine_start
	cp "$PACKAGE" "$MACHINE/root/root/steward.deb"
	cp "$PACKAGE_PREV" "$MACHINE/root/root/steward-prev.deb"
	cp -r "$TREE/packaging/debian/tests" "$MACHINE/root/root/"
	machine apt-get -q -y install /root/steward.deb </dev/null
}

teardown_file() {
	machine_stop
}

setup() {
	[ -z "${SKIP:-}" ] || skip "$SKIP"
	tests=/root/tests
}

dep8() {
	# `machine` begins with env.
	run machine STEWARD_DEB=/root/steward.deb STEWARD_PREVIOUS=/root/steward-prev.deb "$tests/$1"
	[ "$status" = 0 ] || { printf '%s\n' "$output"; false; }
}

@test "smoke" { dep8 smoke; }
@test "config-check" { dep8 config-check; }
@test "unit-security" { dep8 unit-security; }
@test "db-setup" { dep8 db-setup; }
@test "job-roundtrip" { dep8 job-roundtrip; }
@test "reload" { dep8 reload; }
@test "watchdog-kill" { dep8 watchdog-kill; }
@test "purge-reinstall" { dep8 purge-reinstall; }
@test "upgrade" { dep8 upgrade; }

@test "every test of the package is run here" {
	for name in $(sed -n 's/^Tests: //p' "$TREE/packaging/debian/tests/control" | tr , ' '); do
		grep -q "dep8 $name;" "$BATS_TEST_FILENAME"
	done
}
