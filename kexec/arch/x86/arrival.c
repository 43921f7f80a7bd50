// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/arrival.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "arch/x86/purgatory.h"
#include "boot_note.h"

#define COPY_MATCH_LEN	48	/* bytes of code that are taken for proof */
#define BOOT_PARAMS_SEGMENT	"params"

static int fail_wrong(struct diag *diag, const char *id, const char *what, uint64_t found,
		      uint64_t expected)
{
	return fail(diag, EINVAL, id, "%s is %#" PRIx64 ", not %#" PRIx64, what, found, expected);
}

/* ---- the CPU ---- */

static int check_registers(const struct plan *plan, const struct vcpu *v, struct diag *diag)
{
	const char *const id = "rehearse/registers";
	const bool is_64 = plan->jump_mode == JUMP_64;
	const uint64_t expected[N_REGISTERS] = {
		[REG_AX] = plan->jump_eax,
		[REG_BX] = plan->jump_ebx,
		[REG_SI] = plan->jump_arg,
		[REG_DI] = is_64 ? plan->jump_c_arg : 0,
	};
	static const char *const names[N_REGISTERS] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
	};

	for (size_t i = 0; i < N_REGISTERS; i++) {
		const uint64_t found = is_64 ? v->r[i] : (uint32_t)v->r[i];

		if (i != REG_SP && found != expected[i])
			return fail_wrong(diag, id, names[i], found, expected[i]);
	}
	if (v->rflags & RFLAGS_DF)
		return fail(diag, EINVAL, id, "the direction flag is set");
	if (v->rflags & RFLAGS_IF)
		return fail(diag, EINVAL, id, "interrupts are enabled");
	/* Documentation/arch/x86/boot.rst: __BOOT_CS and __BOOT_DS. */
	if (v->selectors[SEG_CS] != SEL_CODE)
		return fail_wrong(diag, id, "cs", v->selectors[SEG_CS], SEL_CODE);
	for (size_t i = 0; i < SEG_FS; i++)
		if (i != SEG_CS && v->selectors[i] != SEL_DATA)
			return fail_wrong(diag, id, "a data segment", v->selectors[i], SEL_DATA);
	return 0;
}

static int check_mode(const struct plan *plan, const struct vcpu *v, struct diag *diag)
{
	const unsigned int levels = vcpu_paging_levels(v);
	const bool is_64 = plan->jump_mode == JUMP_64;

	if (v->is_64 != is_64)
		return fail(diag, EINVAL, "rehearse/mode", "it is entered in %s-bit mode",
			    v->is_64 ? "64" : "32");
	if (is_64 && levels == 0)
		return fail(diag, EINVAL, "rehearse/mode", "it is entered with paging off");
	if (!is_64 && (levels != 0 || v->cr4 != 0 || (v->efer & (EFER_LME | EFER_LMA))))
		return fail(diag, EINVAL, "rehearse/mode",
			    "it is entered with cr0 %#" PRIx64 ", cr4 %#" PRIx64 ", efer %#" PRIx64
			    ", not with paging off",
			    v->cr0, v->cr4, v->efer);
	if (plan->paging == PAGING_4_LEVEL && levels != 4)
		return fail_wrong(diag, "rehearse/paging-mode", "the depth of paging", levels, 4);
	return 0;
}

/* What the kernel's first instructions will touch is mapped, to itself. */
static int check_mapped(const struct plan *plan, const struct vcpu *v, struct guest_ram ram,
			struct diag *diag)
{
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];
		const phys_t end = s->addr + s->reserve_len;
		struct vcpu_page page;

		for (phys_t at = s->addr; at < end; at = page.virt + page.len) {
			if (vcpu_translate(v, ram, at, &page) && page.phys == at &&
			    page.is_writable && page.is_executable)
				continue;
			return fail(diag, EINVAL, "rehearse/not-mapped",
				    "segment '%s' is not mapped to itself at %#" PRIx64, s->name,
				    at);
		}
	}
	return 0;
}

int arrival_check_cpu(const struct plan *plan, const struct vcpu *v, struct guest_ram ram,
		      struct diag *diag)
{
	int r = check_mode(plan, v, diag);

	if (r == 0)
		r = check_registers(plan, v, diag);
	return r < 0 ? r : check_mapped(plan, v, ram, diag);
}

/* ---- memory ---- */

/* The first offset in which they differ; len if there is none. */
static size_t find_difference(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	while (i < len && memcmp(a + i, b + i, min_size(PAGE_LEN, len - i)) == 0)
		i += min_size(PAGE_LEN, len - i);
	while (i < len && a[i] == b[i])
		i++;
	return i;
}

static size_t count_differences(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += a[i] != b[i];
	return n;
}

static bool is_in_ram(const struct segment *s, struct guest_ram ram)
{
	return s->addr <= ram.len && s->mem_len <= ram.len - s->addr;
}

static int check_bytes(const struct segment *s, const uint8_t *found, size_t start, size_t end,
		       struct diag *diag)
{
	const uint8_t *expected = s->bytes.data;
	size_t off;

	if (start >= end)
		return 0;
	off = start + find_difference(found + start, expected + start, end - start);
	if (off >= end)
		return 0;
	return fail(diag, EINVAL, "rehearse/segment-changed",
		    "segment '%s' was overwritten: %zu of its %zu bytes differ, the first at +%#zx",
		    s->name, count_differences(found + start, expected + start, end - start),
		    s->bytes.len, off);
}

/* Where in the segment purgatory leaves its marks (boot_note.h); at its end if that is not in it. */
static struct range marks_in(const struct plan *plan, const struct segment *s)
{
	const uint64_t note_off = plan->boot_note - s->addr;

	if (plan->boot_note < s->addr || s->bytes.len < sizeof(struct boot_note) ||
	    note_off > s->bytes.len - sizeof(struct boot_note))
		return (struct range){ s->bytes.len, s->bytes.len };
	return (struct range){ note_off + offsetof(struct boot_note, entered),
			       note_off + sizeof(struct boot_note) };
}

static int check_segment(const struct plan *plan, const struct segment *s, struct guest_ram ram,
			 size_t skip, struct diag *diag)
{
	const struct range marks = marks_in(plan, s);
	const uint8_t *found = ram.bytes + s->addr;
	int r;

	if (!is_in_ram(s, ram))
		return fail(diag, EINVAL, "rehearse/segment-outside",
			    "segment '%s' at %#" PRIx64 " lies outside the memory", s->name,
			    s->addr);
	r = check_bytes(s, found, skip, (size_t)marks.start, diag);
	if (r == 0)
		r = check_bytes(s, found, (size_t)marks.end, s->bytes.len, diag);
	if (r < 0)
		return r;
	for (size_t off = s->bytes.len; off < s->mem_len; off++)
		if (found[off] != 0)
			return fail(diag, EINVAL, "rehearse/segment-changed",
				    "segment '%s' was overwritten behind its end, at +%#zx",
				    s->name, off);
	return 0;
}

int arrival_check_segments(const struct plan *plan, struct guest_ram ram, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_segments && r == 0; i++)
		if (strcmp(plan->segments[i].name, PURGATORY_SEGMENT) != 0)
			r = check_segment(plan, &plan->segments[i], ram, 0, diag);
	return r;
}

/* Fields of the zero page that the stubs of 5.10 to 7.x write (arch/x86/boot/compressed: misc.c,
 * acpi.c, kaslr.c, sev.c, head_32.S and head_64.S): cursor, RSDP, the confidential computing blob, the
 * first stack of 32-bit code, KASLR_FLAG. */
static bool is_stubs_own(size_t off)
{
	return off < 2 || (off >= 0x70 && off < 0x78) || (off >= 0x13c && off < 0x140) ||
	       (off >= 0x1e4 && off < 0x1e8) || off == HDR_LOADFLAGS;
}

static int check_zero_page(const struct segment *s, struct guest_ram ram, struct diag *diag)
{
	for (size_t i = 0; i < BOOT_PARAMS_LEN; i++)
		if (ram.bytes[s->addr + i] != s->bytes.data[i] && !is_stubs_own(i))
			return fail(diag, EOPNOTSUPP, "rehearse/boot-params-changed",
				    "the stub changed boot_params at +%#zx, which the ones known here "
				    "do not",
				    i);
	return 0;
}

int arrival_check_kept(const struct plan *plan, struct guest_ram ram, struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_segments && r == 0; i++) {
		const struct segment *s = &plan->segments[i];
		const bool is_params = strcmp(s->name, BOOT_PARAMS_SEGMENT) == 0 &&
				       s->bytes.len >= BOOT_PARAMS_LEN;

		if (strcmp(s->name, PURGATORY_SEGMENT) == 0 || strcmp(s->name, "kernel") == 0)
			continue;
		r = check_segment(plan, s, ram, is_params ? BOOT_PARAMS_LEN : 0, diag);
		if (r == 0 && is_params)
			r = check_zero_page(s, ram, diag);
	}
	return r;
}

/* ---- the stub and what it made ---- */

bool arrival_find_copy(const struct bzimage *image, struct span code, phys_t rip,
		       struct range *ret)
{
	const struct span whole = image->kernel;
	/* What the kernel is unpacked to may overlap the copy of the payload, so only what is behind it
	 * counts as the stub. */
	const size_t tail = image->has_payload ?
				    (size_t)(image->payload.data - whole.data) + image->payload.len :
				    0;
	const uint8_t *match;

	if (code.len < COPY_MATCH_LEN || tail >= whole.len ||
	    memcmp(code.data, code.data + 1, COPY_MATCH_LEN - 1) == 0)
		return false;	/* too little, or empty memory */
	match = memmem(whole.data + tail, whole.len - tail, code.data, COPY_MATCH_LEN);
	if (!match || rip < (size_t)(match - whole.data))
		return false;
	ret->start = rip - (size_t)(match - whole.data) + tail;
	ret->end = ret->start + (whole.len - tail);
	return true;
}

int arrival_check_kernel(const struct plan *plan, const struct direct *direct,
			 const struct vcpu *v, const struct range_list *ram, bool is_fixed,
			 phys_t *ret_base, struct diag *diag)
{
	const char *const id = "rehearse/wild-arrival";
	const phys_t base = v->rip - direct->entry_off;
	const uint64_t arg = direct->is_64 ? v->r[REG_SI] : (uint32_t)v->r[REG_SI];
	const struct segment *kernel = NULL;

	for (size_t i = 0; i < plan->n_segments; i++)
		if (strcmp(plan->segments[i].name, "kernel") == 0)
			kernel = &plan->segments[i];
	if (v->rip < direct->entry_off || !is_aligned(base, direct->alignment) ||
	    !range_list_contains(ram, (struct range){ base, base + direct->window_len }))
		return fail(diag, EINVAL, id,
			    "the stub jumped to %#" PRIx64 ", where no kernel can have its entry",
			    v->rip);
	if (arg != plan->jump_arg)
		return fail_wrong(diag, id, "boot_params at the kernel's entry", arg,
				  plan->jump_arg);
	if (v->is_64 != direct->is_64 || (vcpu_paging_levels(v) != 0) != direct->is_64)
		return fail(diag, EINVAL, id, "the kernel is entered in %s-bit mode, paging %s",
			    v->is_64 ? "64" : "32", vcpu_paging_levels(v) != 0 ? "on" : "off");
	if (is_fixed && kernel && base != kernel->addr)
		return fail_wrong(diag, id, "the kernel's place without KASLR", base, kernel->addr);
	*ret_base = base;
	return 0;
}

static int compare_loads(const struct direct *d, const uint8_t *expected, const uint8_t *found,
			 phys_t base, uint64_t delta, struct arrival_match *m, struct diag *diag)
{
	for (size_t i = 0; i < d->n_loads; i++) {
		const struct range load = d->loads[i];
		const uint64_t end = min_u64(load.end, d->image_len);
		size_t at = (size_t)load.start;

		m->n_compared += range_len(load);
		if (load.start < end)
			at += find_difference(expected + load.start, found + load.start,
					      (size_t)(end - load.start));
		while (at >= end && at < load.end && found[at] == 0)
			at++;
		if (at >= load.end)
			continue;
		return fail(diag, EINVAL, "rehearse/kernel-differs",
			    "the kernel that the stub made at %#" PRIx64 " (moved by %#" PRIx64
			    ") is not the one that kexec makes of the same image: it differs at +%#zx",
			    base, delta, at);
	}
	return 0;
}

int arrival_compare(const struct direct *direct, uint64_t direct_delta, struct guest_ram ram,
		    phys_t base, bool is_fixed, struct arena *a, struct arrival_match *ret,
		    struct diag *diag)
{
	const struct reloc_table *t = &direct->relocs;
	struct arrival_match m = { .delta = direct_delta };
	uint8_t *expected = arena_alloc(a, direct->image_len);
	uint64_t moved = 0;
	int r;

	if (!expected)
		return fail_nomem(diag);
	if (base > ram.len || direct->window_len > ram.len - base)
		return fail(diag, EINVAL, "rehearse/kernel-outside",
			    "the kernel at %#" PRIx64 " lies outside the memory", base);
	memcpy(expected, direct->image, direct->image_len);
	if (!t->is_empty &&
	    !reloc_infer(t, direct->image, ram.bytes + base, direct->image_len, direct->link_vaddr,
			 &moved))
		return fail(diag, EOPNOTSUPP, "rehearse/no-delta",
			    "how far the stub moved the kernel cannot be told");
	/* In 32 bits, what was moved up may have been moved less far than direct. */
	moved = direct->is_64 ? (uint64_t)(int64_t)(int32_t)moved : (uint32_t)moved;
	m.delta = direct->is_64 ? direct_delta + moved : (uint32_t)(direct_delta + moved);
	if (is_fixed && direct->is_64 && m.delta != 0)
		return fail_wrong(diag, "rehearse/moved", "the kernel's virtual shift without KASLR",
				  m.delta, 0);
	r = reloc_apply(t, expected, direct->image_len, direct->link_vaddr, moved, diag);
	if (r == 0)
		r = compare_loads(direct, expected, ram.bytes + base, base, m.delta, &m, diag);
	if (r < 0)
		return r;
	if (m.delta != 0)
		m.n_relocations = t->r64.n + t->inv32.n + t->r32.n;
	*ret = m;
	return 0;
}
