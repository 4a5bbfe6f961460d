#!/bin/sh
# Start-up of the guest: drivers, root size, network, metadata, SSH, the READY line, user data.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mkdir -p /dev/pts
mount -t devpts pts /dev/pts; mount -t tmpfs run /run
while read -r module; do insmod "/lib/modules/$module"; done </lib/modules/order 2>/dev/null
# An image built without root rights holds files of the builder's user.
[ "$(stat -c %u /root)" = 0 ] || chown -R 0:0 /bin /etc /lib /root /sbin /usr /var
resize2fs "$(sed -n 's/.*root=\([^ ]*\).*/\1/p' /proc/cmdline)" >/dev/null 2>&1 &
ip link set lo up
acpid
/usr/share/tane/nics &
/usr/share/tane/metadata
[ -s /etc/hostname ] && hostname -F /etc/hostname
[ -f /etc/dropbear/host_key ] || dropbearkey -t ed25519 -f /etc/dropbear/host_key >/dev/null 2>&1
dropbear -r /etc/dropbear/host_key -s
/usr/share/tane/leased
addresses=$(ip -4 -o address show scope global | awk '{print $4}' | tr '\n' ' ')
echo "TANE-READY uptime $(cut -d' ' -f1 /proc/uptime) host $(hostname) ip $addresses" >/dev/console
if [ -s /run/user_data ] && [ "$(head -c 2 /run/user_data)" = '#!' ]; then
  cp /run/user_data /var/lib/tane/user_data; chmod 700 /var/lib/tane/user_data
  (/var/lib/tane/user_data >/dev/console 2>&1; echo "TANE-USER-DATA exit $?" >/dev/console) &
fi
