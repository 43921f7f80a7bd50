/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words and numbers in the texts of /proc and /sys.
 */
#ifndef KEXEC_NG_HOST_TEXT_H
#define KEXEC_NG_HOST_TEXT_H

#include "span.h"

/* Without the white space at both ends. */
struct span text_trim(struct span s);
bool text_is(struct span s, const char *known);
/* With *ret_rest what follows the prefix; untouched when it is not there. */
bool text_starts_with(struct span s, const char *prefix, struct span *ret_rest);
/* Graphic ASCII only, and at least one character: safe to print, fit to be a name. */
bool text_is_name(struct span s);
/* Cuts the next line, or the next word between white space, off *rest. False at the end. */
bool text_next_line(struct span *rest, struct span *ret);
bool text_next_word(struct span *rest, struct span *ret);
/* The same for a kernel command line: double quotes hold words together, "--" ends it. */
bool text_next_parameter(struct span *rest, struct span *ret);
bool text_has_word(struct span s, const char *word);
/* "KEY<white space>: VALUE", as in /proc/cpuinfo and /proc/meminfo. */
bool text_value_of(struct span line, const char *key, struct span *ret);
/* All of s is one number: 0x and hexadecimal digits, or decimal ones. */
must_check bool text_number(struct span s, uint64_t *ret);
/* All of s is hexadecimal digits, without 0x. */
must_check bool text_hex(struct span s, uint64_t *ret);
/* A prefix and a decimal number of at most 9 digits, without leading zeros: "ttyS0", "card12". */
must_check bool text_numbered(struct span name, const char *prefix, uint32_t *ret);

#endif
