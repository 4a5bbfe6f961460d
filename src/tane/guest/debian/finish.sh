#!/bin/sh
# Makes a disk's file system of a Debian that was just installed into the folder $1; runs as root of it.
#
# $1 the system, $2 the folder for what is made, $3 the disk to be, $4 where on it the file system begins (bytes) and
# $5 its size (KiB), $6 its UUID, $7 its features, $8 the serial number of the EFI partition.
set -eu
root=$1 out=$2 disk=$3 offset=$4 size=$5 uuid=$6 features=$7 esp=$8

write() {
    mkdir -p "$root/${1%/*}"
    cat >"$root/$1"
}

write etc/fstab <<END
UUID=$uuid / ext4 defaults,errors=remount-ro 0 1
UUID=$esp /boot/efi vfat umask=0077,nofail 0 2
END
mkdir -p "$root/boot/efi"
write etc/hosts <<END
127.0.0.1 localhost
127.0.1.1 debian
::1 localhost ip6-localhost ip6-loopback
ff02::1 ip6-allnodes
ff02::2 ip6-allrouters
END

# cloud-init makes en_US.UTF-8 otherwise, for which locale-gen of Debian wants to be configured first.
echo LANG=C.UTF-8 | write etc/default/locale
echo 'locale: C.UTF-8' | write etc/cloud/cloud.cfg.d/10_locale.cfg

# As in Debian's own cloud images: output on the screen and the serial console, the latter for the system. Where guests
# are emulated, the kernel's check of its timer fails on a busy machine, and it panics.
command_line="console=tty0 console=ttyS0,115200 consoleblank=0 no_timer_check"
write etc/default/grub <<END
GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="$command_line"
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --speed=115200"
END
# The first of these; update-grub writes the next in the guest, when a kernel is installed there.
write boot/grub/grub.cfg <<END
serial --unit=0 --speed=115200
terminal_output serial console
search --no-floppy --fs-uuid --set=root $uuid
linux /vmlinuz root=UUID=$uuid ro $command_line
initrd /initrd.img
boot
END
for platform in i386-pc x86_64-efi; do
    mkdir -p "$root/boot/grub/$platform"
    cp "$root/usr/lib/grub/$platform"/*.mod "$root/usr/lib/grub/$platform"/*.lst "$root/boot/grub/$platform/"
done
cat >"$root/tmp/core.cfg" <<END
search.fs_uuid $uuid root
set prefix=(\$root)/boot/grub
END
chroot "$root" grub-mkimage -O i386-pc -p /boot/grub -c /tmp/core.cfg -o /tmp/core.img \
    biosdisk part_gpt ext2 search_fs_uuid
cp "$root/tmp/core.img" "$root/usr/lib/grub/i386-pc/boot.img" "$out/"
mkdir -p "$out/esp/EFI/BOOT" "$out/esp/EFI/debian"
cp "$root/usr/lib/shim/shimx64.efi.signed" "$out/esp/EFI/BOOT/BOOTX64.EFI"
cp "$root/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$out/esp/EFI/BOOT/grubx64.efi"
cat >"$out/esp/EFI/debian/grub.cfg" <<END
search.fs_uuid $uuid root
set prefix=(\$root)/boot/grub
configfile \$prefix/grub.cfg
END

readlink "$root/vmlinuz" | sed 's/.*vmlinuz-//' >"$out/kernel-version"

# What is of one machine only, each server makes anew.
rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/lib/systemd/random-seed "$root"/var/lib/dbus/machine-id
rm -f "$root/etc/resolv.conf" "$root/initrd.img.old" "$root/vmlinuz.old" "$root"/tmp/*
rm -rf "$root"/var/log/*.log "$root"/var/log/apt/*
: >"$root/etc/machine-id"
echo debian >"$root/etc/hostname"
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
chroot "$root" systemctl enable systemd-networkd.service systemd-resolved.service
chroot "$root" passwd -l root

# A mount of its own shows the system without what is mounted in it while packages are installed.
bare=$out/bare
mkdir "$bare"
mount --bind "$root" "$bare"
mke2fs -q -t ext4 -F -O "$features" -b 4096 -m 0 -U "$uuid" -L root -E "offset=$offset,root_owner=0:0" \
    -d "$bare" "$disk" "${size}k"
umount "$bare"
