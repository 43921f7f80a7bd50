// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch/x86/inspect_image.h"
#include "uki.h"

static const char *subsystem_text(struct inspection *in, uint16_t subsystem)
{
	if (subsystem == PE_SUBSYSTEM_EFI_APPLICATION)
		return "EFI application";
	return arena_printf(in->arena, "%u", subsystem);
}

static void put_sections(struct inspection *in, struct item *to, const struct pe *pe)
{
	struct item *list = inspect_list(in, to, "sections");

	for (size_t i = 0; i < pe->n_sections; i++) {
		const struct pe_section *s = &pe->sections[i];
		struct item *o = inspect_group(in, list, NULL);

		inspect_text(in, o, "name", s->name);
		inspect_addr(in, o, "off",
			     s->bytes.len > 0 ? (uint64_t)(s->bytes.data - pe->file.data) : 0);
		inspect_len(in, o, "len", s->bytes.len);
	}
}

static void put_optional(struct inspection *in, struct item *to, struct span file)
{
	uint32_t off = 0, v = 0;
	uint64_t optional;

	if (!span_le32(file, PE_DOS_LFANEW, &off))
		return;
	optional = (uint64_t)off + PE_SIGNATURE_LEN + sizeof(struct pe_coff_header);
	if (span_le32(file, optional + PE_OPT_ENTRY, &v))
		inspect_addr(in, to, "entry", v);
	if (span_le32(file, optional + PE_OPT_IMAGE_LEN, &v))
		inspect_len(in, to, "image_len", v);
}

static void put_text(struct inspection *in, struct item *to, const char *key, struct span section)
{
	inspect_text(in, to, key, section.len > 0 ? uki_text(section, in->arena) : NULL);
}

static void put_profiles(struct inspection *in, struct item *to, const struct uki *uki)
{
	struct item *list = inspect_list(in, to, "profiles");

	for (size_t i = 0; i < uki->n_profiles; i++) {
		const struct uki_profile *p = &uki->profiles[i];
		const struct uki_sections s = uki_select(uki, i);
		struct item *o = inspect_group(in, list, NULL);

		inspect_number(in, o, "number", i);
		inspect_text(in, o, "id", p->id);
		inspect_text(in, o, "title", p->title);
		put_text(in, o, "cmdline", s.part[UKI_CMDLINE]);
		inspect_len(in, o, "linux_len", s.part[UKI_LINUX].len);
		inspect_len(in, o, "initrd_len", s.part[UKI_INITRD].len);
	}
}

static void put_uki(struct inspection *in, struct item *to, struct span file)
{
	struct item *o = inspect_group(in, to, "uki");
	struct uki_sections s;
	struct uki uki;
	struct diag why;

	diag_init(&why, NULL);
	if (uki_parse(file, in->arena, &uki, &why) < 0) {
		inspect_failure(in, o, "error", &why);
		return;
	}
	s = uki_select(&uki, 0);
	inspect_text(in, o, "os", uki_field(s.part[UKI_OSREL], "PRETTY_NAME", in->arena));
	put_text(in, o, "uname", s.part[UKI_UNAME]);
	put_text(in, o, "cmdline", s.part[UKI_CMDLINE]);
	inspect_len(in, o, "linux_len", s.part[UKI_LINUX].len);
	inspect_len(in, o, "initrd_len", s.part[UKI_INITRD].len);
	inspect_len(in, o, "ucode_len", s.part[UKI_UCODE].len);
	put_profiles(in, o, &uki);
}

void inspect_pe(struct inspection *in, struct item *to, struct span file, bool is_uki)
{
	struct item *o;
	struct diag why;
	struct pe pe;

	if (!pe_is_one(file))
		return;
	o = inspect_group(in, to, "pe");
	diag_init(&why, NULL);
	if (pe_parse(file, in->arena, &pe, &why) < 0) {
		inspect_failure(in, o, "error", &why);
		return;
	}
	inspect_text(in, o, "machine", pe_machine_name(pe.machine, in->arena));
	inspect_text(in, o, "format", pe.is_pe32_plus ? "PE32+" : "PE32");
	inspect_text(in, o, "subsystem", subsystem_text(in, pe.subsystem));
	inspect_bool(in, o, "signed", pe.has_certificates);
	put_optional(in, o, file);
	put_sections(in, o, &pe);
	if (is_uki)
		put_uki(in, to, file);
}
