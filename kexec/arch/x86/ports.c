// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/ports.h"

#include <string.h>

/* 8250 registers by their offset (PC16550D data sheet). */
#define UART_DATA	0
#define UART_IER	1
#define UART_IIR	2
#define UART_LCR	3
#define UART_MCR	4
#define UART_LSR	5
#define UART_MSR	6
#define UART_SCRATCH	7
#define UART_LEN	8
#define LCR_DLAB	0x80
#define IIR_NOTHING	0x01
#define LSR_IDLE	0x60	/* THRE, TEMT */
#define MSR_PRESENT	0xb0	/* CTS, DSR, DCD */

#define PIT_COUNTER0	0x40
#define PORT_B		0x61
#define KBC_STATUS	0x64
#define KBC_PULSE_RESET	0xfe
#define CMOS_DATA	0x71
#define FAST_A20	0x92
#define FAST_A20_ON	0x02
#define FAST_A20_RESET	0x01
#define RESET_CONTROL	0xcf9
#define RESET_START	0x04
#define VGA_FIRST	0x3c0
#define VGA_LAST	0x3df
#define EMPTY_BUS	UINT32_MAX

void ports_start(struct ports *p, char *text, uint16_t serial_port)
{
	static const uint16_t usual[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
	bool is_usual = false;

	memset(p, 0, sizeof(*p));
	p->text = text;
	for (size_t i = 0; i < array_len(usual); i++) {
		p->uarts[i].port = usual[i];
		is_usual |= usual[i] == serial_port;
	}
	if (!is_usual)
		p->uarts[PORTS_UARTS - 1].port = serial_port;
}

static struct ports_uart *find_uart(struct ports *p, uint16_t port)
{
	for (size_t i = 0; i < PORTS_UARTS; i++)
		if (p->uarts[i].port != 0 && port >= p->uarts[i].port &&
		    port - p->uarts[i].port < UART_LEN)
			return &p->uarts[i];
	return NULL;
}

static uint8_t uart_in(const struct ports_uart *u, uint16_t reg)
{
	const bool is_divisor = u->lcr & LCR_DLAB;

	switch (reg) {
	case UART_DATA:
		return is_divisor ? u->divisor[0] : 0;
	case UART_IER:
		return is_divisor ? u->divisor[1] : u->ier;
	case UART_IIR:
		return IIR_NOTHING;
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_LSR:
		return LSR_IDLE;
	case UART_MSR:
		return MSR_PRESENT;
	default:
		return u->scratch;
	}
}

static void send(struct ports *p, char c)
{
	if (p->text_len < PORTS_TEXT_LEN)
		p->text[p->text_len++] = c;
	else
		p->n_lost++;
}

static void uart_out(struct ports *p, struct ports_uart *u, uint16_t reg, uint8_t value)
{
	const bool is_divisor = u->lcr & LCR_DLAB;

	switch (reg) {
	case UART_DATA:
		if (is_divisor)
			u->divisor[0] = value;
		else
			send(p, (char)value);
		break;
	case UART_IER:
		if (is_divisor)
			u->divisor[1] = value;
		else
			u->ier = value;
		break;
	case UART_LCR:
		u->lcr = value;
		break;
	case UART_MCR:
		u->mcr = value;
		break;
	case UART_SCRATCH:
		u->scratch = value;
		break;
	default:
		break;
	}
}

uint32_t ports_in(struct ports *p, uint16_t port, size_t len)
{
	const struct ports_uart *uart = find_uart(p, port);

	p->n_accesses++;
	if (uart && len == 1)
		return uart_in(uart, (uint16_t)(port - uart->port));
	if (port >= VGA_FIRST && port <= VGA_LAST)
		return 0;
	switch (port) {
	case PIT_COUNTER0:
		/* It counts down, and no two readings are alike. */
		p->pit = (uint16_t)(p->pit * 75 + 74);
		return p->pit & 0xff;
	case PORT_B:
	case KBC_STATUS:
	case CMOS_DATA:
		return 0;
	case FAST_A20:
		return FAST_A20_ON;
	default:
		return len == 1 ? EMPTY_BUS & 0xff : len == 2 ? EMPTY_BUS & 0xffff : EMPTY_BUS;
	}
}

void ports_out(struct ports *p, uint16_t port, size_t len, uint32_t value)
{
	struct ports_uart *uart = find_uart(p, port);

	p->n_accesses++;
	if (uart && len == 1)
		uart_out(p, uart, (uint16_t)(port - uart->port), (uint8_t)value);
	else if (port == KBC_STATUS && (value & 0xff) == KBC_PULSE_RESET)
		p->reset_by = "the keyboard controller";
	else if (port == RESET_CONTROL && (value & RESET_START))
		p->reset_by = "the chip set's reset register";
	else if (port == FAST_A20 && (value & FAST_A20_RESET))
		p->reset_by = "the fast A20 port";
}
