// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * floor VMLINUX INITRD CMDLINE: the least that a loader can leave for the time between two kernels.
 *
 * The image is the one inside a bzImage, unpacked by somebody else, at its own address and only as
 * far as its .bss, which the kernel clears itself. Nothing is verified, nothing is printed, nothing
 * is random: a trampoline of 22 bytes loads rsi and jumps. To measure against, not to use.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asm/bootparam.h>

#define PAGE		4096UL
#define PARAMS_ADDR	0x90000UL	/* boot_params, command line, trampoline: a page each */
#define PARAMS_LEN	(3 * PAGE)
#define INITRD_END	0x38000000UL	/* below what 32-bit addresses and 1 GiB of RAM allow */
#define MAX_CMDLINE	2048
#define UNREGISTERED	0xff		/* type_of_loader */

struct file {
	const uint8_t *data;
	size_t len;
};

static size_t to_pages(size_t len)
{
	return (len + PAGE - 1) & ~(PAGE - 1);
}

static struct file map_file(const char *path)
{
	struct file file = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	file.len = (size_t)st.st_size;
	file.data = mmap(NULL, file.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file.data == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	return file;
}

/* Where .bss begins, as a physical address: what follows it need not be copied. */
static uint64_t bss_start(const uint8_t *elf, const Elf64_Ehdr *ehdr)
{
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(elf + ehdr->e_shoff);
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(elf + ehdr->e_phoff);
	const char *names = (const char *)elf + sections[ehdr->e_shstrndx].sh_offset;

	for (int i = 0; i < ehdr->e_shnum; i++) {
		if (strcmp(names + sections[i].sh_name, ".bss"))
			continue;
		for (int j = 0; j < ehdr->e_phnum; j++)
			if (segments[j].p_type == PT_LOAD &&
			    sections[i].sh_addr - segments[j].p_vaddr < segments[j].p_memsz)
				return sections[i].sh_addr - segments[j].p_vaddr + segments[j].p_paddr;
	}
	errx(1, "no .bss");
}

/* The image as it is to lie in memory, and where; only what is in front of .bss. */
static struct kexec_segment make_image(struct file vmlinux, uint64_t *ret_entry)
{
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)vmlinux.data;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(vmlinux.data + ehdr->e_phoff);
	uint64_t start = UINT64_MAX, end = bss_start(vmlinux.data, ehdr);
	uint8_t *image;

	for (int i = 0; i < ehdr->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD && segments[i].p_paddr < start)
			start = segments[i].p_paddr;
	image = mmap(NULL, to_pages(end - start), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (image == MAP_FAILED)
		err(1, "memory");
	for (int i = 0; i < ehdr->e_phnum; i++) {
		uint64_t len = segments[i].p_filesz;

		if (segments[i].p_type != PT_LOAD || segments[i].p_paddr >= end)
			continue;
		if (len > end - segments[i].p_paddr)
			len = end - segments[i].p_paddr;
		memcpy(image + segments[i].p_paddr - start, vmlinux.data + segments[i].p_offset, len);
	}
	*ret_entry = ehdr->e_entry;
	return (struct kexec_segment){ image, end - start, (void *)start, to_pages(end - start) };
}

/* boot_params of the running kernel with another command line and initrd; then the trampoline. */
static struct kexec_segment make_params(uint64_t entry, struct kexec_segment initrd,
					size_t initrd_len, const char *cmdline)
{
	static _Alignas(4096) uint8_t page[PARAMS_LEN];
	static const uint8_t load_rsi[] = { 0x48, 0xbe }, load_rax[] = { 0x48, 0xb8 },
			     jump_rax[] = { 0xff, 0xe0 };
	const uint64_t params_addr = PARAMS_ADDR;
	struct boot_params *params = (struct boot_params *)page;
	uint8_t *code = page + 2 * PAGE;
	int fd = open("/sys/kernel/boot_params/data", O_RDONLY);

	if (fd < 0 || read(fd, params, sizeof(*params)) != sizeof(*params))
		err(1, "boot_params");
	close(fd);
	params->hdr.type_of_loader = UNREGISTERED;
	params->hdr.ramdisk_image = (uint32_t)(uintptr_t)initrd.mem;
	params->hdr.ramdisk_size = (uint32_t)initrd_len;
	params->hdr.cmd_line_ptr = PARAMS_ADDR + PAGE;
	params->hdr.setup_data = 0;
	params->ext_ramdisk_image = params->ext_ramdisk_size = params->ext_cmd_line_ptr = 0;
	if (strlen(cmdline) >= MAX_CMDLINE)
		errx(1, "command line too long");
	strcpy((char *)page + PAGE, cmdline);
	memcpy(code, load_rsi, 2);
	memcpy(code + 2, &params_addr, 8);
	memcpy(code + 10, load_rax, 2);
	memcpy(code + 12, &entry, 8);
	memcpy(code + 20, jump_rax, 2);
	return (struct kexec_segment){ page, PARAMS_LEN, (void *)PARAMS_ADDR, PARAMS_LEN };
}

int main(int argc, char **argv)
{
	struct kexec_segment segments[3];
	struct file initrd;
	uint64_t entry;

	if (argc != 4)
		errx(2, "usage: floor VMLINUX INITRD CMDLINE");
	initrd = map_file(argv[2]);
	segments[0] = make_image(map_file(argv[1]), &entry);
	segments[1] = (struct kexec_segment){ (void *)initrd.data, initrd.len,
					      (void *)(INITRD_END - to_pages(initrd.len)),
					      to_pages(initrd.len) };
	segments[2] = make_params(entry, segments[1], initrd.len, argv[3]);
	if (syscall(SYS_kexec_load, PARAMS_ADDR + 2 * PAGE, 3, segments, KEXEC_ARCH_X86_64))
		err(1, "kexec_load");
	return 0;
}
