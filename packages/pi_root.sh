#!/bin/bash
# make test-pi: the arm64 package in a Debian 12 of its architecture, as the root of a machine.
#   packages/pi_root.sh PACKAGE.deb ROOT PYTEST   (apt install debootstrap; as root)
# All is unpacked, and nothing configured: no program of arm64 runs here. PYTEST, a folder that
# holds pytest, is copied to /pytest there.
set -e
package=$(realpath "$1") root=$(realpath -m "$2") pytest=$(realpath "$3")

unpack() {
    dpkg-deb --fsys-tarfile "$1" | tar -C "$root" --keep-directory-symlink -x
}

if [ ! -e "$root/unpacked" ]; then
    rm -rf "$root"
    debootstrap --arch=arm64 --foreign --variant=minbase \
        --include=python3,libstdc++6,busybox-static bookworm "$root"
    # In a container the first stage leaves links to where they lie outside.
    for tree in dev proc sys; do rm -rf "${root:?}/$tree"; mkdir "$root/$tree"; done
    for deb in "$root"/var/cache/apt/archives/*.deb; do unpack "$deb"; done
    rm -r "$root/debootstrap" "$root"/var/cache/apt/archives/*.deb
    touch "$root/unpacked"
fi
rm -rf "$root/usr/lib/roadmask" "$root/pytest"
unpack "$package"
cp -r "$pytest" "$root/pytest"
