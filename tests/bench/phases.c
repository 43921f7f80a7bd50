// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of QEMU: counts a guest's instructions and says, on lines of its own, how many there were
 * when it came to which place. For guests with one CPU, run with -icount: then a repeated string
 * instruction counts once per repetition, and every run counts alike.
 *
 *	-plugin phases.so,out=FILE,start_kernel=ADDRESS,stub=HEX,vmlinux=HEX
 *
 * stub and vmlinux are the first bytes of code at the 64-bit entries of the second kernel's bzImage
 * and of the image inside; start_kernel is where that function runs. Each line of FILE is
 *
 *	PLACE INSNS REPEATED REPEATED_BYTES HOST_NS
 *
 * counted from the guest's start: instructions, those of them that are repetitions of movs or
 * stos, the bytes these moved or set, and the host's clock. The places: reboot, begin, end and init are
 * marks (mark.h); after reboot come, once each and in this order,
 *
 *	copy		relocate_kernel, in its page that is mapped where it is
 *	check		what it jumps to: purgatory, or a trampoline
 *	stub		the entry of the bzImage; not if the image inside is entered directly
 *	vmlinux		the entry of the image inside
 *	start_kernel
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mark.h"
#include "plugin_api.h"

#define PAGE		4096
#define KERNEL_HALF	(UINT64_C(1) << 63)
#define MAX_CODE	24	/* bytes of an entry that are compared, at most */
#define MIN_CODE	6	/* at least: shorter blocks are no entry */
#define STUB_OFF	0x200	/* of the entry, in its page (x86 boot protocol, 64-bit) */

int qemu_plugin_version = 1;

/* How far the guest is; a block of the next place moves it on. */
enum place { RUNNING, REBOOTING, COPY, CHECK, STUB, VMLINUX, START_KERNEL };

struct code {
	size_t len;
	uint8_t bytes[MAX_CODE];
};

static struct {
	FILE *out;
	enum place place;
	uint64_t control_page;
	uint64_t start_kernel;
	struct code stub, vmlinux;
	uint64_t insns, repeated, repeated_bytes;	/* the blocks themselves add to these */
} state;

/* A block that may be a place. Never freed: the block lives as long as QEMU likes. */
struct block {
	uint64_t addr;
	enum mark mark;
	bool is_stub, is_vmlinux;
};

static void say(const char *place)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	fprintf(state.out, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", place, state.insns,
		state.repeated, state.repeated_bytes,
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	fflush(state.out);
}

static void come_to(enum place place, const char *name)
{
	state.place = place;
	say(name);
}

static void pass_mark(enum mark mark)
{
	switch (mark) {
	case MARK_REBOOT:
		come_to(REBOOTING, "reboot");
		break;
	case MARK_INIT:
		come_to(RUNNING, "init");
		break;
	case MARK_BEGIN:
		say("begin");
		break;
	case MARK_END:
		say("end");
		break;
	}
}

static void enter(unsigned int vcpu, void *userdata)
{
	const struct block *block = userdata;
	const bool is_low = block->addr < KERNEL_HALF;
	const uint64_t page = block->addr / PAGE;

	(void)vcpu;
	if (block->mark) {
		pass_mark(block->mark);
		return;
	}
	/* User code does not come back between the system call and the control page. */
	if (state.place == REBOOTING && is_low && page != state.control_page) {
		state.control_page = page;
		come_to(COPY, "copy");
	} else if (state.place == COPY && is_low && page != state.control_page) {
		come_to(CHECK, "check");
	}
	/* One block may be two places: a trampoline is left within a few instructions. */
	if (state.place == CHECK && block->is_stub)
		come_to(STUB, "stub");
	else if ((state.place == CHECK || state.place == STUB) && block->is_vmlinux)
		come_to(VMLINUX, "vmlinux");
	else if (state.place == VMLINUX && block->addr == state.start_kernel)
		come_to(START_KERNEL, "start_kernel");
}

/* The bytes that one repetition of a string instruction moves or sets; 0: it is no such one. */
static unsigned int repetition_len(const uint8_t *code, size_t len)
{
	unsigned int width = 4;
	size_t i = 1;

	if (len < 2 || (code[0] != 0xf3 && code[0] != 0xf2))
		return 0;
	if (code[i] == 0x48)
		width = 8;
	if (code[i] == 0x66)
		width = 2;
	if (code[i] == 0x48 || code[i] == 0x66)
		i++;
	if (i >= len)
		return 0;
	switch (code[i]) {
	case 0xa4:	/* movsb */
	case 0xaa:	/* stosb */
		return 1;
	case 0xa5:
	case 0xab:
		return width;
	default:
		return 0;
	}
}

static bool is_code(const struct code *code, const uint8_t *bytes, size_t len)
{
	const size_t common = len < code->len ? len : code->len;

	return common >= MIN_CODE && !memcmp(code->bytes, bytes, common);
}

static enum mark mark_in(const uint8_t *code, size_t len)
{
	uint32_t operand;

	if (len != 7 || code[0] != 0x0f || code[1] != 0x1f || code[2] != 0x80)
		return 0;
	memcpy(&operand, code + 3, sizeof(operand));
	return (operand & ~0xffU) == MARK_MAGIC ? operand & 0xff : 0;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	const size_t n = qemu_plugin_tb_n_insns(tb);
	struct block block = { .addr = qemu_plugin_tb_vaddr(tb) };
	uint8_t bytes[MAX_CODE];
	size_t len = 0;

	(void)id;
	for (size_t i = 0; i < n; i++) {
		const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *code = qemu_plugin_insn_data(insn);
		const size_t code_len = qemu_plugin_insn_size(insn);
		const enum mark mark = mark_in(code, code_len);

		if (mark)
			block.mark = mark;
		for (size_t j = 0; j < code_len && len < MAX_CODE; j++)
			bytes[len++] = code[j];
		if (i == 0 && repetition_len(code, code_len)) {
			qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
								 &state.repeated, 1);
			qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
								 &state.repeated_bytes,
								 repetition_len(code, code_len));
		}
	}
	block.is_stub = block.addr % PAGE == STUB_OFF && is_code(&state.stub, bytes, len);
	block.is_vmlinux = is_code(&state.vmlinux, bytes, len);
	/* Low code is looked at while the place depends on it: not in purgatory's loops. */
	if (block.mark || block.is_stub || block.is_vmlinux || block.addr == state.start_kernel ||
	    (block.addr < KERNEL_HALF && (state.place == REBOOTING || state.place == COPY))) {
		struct block *kept = malloc(sizeof(*kept));

		if (!kept)
			abort();
		*kept = block;
		qemu_plugin_register_vcpu_tb_exec_cb(tb, enter, QEMU_PLUGIN_CB_NO_REGS, kept);
	}
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &state.insns, n);
}

static void read_code(const char *hex, struct code *code)
{
	unsigned int byte;

	for (; code->len < MAX_CODE && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		code->bytes[code->len++] = (uint8_t)byte;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		const char *value = strchr(argv[i], '=');

		if (!value++)
			return -1;
		if (!strncmp(argv[i], "out=", 4))
			state.out = fopen(value, "w");
		else if (!strncmp(argv[i], "start_kernel=", 13))
			state.start_kernel = strtoull(value, NULL, 16);
		else if (!strncmp(argv[i], "stub=", 5))
			read_code(value, &state.stub);
		else if (!strncmp(argv[i], "vmlinux=", 8))
			read_code(value, &state.vmlinux);
		else
			return -1;
	}
	if (!state.out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
