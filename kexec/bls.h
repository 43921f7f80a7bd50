/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of the Boot Loader Specification: type 1, small texts, and type 2, unified kernel images.
 * Source: "The Boot Loader Specification", UAPI group; loader.conf(5).
 */
#ifndef KEXEC_NG_BLS_H
#define KEXEC_NG_BLS_H

#include "entries.h"

#define BLS_TEXT_MAX (64 * 1024) /* bytes of a type 1 entry, and of loader.conf */

/* Adds the entry of loader/entries/NAME.conf. */
void bls_read(const struct entry_file *file, size_t place, struct entry_list *l);
/* Adds an entry for each profile of EFI/Linux/NAME.efi. */
void bls_read_uki(const struct entry_file *file, size_t place, struct entry_list *l);
/* loader.conf's "default", NULL if it says none. */
const char *bls_default(struct span loader_conf, struct entry_list *l);

#endif
