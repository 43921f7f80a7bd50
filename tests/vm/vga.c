// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	vga graphics	puts a VGA into a 16 color graphics mode, roughly
 *	vga show	tells its mode: "NG-VGA text" or "NG-VGA graphics", and what of it is neither
 */
#include <stdio.h>
#include <string.h>
#include <sys/io.h>

static unsigned char get(unsigned short port, unsigned char index)
{
	outb(index, port);
	return inb((unsigned short)(port + 1));
}

static void put(unsigned short port, unsigned char index, unsigned char value)
{
	outb(index, port);
	outb(value, (unsigned short)(port + 1));
}

static unsigned char attribute(unsigned char index)
{
	unsigned char value;

	inb(0x3da);
	outb(index | 0x20, 0x3c0);
	value = inb(0x3c1);
	inb(0x3da);
	return value;
}

int main(int argc, char **argv)
{
	if (argc != 2 || iopl(3))
		return 1;
	if (!strcmp(argv[1], "graphics")) {
		put(0x3c4, 2, 0x0f);
		put(0x3c4, 4, 0x06);
		put(0x3ce, 5, 0x00);
		put(0x3ce, 6, 0x05);
		put(0x3d4, 0x17, 0xe3);
		inb(0x3da);
		outb(0x10, 0x3c0);
		outb(0x01, 0x3c0);
		inb(0x3da);
		outb(0x20, 0x3c0);
	}
	printf("\nNG-VGA %s seq4=%02x gc5=%02x gc6=%02x crtc9=%02x crtc17=%02x attr10=%02x cell=%02x\n",
	       get(0x3ce, 6) & 1 ? "graphics" : "text", get(0x3c4, 4), get(0x3ce, 5),
	       get(0x3ce, 6), get(0x3d4, 9), get(0x3d4, 0x17), attribute(0x10), get(0x3c4, 2));
	return 0;
}
