/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka, with the headers it wants before it and without its macro that hides our fail(). */
#ifndef KEXEC_NG_UNIT_H
#define KEXEC_NG_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail

#endif
