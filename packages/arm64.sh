#!/bin/bash
# make test-arm64: the arm64 package in a clean Debian 12 under QEMU's user emulation, as root.
#   packages/arm64.sh PACKAGE.deb ROOT READER PYTEST   (apt install debootstrap qemu-user-static)
# READER is the C++ example for that machine, PYTEST a folder with pytest.
# The emulator is registered in a user namespace of its own: this machine's stays as it is.
set -e
package=$(realpath "$1") root=$(realpath -m "$2") reader=$(realpath "$3") pytest=$(realpath "$4")
tests=$(realpath "$(dirname "$0")/../tests")
qemu=/usr/bin/qemu-aarch64-static
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT

# LiteRT asks /proc/cpuinfo what it runs on, and does not survive another processor's answer.
printf '%s\t: %s\n' processor 0 Features 'fp asimd evtstrm crc32 cpuid' 'CPU implementer' 0x41 \
    'CPU architecture' 8 'CPU variant' 0x0 'CPU part' 0xd08 'CPU revision' 3 > "$parts/cpuinfo"
cat > "$parts/enter" <<'END'
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' ':arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:FP' \
    > /proc/sys/fs/binfmt_misc/register
for tree in dev proc sys; do mount --rbind "/$tree" "$root/$tree"; done
mount --bind "$parts/cpuinfo" "$root/proc/cpuinfo"
exec env -i QEMU_CPU=cortex-a72 HOME=/root LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    chroot "$root" /bin/sh -ec "$command"
END

inside() {  # runs a command there, as a root that is none outside
    mkfifo "$parts/go"
    root=$root parts=$parts command=$1 unshare --user sh -c \
        'read -r _ < "$parts/go"; exec unshare --mount bash -e "$parts/enter"' &
    until [ "$(readlink "/proc/$!/ns/user")" != "$(readlink /proc/self/ns/user)" ]; do :; done
    echo '0 0 65536' > "/proc/$!/uid_map"
    echo '0 0 65536' > "/proc/$!/gid_map"
    echo > "$parts/go"
    rm "$parts/go"
    wait $!
}

if [ ! -e "$root/done" ]; then
    rm -rf "$root"
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3,libstdc++6 bookworm "$root"
    cp $qemu "$root/usr/bin/"
    for tree in dev proc sys; do rm -rf "${root:?}/$tree"; mkdir "$root/$tree"; done
    # No devices and mounts are made: those of this machine are there.
    for part in check_sane_mount setup_devices setup_dynamic_devices setup_proc; do
        sed -i "s/^$part () {/&\n\treturn 0/" "$root/debootstrap/functions"
    done
    inside '/debootstrap/debootstrap --second-stage'
    touch "$root/done"
fi
cp "$package" "$root/package.deb"
cp "$reader" "$root/subscribe"
rm -rf "$root/clone" "$root/pytest"
mkdir -p "$root/clone/tests/edge"
cp -r "$pytest" "$root/pytest"
cp "$tests/conftest.py" "$root/clone/tests/"
cp -r "$tests"/edge/{conftest,*_parts}.py "$tests/edge/kernels" "$root/clone/tests/edge/"
rm "$root/clone/tests/edge/kernels/test_kernels_selftest.py"  # compiles

inside 'dpkg -i /package.deb
        cd /usr/lib/roadmask/roadmask/service
        cmp roadmask@.service /usr/lib/systemd/system/roadmask@.service
        cmp sysusers.conf /usr/lib/sysusers.d/roadmask.conf
        cmp tmpfiles.conf /usr/lib/tmpfiles.d/roadmask.conf
        roadmask config check /etc/roadmask/front.toml
        roadmask doctor --verify roadlite-288x224
        roadmask doctor | grep "kernels run as neon"'
inside 'cd /clone/tests/edge
        PYTHONPATH=/usr/lib/roadmask:/pytest:. python3 -m pytest -q -p no:cacheprovider \
            --tb=short -c /dev/null --rootdir /clone kernels'
# Some frames a minute: what is seen is that they come, not how old they are.
inside 'roadmask run --source "synthetic:town?seed=1&width=320&height=240&prerender=2&realtime=0" \
            --model s --max-age-ms 60000 --socket /tmp/masks.sock &
        roadmask watch --socket /tmp/masks.sock --frames 3 --max-age-ms 60000 --wait 600 || bad=1
        timeout 600 /subscribe /tmp/masks.sock 3 --allow-not-live --max-age-ms 60000 || bad=1
        kill $!
        wait
        [ -z "$bad" ]'
