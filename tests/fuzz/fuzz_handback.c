// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as what a process without rights hands back: the first byte picks raw bytes, or those of a
 * plan that is patched. Whatever comes out must be usable; what the running kernel's rules allow of it,
 * also for a rehearsal that asks whether it has arrived. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/arrival.h"
#include "arch/x86/handed.h"
#include "arch/x86/purgatory.h"
#include "handback.h"
#include "lib_check.h"

#define RAM_LEN	(2 * MIB)

static const uint8_t memory_bytes[4096 + 9];
static const struct span memory = { memory_bytes, sizeof(memory_bytes) };

static const struct request request = { .cmdline = "" };

struct all {
	struct diag diag;
	struct plan plan;
	struct budget budget;
	const struct bundle *bundle;
};

static void hand(struct parcel *p, struct all *all)
{
	handback_bundle(p, &all->bundle);
	handback_plan(p, &all->plan);
	handback_budget(p, &all->budget);
	handback_diag(p, &all->diag);
}

static void check_span(struct span s)
{
	CHECK(s.len == 0 || (s.data >= memory_bytes && s.len <= sizeof(memory_bytes) &&
			     (size_t)(s.data - memory_bytes) <= sizeof(memory_bytes) - s.len));
}

static void check_all(const struct all *all)
{
	size_t total = 0;

	for (size_t i = 0; i < all->plan.n_segments; i++) {
		check_span(all->plan.segments[i].bytes);
		total += strlen(all->plan.segments[i].name);
	}
	for (size_t i = 0; i < all->plan.n_e820; i++)
		total += (size_t)all->plan.e820[i].range.end;
	for (const struct diag_note *n = all->diag.notes; n; n = n->next)
		total += strlen(n->id) + strlen(n->text);
	if (all->bundle)
		for (size_t i = 0; i < all->bundle->n_initrds; i++)
			check_span(all->bundle->initrds[i].bytes);
	CHECK((all->diag.error != 0) == (all->diag.id != NULL));
	CHECK(all->plan.paging <= PAGING_5_LEVEL && all->plan.jump_mode <= JUMP_16);
	if (all->budget.largest)
		total += strlen(all->budget.largest->name);
	if (handback_check(&all->plan, &request))
		total++;
	__asm__ volatile("" : : "r"(total));
}

/* Memory that has what is loaded, and a CPU that is where it is to jump to. */
static void judge(const struct plan *plan, const struct facts *facts, struct arena *a)
{
	static uint8_t bytes[RAM_LEN];
	const struct guest_ram ram = { bytes, RAM_LEN };
	const char *found;
	struct diag ignored;
	struct vcpu cpu;
	int n_good = 0;

	memset(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < plan->n_segments; i++)
		if (plan->segments[i].bytes.len > 0)
			memcpy(bytes + plan->segments[i].addr, plan->segments[i].bytes.data,
			       plan->segments[i].bytes.len);
	vcpu_start(&cpu, plan->jump_entry, true, false);
	cpu.r[REG_BX] = plan->jump_ebx;
	diag_init(&ignored, a);
	n_good += arrival_check_cpu(plan, &cpu, ram, &ignored) == 0;
	n_good += arrival_check_segments(plan, ram, &ignored) == 0;
	n_good += arrival_check_kept(plan, ram, &ignored) == 0;
	if (handed_is_known(plan))
		n_good += handed_check(plan, &request, facts, &cpu, ram, &found, &ignored) == 0;
	__asm__ volatile("" : : "r"(n_good));
}

static void check_rules(struct all *all, struct arena *a)
{
	struct facts facts = { 0 };
	struct diag ignored;

	diag_init(&ignored, NULL);
	range_list_init(&facts.ram, a);
	range_list_init(&facts.low_ram, a);
	range_list_init(&facts.withheld, a);
	CHECK(range_list_add(&facts.ram, (struct range){ MIB, RAM_LEN }) == 0);
	CHECK(range_list_add(&facts.low_ram, (struct range){ PAGE_LEN, 640 * KIB }) == 0);
	all->plan.arena = a;
	if (!handback_check(&all->plan, &request) &&
	    plan_check(&all->plan, &facts, 0, UINT64_MAX, &ignored) == 0)
		judge(&all->plan, &facts, a);
}

/* A plan as it is packed. */
static size_t make(uint8_t *out, unsigned int variant, struct arena *a)
{
	static const struct mem_entry e820[2];
	static const char *const entries[] = { "direct", "pvh", "multiboot" };
	static const char *const names[] = { "params", "kernel", PURGATORY_SEGMENT };
	static struct bundle_initrd initrd = { ".initrd", NULL, { memory_bytes, 7 } };
	static const struct bundle bundle = { .cmdline = "x", .initrds = &initrd, .n_initrds = 1 };
	struct all all = { .plan = { .type = "bzImage", .n_segments = 3, .e820 = e820, .n_e820 = 2,
				     .entry_name = entries[variant % array_len(entries)],
				     .entry = MIB, .jump_ebx = MIB },
			   .bundle = &bundle };
	struct parcel p = { .is_packing = true, .out = out, .arena = a, .memory = &memory,
			    .n_memory = 1 };

	diag_init(&all.diag, a);
	note(&all.diag, "a/b", "c");
	for (size_t i = 0; i < all.plan.n_segments; i++) {
		all.plan.segments[i] = (struct segment){
			.bytes = { memory_bytes + i, PAGE_LEN },
			.mem_len = PAGE_LEN,
			.reserve_len = PAGE_LEN,
			.align = PAGE_LEN,
			.end = RAM_LEN,
			.addr = MIB + i * PAGE_LEN,
			.is_placed = true,
		};
		snprintf(all.plan.segments[i].name, sizeof(all.plan.segments[i].name), "%s",
			 names[i]);
	}
	hand(&p, &all);
	CHECK(!p.wrong);
	return p.off;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t made[8192];
	struct arena a = { 0 };
	struct parcel p = { .arena = &a, .memory = &memory, .n_memory = 1 };
	struct all all = { 0 };
	size_t made_len;

	if (len == 0)
		return 0;
	p.in = span_of(data + 1, len - 1);
	if (data[0] & 1) {
		made_len = make(made, data[0] / 2U, &a);
		for (size_t i = 1; i + 3 <= len; i += 3)
			made[(size_t)(data[i] | data[i + 1] << 8) % made_len] = data[i + 2];
		p.in = span_of(made, made_len);
	}
	diag_init(&all.diag, &a);
	hand(&p, &all);
	/* What was wrong is not used; but nothing of it may be dangerous either. */
	if (p.wrong)
		all.diag.error = all.diag.id ? 1 : 0;
	check_all(&all);
	if (!p.wrong)
		check_rules(&all, &a);
	arena_free(&a);
	return 0;
}
