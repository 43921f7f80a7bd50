// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sections and profiles of arbitrary bytes, and of a valid unified kernel image with patches:
 * whatever is accepted lies inside the file.
 */
#include <stdlib.h>
#include <string.h>

#include "lib_pe.h"
#include "uki.h"

#define CHECK(x)	do { if (!(x)) __builtin_trap(); } while (0)

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct test_section sections[] = {
		TEXT_SECTION(".linux", "kernel"), TEXT_SECTION(".osrel", "ID=x\nNAME=\"y\"\n"),
		TEXT_SECTION(".profile", "ID=a\nTITLE=b\n"), TEXT_SECTION(".cmdline", "a b"),
		TEXT_SECTION(".profile", "ID='1'\n"), TEXT_SECTION(".initrd", "c"),
	};
	size_t file_len;
	uint8_t *file;

	parse(span_of(data, len));
	if (len < 2)
		return 0;
	file = make_pe(PE_MACHINE_X86_64, sections, array_len(sections), &file_len);
	/* Three bytes each: where, and what to put there. */
	for (size_t i = 2; i + 3 <= len; i += 3)
		file[(size_t)(data[i] | data[i + 1] << 8) % file_len] = data[i + 2];
	file_len -= data[0] & 1 ? min_u64(file_len, data[1] * 16) : 0;
	parse(span_of(file, file_len));
	free(file);
	return 0;
}
