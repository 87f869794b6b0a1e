#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# deb.sh DIRECTORY         - build the package from this tree, in an export where packaging/debian is debian/
# deb.sh --prev DIRECTORY  - the same as an older version, VERSION~prev, that lacks the last migration
#
# Nothing of the tree is touched and nothing is downloaded.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
prev=
if [ "$1" = --prev ]; then
	prev=yes
	shift
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
name=steward

# The files that git knows or would take; where there is no git, all but what was built.
files() {
	if git -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$top" ls-files --cached --others --exclude-standard
	else
		(cd "$top" && find . -type f ! -path './build*' ! -path './.run/*')
	fi | LC_ALL=C sort -u | while IFS= read -r file; do
		[ ! -e "$top/$file" ] || printf '%s\n' "$file"
	done
}

work=$(mktemp -d "$out/.export.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/$name"
files >"$work/files"
tar -C "$top" -cf - --no-recursion -T "$work/files" | tar -C "$work/$name" -xf -
mv "$work/$name/packaging/debian" "$work/$name/debian"
cd "$work/$name"

if [ -n "$prev" ]; then
	for file in up down verify; do
		rm -f "$(find migrations -name "[0-9]*.$file.sql" | sort | tail -n 1)"
	done
	sed -i '1s/)/~prev)/' debian/changelog
fi
version=$(dpkg-parsechangelog -S Version)

# The build's own noise is only of interest when it fails.
echo "building steward $version in $out"
if ! dpkg-buildpackage -us -uc -j"$(nproc)" >"$out/steward_$version.log" 2>&1; then
	tail -n 40 "$out/steward_$version.log" | cut -c 1-200 >&2
	exit 1
fi
cd "$work"
rm -f "$out/${name}_${version}_"* "$out/${name}-dbgsym_${version}_"* "$out/${name}_$version.tar.xz" "$out/${name}_$version.dsc"
find . -maxdepth 1 -type f ! -name files -exec mv -t "$out" {} +
ls -1 "$out"/*"_${version}_"*.deb
