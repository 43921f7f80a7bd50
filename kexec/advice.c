// SPDX-License-Identifier: GPL-2.0-or-later
#include "advice.h"

#include <string.h>

#define DAMAGED "the file is damaged or incomplete: get it again, and compare it with the package " \
		"that it is from (debsums, rpm -V)"
#define UNUSUAL	"if other loaders start this image, this is a fault here: please report it with the " \
		"file; --enter=64 leaves the unpacking to the image itself"
#define NO_ROOM	"--map shows what is where: take a smaller initrd, other limits (--mem-min, " \
		"--mem-max), or a machine with more free memory"
#define MACHINE	"run it as root, with /proc and /sys mounted and not masked by a container"
#define USAGE	"kexec --help"

/* By the beginning of the id; the longest that fits counts. tests/lib/ids.py reads this table. */
static const struct {
	const char *prefix;
	const char *advice;
} by_kind[] = {
	{ "", "kexec -d shows what it was doing" },
	{ "addons/", "move the addon away, or leave addons out (--no-addons)" },
	{ "bzimage/", DAMAGED },
	{ "bzimage/cpu-is-32-bit", "take a 32-bit kernel, as the running one is" },
	{ "bzimage/no-payload", "leave --enter=pvh out: the kernel is entered as it best can be" },
	{ "bzimage/no-5-level", "take another kernel, or start the running one with no5lvl" },
	{ "bzimage/no-64-bit-entry", "leave --enter out: the entry is chosen by what the image has" },
	{ "bzimage/not-direct", "leave --enter=direct out: the image unpacks itself then" },
	{ "bzimage/entered-by-32", "leave --enter out: the entry is chosen by what the image has" },
	{ "bzimage/protocol-too-old", "take a kernel of 2.4.0 or later" },
	{ "bzimage/fixed-address", "build the kernel with CONFIG_RELOCATABLE" },
	{ "cmdline/", "a command line is one line of text: --append=\"root=... quiet\"" },
	{ "cmdline/unreadable", MACHINE },
	{ "compressed/", DAMAGED },
	{ "crash/", "see kexec-ng's doc/kdump.md; `grep -i crash /proc/iomem` and /proc/cmdline show "
		    "what the running kernel reserved" },
	{ "direct/", UNUSUAL },
	{ "direct/no-room", NO_ROOM },
	{ "elf/", DAMAGED },
	{ "elf/cpu-is-32-bit", "take a 32-bit kernel, as the running one is" },
	{ "elf/enter", "leave --enter out: an ELF program has one entry" },
	{ "elf/interpreter", "name a kernel: /boot/vmlinuz-..." },
	{ "elf/linux-only", "leave the option out for what is no Linux kernel" },
	{ "elfcorehdr/", "leave out what cuts the memory map to pieces (memmap=)" },
	{ "elf-note/", DAMAGED },
	{ "entries/", "kexec --list shows what is there, and why an entry cannot be used" },
	{ "entries/unreadable", "run it as root, or leave out what others may not read" },
	{ "entries/grub", "name the files instead: kexec -l KERNEL --initrd=... --append=..." },
	{ "entries/none", "--boot-root=DIR, if they are elsewhere; else name the kernel's file" },
	{ "export/", "kexec --inspect shows what the image can do; doc/domain-builder.md what can be "
		     "made of it" },
	{ "export/no-room", "a lower --base, or a smaller initrd" },
	{ "file/", "check path, permissions and free memory" },
	{ "file/directory", "name the file in it" },
	{ "file/empty", "get it again: this copy has nothing in it" },
	{ "file/too-large", "is it the right file? a kernel or an initrd has some hundred MiB" },
	{ "flat/", DAMAGED },
	{ "host/", MACHINE },
	{ "host/root", "name a folder that has proc and sys of some machine below it" },
	{ "host/root-unconfined", "take a kernel of 5.6 or later for --host-root" },
	{ "initramfs/", "--initrd-unpack=no leaves it to the next kernel" },
	{ "inspect/", "kexec --inspect takes one file: a kernel image of any kind" },
	{ "json/", "build kexec with json-c (Debian: libjson-c-dev)" },
	{ "jump/", "see \"Coming back\" in kexec(8): a 64-bit kernel or program, and a window of RAM" },
	{ "kernel/", "look for more in the kernel log (dmesg)" },
	{ "load/", "kexec --help, and kexec(8) for what goes together" },
	{ "memmap/", MACHINE },
	{ "memory/", "free some memory, or raise the limit of this process (ulimit -v, cgroup)" },
	{ "multiboot", DAMAGED },
	{ "multiboot/crash", "take a Linux kernel for -p" },
	{ "multiboot/enter", "leave --enter out" },
	{ "options/", USAGE },
	{ "output/", "free space where the output goes, or give it another place" },
	{ "write/", "check path, permissions and free space" },
	{ "pack/", "take another --payload, or free some memory" },
	{ "pagetable/", "this is a fault here: please report it with what kexec --dry-run --json "
			"prints" },
	{ "params/", "kexec --dry-run shows what would be handed on" },
	{ "params/cmdline-too-long", "shorten --append; the kernel says how much it can take" },
	{ "pe/", DAMAGED },
	{ "place/", NO_ROOM },

	{ "plan/", NO_ROOM },
	{ "plan/over-half-of-ram", "the kernel takes half of the memory at most: a smaller initrd, or "
				   "--initrd-unpack=no" },
	{ "printk/", "makedumpfile --dump-dmesg or crash may know this kernel's log" },
	{ "printk/output", "is the disk full?" },
	{ "probe/", "give it a bzImage (/boot/vmlinuz-...), a vmlinux, a unified kernel image or a "
		    "multiboot image" },
	{ "purgatory/", NO_ROOM },
	{ "purgatory/no-long-mode", "take a 32-bit kernel: this CPU has no 64-bit mode" },
	{ "purgatory/broken-image", "this kexec was not built right: build it again" },
	{ "pvh/", "leave --enter=pvh out: the kernel is entered as it best can be" },
	{ "real-mode/", "leave --enter=16 (--real-mode) out" },
	{ "record/", "load it again, as root and with /run mounted: that leaves a new record" },
	{ "rehearse/", "nothing was loaded; -d shows the plan, and doc/rehearsal.md what each "
		       "verdict means" },
	{ "rehearse/not-emulated", "this says nothing about the kernel: please report it, with the "
				   "file" },
	{ "rehearse/damaged", "the loaded bytes did not stay what they were: test this machine's "
			      "memory" },
	{ "rehearse/halted", DAMAGED },
	{ "rehearse/endless", "give it more time: --time-limit=SECONDS" },
	{ "rehearse/kernel-differs", "please report this with the file, and load by --enter=64" },
	{ "rehearse/real-mode", "only a virtual machine can try that entry" },
	{ "rehearse/entry-given", "leave --entry out" },
	{ "rehearse/nothing-to-flip", "--dry-run names the segments and their lengths" },
	{ "rehearse/too-high", "leave it out: --mem-max" },
	{ "rehearse/vm-", "read all that it said in the file that is named" },
	{ "rehearse/vm-halted", "is it a kernel for this CPU? read all that it said in the file "
				"that is named" },
	{ "rehearse/vm-time", "give it more time: --time-limit=SECONDS" },
	{ "rehearse/vm-slow", "rehearse without it: --rehearse" },
	{ "rehearse/vm-entry", "leave --entry out" },
	{ "rehearse/vm-initrd", "make the initrd again: it is damaged, or packed in a way that this "
				"kernel cannot unpack" },
	{ "rehearse/vm-memory", "it needs more memory, or a smaller initrd" },
	{ "rehearse/vm-no-root", "give it the initrd that it is started with: --initrd=FILE" },
	{ "rehearse/qemu-", "is qemu-system-x86 whole, with its firmware (seabios)?" },
	{ "rehearse/no-", "rehearse outside this container, or on another machine by --host-root" },
	{ "reloc/", UNUSUAL },
	{ "sandbox/", "do not trust this file: look where it is from; and please report it, with the "
		      "file" },
	{ "sandbox/killed", "is memory short? the kernel's log (dmesg) says whom it killed, and why" },
	{ "sandbox/lost", "try again when there are processes and memory to be had; --no-sandbox reads "
			  "the files without" },
	{ "sandbox/not-sealed", "try again when nothing looks into the process (a debugger)" },
	{ "sandbox/timeout", "if the file is very large and the machine slow: --time-limit for a "
			     "rehearsal, --no-sandbox for a load; else do "
			     "not trust this file" },
	{ "shutdown/", "run kexec -e when the services are stopped" },
	{ "status/", "is /sys mounted, and was the running kernel built with CONFIG_KEXEC?" },
	{ "subarch/", "leave --subarch out, or take the one that this machine is" },
	{ "uki/", DAMAGED },
	{ "uki/addon", "leave the addon out (--no-addons), or take the one for this image" },
	{ "uki/no-such-profile", "name one of those, or leave --profile out" },
	{ "unpack/", DAMAGED },
	{ "unpack/not-built", "build kexec with that library, or unpack the file before" },
	{ "unpack/memory-limit", "pack it with a smaller dictionary, or unpack it before" },
	{ "unpack/too-large", "free some memory; or is it the right file?" },
	{ "unwrap/", "unpack it yourself and give kexec the kernel that is inside" },
	{ "vmcore/", "is it a dump? makedumpfile -l, gzip and the like: unpack it first" },
	{ "vmlinux/", DAMAGED },
	{ "vmlinux/no-stub", "leave --enter out: an ELF kernel has one entry" },
	{ "xen/", "kexec-tools may do it; see README of kexec-ng for what is supported" },
};

const char *advice_of(const struct diag *failure)
{
	const char *id = failure->id ? failure->id : "", *best = by_kind[0].advice;
	size_t longest = 0;

	if (failure->advice[0] != '\0')
		return failure->advice;
	for (size_t i = 0; i < array_len(by_kind); i++) {
		size_t len = strlen(by_kind[i].prefix);

		if (len > longest && strncmp(id, by_kind[i].prefix, len) == 0) {
			longest = len;
			best = by_kind[i].advice;
		}
	}
	return best;
}
