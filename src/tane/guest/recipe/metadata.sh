#!/bin/sh
# What the cloud says of this server: the config drive first, else http://169.254.169.254 (OpenStack's form, else EC2's).
# SSH keys, host name and user data are applied once per server, so that an image of a server starts as a new one.
URL=http://169.254.169.254
document=/run/meta_data.json
get() { timeout 5 wget -q -O - "$URL/$1" 2>/dev/null; }

config_drive() {
  for device in /dev/sr? /dev/vd?; do
    [ -b "$device" ] && blkid "$device" | grep -q 'LABEL="config-2"' || continue
    mkdir -p /run/config; mount -t iso9660 -o ro "$device" /run/config || continue
    cp /run/config/openstack/latest/meta_data.json $document
    [ -f /run/config/openstack/latest/user_data ] && cp /run/config/openstack/latest/user_data /run/user_data
    umount /run/config; [ -s $document ] && return 0
  done
  return 1
}
json_string() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" $document | head -n 1; }

from_json() {
  id=$(json_string uuid); name=$(json_string hostname)
  keys=$(tr '\n' ' ' <$document | sed -n 's/.*"public_keys": *{\([^}]*\)}.*/\1/p' | grep -o '"\(ssh\|ecdsa\|sk\)-[^"]*"' | sed 's/"//g; s/\\n//g')
}
from_ec2() {
  id=$(get latest/meta-data/instance-id) || return 1
  name=$(get latest/meta-data/hostname)
  keys=$(get latest/meta-data/public-keys/ | cut -d= -f1 | while read -r n; do get "latest/meta-data/public-keys/$n/openssh-key"; echo; done)
  get latest/user-data >/run/user_data
}
from_network() {
  /usr/share/tane/leased
  ls /run/net/*.lease >/dev/null 2>&1 || return 1
  tries=0
  while [ $tries -lt 10 ]; do
    if get openstack/latest/meta_data.json >$document && [ -s $document ]; then
      from_json; get openstack/latest/user_data >/run/user_data; return 0
    fi
    from_ec2 && return 0
    sleep 1; tries=$((tries + 1))
  done
  return 1
}

if config_drive; then from_json; source="config drive"
elif from_network; then source="$URL"
else echo "TANE-METADATA none" >/dev/console; exit 0; fi
echo "TANE-METADATA from $source" >/dev/console
mkdir -p /var/lib/tane
if [ -n "$id" ] && [ "$(cat /var/lib/tane/instance_id 2>/dev/null)" = "$id" ]; then rm -f /run/user_data; exit 0; fi
rm -f /etc/dropbear/host_key
[ -n "$name" ] && echo "$name" >/etc/hostname
if [ -n "$keys" ]; then
  mkdir -p /root/.ssh; echo "$keys" >/root/.ssh/authorized_keys; chmod 700 /root /root/.ssh; chmod 600 /root/.ssh/authorized_keys
fi
echo "$id" >/var/lib/tane/instance_id
