/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must be true in a fuzz target. If it is not, the process ends here, and the fuzzer keeps the
 * input. */
#ifndef KEXEC_NG_LIB_CHECK_H
#define KEXEC_NG_LIB_CHECK_H

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			__builtin_trap();                                                          \
	} while (0)

#endif
