#!/bin/sh
# mkfs -t TYPE …, and mkfs.TYPE: the file systems this guest can make.
type=${0##*/mkfs.}
if [ "$1" = -t ]; then type=$2; shift 2; fi
case $type in
  ext2 | ext3 | ext4) exec mke2fs -t "$type" "$@" ;;
  vfat) exec mkdosfs "$@" ;;
  *) echo "mkfs: this guest makes ext2, ext3, ext4 and vfat, not ${type##*/}" >&2; exit 1 ;;
esac
