/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The purgatory image as the build made it, for purgatory.c; 16 bytes aligned as its own parts are. */
	.section .rodata
	.balign 16
	.globl purgatory_blob, purgatory_blob_end
	.hidden purgatory_blob, purgatory_blob_end
purgatory_blob:
	.incbin "purgatory.bin"
purgatory_blob_end:

	.section .note.GNU-stack, "", @progbits
