#!/bin/busybox sh
# First program of the RAM disk: load the disk drivers, let the root partition fill its disk, hand over to the root.
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/m/$module"; done </m/order
for word in $($b cat /proc/cmdline); do case $word in root=*) root=${word#root=};; esac; done
root=${root:-/dev/vda1}; disk=${root%1}; name=${disk#/dev/}
tries=0; until [ -b "$root" ] || [ $tries -ge 100 ]; do $b usleep 100000; tries=$((tries + 1)); done

# The table holds one partition from sector 2048 on; its length is the 32-bit number at byte 458.
sectors=$(($($b cat "/sys/class/block/$name/size") - 2048))
if [ "$($b cat "/sys/class/block/${root#/dev/}/start")" = 2048 ] && [ "$($b cat "/sys/class/block/${root#/dev/}/size")" -lt $sectors ]; then
  bytes=$($b printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((sectors & 255)) $((sectors >> 8 & 255)) $((sectors >> 16 & 255)) $((sectors >> 24 & 255)))
  $b printf "$bytes" | $b dd of="$disk" bs=1 seek=458 count=4 conv=notrunc 2>/dev/null
  $b blockdev --rereadpt "$disk"
  tries=0; until [ -b "$root" ] || [ $tries -ge 50 ]; do $b usleep 20000; tries=$((tries + 1)); done
fi
if $b mount -t ext4 -o rw "$root" /new; then
  $b umount /proc; $b umount /sys; $b mount --move /dev /new/dev
  exec $b switch_root /new /sbin/init
fi
echo "TANE-FAILED the root file system $root cannot be mounted"
exec $b sh
