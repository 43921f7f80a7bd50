/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A unified kernel image, or an addon to one: a PE file whose sections are a kernel, its initrd, its
 * command line and more. Sections before the first .profile are the base; each .profile begins a
 * profile, whose sections take the place of those of the base.
 * Source: "Unified Kernel Image", UAPI group; systemd-stub(7).
 */
#ifndef KEXEC_NG_UKI_H
#define KEXEC_NG_UKI_H

#include "pe.h"

/* Those that mean something to a loader, or to who reads its report. */
enum uki_part {
	UKI_LINUX,
	UKI_INITRD,
	UKI_UCODE,	/* an initrd with microcode: comes before every other */
	UKI_CMDLINE,
	UKI_UNAME,	/* the kernel's release */
	UKI_OSREL,	/* os-release(5) of the system it belongs to */
	UKI_DTB,	/* a device tree ... */
	UKI_DTBAUTO,	/* ... or several to choose from */
	N_UKI_PARTS,
};

struct uki_sections {
	struct span part[N_UKI_PARTS];	/* len 0: there is none */
};

struct uki_profile {
	const char *id;			/* NULL: it has none */
	const char *title;		/* likewise */
	struct uki_sections own;
};

struct uki {
	uint16_t machine;		/* PE_MACHINE_... */
	bool has_certificates;		/* the file as a whole is signed */
	struct uki_sections base;
	struct uki_profile *profiles;	/* in the arena */
	size_t n_profiles;		/* 0: just the base, which then is profile 0 */
};

/* A UKI or an addon; ids of pe_parse(). When a part is there twice, the first one counts, as for
 * systemd-stub; that is a note. */
must_check int uki_parse(struct span file, struct arena *a, struct uki *ret, struct diag *diag);

/* The number of the profile that name means: "2" or "@2" its number, else its ID=. Profile 0 exists
 * always. -EINVAL "uki/no-such-profile" says which there are. */
must_check int uki_find_profile(const struct uki *uki, const char *name, struct arena *a,
				size_t *ret, struct diag *diag);

/* The sections that count with a profile: its own, else those of the base. */
struct uki_sections uki_select(const struct uki *uki, size_t profile);

/* A section's text: up to a NUL, without blanks and control characters at both ends, in the arena.
 * NULL: no memory. */
const char *uki_text(struct span section, struct arena *a);

/* The value of KEY=VALUE in text like that of os-release(5), without its quotes, in the arena; NULL:
 * there is none, or no memory. The last one counts. */
const char *uki_field(struct span section, const char *key, struct arena *a);

#endif
