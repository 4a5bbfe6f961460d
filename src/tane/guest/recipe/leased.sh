#!/bin/sh
# Wait until every network card has an address, at most eight seconds.
leased() {
  for path in /sys/class/net/e*; do [ ! -e "$path" ] || [ -e "/run/net/${path##*/}.lease" ] || return 1; done
}
tries=0
until leased || [ $tries -ge 80 ]; do usleep 100000; tries=$((tries + 1)); done
