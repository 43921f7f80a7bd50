// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as the files that boot loaders read. The input is cut at each byte 0x1e; what begins a
 * piece says which file it is. Whatever comes of it keeps what entries.h promises, and every name
 * that the list has finds an entry or is ambiguous.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "entries.h"
#include "lib_check.h"
#include "lib_pe.h"
#include "wire/pe.h"

#define FILES_MAX 16
#define SEPARATOR 0x1e

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct {
	enum entry_file_kind kind;
	const char *name;
} kinds[] = {
	{ ENTRY_FILE_BLS, "loader/entries/a+3-1.conf" },
	{ ENTRY_FILE_BLS, "loader/entries/b.conf" },
	{ ENTRY_FILE_LOADER_CONF, "loader/loader.conf" },
	{ ENTRY_FILE_UKI, "EFI/Linux/k.efi" },
	{ ENTRY_FILE_GRUB_CFG, "grub/grub.cfg" },
	{ ENTRY_FILE_GRUB_CUSTOM, "grub/custom.cfg" },
	{ ENTRY_FILE_GRUBENV, "grub/grubenv" },
	{ ENTRY_FILE_EXTLINUX, "extlinux/extlinux.conf" },
	{ ENTRY_FILE_GRUB_FOLDER, "grub" },
};

static void check_text(const char *text)
{
	for (; text && *text != '\0'; text++)
		CHECK((unsigned char)*text >= ' ' ? *text != 0x7f : *text == '\t');
}

static void check_entry(const struct boot_entry *e)
{
	CHECK(e->id && e->file && e->kind < N_ENTRY_KINDS && e->place == 0);
	CHECK(!e->why_id == !e->why);
	CHECK(e->why_id || (e->kernel && e->kernel[0] != '\0'));
	CHECK(e->n_initrds <= ENTRY_INITRDS_MAX && e->n_levels <= ENTRY_LEVELS_MAX);
	check_text(e->id);
	check_text(e->title);
	check_text(e->kernel);
	check_text(e->options);
	for (size_t i = 0; i < e->n_initrds; i++)
		check_text(e->initrds[i]);
}

/* Any bytes are rarely a PE file: half of the images get theirs as texts in one that is. */
static uint8_t *make_uki(struct entry_file *f)
{
	const uint16_t machine = f->bytes.data[0] & 2 ? PE_MACHINE_X86_64 : PE_MACHINE_ARM64;
	const struct test_section sections[] = {
		{ ".osrel", f->bytes.data, f->bytes.len },
		{ ".uname", f->bytes.data, f->bytes.len % 32 },
		TEXT_SECTION(".linux", "kernel"),
		{ ".profile", f->bytes.data, f->bytes.len },
		{ ".profile", f->bytes.data, f->bytes.len / 2 },
	};
	const size_t n = f->bytes.data[0] & 4 ? array_len(sections) : f->bytes.data[0] >> 3 & 3;
	uint8_t *image = make_pe(machine, sections, n > 0 ? n : 1, &f->bytes.len);

	f->bytes.data = image;
	return image;
}

static void check_name(const struct boot_entries *list, const char *name, struct arena *a)
{
	size_t found = ENTRY_NONE;
	struct diag diag;

	diag_init(&diag, NULL);
	if (entries_find(list, name, a, &found, &diag) == 0)
		CHECK(found < list->n);
	else
		CHECK(diag.id && diag.text[0] != '\0');
}

static void check_names(const struct boot_entries *list, struct arena *a)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *const names[] = { list->v[i].id, list->v[i].title };

		check_entry(&list->v[i]);
		for (size_t j = 0; j < array_len(names); j++) {
			if (names[j] && strlen(names[j]) <= ENTRY_NAME_MAX)
				check_name(list, names[j], a);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct entry_file files[FILES_MAX];
	struct entry_place place = { .dir = "/boot", .uuid = "12-34", .files = files };
	struct entry_input in = { .places = &place, .n_places = 1, .platform = "pc" };
	uint8_t *images[FILES_MAX] = { NULL };
	char name[64] = "";
	struct boot_entries list;
	struct arena arena = { 0 };
	struct diag diag;

	while (len > 0 && place.n_files < FILES_MAX) {
		const uint8_t *end = memchr(data, SEPARATOR, len);
		const size_t piece = end ? (size_t)(end - data) : len;

		if (piece > 0) {
			const size_t which = data[0] % array_len(kinds);

			struct entry_file f = { kinds[which].kind, kinds[which].name,
						span_of(data + 1, piece - 1) };

			if (f.kind == ENTRY_FILE_UKI && f.bytes.len > 0 && (f.bytes.data[0] & 1))
				images[place.n_files] = make_uki(&f);
			/* Each text is a name, too. */
			memset(name, 0, sizeof(name));
			memcpy(name, data + 1, min_u64(piece - 1, sizeof(name) - 1));
			files[place.n_files++] = f;
		}
		data += piece + (end ? 1 : 0);
		len -= piece + (end ? 1 : 0);
	}
	diag_init(&diag, &arena);
	CHECK(entries_build(&in, &arena, &list, &diag) == 0);
	CHECK(list.n <= ENTRIES_MAX);
	CHECK(list.default_entry == ENTRY_NONE || list.default_entry < list.n);
	CHECK(list.saved_entry == ENTRY_NONE || list.saved_entry < list.n);
	check_names(&list, &arena);
	check_name(&list, name, &arena);
	arena_free(&arena);
	for (size_t i = 0; i < FILES_MAX; i++)
		free(images[i]);
	return 0;
}
