// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The registers of a VGA, as its BIOS sets them for mode 3: text, 80x25, 9x16 cells. Ring 0 only.
 *
 * Fonts and palette stay what they are: where graphics overwrote plane 2, the text has no letters.
 * Source: the parameter table of IBM's VGA, e.g. in Ferraro, Programmer's Guide to the EGA and VGA
 * Cards.
 */
#include "purgatory.h"
#include "ring0.h"

#define SEQUENCER	0x3c4
#define CRTC		0x3d4
#define GRAPHICS	0x3ce
#define ATTRIBUTES	0x3c0	/* index and value by turns; reading STATUS begins with the index */
#define MISC_WRITE	0x3c2
#define MISC_READ	0x3cc
#define STATUS		0x3da

#define SEQUENCER_RESET	0x00	/* of index 0, while the clock changes */
#define CRTC_LOCK	0x11	/* this index has the bit that locks 0 to 7 */
#define GRAPHICS_MODE	0x06	/* this index has the bit that says graphics */
#define VIDEO_ON	0x20	/* of the attributes' index */

#define MISC_TEXT	0x67
#define BLANK		0x0720	/* grey on black */
#define N_CELLS		(80 * 25)

static const uint8_t sequencer[] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
static const uint8_t crtc[] = {
	0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
	0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
};
static const uint8_t graphics[] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff };
static const uint8_t attributes[] = {
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
	0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00,
};

static void put(uint16_t port, uint8_t index, uint8_t value)
{
	outb(port, index);
	outb((uint16_t)(port + 1), value);
}

static uint8_t get(uint16_t port, uint8_t index)
{
	outb(port, index);
	return inb((uint16_t)(port + 1));
}

static void put_all(uint16_t port, const uint8_t *values, uint8_t n)
{
	for (uint8_t i = 0; i < n; i++)
		put(port, i, values[i]);
}

void vga_set_text_mode(void)
{
	volatile uint16_t *cells = (volatile uint16_t *)(uintptr_t)handoff.vga_text;
	bool was_graphics;

	if (inb(MISC_READ) == 0xff)
		return;	/* there is none */
	was_graphics = get(GRAPHICS, GRAPHICS_MODE) & 1;
	put(SEQUENCER, 0, SEQUENCER_RESET);
	outb(MISC_WRITE, MISC_TEXT);
	put_all(SEQUENCER, sequencer, array_len(sequencer));
	put(CRTC, CRTC_LOCK, get(CRTC, CRTC_LOCK) & 0x7f);
	put_all(CRTC, crtc, array_len(crtc));
	put_all(GRAPHICS, graphics, array_len(graphics));
	for (uint8_t i = 0; i < array_len(attributes); i++) {
		(void)inb(STATUS);
		outb(ATTRIBUTES, i);
		outb(ATTRIBUTES, attributes[i]);
	}
	(void)inb(STATUS);
	outb(ATTRIBUTES, VIDEO_ON);
	for (int i = 0; i < N_CELLS && was_graphics; i++)
		cells[i] = BLANK;
}
