// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "advice.h"
#include "digest.h"

#define NOTHING	"-"

const char *report_size(uint64_t len, char ret[SIZE_TEXT_LEN])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	uint64_t unit = 1;
	size_t i = 0;

	while (i + 1 < array_len(units) && len / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	if (len % unit == 0)
		snprintf(ret, SIZE_TEXT_LEN, "%" PRIu64 " %s", len / unit, units[i]);
	else
		snprintf(ret, SIZE_TEXT_LEN, "%" PRIu64 ".%u %s", len / unit,
			 (unsigned int)(len % unit * 10 / unit), units[i]);
	return ret;
}

const char *report_map_source(enum map_source source)
{
	switch (source) {
	case MAP_FIRMWARE:
		return "/sys/firmware/memmap";
	case MAP_BOOT_PARAMS:
		return "/sys/kernel/boot_params";
	case MAP_IOMEM:
		return "/proc/iomem";
	case MAP_NONE:
		break;
	}
	return "nowhere";
}

/* U+0080 to U+009F are control characters too. */
void report_clean(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];
		bool is_c1 = c == 0xc2 && next >= 0x80 && next <= 0x9f;

		fputc(c < ' ' || c == 0x7f || is_c1 ? '?' : c, out);
		text += is_c1;
	}
}

void report_failure(FILE *out, const struct diag *failure, const char *what)
{
	fputs("kexec: ", out);
	if (what) {
		report_clean(out, what);
		fputs(": ", out);
	}
	report_clean(out, failure->text);
	fprintf(out, " [%s]\n", failure->id ? failure->id : "unknown");
	fputs("kexec: try: ", out);
	report_clean(out, advice_of(failure));
	fputc('\n', out);
}

static void print_note(FILE *out, const struct diag_note *n)
{
	fprintf(out, "kexec: %s: ", n->is_warning ? "warning" : "note");
	report_clean(out, n->text);
	fprintf(out, " [%s]\n", n->id);
}

void report_notes(FILE *out, const struct diag *diag)
{
	for (const struct diag_note *n = diag->notes; n; n = n->next)
		print_note(out, n);
}

void report_warnings(FILE *out, const struct diag *diag)
{
	for (const struct diag_note *n = diag->notes; n; n = n->next)
		if (n->is_warning)
			print_note(out, n);
}

void report_note(FILE *out, const struct diag *diag, const char *id)
{
	const struct diag_note *n = diag_find_note(diag, id);

	if (n)
		print_note(out, n);
}

static void print_head(FILE *out, const char *name)
{
	fprintf(out, "%-11s ", name);
}

/* "64" and "32" are those of a bzImage's stub. */
static const char *entry_text(const char *name)
{
	return name && name[0] > '9' ? name : "the stub's";	/* "direct", "pvh", "multiboot", ... */
}

static void print_jump(FILE *out, const struct plan *plan)
{
	/* At most one of them is not 0. */
	const phys_t arg = plan->jump_arg | plan->jump_ebx | plan->jump_c_arg;

	print_head(out, "jump");
	if (plan->jump_mode == JUMP_16)
		fprintf(out, "the setup code's, real mode, 0x%" PRIx64 ", segments 0x%" PRIx64 "\n",
			plan->jump_entry, plan->jump_arg);
	else
		fprintf(out, "%s entry, %s-bit, 0x%" PRIx64 ", argument 0x%" PRIx64 "\n",
			entry_text(plan->entry_name),
			plan->jump_mode == JUMP_64 ? "64" : "32", plan->jump_entry,
			arg);
}

static void print_image(FILE *out, const struct report *r)
{
	const struct plan *plan = r->plan;

	print_head(out, "image");
	fputs(plan->type_text ? plan->type_text : plan->type ? plan->type : "unknown type", out);
	if (plan->kernel_version) {
		fputs(", ", out);
		report_clean(out, plan->kernel_version);
	}
	fputc('\n', out);
	print_head(out, "purgatory");
	fprintf(out, "starts at 0x%" PRIx64 ", %s%s, talks on: %s\n", plan->entry,
		r->request->digest == DIGEST_NONE ? "verifies nothing" : "verifies segments by ",
		r->request->digest == DIGEST_NONE ? "" : digest_name(r->request->digest),
		plan->console ? plan->console : "nothing");
	print_jump(out, plan);
	if (plan->is_randomized) {
		print_head(out, "KASLR");
		fprintf(out, "place drawn; virtual addresses moved by 0x%" PRIx64 "\n",
			plan->vaddr_delta);
	}
}

static void print_profiles(FILE *out, const struct bundle *b)
{
	print_head(out, "profile");
	fprintf(out, "@%zu", b->profile);
	if (b->n_profiles == 0)
		fputs(", the only one", out);
	for (size_t i = 0; i < b->n_profiles; i++) {
		const struct bundle_profile *p = &b->profiles[i];

		fprintf(out, "%s@%zu", i == 0 ? " of " : ", ", i);
		if (!p->id && !p->title)
			continue;
		fputs(" (", out);
		report_clean(out, p->id ? p->id : "");
		fputs(p->id && p->title ? ": " : "", out);
		report_clean(out, p->title ? p->title : "");
		fputc(')', out);
	}
	fputc('\n', out);
}

/* What came in one file with the kernel. */
static void print_bundle(FILE *out, const struct bundle *b, size_t n_initrds)
{
	char size[SIZE_TEXT_LEN];

	print_head(out, "uki");
	report_clean(out, b->os ? b->os : "no system named");
	fputs(", ", out);
	report_clean(out, b->uname ? b->uname : "no release named");
	fprintf(out, ", %s as a whole\n", b->is_signed ? "signed" : "not signed");
	print_profiles(out, b);
	for (size_t i = 0; i < b->n_addons; i++) {
		print_head(out, i == 0 ? "addons" : "");
		report_clean(out, b->addons[i]);
		fputc('\n', out);
	}
	if (b->n_initrds == 0)
		return;
	print_head(out, "initrds");
	for (size_t i = 0; i < b->n_initrds; i++)
		fprintf(out, "%s%s%s %s", i == 0 ? "" : ", ", b->initrds[i].addon ? "addon's " : "",
			b->initrds[i].name, report_size(b->initrds[i].bytes.len, size));
	if (n_initrds > b->n_initrds)
		fprintf(out, ", then %zu of --initrd", n_initrds - b->n_initrds);
	fputc('\n', out);
}

static void print_memory(FILE *out, const struct report *r)
{
	uint64_t ram = r->facts->ram_total ? r->facts->ram_total :
					     range_list_total(&r->facts->ram);
	uint64_t used = plan_mem_len(r->plan);
	char used_text[SIZE_TEXT_LEN], half_text[SIZE_TEXT_LEN], ram_text[SIZE_TEXT_LEN];

	print_head(out, "memory");
	fprintf(out, "%s in %zu segments; the kernel allows %s, half of %s of RAM\n",
		report_size(used, used_text), r->plan->n_segments,
		report_size(align_down(ram / 2, PAGE_LEN), half_text), report_size(ram, ram_text));
	print_head(out, "");
	fprintf(out, "0x%" PRIx64 " of 0x%" PRIx64 " bytes\n", used, align_down(ram / 2, PAGE_LEN));
	if (r->request->mem_min == 0 && r->request->mem_end == UINT64_MAX)
		return;
	print_head(out, "limited to");
	fprintf(out, "0x%" PRIx64 " - 0x%" PRIx64 "\n", r->request->mem_min,
		r->request->mem_end == UINT64_MAX ? UINT64_MAX : r->request->mem_end - 1);
}

static void print_crash(FILE *out, const struct crash_plan *crash)
{
	char region[SIZE_TEXT_LEN], ram[SIZE_TEXT_LEN];

	print_head(out, "for a panic");
	fprintf(out, "region 0x%" PRIx64 " - 0x%" PRIx64 ", %s\n", crash->region.start,
		crash->region.end - 1, report_size(range_len(crash->region), region));
	print_head(out, "dump");
	fprintf(out, "%s of RAM in %zu ranges, %zu CPUs; headers at 0x%" PRIx64 "\n",
		report_size(range_list_total(&crash->ram), ram), crash->ram.n, crash->n_cpus,
		crash->elfcorehdr);
	if (range_len(crash->low) > 0) {
		print_head(out, "");
		fprintf(out, "0x%" PRIx64 " - 0x%" PRIx64 " saved before the jump, to 0x%" PRIx64 "\n",
			crash->low.start, crash->low.end - 1, crash->backup);
	}
	print_head(out, "");
	fputs(crash->is_kept_current ?
		      "the running kernel follows CPUs and memory that come and go\n" :
		      "to be loaded again when CPUs or memory come or go\n",
	      out);
}

static void print_handed_on(FILE *out, const struct report *r)
{
	static const char *const rsdp_sources[] = {
		[RSDP_NONE] = "nowhere",
		[RSDP_BOOT_PARAMS] = "boot_params",
		[RSDP_EFI] = "EFI",
	};

	print_head(out, "e820");
	if (r->plan->jump_mode == JUMP_16)
		fputs("none: the setup code asks the BIOS\n", out);
	else
		fprintf(out, "%zu entries, from %s\n", r->plan->n_e820,
			report_map_source(r->facts->map_source));
	print_head(out, "ACPI RSDP");
	if (r->plan->rsdp)
		fprintf(out, "0x%" PRIx64 ", from %s\n", r->plan->rsdp,
			rsdp_sources[r->facts->rsdp_source]);
	else
		fputs("none: the new kernel looks for it itself\n", out);
	print_head(out, "cmdline");
	if (r->request->cmdline && r->request->cmdline[0] != '\0')
		report_clean(out, r->request->cmdline);
	else
		fputs("(empty)", out);
	fputc('\n', out);
}

/* Digits that every address of the plan fits in. */
static int address_width(const struct plan *plan)
{
	int width = 8;

	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];

		while (width < 16 && (s->addr + s->reserve_len) >> (4 * width) != 0)
			width++;
	}
	return width;
}

static const char *verified_by(const struct report *r, const struct segment *s)
{
	if (r->plan->entry - s->addr < s->mem_len)
		return "itself";	/* purgatory */
	return s->is_digested && r->request->digest != DIGEST_NONE ?
		       digest_name(r->request->digest) : NOTHING;
}

static void print_segment(FILE *out, const struct report *r, const struct segment *s, int width)
{
	uint8_t digest[SHA256_LEN];
	char size[SIZE_TEXT_LEN], window[SIZE_TEXT_LEN] = NOTHING, hex[24];

	snprintf(hex, sizeof(hex), "0x%" PRIx64, s->mem_len);
	if (s->reserve_len > s->mem_len)
		report_size(s->reserve_len, window);
	fprintf(out, "%-10s 0x%0*" PRIx64 " - 0x%0*" PRIx64 " %10s %10s %10s  %s", s->name, width,
		s->addr, width, s->addr + s->mem_len - 1, report_size(s->mem_len, size), hex,
		window, verified_by(r, s));
	if (r->options->debug) {
		digest_sha256(s->bytes, digest);
		fprintf(out, ", sha256 %02x%02x%02x%02x", digest[0], digest[1], digest[2],
			digest[3]);
	}
	fputc('\n', out);
}

void report_text(FILE *out, const struct report *r)
{
	int width = address_width(r->plan);

	print_image(out, r);
	if (r->plan->crash)
		print_crash(out, r->plan->crash);
	if (r->request->bundle)
		print_bundle(out, r->request->bundle, r->request->n_initrds);
	if (r->budget)
		report_budget(out, r->budget);
	print_memory(out, r);
	print_handed_on(out, r);
	fprintf(out, "\n%-10s %-*s %10s %10s %10s  %s\n", "segment", 2 * width + 7, "address range",
		"size", "bytes", "window", "verified by");
	for (size_t i = 0; i < r->plan->n_segments; i++)
		print_segment(out, r, &r->plan->segments[i], width);
	if (r->diag && r->diag->notes) {
		fputc('\n', out);
		report_notes(out, r->diag);
	}
}
