# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the Makefile needs to know of purgatory; the command is made of PURGATORY_SHARED too. No SSE
# and no x87: the kernel hands over with CR4.OSFXSR clear. No red zone: an NMI pushes its frame right
# below the stack pointer.

PURGATORY_SHARED := $(addprefix purgatory/,crc32c.c sha256.c sha256_ni.S)
PURGATORY_SRC := $(PURGATORY_SHARED) $(addprefix purgatory/,entry.S entry32.S traps.S paging.S \
	leave64.S leave32.S leave16.S come_back.S main.c core.c real_mode.c verify.c traps.c console.c \
	report.c failure.c last_words.c vga.c mem.c)

# 64-bit code, also when the command around it is built for 32 bits.
PURGATORY_CFLAGS := -m64 -O2 -g -ffreestanding -fpie -fvisibility=hidden -mgeneral-regs-only \
	-mno-red-zone -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-jump-tables -Wframe-larger-than=512

# The PVH entry of exported kernels: 32-bit code, whatever the command is built for.
TRAMPOLINE_SRC := purgatory/trampoline/entry.S purgatory/trampoline/prepare.c
TRAMPOLINE_CFLAGS := -m32 $(filter-out -m64 -mno-red-zone,$(PURGATORY_CFLAGS))
TRAMPOLINE_LDFLAGS = -m elf_i386 $(PURGATORY_LDFLAGS)

PURGATORY_LDFLAGS := -pie --no-dynamic-linker --build-id=none -z noexecstack --fatal-warnings
