/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trampoline of exported kernels as the build made it, for export_kernel.c. */
	.section .rodata
	.balign 16
	.globl trampoline_blob, trampoline_blob_end
	.hidden trampoline_blob, trampoline_blob_end
trampoline_blob:
	.incbin "trampoline.bin"
trampoline_blob_end:

	.section .note.GNU-stack, "", @progbits
