// SPDX-License-Identifier: GPL-2.0-or-later
/* The CPU's memory management, descriptor tables and exceptions; instructions: vcpu_execute.c. */
#include "arch/x86/vcpu.h"

#include <string.h>

#define PAGE_SHIFT		12
#define LEVEL_SHIFT		9
#define ENTRIES			512
#define ENTRY_PRESENT		(UINT64_C(1) << 0)
#define ENTRY_WRITABLE		(UINT64_C(1) << 1)
#define ENTRY_LARGE		(UINT64_C(1) << 7)
#define ENTRY_NO_EXECUTE	(UINT64_C(1) << 63)
#define ENTRY_ADDRESS		UINT64_C(0x000ffffffffff000)
#define UNPAGED_LEN		(2 * MIB)	/* how much of an identity is shown at once */

#define SELECTOR_INDEX		0xfff8
#define DESCRIPTOR_LEN		8
#define DESCRIPTOR_CODE		(UINT64_C(1) << 43)
#define DESCRIPTOR_NO_SYSTEM	(UINT64_C(1) << 44)
#define DESCRIPTOR_PRESENT	(UINT64_C(1) << 47)
#define DESCRIPTOR_LONG		(UINT64_C(1) << 53)
#define DESCRIPTOR_DEFAULT_32	(UINT64_C(1) << 54)
#define DESCRIPTOR_BASE		UINT64_C(0xff0000ffffff0000)

#define GATE_LEN		16
#define GATE_INTERRUPT		14	/* the type; 15 is a trap gate */

#define PF_PRESENT		1
#define PF_WRITE		2

/* Linux, arch/x86/include/asm/segment.h: what CS and DS hold when it jumps. */
#define KERNEL_CS		0x10
#define KERNEL_DS		0x18

unsigned int vcpu_paging_levels(const struct vcpu *v)
{
	if (!(v->cr0 & CR0_PG))
		return 0;
	return v->cr4 & CR4_LA57 ? 5 : 4;
}

static bool is_canonical(uint64_t addr, unsigned int levels)
{
	const unsigned int unused = 64 - (PAGE_SHIFT + LEVEL_SHIFT * levels);

	return (uint64_t)((int64_t)(addr << unused) >> unused) == addr;
}

static bool walk(const struct vcpu *v, struct guest_ram ram, uint64_t addr, struct vcpu_page *ret)
{
	const unsigned int levels = vcpu_paging_levels(v);
	struct vcpu_page page = { .is_writable = true, .is_executable = true };
	phys_t table = v->cr3 & ENTRY_ADDRESS;

	if (!is_canonical(addr, levels))
		return false;
	for (unsigned int level = levels; level-- > 0;) {
		const unsigned int shift = PAGE_SHIFT + LEVEL_SHIFT * level;
		uint64_t entry;

		if (ram.len < PAGE_LEN || table > ram.len - PAGE_LEN)
			return false;
		memcpy(&entry, ram.bytes + table + (addr >> shift) % ENTRIES * sizeof(entry),
		       sizeof(entry));
		if (!(entry & ENTRY_PRESENT))
			return false;
		page.is_writable &= (entry & ENTRY_WRITABLE) || !(v->cr0 & CR0_WP);
		page.is_executable &= !(entry & ENTRY_NO_EXECUTE) || !(v->efer & EFER_NXE);
		table = entry & ENTRY_ADDRESS;
		if (level == 0 || (level <= 2 && (entry & ENTRY_LARGE))) {
			page.len = UINT64_C(1) << shift;
			page.virt = align_down(addr, page.len);
			page.phys = align_down(table, page.len) + (addr - page.virt);
			*ret = page;
			return true;
		}
	}
	return false;
}

bool vcpu_translate(const struct vcpu *v, struct guest_ram ram, uint64_t addr,
		    struct vcpu_page *ret)
{
	if (!v->is_64)
		addr = (uint32_t)addr;
	if ((v->cr0 & CR0_PG) && !v->is_identity)
		return walk(v, ram, addr, ret);
	*ret = (struct vcpu_page){
		.phys = addr,
		.virt = align_down(addr, UNPAGED_LEN),
		.len = UNPAGED_LEN,
		.is_writable = true,
		.is_executable = true,
	};
	return true;
}

/* What is left of the page that addr is in, as memory; NULL if it is none. */
static uint8_t *find_memory(const struct vcpu *v, struct guest_ram ram, uint64_t addr,
			    bool is_write, size_t *ret_len)
{
	struct vcpu_page page;
	uint64_t len;

	if (!vcpu_translate(v, ram, addr, &page) || (is_write && !page.is_writable) ||
	    page.phys >= ram.len)
		return NULL;
	len = min_u64(page.len - (addr - page.virt), ram.len - page.phys);
	*ret_len = (size_t)len;
	return ram.bytes + page.phys;
}

bool vcpu_read(const struct vcpu *v, struct guest_ram ram, uint64_t addr, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len > 0) {
		size_t n;
		const uint8_t *from = find_memory(v, ram, addr, false, &n);

		if (!from)
			return false;
		n = min_size(n, len);
		memcpy(to, from, n);
		to += n;
		addr += n;
		len -= n;
	}
	return true;
}

bool vcpu_write(const struct vcpu *v, struct guest_ram ram, uint64_t addr, const void *buf,
		size_t len)
{
	const uint8_t *from = buf;

	while (len > 0) {
		size_t n;
		uint8_t *to = find_memory(v, ram, addr, true, &n);

		if (!to)
			return false;
		n = min_size(n, len);
		memcpy(to, from, n);
		from += n;
		addr += n;
		len -= n;
	}
	return true;
}

size_t vcpu_fetch(const struct vcpu *v, struct guest_ram ram, uint8_t ret[INSN_LEN_MAX])
{
	size_t n = 0;

	while (n < INSN_LEN_MAX && vcpu_read(v, ram, v->rip + n, ret + n, 1))
		n++;
	return n;
}

/* ---- exceptions ---- */

enum vcpu_outcome vcpu_fault(struct vcpu *v, unsigned int vector, uint64_t error_code)
{
	v->vector = vector;
	v->error_code = error_code;
	return VCPU_EXCEPTION;
}

enum vcpu_outcome vcpu_memory_fault(struct vcpu *v, struct guest_ram ram, uint64_t addr, size_t len,
				    bool is_write)
{
	uint64_t error_code = is_write ? PF_WRITE : 0;
	struct vcpu_page page;

	for (size_t i = 0; i < len; i++) {
		v->cr2 = addr + i;
		if (!vcpu_translate(v, ram, addr + i, &page))
			break;
		if (page.phys >= ram.len) {
			v->wild = page.phys;
			return VCPU_WILD;
		}
		if (is_write && !page.is_writable) {
			error_code |= PF_PRESENT;
			break;
		}
	}
	return vcpu_fault(v, VECTOR_PF, error_code);
}

static bool has_error_code(unsigned int vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

struct gate {
	uint16_t selector;
	uint64_t target;
	bool is_interrupt;	/* clears IF */
};

static bool read_gate(const struct vcpu *v, struct guest_ram ram, unsigned int vector,
		      struct gate *ret)
{
	uint64_t half[2];

	if (!(v->efer & EFER_LMA) || v->idt.limit < vector * GATE_LEN + GATE_LEN - 1 ||
	    !vcpu_read(v, ram, v->idt.base + vector * GATE_LEN, half, sizeof(half)))
		return false;
	if (!(half[0] & DESCRIPTOR_PRESENT) || (half[0] >> 41 & 7) != GATE_INTERRUPT >> 1)
		return false;
	ret->selector = (uint16_t)(half[0] >> 16);
	ret->target = (half[0] & 0xffff) | (half[0] >> 32 & 0xffff0000) | half[1] << 32;
	ret->is_interrupt = !(half[0] >> 40 & 1);
	return true;
}

bool vcpu_raise(struct vcpu *v, struct guest_ram ram, unsigned int vector, uint64_t error_code)
{
	const bool has_code = has_error_code(vector);
	struct vcpu old = *v;
	uint64_t frame[6];
	struct gate gate;
	size_t n;

	v->vector = vector;
	v->error_code = has_code ? error_code : 0;
	v->fault_rip = old.rip;
	v->n_exceptions++;
	frame[0] = error_code;
	frame[1] = old.rip;
	frame[2] = old.selectors[SEG_CS];
	frame[3] = old.rflags;
	frame[4] = old.r[REG_SP];
	frame[5] = old.selectors[SEG_SS];
	n = (has_code ? 6 : 5) * sizeof(frame[0]);
	/* The handler is 64-bit code whatever was interrupted (SDM, "64-bit mode stack frame"). */
	v->is_64 = true;
	if (!read_gate(v, ram, vector, &gate) ||
	    !vcpu_write(v, ram, (old.r[REG_SP] & ~UINT64_C(15)) - n, frame + (has_code ? 0 : 1), n))
		return false;
	v->r[REG_SP] = (old.r[REG_SP] & ~UINT64_C(15)) - n;
	if (gate.is_interrupt)
		v->rflags &= ~RFLAGS_IF;
	return vcpu_far_transfer(v, ram, gate.selector, gate.target) == VCPU_DONE && v->is_64;
}

/* ---- segments ---- */

bool vcpu_read_descriptor(const struct vcpu *v, struct guest_ram ram, uint16_t selector,
			  uint64_t *ret)
{
	const uint64_t off = selector & SELECTOR_INDEX;
	struct vcpu system = *v;

	/* Of 32-bit code too, in long mode. */
	system.is_64 |= (v->efer & EFER_LMA) != 0;
	return off != 0 && off + DESCRIPTOR_LEN - 1 <= v->gdt.limit && !(selector & 4) &&
	       vcpu_read(&system, ram, v->gdt.base + off, ret, sizeof(*ret)) &&
	       (*ret & DESCRIPTOR_PRESENT) && (*ret & DESCRIPTOR_NO_SYSTEM);
}

enum vcpu_outcome vcpu_far_transfer(struct vcpu *v, struct guest_ram ram, uint16_t selector,
				    uint64_t rip)
{
	uint64_t d;

	if (!vcpu_read_descriptor(v, ram, selector, &d) || !(d & DESCRIPTOR_CODE))
		return vcpu_fault(v, VECTOR_GP, selector & ~UINT64_C(7));
	v->selectors[SEG_CS] = selector;
	if ((d & DESCRIPTOR_LONG) && (v->efer & EFER_LMA)) {
		v->is_64 = true;
		v->rip = rip;
		return VCPU_DONE;
	}
	if (!(d & DESCRIPTOR_DEFAULT_32)) {
		v->stuck_at = "16-bit code";
		return VCPU_STUCK;
	}
	if (d & DESCRIPTOR_BASE) {
		v->stuck_at = "a code segment that does not begin at 0";
		return VCPU_STUCK;
	}
	v->is_64 = false;
	v->rip = (uint32_t)rip;
	return VCPU_DONE;
}

/* ---- the first state ---- */

void vcpu_start(struct vcpu *v, phys_t entry, bool is_32bit_kernel, bool is_la57_on)
{
	memset(v, 0, sizeof(*v));
	v->rip = entry;
	v->rflags = 2;
	v->selectors[SEG_CS] = KERNEL_CS;
	for (size_t i = 0; i < N_SEGMENTS; i++)
		if (i != SEG_CS)
			v->selectors[i] = KERNEL_DS;
	v->cr0 = CR0_PE | UINT64_C(0x10);	/* and ET, which is always set */
	if (is_32bit_kernel)
		return;
	v->is_64 = true;
	v->is_identity = true;
	v->cr0 |= CR0_PG;
	v->cr4 = CR4_PAE | (is_la57_on ? CR4_LA57 : 0);
	v->efer = EFER_LME | EFER_LMA | EFER_NXE | 1;
}
