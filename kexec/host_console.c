// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where a person watches: the consoles that purgatory can use as well.
 */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "host_parts.h"
#include "host_text.h"

/* A console is a line of some 40 bytes, there are a handful. */
#define CONSOLES_LEN_MAX	(16 * KIB)
#define UART_PORTS		8	/* I/O ports of an 8250 */

#define VIDEO_MODE_MONO		7	/* orig_video_mode: the text is at 0xb0000 */
#define VIDEO_TYPE_VGA_SETUP	1	/* what the kernel's own setup code says of any VGA */

struct consoles {
	const struct host_tree *tree;
	struct arena *arena;
	struct console_facts facts;
	bool has_vt;
};

/* UPIO_PORT is 0 (include/linux/serial_core.h). */
static int add_serial(struct consoles *c, uint32_t number)
{
	uint64_t io_type, port;
	const char *why = NULL;

	if (host_number_read(c->tree, &io_type, "sys/class/tty/ttyS%u/io_type", number) < 0 ||
	    host_number_read(c->tree, &port, "sys/class/tty/ttyS%u/port", number) < 0)
		why = "its I/O port is not known";
	else if (io_type != 0)
		why = "MMIO";
	else if (port == 0 || port > 0x10000 - UART_PORTS)
		why = "its I/O port is not valid";
	if (!why && c->facts.serial_port == 0)
		c->facts.serial_port = (uint16_t)port;
	if (!why || c->facts.serial_skipped)
		return 0;
	c->facts.serial_skipped = arena_printf(c->arena, "ttyS%u: %s", number, why);
	return c->facts.serial_skipped ? 0 : -ENOMEM;
}

static int add_console(struct consoles *c, struct span name)
{
	uint32_t number;

	if (text_numbered(name, "ttyS", &number))
		return add_serial(c, number);
	if (text_numbered(name, "tty", &number))
		c->has_vt = true;
	return 0;
}

/* "ttyS0                -W- (EC  p a)    4:64"; E: enabled (fs/proc/consoles.c) */
static bool is_enabled(struct span flags)
{
	size_t at = 0;

	while (at < flags.len && flags.data[at] != '(')
		at++;
	for (; at < flags.len && flags.data[at] != ')'; at++)
		if (flags.data[at] == 'E')
			return true;
	return false;
}

static int add_proc_consoles(struct consoles *c, struct span text)
{
	struct span line, name;
	int r = 0;

	while (r == 0 && text_next_line(&text, &line))
		if (text_next_word(&line, &name) && is_enabled(line))
			r = add_console(c, name);
	return r;
}

/* console=ttyS0,115200 console=tty0; with none of them the kernel takes tty0. */
static int add_cmdline_consoles(struct consoles *c, const char *cmdline)
{
	struct span rest = span_of(cmdline, strlen(cmdline)), word, name;
	size_t n_consoles = 0;
	int r = 0;

	while (r == 0 && text_next_parameter(&rest, &word)) {
		const uint8_t *comma;

		if (!text_starts_with(word, "console=", &name) || name.len == 0)
			continue;
		n_consoles++;
		comma = memchr(name.data, ',', name.len);
		if (comma)
			name.len = (size_t)(comma - name.data);
		r = add_console(c, name);
	}
	if (n_consoles == 0)
		c->has_vt = true;
	return r;
}

/* Is the text frame buffer at 0xb8000 what the display shows, 80 columns wide? */
static bool is_vga_text(const struct facts *f)
{
	struct screen_info screen;

	return f->has_boot_params && f->display == DISPLAY_FIRMWARE && !f->display_driver &&
	       span_copy(span_of(f->boot_params, BOOT_PARAMS_LEN),
			 offsetof(struct boot_params, screen_info), &screen, sizeof(screen)) &&
	       (screen.orig_video_isVGA == VIDEO_TYPE_VGA_SETUP ||
		screen.orig_video_isVGA == VIDEO_TYPE_VGAC) &&
	       screen.orig_video_cols == 80 && screen.orig_video_mode != VIDEO_MODE_MONO;
}

int host_read_console(const struct host_tree *t, struct arena *a, struct facts *f,
		      struct diag *diag)
{
	struct consoles c = { .tree = t, .arena = a };
	struct span text;
	int r;

	(void)diag;
	r = host_file_read(t, a, CONSOLES_LEN_MAX, &text, "proc/consoles");
	if (r == 0)
		r = add_proc_consoles(&c, text);
	else if (r != -ENOMEM)
		r = add_cmdline_consoles(&c, f->cmdline);
	if (r < 0)
		return r;
	c.facts.has_vga_text = c.has_vt && is_vga_text(f);
	f->console = c.facts;
	return 0;
}
