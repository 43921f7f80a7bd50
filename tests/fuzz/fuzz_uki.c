// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sections and profiles of arbitrary bytes, and of a valid unified kernel image with patches:
 * whatever is accepted lies inside the file. Then the same as a container, with itself as an addon.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/uki_container.h"
#include "lib_check.h"
#include "lib_pe.h"
#include "lib_safe.h"
#include "uki.h"

static void check_sections(struct span file, const struct uki_sections *s)
{
	for (size_t i = 0; i < N_UKI_PARTS; i++) {
		const uint8_t *data = s->part[i].data;

		CHECK(s->part[i].len == 0 || (data >= file.data && s->part[i].len <= file.len &&
					      data + s->part[i].len <= file.data + file.len));
	}
}

static void parse(struct span file)
{
	struct arena arena = { 0 };
	struct diag diag;
	struct uki uki;
	size_t n = 0;

	diag_init(&diag, &arena);
	if (uki_parse(file, &arena, &uki, &diag) < 0) {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
		arena_free(&arena);
		return;
	}
	for (size_t i = 0; i <= uki.n_profiles; i++) {
		struct uki_sections s = uki_select(&uki, i);

		check_sections(file, &s);
		CHECK(uki_text(s.part[UKI_CMDLINE], &arena));
		if (i < uki.n_profiles && uki.profiles[i].id &&
		    uki_find_profile(&uki, uki.profiles[i].id, &arena, &n, &diag) == 0)
			CHECK(n <= uki.n_profiles);
	}
	uki_field(uki.base.part[UKI_OSREL], "ID", &arena);
	arena_free(&arena);
}

static void open_container(struct span file, struct span addon, const char *profile)
{
	const struct addon addons[] = { { "beside", addon, false }, { "asked", addon, true } };
	struct request req = { .kernel = file, .kernel_path = "image", .profile = profile,
			       .addons = addons, .n_addons = profile ? 2 : 1 };
	struct unpack_buffer memory = { 0 };
	struct facts facts = { 0 };
	struct arena arena = { 0 };
	struct diag diag;

	diag_init(&diag, &arena);
	if (uki_container.probe(file, &diag) < 0) {
		CHECK(diag.id);
	} else if (uki_container.open(&req, &facts, &arena, &memory, &diag) < 0) {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
		CHECK(!req.bundle);
	} else {
		CHECK(req.bundle && req.kernel.len > 0 && req.kernel.data >= file.data &&
		      req.kernel.data + req.kernel.len <= file.data + file.len);
		for (size_t i = 0; i < req.bundle->n_initrds; i++) {
			const struct bundle_initrd *r = &req.bundle->initrds[i];
			struct span from = r->addon ? addon : file;

			CHECK(r->bytes.len > 0 && r->bytes.data >= from.data &&
			      r->bytes.data + r->bytes.len <= from.data + from.len);
		}
		CHECK(req.bundle->n_addons <= req.n_addons);
	}
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct test_section sections[] = {
		TEXT_SECTION(".linux", "kernel"), TEXT_SECTION(".osrel", "ID=x\nNAME=\"y\"\n"),
		TEXT_SECTION(".profile", "ID=a\nTITLE=b\n"), TEXT_SECTION(".cmdline", "a b"),
		TEXT_SECTION(".profile", "ID='1'\n"), TEXT_SECTION(".initrd", "c"),
	};
	static const struct test_section addable[] = {
		TEXT_SECTION(".cmdline", "c"), TEXT_SECTION(".ucode", "u"),
		TEXT_SECTION(".initrd", "i"),
	};
	static const char *const profiles[] = { NULL, "a", "1", "@2" };
	size_t file_len, addon_len;
	uint8_t *file, *addon;

	parse(span_of(data, len));
	if (len < 2)
		return 0;
	file = make_pe(PE_MACHINE_X86_64, sections, array_len(sections), &file_len);
	/* Three bytes each: where, and what to put there. */
	for (size_t i = 2; i + 3 <= len; i += 3)
		file[(size_t)(data[i] | data[i + 1] << 8) % file_len] = data[i + 2];
	file_len -= data[0] & 1 ? min_u64(file_len, data[1] * 16) : 0;
	parse(span_of(file, file_len));
	require_safe_inspection(span_of(file, file_len));
	addon = make_pe(PE_MACHINE_X86_64, addable, array_len(addable), &addon_len);
	for (size_t i = 2; i + 3 <= len && (data[0] & 2); i += 3)
		addon[(size_t)(data[i] | data[i + 1] << 8) % addon_len] = data[i + 2];
	open_container(span_of(file, file_len), span_of(addon, addon_len),
		       profiles[data[0] >> 2 & 3]);
	free(addon);
	free(file);
	return 0;
}
