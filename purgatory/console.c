// SPDX-License-Identifier: GPL-2.0-or-later
#include "console.h"
#include "purgatory.h"
#include "ring0.h"

/* 8250 registers (PC16550D data sheet), by their offset from the port. */
#define UART_TX			0
#define UART_DIVISOR_LOW	0	/* while LCR_DLAB is set */
#define UART_DIVISOR_HIGH	1
#define UART_IER		1
#define UART_LCR		3
#define UART_LSR		5

#define LCR_8N1			0x03
#define LCR_DLAB		0x80
#define LSR_CAN_WRITE		0x20	/* THRE */
#define LSR_ALL_SENT		0x40	/* TEMT */
#define LSR_ABSENT		0xff	/* what an empty port reads as */

/* A port read takes 1 us or so, a character 33 ms at 300 baud. */
#define UART_POLLS		100000

#define VGA_COLUMNS		80
#define VGA_ROWS		25
#define VGA_CELL(c)		((uint16_t)(0x0700 | (uint8_t)(c)))	/* light grey on black */

static bool is_uart_alive;
static bool is_vga_started;
static uint32_t vga_row, vga_column;

static uint8_t uart_read(uint16_t reg)
{
	return inb((uint16_t)(handoff.serial_port + reg));
}

static void uart_write(uint16_t reg, uint8_t value)
{
	outb((uint16_t)(handoff.serial_port + reg), value);
}

/* A UART that does not get ready in time is given up for good: no boot may hang on it. */
static bool uart_wait(uint8_t lsr_bit)
{
	for (uint32_t i = 0; i < UART_POLLS; i++) {
		const uint8_t lsr = uart_read(UART_LSR);

		if (lsr == LSR_ABSENT)
			break;
		if (lsr & lsr_bit)
			return true;
	}
	is_uart_alive = false;
	return false;
}

static void uart_start(void)
{
	is_uart_alive = uart_read(UART_LSR) != LSR_ABSENT;
	if (!is_uart_alive || handoff.serial_divisor == 0 || !uart_wait(LSR_ALL_SENT))
		return;

	uart_write(UART_LCR, LCR_8N1 | LCR_DLAB);
	uart_write(UART_DIVISOR_LOW, (uint8_t)handoff.serial_divisor);
	uart_write(UART_DIVISOR_HIGH, (uint8_t)(handoff.serial_divisor >> 8));
	uart_write(UART_LCR, LCR_8N1);
	uart_write(UART_IER, 0);
}

static void uart_put(char c)
{
	if (c == '\n')
		uart_put('\r');
	if (is_uart_alive && uart_wait(LSR_CAN_WRITE))
		uart_write(UART_TX, (uint8_t)c);
}

static volatile uint16_t *vga_cell(uint32_t row, uint32_t column)
{
	return (volatile uint16_t *)(uintptr_t)handoff.vga_text + row * VGA_COLUMNS + column;
}

static bool vga_row_is_blank(uint32_t row)
{
	for (uint32_t column = 0; column < VGA_COLUMNS; column++) {
		const uint8_t c = (uint8_t)*vga_cell(row, column);

		if (c != ' ' && c != 0)
			return false;
	}
	return true;
}

/* Where the old kernel's cursor is takes ports to ask; below what it wrote is as good a place. */
static void vga_start(void)
{
	vga_row = VGA_ROWS;
	vga_column = 0;
	while (vga_row > 0 && vga_row_is_blank(vga_row - 1))
		vga_row--;
}

static void vga_scroll(void)
{
	for (uint32_t row = 0; row < VGA_ROWS; row++) {
		for (uint32_t column = 0; column < VGA_COLUMNS; column++)
			*vga_cell(row, column) = row + 1 < VGA_ROWS ? *vga_cell(row + 1, column) :
								      VGA_CELL(' ');
	}
	vga_row = VGA_ROWS - 1;
}

static void vga_put(char c)
{
	if (c == '\n' || vga_column == VGA_COLUMNS) {
		vga_row++;
		vga_column = 0;
	}
	if (c == '\n')
		return;
	if (vga_row >= VGA_ROWS)
		vga_scroll();
	*vga_cell(vga_row, vga_column++) = VGA_CELL(c);
}

static void put(char c)
{
	if (handoff.log_len < HANDOFF_LOG_LEN)
		handoff.log[handoff.log_len++] = c;
	if (is_uart_alive)
		uart_put(c);
	if (is_vga_started && (handoff.flags & HANDOFF_VGA))
		vga_put(c);
}

void console_start(void)
{
	is_uart_alive = false;
	if (is_ring0() && (handoff.flags & HANDOFF_SERIAL))
		uart_start();

	is_vga_started = handoff.flags & HANDOFF_VGA;
	if (is_vga_started)
		vga_start();
}

void say(const char *text)
{
	while (*text)
		put(*text++);
}

void say_bounded(const char *text, size_t max_len)
{
	for (size_t i = 0; i < max_len && text[i]; i++)
		put(text[i]);
}

static void say_digits(uint64_t value, uint32_t base)
{
	char digits[20];	/* 2^64 in decimal */
	uint32_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (n > 0)
		put(digits[--n]);
}

void say_number(uint64_t value)
{
	say_digits(value, 10);
}

void say_hex(uint64_t value)
{
	say("0x");
	say_digits(value, 16);
}

void say_bytes(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		say_digits(bytes[i] >> 4, 16);
		say_digits(bytes[i] & 15, 16);
	}
}

void console_finish(void)
{
	if (is_uart_alive)
		uart_wait(LSR_ALL_SENT);
}
