#!/bin/sh
# udhcpc's script: the address, MTU, routes (classless ones instead of the router option, RFC 3442) and name servers.
case $1 in bound | renew) ;; *) exit 0 ;; esac
ip -4 address show dev "$interface" | grep -q "inet $ip/$mask " || {
  ip -4 address flush dev "$interface"; ip address add "$ip/$mask" dev "$interface"
}
[ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
metric=$(cat "/sys/class/net/$interface/ifindex")
if [ -n "$staticroutes" ]; then
  set -- $staticroutes
  while [ $# -ge 2 ]; do
    if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface" metric "$metric"
    else ip route replace "$1" via "$2" dev "$interface" metric "$metric"; fi
    shift 2
  done
else
  for r in $router; do ip route replace default via "$r" dev "$interface" metric "$metric"; done
fi
if [ -n "$dns" ]; then
  { for s in $dns; do echo "nameserver $s"; done; [ -n "$domain" ] && echo "search $domain"; } >/etc/resolv.conf
fi
touch "/run/net/$interface.lease"
