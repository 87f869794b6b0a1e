# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A Debian machine with systemd and PostgreSQL, to install the package on: `load machine` in a .bats file.
#
#   machine_possible         whether this machine can do that; else says why not
#   machine_start            boots one; every change is gone after machine_stop
#   machine CMD...           there, as root
#   machine_crash            pulls the plug and boots again
#   machine_stop             nothing is left of it
#   package_build [--prev]   the .deb's path in $PACKAGE, $PACKAGE_PREV; built once per state of the tree
#   wait_until SECONDS CMD   until the command succeeds; a busy machine has ten times as long
#
# The root that all machines share is made once, from the network: build/deb-root.

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
OUT=$TREE/build/deb
ROOT=$TREE/build/deb-root
SUITE=bookworm
INSIDE=systemd,systemd-sysv,init,dbus,postgresql,postgresql-client,libnng1,libmsgpackc2,libconfig9,libjansson4,libpq5

machine_possible() {
	local tool
	[ "$(id -u)" = 0 ] || { echo "not root, who alone may boot a container"; return 1; }
	for tool in systemd-nspawn mmdebstrap nsenter dpkg-buildpackage; do
		command -v "$tool" >/dev/null || { echo "there is no $tool; run: make deps"; return 1; }
	done
	grep -qw overlay /proc/filesystems || { echo "this kernel has no overlay file system"; return 1; }
}

wait_until() {
	local until=$((SECONDS + 10 * $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= until)); then
			echo "still not so: $*" >&2
			return 1
		fi
		sleep 0.1
	done
}

# ---------------------------------------------------------------- the package
package_build() {
	local suffix='' log
	[ "${1:-}" != --prev ] || suffix='~prev'
	mkdir -p "$OUT"
	exec 8>"$OUT/.lock"
	flock 8
	PACKAGE_BUILT=$(find "$OUT" -maxdepth 1 -name "steward_*[0-9]${suffix}_*.deb" | head -n 1)
	if [ -z "$PACKAGE_BUILT" ] || [ -n "$(newer_than "$PACKAGE_BUILT")" ]; then
		# The unit tests are run beside this anyway.
		log=$(DEB_BUILD_OPTIONS=nocheck "$TREE/packaging/deb.sh" "$@" "$OUT" 2>&1) || { echo "$log" >&2; return 1; }
		PACKAGE_BUILT=$(find "$OUT" -maxdepth 1 -name "steward_*[0-9]${suffix}_*.deb" | head -n 1)
	fi
	exec 8>&-
	if [ -n "$suffix" ]; then export PACKAGE_PREV=$PACKAGE_BUILT; else export PACKAGE=$PACKAGE_BUILT; fi
}

# What of the package's sources changed since.
newer_than() {
	find "$TREE/Makefile" "$TREE/README.md" "$TREE/common" "$TREE/supervisor" "$TREE/workers" "$TREE/migrations" \
		"$TREE/packaging" "$TREE/conf" "$TREE/tests" -newer "$1" -type f -print -quit
}

# ---------------------------------------------------------------- the machine
machine_root() {
	exec 8>"$TREE/build/.deb-root.lock"
	flock 8
	if [ "$(cat "$ROOT.made" 2>/dev/null)" != "$SUITE $INSIDE 5432" ]; then
		rm -rf "$ROOT" "$ROOT.made"
		mmdebstrap --quiet --mode=root --variant=apt --include="$INSIDE" --dpkgopt='path-exclude=/usr/share/doc/*' \
			--customize-hook="sed -i 's/^port = .*/port = 5432/' \"\$1\"/etc/postgresql/*/main/postgresql.conf" \
			"$SUITE" "$ROOT" 8>&- || return 1
		echo "$SUITE $INSIDE 5432" >"$ROOT.made"
	fi
	exec 8>&-
}

machine_start() {
	machine_root || return 1
	MACHINE=$(mktemp -d /tmp/steward-machine.XXXXXX)
	# In memory: what the machine writes waits for no disk.
	mount -t tmpfs -o size=2g,mode=755 steward-machine "$MACHINE" || return 1
	mkdir "$MACHINE/upper" "$MACHINE/work" "$MACHINE/root"
	mount -t overlay overlay -o "lowerdir=$ROOT,upperdir=$MACHINE/upper,workdir=$MACHINE/work" "$MACHINE/root" || return 1
	export MACHINE
	machine_boot
}

machine_boot() {
	# Its own cgroup name: two machines may be up at once.
	systemd-nspawn --quiet --boot --register=no --keep-unit --private-network --link-journal=no --resolv-conf=off \
		--timezone=off --console=pipe --machine="$(basename "$MACHINE" | tr -d .)" --directory="$MACHINE/root" \
		</dev/null >>"$MACHINE/console" 2>&1 3>&- 8>&- &
	echo $! >"$MACHINE/nspawn"
	rm -f "$MACHINE/init"
	disown
	wait_until 30 machine_is_up || { tail -n 20 "$MACHINE/console" >&2; return 1; }
}

# The machine's process 1, as this machine numbers it; looked for once after a boot.
machine_init() {
	local pid
	for pid in $(cat "$MACHINE/init" 2>/dev/null || descendants "$(cat "$MACHINE/nspawn")"); do
		if grep -q '^NSpid:.*[[:space:]]1$' "/proc/$pid/status" 2>/dev/null; then
			echo "$pid" | tee "$MACHINE/init"
			return
		fi
	done
	return 1
}

descendants() {
	local child
	# A process may be gone by now, and it is the redirection that fails then: errors are sent away before it.
	tr ' ' '\n' 2>/dev/null <"/proc/$1/task/$1/children" | while read -r child; do
		echo "$child"
		descendants "$child"
	done
}

machine() {
	local init
	init=$(machine_init) || return 125
	nsenter --target "$init" --mount --uts --ipc --net --pid --root --wd -- \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}

machine_is_up() {
	case $(machine systemctl is-system-running) in running | degraded) ;; *) return 1 ;; esac
}

machine_is_down() {
	! kill -0 "$(cat "$MACHINE/nspawn")" 2>/dev/null
}

machine_off() {
	local init
	init=$(machine_init) && kill -KILL "$init"
	wait_until 10 machine_is_down || kill -KILL "$(cat "$MACHINE/nspawn")"
}

machine_crash() {
	machine_off
	machine_boot
}

machine_stop() {
	[ -n "${MACHINE:-}" ] || return 0
	machine_off
	umount "$MACHINE/root" || umount -l "$MACHINE/root"
	umount "$MACHINE" || umount -l "$MACHINE"
	rmdir "$MACHINE"
}
