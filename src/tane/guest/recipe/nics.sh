#!/bin/sh
# Bring up every network card by DHCP. One that is plugged in later is given eight seconds first in which somebody may
# give it an address by hand; one that vanished may come back.
mkdir -p /run/net
addressed() { ip -o -4 address show dev "$1" | grep -q inet; }
lease() {
  nic=$1; tries=0
  while [ "$2" = later ] && [ $tries -lt 8 ]; do
    sleep 1; tries=$((tries + 1))
    [ -e "/sys/class/net/$nic" ] || return
    addressed "$nic" && return
  done
  ip link set "$nic" up
  exec udhcpc -i "$nic" -p "/run/udhcpc.$nic.pid" -f -S -t 5 -T 1 -A 3 -O staticroutes -O mtu -s /usr/share/tane/dhcp
}
came=boot
while :; do
  for path in /sys/class/net/e*; do
    nic=${path##*/}
    [ -e "$path" ] && [ ! -e "/run/net/$nic.up" ] || continue
    touch "/run/net/$nic.up"
    lease "$nic" $came >/dev/null 2>&1 &
  done
  for mark in /run/net/*.up; do
    [ -e "$mark" ] || continue
    nic=${mark##*/}; nic=${nic%.up}
    [ -e "/sys/class/net/$nic" ] && continue
    kill "$(cat "/run/udhcpc.$nic.pid")"; rm -f "/run/net/$nic.up" "/run/net/$nic.lease" "/run/udhcpc.$nic.pid"
  done 2>/dev/null
  came=later
  sleep 1
done
