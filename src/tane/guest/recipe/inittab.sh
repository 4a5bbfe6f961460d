::sysinit:/etc/init.d/rcS
ttyS0::respawn:/bin/getty -L -n -l /bin/sh 115200 ttyS0 vt100
tty1::respawn:/bin/getty -n -l /bin/sh 38400 tty1
::ctrlaltdel:/sbin/reboot
::shutdown:/bin/umount -a -r
