// SPDX-License-Identifier: GPL-2.0-or-later
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_JSON_C

#include <json-c/json.h>

#include "digest.h"

#define JSON_FORMAT	1	/* doc/json.md: raised when a key goes or changes its meaning */

/* Objects under construction. Whatever fails for want of memory is remembered here, once. */
struct json {
	struct json_object *top;
	bool is_short;		/* of memory */
};

/* Takes value over; NULL means that making it failed. */
static void put(struct json *j, struct json_object *to, const char *key,
		struct json_object *value)
{
	if (value && json_object_object_add(to, key, value) == 0)
		return;
	j->is_short = true;
	json_object_put(value);
}

static void put_null(struct json *j, struct json_object *to, const char *key)
{
	if (json_object_object_add(to, key, NULL) != 0)
		j->is_short = true;
}

static void append(struct json *j, struct json_object *list, struct json_object *value)
{
	if (value && json_object_array_add(list, value) == 0)
		return;
	j->is_short = true;
	json_object_put(value);
}

/* An object or a list inside another; the caller fills what comes back. */
static struct json_object *put_new(struct json *j, struct json_object *to, const char *key,
				   struct json_object *value)
{
	put(j, to, key, value);
	return j->is_short ? NULL : value;
}

static void put_number(struct json *j, struct json_object *to, const char *key, uint64_t v)
{
	put(j, to, key, json_object_new_uint64(v));
}

static void put_bool(struct json *j, struct json_object *to, const char *key, bool v)
{
	put(j, to, key, json_object_new_boolean(v));
}

static void put_addr(struct json *j, struct json_object *to, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, v);
	put(j, to, key, json_object_new_string(text));
}

/* Bytes of one UTF-8 character at s, 0 if what is there is none (RFC 3629). */
static size_t utf8_len(const unsigned char *s)
{
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* JSON is UTF-8 and command lines need not be: a byte that fits nowhere becomes U+FFFD. */
static struct json_object *new_text(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const unsigned char *s = (const unsigned char *)text;
	struct json_object *value;
	char *clean, *end;

	clean = malloc(strlen(text) * (sizeof(replacement) - 1) + 1);
	if (!clean)
		return NULL;
	end = clean;
	while (*s != '\0') {
		size_t len = utf8_len(s);
		size_t n = len ? len : sizeof(replacement) - 1;

		memcpy(end, len ? (const char *)s : replacement, n);
		end += n;
		s += len ? len : 1;
	}
	*end = '\0';
	value = json_object_new_string(clean);
	free(clean);
	return value;
}

static void put_text(struct json *j, struct json_object *to, const char *key, const char *text)
{
	if (text)
		put(j, to, key, new_text(text));
	else
		put_null(j, to, key);
}

static void put_digest(struct json *j, struct json_object *to, const struct request *req,
		       const struct segment *s)
{
	uint8_t digest[SHA256_LEN];
	char text[2 * SHA256_LEN + 1];

	digest_sha256(s->bytes, digest);
	for (size_t i = 0; i < SHA256_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	put(j, to, "sha256", json_object_new_string(text));
	put_bool(j, to, "verified", s->is_digested && req->digest != DIGEST_NONE);
}

static void put_segments(struct json *j, const struct report *r)
{
	const struct plan *plan = r->plan;
	struct json_object *list = put_new(j, j->top, "segments", json_object_new_array());

	for (size_t i = 0; i < plan->n_segments && !j->is_short; i++) {
		const struct segment *s = &plan->segments[i];
		struct json_object *o = json_object_new_object();

		append(j, list, o);
		if (j->is_short)
			return;
		put_text(j, o, "name", s->name);
		put_addr(j, o, "addr", s->addr);
		put_number(j, o, "len", s->bytes.len);
		put_number(j, o, "mem_len", s->mem_len);
		put_number(j, o, "reserve_len", s->reserve_len);
		put_number(j, o, "align", s->align);
		put_digest(j, o, r->request, s);
	}
}

static void put_memory(struct json *j, const struct report *r)
{
	struct json_object *o = put_new(j, j->top, "memory", json_object_new_object());
	uint64_t ram = r->facts->ram_total ? r->facts->ram_total :
					     range_list_total(&r->facts->ram);

	if (j->is_short)
		return;
	put_number(j, o, "loaded_len", plan_mem_len(r->plan));
	put_number(j, o, "ram_len", ram);
	put_number(j, o, "limit_len", align_down(ram / 2, PAGE_LEN));
}

static void put_e820(struct json *j, const struct report *r)
{
	static const char *const sources[] = {
		[MAP_NONE] = "none",
		[MAP_FIRMWARE] = "firmware",
		[MAP_BOOT_PARAMS] = "boot_params",
		[MAP_IOMEM] = "iomem",
	};
	struct json_object *o = put_new(j, j->top, "e820", json_object_new_object());
	struct json_object *list;

	if (j->is_short)
		return;
	put_text(j, o, "source",
		 r->plan->jump_mode == JUMP_16 ? "bios" : sources[r->facts->map_source]);
	list = put_new(j, o, "entries", json_object_new_array());
	for (size_t i = 0; i < r->plan->n_e820 && !j->is_short; i++) {
		struct json_object *entry = json_object_new_object();

		append(j, list, entry);
		if (j->is_short)
			return;
		put_addr(j, entry, "start", r->plan->e820[i].range.start);
		put_addr(j, entry, "end", r->plan->e820[i].range.end);
		put_number(j, entry, "type", r->plan->e820[i].type);
	}
}

static void put_notes(struct json *j, const struct diag *diag)
{
	struct json_object *list = put_new(j, j->top, "notes", json_object_new_array());
	const struct diag_note *n = diag ? diag->notes : NULL;

	for (; n && !j->is_short; n = n->next) {
		struct json_object *o = json_object_new_object();

		append(j, list, o);
		if (j->is_short)
			return;
		put_text(j, o, "id", n->id);
		put_text(j, o, "text", n->text);
		put_bool(j, o, "warning", n->is_warning);
	}
}

static void put_jump(struct json *j, const struct plan *plan)
{
	static const char *const modes[] = {
		[JUMP_64] = "64",
		[JUMP_32] = "32",
		[JUMP_16] = "16",
	};
	struct json_object *o = put_new(j, j->top, "jump", json_object_new_object());

	if (j->is_short)
		return;
	put_text(j, o, "mode", modes[plan->jump_mode]);
	put_addr(j, o, "entry", plan->jump_entry);
	/* At most one of them is not 0. */
	put_addr(j, o, "arg", plan->jump_arg | plan->jump_ebx | plan->jump_c_arg);
}

static void put_kaslr(struct json *j, const struct plan *plan)
{
	static const char *const modes[] = {
		[PAGING_KEEP] = "keep",
		[PAGING_4_LEVEL] = "4-level",
		[PAGING_5_LEVEL] = "5-level",
	};
	struct json_object *o = put_new(j, j->top, "kaslr", json_object_new_object());

	if (j->is_short)
		return;
	put_bool(j, o, "drawn", plan->is_randomized);
	put_addr(j, o, "vaddr_delta", plan->vaddr_delta);
	put_text(j, j->top, "paging", modes[plan->paging]);
}

static void put_range(struct json *j, struct json_object *to, struct range r)
{
	if (j->is_short)
		return;
	put_addr(j, to, "start", r.start);
	put_addr(j, to, "end", r.end);
}

static void put_crash(struct json *j, const struct crash_plan *crash)
{
	struct json_object *o = put_new(j, j->top, "crash", json_object_new_object());
	struct json_object *list;

	if (j->is_short)
		return;
	put_range(j, put_new(j, o, "region", json_object_new_object()), crash->region);
	put_addr(j, o, "elfcorehdr", crash->elfcorehdr);
	put_number(j, o, "cpus", crash->n_cpus);
	put_number(j, o, "ram_len", range_list_total(&crash->ram));
	put_bool(j, o, "kept_current", crash->is_kept_current);
	if (range_len(crash->low) > 0) {
		struct json_object *backup = put_new(j, o, "backup", json_object_new_object());

		put_range(j, backup, crash->low);
		if (!j->is_short)
			put_addr(j, backup, "to", crash->backup);
	}
	list = put_new(j, o, "ram", json_object_new_array());
	for (size_t i = 0; i < crash->ram.n && !j->is_short; i++) {
		struct json_object *entry = json_object_new_object();

		append(j, list, entry);
		put_range(j, entry, crash->ram.r[i]);
	}
}

static void put_budget(struct json *j, const struct budget *b)
{
	struct json_object *o = put_new(j, j->top, "budget", json_object_new_object());
	struct json_object *list;

	if (j->is_short)
		return;
	put_number(j, o, "reserved_len", b->reserved_len);
	put_number(j, o, "needed_len", b->needed_len);
	put_number(j, o, "recommended_len", b->recommended_len);
	put_bool(j, o, "fits", !b->is_over);
	put_text(j, o, "largest", b->largest ? b->largest->name : NULL);
	list = put_new(j, o, "items", json_object_new_array());
	for (size_t i = 0; i < b->n_items && !j->is_short; i++) {
		const struct budget_item *item = &b->items[i];
		struct json_object *entry = json_object_new_object();

		append(j, list, entry);
		if (j->is_short)
			return;
		put_text(j, entry, "name", item->name);
		put_number(j, entry, "len", item->len);
		put_bool(j, entry, "at_boot", item->is_at_boot);
		put_bool(j, entry, "at_dump", item->is_at_dump);
		put_bool(j, entry, "estimate", item->is_estimate);
	}
}

static void put_initrd(struct json *j, const struct request *req)
{
	struct json_object *o = put_new(j, j->top, "initrd", json_object_new_object());

	if (j->is_short)
		return;
	put_number(j, o, "files", req->n_initrds);
	put_number(j, o, "len", req->initrd.len);
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static void put_profiles(struct json *j, struct json_object *to, const struct bundle *b)
{
	struct json_object *list = put_new(j, to, "profiles", json_object_new_array());

	for (size_t i = 0; i < b->n_profiles && !j->is_short; i++) {
		struct json_object *o = json_object_new_object();

		append(j, list, o);
		if (j->is_short)
			return;
		put_text(j, o, "id", b->profiles[i].id);
		put_text(j, o, "title", b->profiles[i].title);
	}
}

static void put_bundle_initrds(struct json *j, struct json_object *to, const struct bundle *b)
{
	struct json_object *list = put_new(j, to, "initrds", json_object_new_array());

	for (size_t i = 0; i < b->n_initrds && !j->is_short; i++) {
		struct json_object *o = json_object_new_object();

		append(j, list, o);
		if (j->is_short)
			return;
		put_text(j, o, "section", b->initrds[i].name);
		put_text(j, o, "addon", base_name(b->initrds[i].addon));
		put_number(j, o, "len", b->initrds[i].bytes.len);
	}
}

/* What came in one file with the kernel. */
static void put_bundle(struct json *j, const struct bundle *b)
{
	struct json_object *o, *list;

	if (!b) {
		put_null(j, j->top, "uki");
		return;
	}
	o = put_new(j, j->top, "uki", json_object_new_object());
	if (j->is_short)
		return;
	put_text(j, o, "os", b->os);
	put_text(j, o, "uname", b->uname);
	put_bool(j, o, "signed", b->is_signed);
	put_number(j, o, "profile", b->profile);
	put_profiles(j, o, b);
	put_text(j, o, "cmdline", b->cmdline);
	put_bundle_initrds(j, o, b);
	list = put_new(j, o, "addons", json_object_new_array());
	for (size_t i = 0; i < b->n_addons && !j->is_short; i++)
		append(j, list, new_text(base_name(b->addons[i])));
}

static void put_plan(struct json *j, const struct report *r)
{
	static const char *const rsdp_sources[] = {
		[RSDP_NONE] = "none",
		[RSDP_BOOT_PARAMS] = "boot_params",
		[RSDP_EFI] = "efi",
	};
	const struct plan *plan = r->plan;

	put_text(j, j->top, "type", plan->type);
	put_text(j, j->top, "type_text", plan->type_text ? plan->type_text : plan->type);
	put_text(j, j->top, "kernel_version", plan->kernel_version);
	put_text(j, j->top, "entry_name", plan->entry_name);
	put_addr(j, j->top, "entry", plan->entry);
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
		put_addr(j, j->top, "rsdp", plan->rsdp);
	else
		put_null(j, j->top, "rsdp");
	put_text(j, j->top, "rsdp_source", rsdp_sources[r->facts->rsdp_source]);
	put_text(j, j->top, "cmdline", r->request->cmdline ? r->request->cmdline : "");
	put_addr(j, j->top, "cmdline_addr", plan->cmdline_addr);
	put_initrd(j, r->request);
	put_bundle(j, r->request->bundle);
	put_text(j, j->top, "console", plan->console ? plan->console : "none");
	put_text(j, j->top, "digest", digest_name(r->request->digest));
	put_bool(j, j->top, "checks", r->request->digest != DIGEST_NONE);
}

static void put_error(struct json *j, const struct diag *failure)
{
	struct json_object *o = put_new(j, j->top, "error", json_object_new_object());

	if (j->is_short)
		return;
	put_text(j, o, "id", failure->id ? failure->id : "unknown");
	put_number(j, o, "errno", (uint64_t)failure->error);
	put_text(j, o, "text", failure->text);
	put_text(j, o, "advice", failure->advice[0] != '\0' ? failure->advice : NULL);
}

static bool start(struct json *j)
{
	j->is_short = false;
	j->top = json_object_new_object();
	if (!j->top)
		return false;
	put_number(j, j->top, "format", JSON_FORMAT);
	return !j->is_short;
}

static int finish(struct json *j, FILE *out, struct diag *diag)
{
	const int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
			  JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *text = NULL;

	if (j->top && !j->is_short)
		text = json_object_to_json_string_ext(j->top, flags);
	if (text)
		fprintf(out, "%s\n", text);
	json_object_put(j->top);
	return text ? 0 : fail_nomem(diag);
}

int report_json(FILE *out, const struct report *r, struct diag *diag)
{
	struct json j;

	if (start(&j))
		put_plan(&j, r);
	if (j.top && !j.is_short)
		put_notes(&j, r->diag);
	return finish(&j, out, diag);
}

int report_json_failure(FILE *out, const struct diag *failure, struct diag *diag)
{
	struct json j;

	if (start(&j))
		put_error(&j, failure);
	if (j.top && !j.is_short)
		put_notes(&j, failure);
	return finish(&j, out, diag);
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
