// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_JSON_C

#include "digest.h"
#include "json_out.h"

static void put_digest(struct json_out *j, struct json_object *to, const struct request *req,
		       const struct segment *s)
{
	uint8_t digest[SHA256_LEN];
	char text[2 * SHA256_LEN + 1];

	digest_sha256(s->bytes, digest);
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	json_out_value(j, to, "sha256", json_object_new_string(text));
	json_out_bool(j, to, "verified", s->is_digested && req->digest != DIGEST_NONE);
}

static void put_segments(struct json_out *j, const struct report *r)
{
	const struct plan *plan = r->plan;
	struct json_object *list = json_out_new(j, j->top, "segments", json_object_new_array());

	for (size_t i = 0; i < plan->n_segments && !j->is_short; i++) {
		const struct segment *s = &plan->segments[i];
		struct json_object *o = json_object_new_object();

		json_out_append(j, list, o);
		if (j->is_short)
			return;
		json_out_text(j, o, "name", s->name);
		json_out_addr(j, o, "addr", s->addr);
		json_out_number(j, o, "len", s->bytes.len);
		json_out_number(j, o, "mem_len", s->mem_len);
		json_out_number(j, o, "reserve_len", s->reserve_len);
		json_out_number(j, o, "align", s->align);
		put_digest(j, o, r->request, s);
	}
}

static void put_memory(struct json_out *j, const struct report *r)
{
	struct json_object *o = json_out_new(j, j->top, "memory", json_object_new_object());
	uint64_t ram = r->facts->ram_total ? r->facts->ram_total :
					     range_list_total(&r->facts->ram);

	if (j->is_short)
		return;
	json_out_number(j, o, "loaded_len", plan_mem_len(r->plan));
	json_out_number(j, o, "ram_len", ram);
	json_out_number(j, o, "limit_len", align_down(ram / 2, PAGE_LEN));
}

static void put_e820(struct json_out *j, const struct report *r)
{
	static const char *const sources[] = {
		[MAP_NONE] = "none",
		[MAP_FIRMWARE] = "firmware",
		[MAP_BOOT_PARAMS] = "boot_params",
		[MAP_IOMEM] = "iomem",
	};
	struct json_object *o = json_out_new(j, j->top, "e820", json_object_new_object());
	struct json_object *list;

	if (j->is_short)
		return;
	json_out_text(j, o, "source",
		 r->plan->jump_mode == JUMP_16 ? "bios" : sources[r->facts->map_source]);
	list = json_out_new(j, o, "entries", json_object_new_array());
	for (size_t i = 0; i < r->plan->n_e820 && !j->is_short; i++) {
		struct json_object *entry = json_object_new_object();

		json_out_append(j, list, entry);
		if (j->is_short)
			return;
		json_out_addr(j, entry, "start", r->plan->e820[i].range.start);
		json_out_addr(j, entry, "end", r->plan->e820[i].range.end);
		json_out_number(j, entry, "type", r->plan->e820[i].type);
	}
}

static void put_jump(struct json_out *j, const struct plan *plan)
{
	static const char *const modes[] = {
		[JUMP_64] = "64",
		[JUMP_32] = "32",
		[JUMP_16] = "16",
	};
	struct json_object *o = json_out_new(j, j->top, "jump", json_object_new_object());

	if (j->is_short)
		return;
	json_out_text(j, o, "mode", modes[plan->jump_mode]);
	json_out_addr(j, o, "entry", plan->jump_entry);
	/* At most one of them is not 0. */
	json_out_addr(j, o, "arg", plan->jump_arg | plan->jump_ebx | plan->jump_c_arg);
}

static void put_kaslr(struct json_out *j, const struct plan *plan)
{
	static const char *const modes[] = {
		[PAGING_KEEP] = "keep",
		[PAGING_4_LEVEL] = "4-level",
		[PAGING_5_LEVEL] = "5-level",
	};
	struct json_object *o = json_out_new(j, j->top, "kaslr", json_object_new_object());

	if (j->is_short)
		return;
	json_out_bool(j, o, "drawn", plan->is_randomized);
	json_out_addr(j, o, "vaddr_delta", plan->vaddr_delta);
	json_out_text(j, j->top, "paging", modes[plan->paging]);
}

static void put_range(struct json_out *j, struct json_object *to, struct range r)
{
	if (j->is_short)
		return;
	json_out_addr(j, to, "start", r.start);
	json_out_addr(j, to, "end", r.end);
}

static void put_crash(struct json_out *j, const struct crash_plan *crash)
{
	struct json_object *o = json_out_new(j, j->top, "crash", json_object_new_object());
	struct json_object *list;

	if (j->is_short)
		return;
	put_range(j, json_out_new(j, o, "region", json_object_new_object()), crash->region);
	json_out_addr(j, o, "elfcorehdr", crash->elfcorehdr);
	json_out_number(j, o, "cpus", crash->n_cpus);
	json_out_number(j, o, "ram_len", range_list_total(&crash->ram));
	json_out_bool(j, o, "kept_current", crash->is_kept_current);
	if (range_len(crash->low) > 0) {
		struct json_object *backup = json_out_new(j, o, "backup", json_object_new_object());

		put_range(j, backup, crash->low);
		if (!j->is_short)
			json_out_addr(j, backup, "to", crash->backup);
	}
	list = json_out_new(j, o, "ram", json_object_new_array());
	for (size_t i = 0; i < crash->ram.n && !j->is_short; i++) {
		struct json_object *entry = json_object_new_object();

		json_out_append(j, list, entry);
		put_range(j, entry, crash->ram.r[i]);
	}
}

static void put_budget(struct json_out *j, const struct budget *b)
{
	struct json_object *o = json_out_new(j, j->top, "budget", json_object_new_object());
	struct json_object *list;

	if (j->is_short)
		return;
	json_out_number(j, o, "reserved_len", b->reserved_len);
	json_out_number(j, o, "needed_len", b->needed_len);
	json_out_number(j, o, "recommended_len", b->recommended_len);
	json_out_bool(j, o, "fits", !b->is_over);
	json_out_text(j, o, "largest", b->largest ? b->largest->name : NULL);
	list = json_out_new(j, o, "items", json_object_new_array());
	for (size_t i = 0; i < b->n_items && !j->is_short; i++) {
		const struct budget_item *item = &b->items[i];
		struct json_object *entry = json_object_new_object();

		json_out_append(j, list, entry);
		if (j->is_short)
			return;
		json_out_text(j, entry, "name", item->name);
		json_out_number(j, entry, "len", item->len);
		json_out_bool(j, entry, "at_boot", item->is_at_boot);
		json_out_bool(j, entry, "at_dump", item->is_at_dump);
		json_out_bool(j, entry, "estimate", item->is_estimate);
	}
}

static void put_initrd(struct json_out *j, const struct request *req)
{
	struct json_object *o = json_out_new(j, j->top, "initrd", json_object_new_object());

	if (j->is_short)
		return;
	json_out_number(j, o, "files", req->n_initrds);
	json_out_number(j, o, "len", req->initrd.len);
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static void put_profiles(struct json_out *j, struct json_object *to, const struct bundle *b)
{
	struct json_object *list = json_out_new(j, to, "profiles", json_object_new_array());

	for (size_t i = 0; i < b->n_profiles && !j->is_short; i++) {
		struct json_object *o = json_object_new_object();

		json_out_append(j, list, o);
		if (j->is_short)
			return;
		json_out_text(j, o, "id", b->profiles[i].id);
		json_out_text(j, o, "title", b->profiles[i].title);
	}
}

static void put_bundle_initrds(struct json_out *j, struct json_object *to, const struct bundle *b)
{
	struct json_object *list = json_out_new(j, to, "initrds", json_object_new_array());

	for (size_t i = 0; i < b->n_initrds && !j->is_short; i++) {
		struct json_object *o = json_object_new_object();

		json_out_append(j, list, o);
		if (j->is_short)
			return;
		json_out_text(j, o, "section", b->initrds[i].name);
		json_out_text(j, o, "addon", base_name(b->initrds[i].addon));
		json_out_number(j, o, "len", b->initrds[i].bytes.len);
	}
}

/* What came in one file with the kernel. */
static void put_bundle(struct json_out *j, const struct bundle *b)
{
	struct json_object *o, *list;

	if (!b) {
		json_out_null(j, j->top, "uki");
		return;
	}
	o = json_out_new(j, j->top, "uki", json_object_new_object());
	if (j->is_short)
		return;
	json_out_text(j, o, "os", b->os);
	json_out_text(j, o, "uname", b->uname);
	json_out_bool(j, o, "signed", b->is_signed);
	json_out_number(j, o, "profile", b->profile);
	put_profiles(j, o, b);
	json_out_text(j, o, "cmdline", b->cmdline);
	put_bundle_initrds(j, o, b);
	list = json_out_new(j, o, "addons", json_object_new_array());
	for (size_t i = 0; i < b->n_addons && !j->is_short; i++)
		json_out_append(j, list, json_out_new_text(base_name(b->addons[i])));
}

static void put_plan(struct json_out *j, const struct report *r)
{
	static const char *const rsdp_sources[] = {
		[RSDP_NONE] = "none",
		[RSDP_BOOT_PARAMS] = "boot_params",
		[RSDP_EFI] = "efi",
	};
	const struct plan *plan = r->plan;

	json_out_text(j, j->top, "type", plan->type);
	json_out_text(j, j->top, "type_text", plan->type_text ? plan->type_text : plan->type);
	json_out_text(j, j->top, "kernel_version", plan->kernel_version);
	json_out_text(j, j->top, "entry_name", plan->entry_name);
	json_out_text(j, j->top, "subarch", plan->subarch);
	json_out_addr(j, j->top, "entry", plan->entry);
	put_jump(j, plan);
	put_kaslr(j, plan);
	put_segments(j, r);
	put_memory(j, r);
	put_e820(j, r);
	if (plan->crash)
		put_crash(j, plan->crash);
	if (r->budget)
		put_budget(j, r->budget);
	if (plan->rsdp)
		json_out_addr(j, j->top, "rsdp", plan->rsdp);
	else
		json_out_null(j, j->top, "rsdp");
	json_out_text(j, j->top, "rsdp_source", rsdp_sources[r->facts->rsdp_source]);
	json_out_text(j, j->top, "cmdline", r->request->cmdline ? r->request->cmdline : "");
	json_out_addr(j, j->top, "cmdline_addr", plan->cmdline_addr);
	put_initrd(j, r->request);
	put_bundle(j, r->request->bundle);
	json_out_text(j, j->top, "console", plan->console ? plan->console : "none");
	json_out_text(j, j->top, "digest", digest_name(r->request->digest));
	json_out_bool(j, j->top, "checks", r->request->digest != DIGEST_NONE);
}

int report_json_finish(struct json_out *j, FILE *out, struct diag *diag)
{
	const char *text = json_out_finish(j);
	const int r = text ? 0 : fail_nomem(diag);

	if (text)
		fprintf(out, "%s\n", text);
	json_out_free(j);
	return r;
}

int report_json(FILE *out, const struct report *r, struct diag *diag)
{
	struct json_out j;

	if (json_out_start(&j))
		put_plan(&j, r);
	json_out_notes(&j, j.top, r->diag);
	return report_json_finish(&j, out, diag);
}

int report_json_failure(FILE *out, const struct diag *failure, struct diag *diag)
{
	struct json_out j;

	json_out_start(&j);
	json_out_error(&j, j.top, failure);
	json_out_notes(&j, j.top, failure);
	return report_json_finish(&j, out, diag);
}

int report_json_check(struct diag *diag)
{
	(void)diag;
	return 0;
}

#else

static int not_built(struct diag *diag)
{
	fail(diag, EOPNOTSUPP, "json/not-built", "this kexec was built without json-c: no --json");
	return fail_advise(diag, "install libjson-c-dev, then build again");
}

int report_json_check(struct diag *diag)
{
	return not_built(diag);
}

int report_json(FILE *out, const struct report *r, struct diag *diag)
{
	(void)out, (void)r;
	return not_built(diag);
}

int report_json_failure(FILE *out, const struct diag *failure, struct diag *diag)
{
	(void)out, (void)failure;
	return not_built(diag);
}

#endif

void report_failure_of(const struct options *o, const struct diag *failure)
{
	struct diag why;

	diag_init(&why, NULL);
	if (o->json && report_json_failure(stdout, failure, &why) < 0)
		report_failure(stderr, &why, NULL);
	report_failure(stderr, failure, NULL);
}
