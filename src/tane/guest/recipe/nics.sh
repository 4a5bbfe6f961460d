#!/bin/sh
# Bring up every network card by DHCP, also those plugged in later; a card that vanished may come back.
mkdir -p /run/net
while :; do
  for path in /sys/class/net/e*; do
    nic=${path##*/}
    [ -e "$path" ] && [ ! -e "/run/net/$nic.up" ] || continue
    touch "/run/net/$nic.up"; ip link set "$nic" up
    udhcpc -i "$nic" -p "/run/net/$nic.pid" -f -S -t 5 -T 1 -A 3 -O staticroutes -O mtu -s /usr/share/tane/dhcp >/dev/null 2>&1 &
  done
  for mark in /run/net/*.up; do
    [ -e "$mark" ] || continue
    nic=${mark##*/}; nic=${nic%.up}
    [ -e "/sys/class/net/$nic" ] && continue
    kill "$(cat "/run/net/$nic.pid")"; rm -f "/run/net/$nic.up" "/run/net/$nic.lease"
  done 2>/dev/null
  sleep 1
done
