#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deps.sh [--no-services] PACKAGE... - install those that are missing, as root or with sudo; quiet
# when all are there.  With --no-services what they bring along is not started.
set -eu

services=yes
if [ "${1:-}" = --no-services ]; then
	services=no
	shift
fi
missing=
for package; do
	status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	as_root=sudo
	command -v sudo >/dev/null || {
		echo "make deps: run as root, or install by hand:$missing" >&2
		exit 77
	}
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# A fresh machine may be updating itself.
tries=0
until $as_root apt-get update -q; do
	tries=$((tries + 1))
	[ $tries -lt 30 ] || exit 1
	sleep 5
done
# One of ours that is there already was left by a run that was killed.
policy=/usr/sbin/policy-rc.d
ours='# made by steward, packaging/deps.sh'
if [ -e $policy ] && grep -qxF "$ours" $policy; then
	$as_root rm -f $policy
fi
if [ $services = no ] && [ ! -e $policy ]; then
	trap '$as_root rm -f $policy' EXIT
	trap 'exit 130' INT TERM
	printf '#!/bin/sh\n%s\nexit 101\n' "$ours" | $as_root tee $policy >/dev/null
	$as_root chmod 755 $policy
fi
# shellcheck disable=SC2086 # one word per package
$as_root apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends $missing
