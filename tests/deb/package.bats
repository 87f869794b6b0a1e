# SPDX-License-Identifier: Apache-2.0
#
# The package as a file: what the tools that judge packages say of it.

bats_require_minimum_version 1.5.0
load machine

setup_file() {
	local tool
	for tool in dpkg-buildpackage lintian dh scdoc; do
		command -v "$tool" >/dev/null || { export SKIP="there is no $tool; run: make deps"; return 0; }
	done
	package_build
	VERSION=$(dpkg-deb -f "$PACKAGE" Version)
	export VERSION
	mkdir "$BATS_FILE_TMPDIR/files"
	dpkg-deb -x "$PACKAGE" "$BATS_FILE_TMPDIR/files"
}

setup() {
	[ -z "${SKIP:-}" ] || skip "$SKIP"
	cd "$BATS_FILE_TMPDIR/files"
}

@test "lintian --pedantic has no error and no warning" {
	run -0 lintian --allow-root --pedantic --fail-on error,warning "$OUT/steward_$VERSION"_*.changes
	[ "$(grep -c '^[EWP]:' <<<"$output")" = 0 ]
}

@test "the same from another path, byte for byte" {
	if ! DEB_BUILD_OPTIONS=nocheck "$TREE/packaging/deb.sh" "$BATS_FILE_TMPDIR/elsewhere/deeper"; then
		false
	fi
	for file in "$BATS_FILE_TMPDIR/elsewhere/deeper"/*.deb "$BATS_FILE_TMPDIR/elsewhere/deeper"/*.tar.xz; do
		cmp "$file" "$OUT/$(basename "$file")"
	done
}

@test "every program is hardened, and its symbols are in -dbgsym" {
	for program in usr/sbin/steward usr/bin/stewardctl usr/libexec/steward/*; do
		readelf -hlW "$program" >"$BATS_TEST_TMPDIR/head"
		readelf -dW "$program" >"$BATS_TEST_TMPDIR/dynamic"
		grep -q 'Type: *DYN' "$BATS_TEST_TMPDIR/head"
		grep -q GNU_RELRO "$BATS_TEST_TMPDIR/head"
		grep -q 'BIND_NOW\|FLAGS_1.*NOW' "$BATS_TEST_TMPDIR/dynamic"
		readelf -sW --dyn-syms "$program" | grep -q __stack_chk_fail
		readelf -sW --dyn-syms "$program" | grep -q '_chk@'
		id=$(readelf -n "$program" | sed -n 's/.*Build ID: //p')
		dpkg-deb -c "$OUT/steward-dbgsym_$VERSION"_*.deb | grep -q "${id:0:2}/${id:2}.debug"
	done
}

@test "the build tells no path and no time of this machine" {
	run ! grep -rl "$TREE" .
	[ -z "$(find . -newermt "@$(($(dpkg-parsechangelog -l "$TREE/packaging/debian/changelog" -S Timestamp) + 1))" -type f)" ]
}

@test "a worker needs no library that only others need" {
	readelf -dW usr/sbin/steward | grep -q libsystemd
	run ! grep -c 'libpq\|libjansson' <(readelf -dW usr/sbin/steward)
	run ! grep -c 'libsystemd\|libjansson' <(readelf -dW usr/libexec/steward/provisioning)
}

@test "libpq is loaded when it is needed, and depended on all the same" {
	run ! grep -c libpq <(readelf -dW usr/bin/stewardctl)
	dpkg-deb -f "$OUT/steward_$VERSION"_*.deb Depends | grep -q libpq5
}

@test "the manual pages are complete and have no mistake" {
	for page in usr/share/man/man*/*.gz; do
		run -0 bash -c "zcat '$page' | groff -man -Tutf8 -ww -z"
		[ -z "$output" ]
	done
	zcat usr/share/man/man1/stewardctl.1.gz >"$BATS_TEST_TMPDIR/page"
	sed -n 's/^COMMAND("\([^"]*\)".*/\1/p' "$TREE/supervisor/ctl/commands.def" | while read -r command; do
		sed 's/\\-/-/g' "$BATS_TEST_TMPDIR/page" | grep -qF "$command" || { echo "not in stewardctl(1): $command"; exit 1; }
	done
	zcat usr/share/man/man5/steward.conf.5.gz | sed 's/\\&//g; s/\\//g' >"$BATS_TEST_TMPDIR/page"
	usr/bin/stewardctl help config --json | jq -r '.items[].path' | while read -r setting; do
		grep -qF "$setting" "$BATS_TEST_TMPDIR/page" || { echo "not in steward.conf(5): $setting"; exit 1; }
	done
}

@test "the packaged configuration is the sample, and is right" {
	usr/bin/stewardctl config sample | cmp - etc/steward/steward.conf
	run -0 usr/bin/stewardctl -c etc/steward/steward.conf config check
	[ "$(dpkg-deb --ctrl-tarfile "$PACKAGE" | tar -xO ./conffiles)" = /etc/steward/steward.conf ]
}

@test "the journal's catalogue is one that the journal reads, with the ids of its events" {
	mkdir -p "$BATS_TEST_TMPDIR/var/lib/systemd/catalog" "$BATS_TEST_TMPDIR/usr/lib/systemd/catalog"
	cp usr/lib/systemd/catalog/steward.catalog "$BATS_TEST_TMPDIR/usr/lib/systemd/catalog/"
	run -0 journalctl --root "$BATS_TEST_TMPDIR" --update-catalog
	run -0 journalctl --root "$BATS_TEST_TMPDIR" --list-catalog
	for event in steward_ready worker_exited worker_hung worker_gave_up config_refused worker_database_changed jobs_failed; do
		[[ $output == *"$(printf %s "steward.event.$event" | md5sum | cut -c 1-32)"* ]]
		grep -rqF "\"$event\"" "$TREE/common" "$TREE/supervisor" "$TREE/workers" --include '*.c'
	done
}

@test "shells accept what completes for them" {
	bash -n usr/share/bash-completion/completions/stewardctl
	! command -v zsh >/dev/null || zsh -n usr/share/zsh/vendor-completions/_stewardctl
	! command -v fish >/dev/null || fish -n usr/share/fish/vendor_completions.d/stewardctl.fish
}

# Files that packages we pull in leave behind are theirs, not ours.
@test "piuparts: installed and purged, nothing of it is left" {
	machine_possible >/dev/null || skip "$(machine_possible)"
	command -v piuparts >/dev/null || skip "there is no piuparts; run: make deps"
	[ -e "$ROOT" ] || skip "the root of the containers is not made yet"
	piuparts -d "$SUITE" -e "$ROOT" -I '/^(root/\.ssh|var/(cache|lib|log)/private|var/lib/systemd/.*)/' \
		--no-upgrade-test "$PACKAGE" >"$BATS_TEST_TMPDIR/log" 2>&1 || { tail -n 40 "$BATS_TEST_TMPDIR/log"; false; }
	grep -q 'PASS: All tests' "$BATS_TEST_TMPDIR/log"
}
