serial --unit=0 --speed=115200
terminal_output serial console
set root=(hd0,msdos1)
linux /boot/vmlinuz @COMMAND_LINE@
initrd /boot/initrd.gz
boot
