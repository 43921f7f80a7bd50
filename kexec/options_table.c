// SPDX-License-Identifier: GPL-2.0-or-later
/* Every option, and what each takes. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "options_parse.h"

/* Where Linux 6.6 and later show the initrd that they were started with retain_initrd to keep. */
#define RETAINED_INITRD	"/sys/firmware/initrd"

#define BAUD_MAX	115200
#define BAUD_MIN	9600
#define TIME_LIMIT_MAX	3600	/* seconds */

static int bad_value(struct parse *p, const struct option_row *row, const char *value,
		     const char *expected)
{
	return fail(p->diag, EINVAL, "options/bad-value", "--%s=" ECHO ": expected %s", row->name,
		    value, expected);
}

/* As strtoull(base 0) with an optional K, M, G or T, but no sign, no blank, no overflow. */
static bool parse_number(const char *s, uint64_t *ret)
{
	static const struct {
		char letter;
		uint64_t factor;
	} units[] = {
		{ 'k', KIB }, { 'm', MIB }, { 'g', GIB }, { 't', TIB },
	};
	uint64_t factor = 1, number;
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	number = strtoull(s, &end, 0);
	if (errno != 0)
		return false;
	for (size_t i = 0; i < array_len(units); i++) {
		if ((*end | 0x20) == units[i].letter) {
			factor = units[i].factor;
			end++;
			break;
		}
	}
	return *end == '\0' && checked_mul(number, factor, ret);
}

static int take_mem_min(struct parse *p, const struct option_row *row, const char *value)
{
	if (!parse_number(value, &p->out.mem_min))
		return bad_value(p, row, value, "an address such as 0x1000000 or 16M");
	return 0;
}

static int take_mem_max(struct parse *p, const struct option_row *row, const char *value)
{
	uint64_t last;

	if (!parse_number(value, &last))
		return bad_value(p, row, value, "an address such as 0xffffffff or 4G");
	if (!checked_add(last, 1, &p->out.mem_end))
		p->out.mem_end = UINT64_MAX;
	return 0;
}

static int take_export(struct parse *p, const struct option_row *row, const char *value)
{
	if (strcmp(value, "vmlinux") == 0)
		p->out.export.kind = EXPORT_VMLINUX;
	else if (strcmp(value, "elf") == 0)
		p->out.export.kind = EXPORT_ELF;
	else if (strcmp(value, "bzimage") == 0)
		p->out.export.kind = EXPORT_BZIMAGE;
	else
		return bad_value(p, row, value, "vmlinux, elf or bzimage");
	return 0;
}

static int take_output(struct parse *p, const struct option_row *row, const char *value)
{
	if (*value == '\0')
		return bad_value(p, row, value, "the name of a file, or -");
	p->out.output = value;
	return 0;
}

static int take_payload(struct parse *p, const struct option_row *row, const char *value)
{
	static const char *const known[] = { "elf", "gzip", "bzip2", "lzma", "xz", "lzo", "lz4",
					     "zstd" };

	for (size_t i = 0; i < array_len(known); i++)
		if (strcmp(value, known[i]) == 0)
			p->out.export.payload = known[i];
	if (!p->out.export.payload || strcmp(p->out.export.payload, value) != 0)
		return bad_value(p, row, value, "elf, gzip, bzip2, lzma, xz, lzo, lz4 or zstd");
	return 0;
}

static int take_base(struct parse *p, const struct option_row *row, const char *value)
{
	if (!parse_number(value, &p->out.export.base))
		return bad_value(p, row, value, "an address such as 0x1000000 or 16M");
	p->out.export.has_base = true;
	return 0;
}

static int take_virt_offset(struct parse *p, const struct option_row *row, const char *value)
{
	if (!parse_number(value, &p->out.export.virt_offset))
		return bad_value(p, row, value, "a number of bytes such as 0x2000000 or 32M");
	p->out.export.has_virt_offset = true;
	return 0;
}

static int take_entry(struct parse *p, const struct option_row *row, const char *value)
{
	if (!parse_number(value, &p->out.entry))
		return bad_value(p, row, value, "an address such as 0x1000000 or 16M");
	p->out.has_entry = true;
	return 0;
}

static int take_append(struct parse *p, const struct option_row *row, const char *value)
{
	(void)row;
	if (p->out.append && strcmp(p->out.append, value) != 0)
		note(p->diag, "options/append-replaced",
		     "a later --append or --command-line replaced an earlier one");
	p->out.append = value;
	return 0;
}

/* One more of the names of files that an option may give several times. */
static int add_file(struct parse *p, const char *path, const char ***list, size_t *n)
{
	if (!*list)
		*list = arena_alloc_array(p->arena, (size_t)p->argc, sizeof(**list));
	if (!*list)
		return fail_nomem(p->diag);
	(*list)[(*n)++] = path;
	return 0;
}

static int add_initrd(struct parse *p, const char *path)
{
	int r = add_file(p, path, &p->initrds, &p->out.n_initrds);

	p->out.initrds = p->initrds;
	return r;
}

static int take_initrd(struct parse *p, const struct option_row *row, const char *value)
{
	if (*value == '\0')
		return bad_value(p, row, value, "the name of a file");
	return add_initrd(p, value);
}

static int take_reuseinitrd(struct parse *p, const struct option_row *row, const char *value)
{
	(void)row, (void)value;
	if (p->out.reuse_initrd)
		return 0;
	p->out.reuse_initrd = true;
	return add_initrd(p, RETAINED_INITRD);
}

static int take_dtb(struct parse *p, const struct option_row *row, const char *value)
{
	if (*value == '\0')
		return bad_value(p, row, value, "the name of a file");
	p->out.dtb = value;
	return 0;
}

static int take_addon(struct parse *p, const struct option_row *row, const char *value)
{
	int r;

	if (*value == '\0')
		return bad_value(p, row, value, "the name of a file");
	r = add_file(p, value, &p->addons, &p->out.n_addons);
	p->out.addons = p->addons;
	return r;
}

static int take_profile(struct parse *p, const struct option_row *row, const char *value)
{
	if (*value == '\0')
		return bad_value(p, row, value, "the number or ID of a profile");
	p->out.profile = value;
	return 0;
}

static int take_args(struct parse *p, const struct option_row *row, const char *value)
{
	(void)value;
	p->out.args = strcmp(row->name, "args-linux") == 0 ? ARGS_LINUX :
		      strcmp(row->name, "args-elf") == 0   ? ARGS_ELF :
							     ARGS_NONE;
	return 0;
}

static int take_module(struct parse *p, const struct option_row *row, const char *value)
{
	const char *path = arena_strndup(p->arena, value, strcspn(value, " "));

	if (!path)
		return fail_nomem(p->diag);
	if (*path == '\0')
		return bad_value(p, row, value, "the name of a file, then perhaps arguments");
	if (!p->modules) {
		p->modules = arena_alloc_array(p->arena, (size_t)p->argc, sizeof(*p->modules));
		p->module_paths = arena_alloc_array(p->arena, (size_t)p->argc,
						    sizeof(*p->module_paths));
		if (!p->modules || !p->module_paths)
			return fail_nomem(p->diag);
		p->out.modules = p->modules;
		p->out.module_paths = p->module_paths;
	}
	p->module_paths[p->out.n_modules] = path;
	p->modules[p->out.n_modules++] = value;
	return 0;
}

static int take_rehearse(struct parse *p, const struct option_row *row, const char *value)
{
	p->out.rehearse_vm = value && strcmp(value, "vm") == 0;
	if (value && !p->out.rehearse_vm)
		return bad_value(p, row, value, "vm, or no value");
	return 0;
}

static int take_time_limit(struct parse *p, const struct option_row *row, const char *value)
{
	uint64_t seconds;

	if (!parse_number(value, &seconds) || seconds == 0 || seconds > TIME_LIMIT_MAX)
		return bad_value(p, row, value, "a number of seconds, up to 3600");
	p->out.rehearse_seconds = (unsigned int)seconds;
	return 0;
}

static int take_flip(struct parse *p, const struct option_row *row, const char *value)
{
	const size_t len = strcspn(value, "+");

	p->out.flip_off = 0;
	if (len == 0 || (value[len] == '+' && !parse_number(value + len + 1, &p->out.flip_off)))
		return bad_value(p, row, value, "the name of a segment, then perhaps +OFFSET");
	p->out.flip = arena_strndup(p->arena, value, len);
	return p->out.flip ? 0 : fail_nomem(p->diag);
}

static int take_type(struct parse *p, const struct option_row *row, const char *value)
{
	if (*value == '\0')
		return bad_value(p, row, value, "the name of an image type");
	p->out.type = value;
	return 0;
}

static int take_host_root(struct parse *p, const struct option_row *row, const char *value)
{
	if (*value == '\0')
		return bad_value(p, row, value, "the name of a folder");
	p->out.host_root = value;
	return 0;
}

static int take_boot_root(struct parse *p, const struct option_row *row, const char *value)
{
	if (*value == '\0')
		return bad_value(p, row, value, "the name of a folder");
	p->out.boot_root = value;
	return 0;
}

static int take_entry_32bit(struct parse *p, const struct option_row *row, const char *value)
{
	(void)row, (void)value;
	p->asked_entry_32bit = true;
	return 0;
}

static int take_real_mode(struct parse *p, const struct option_row *row, const char *value)
{
	(void)row, (void)value;
	p->asked_real_mode = true;
	return 0;
}

static int take_enter(struct parse *p, const struct option_row *row, const char *value)
{
	if (strcmp(value, "auto") == 0)
		p->out.enter = ENTER_AUTO;
	else if (strcmp(value, "direct") == 0)
		p->out.enter = ENTER_DIRECT;
	else if (strcmp(value, "64") == 0)
		p->out.enter = ENTER_64;
	else if (strcmp(value, "32") == 0)
		p->out.enter = ENTER_32;
	else if (strcmp(value, "16") == 0)
		p->out.enter = ENTER_16;
	else if (strcmp(value, "pvh") == 0)
		p->out.enter = ENTER_PVH;
	else
		return bad_value(p, row, value, "auto, direct, 64, 32, 16 or pvh");
	p->asked_enter = true;
	return 0;
}

/* By their numbers, enum x86_hardware_subarch of the boot protocol. */
static const char *const subarch_names[] = { "pc", "lguest", "xen", "intel-mid", "ce4100" };

static int take_subarch(struct parse *p, const struct option_row *row, const char *value)
{
	uint64_t number = 0;

	while (number < array_len(subarch_names) && strcmp(value, subarch_names[number]) != 0)
		number++;
	if (number == array_len(subarch_names) &&
	    (!parse_number(value, &number) || number > UINT32_MAX))
		return bad_value(p, row, value, "pc, lguest, xen, intel-mid, ce4100 or a number");
	p->out.subarch = (uint32_t)number;
	p->out.has_subarch = true;
	return 0;
}

static int take_subarch_data(struct parse *p, const struct option_row *row, const char *value)
{
	if (!parse_number(value, &p->out.subarch_data))
		return bad_value(p, row, value, "an address such as 0x1000000 or 16M");
	p->out.has_subarch_data = true;
	return 0;
}

static int take_digest(struct parse *p, const struct option_row *row, const char *value)
{
	if (strcmp(value, "crc32c") == 0)
		p->out.digest = DIGEST_CRC32C;
	else if (strcmp(value, "sha256") == 0)
		p->out.digest = DIGEST_SHA256;
	else if (strcmp(value, "none") == 0)
		p->out.digest = DIGEST_NONE;
	else
		return bad_value(p, row, value, "crc32c, sha256 or none");
	return 0;
}

static int take_no_checks(struct parse *p, const struct option_row *row, const char *value)
{
	(void)row;
	(void)value;
	p->out.digest = DIGEST_NONE;
	return 0;
}

static int take_initrd_unpack(struct parse *p, const struct option_row *row, const char *value)
{
	if (strcmp(value, "auto") == 0)
		p->out.initrd_unpack = INITRD_UNPACK_AUTO;
	else if (strcmp(value, "yes") == 0)
		p->out.initrd_unpack = INITRD_UNPACK_YES;
	else if (strcmp(value, "no") == 0)
		p->out.initrd_unpack = INITRD_UNPACK_NO;
	else
		return bad_value(p, row, value, "auto, yes or no");
	return 0;
}

static int take_on_failure(struct parse *p, const struct option_row *row, const char *value)
{
	if (strcmp(value, "reset") == 0)
		p->out.on_failure = ON_FAILURE_RESET;
	else if (strcmp(value, "halt") == 0)
		p->out.on_failure = ON_FAILURE_HALT;
	else
		return bad_value(p, row, value, "reset or halt");
	return 0;
}

static int take_console(struct parse *p, const struct option_row *row, const char *value)
{
	(void)value;
	if (strcmp(row->name, "console-vga") == 0)
		p->out.console_vga = 1;
	else
		p->out.console_serial = 1;
	return 0;
}

static int take_serial(struct parse *p, const struct option_row *row, const char *value)
{
	uint64_t port;

	if (strcmp(value, "ttyS0") == 0)
		port = 0x3f8;
	else if (strcmp(value, "ttyS1") == 0)
		port = 0x2f8;
	else if (strncmp(value, "0x", 2) != 0 || !parse_number(value, &port) || port == 0 ||
		 port > UINT16_MAX - 7)	/* a UART has 8 ports */
		return bad_value(p, row, value, "ttyS0, ttyS1 or an I/O port such as 0x3f8");
	p->out.serial_port = (uint16_t)port;
	return 0;
}

static int take_serial_baud(struct parse *p, const struct option_row *row, const char *value)
{
	uint64_t baud;

	if (!parse_number(value, &baud) || baud < BAUD_MIN || baud > BAUD_MAX ||
	    BAUD_MAX % baud != 0)
		return bad_value(p, row, value,
				 "a rate that divides 115200, such as 9600, 38400 or 115200");
	p->out.serial_baud = (uint32_t)baud;
	return 0;
}

static int take_call(struct parse *p, const struct option_row *row, const char *value)
{
	(void)value;
	switch (row->letter) {
	case 'c':
		p->out.call = CALL_LOAD;
		break;
	case 's':
		p->out.call = CALL_FILE;
		break;
	default:
		p->out.call = CALL_AUTO;
	}
	return 0;
}

int option_take_file_only(struct parse *p, const struct option_row *row, const char *value)
{
	(void)value;
	if (strcmp(row->name, "no-cma") == 0)
		p->out.no_cma = true;
	else
		p->out.force_dtb = true;
	if (!p->file_only)
		p->file_only = row;
	return 0;
}

static int take_backup(struct parse *p, const struct option_row *row, const char *value)
{
	if (strcmp(value, "auto") == 0)
		p->out.backup = BACKUP_AUTO;
	else if (strcmp(value, "yes") == 0)
		p->out.backup = BACKUP_YES;
	else if (strcmp(value, "no") == 0)
		p->out.backup = BACKUP_NO;
	else
		return bad_value(p, row, value, "auto, yes or no");
	if (!p->crash_only)
		p->crash_only = row;
	return 0;
}

static int take_crash_only(struct parse *p, const struct option_row *row, const char *value)
{
	(void)value;
	if (strcmp(row->name, "hotplug") == 0)
		p->out.hotplug = true;
	else if (strcmp(row->name, "strict") == 0)
		p->out.strict = true;
	else if (strcmp(row->name, "reload") == 0)
		p->out.reload = true;
	else if (strcmp(row->name, "pass-memmap-cmdline") == 0)
		p->out.pass_memmap = true;
	else
		p->out.core_class = strcmp(row->name, "elf32-core-headers") == 0 ? CORE_32 :
										     CORE_64;
	if (!p->crash_only)
		p->crash_only = row;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number of up to 256 bits, most significant byte first; leading zeros need not be written. */
static bool parse_hex_seed(const char *s, uint8_t ret[SEED_LEN])
{
	uint8_t seed[SEED_LEN] = { 0 };
	size_t len = strlen(s);

	if (len == 0 || len > 2 * SEED_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = hex_digit(s[len - 1 - i]);

		if (digit < 0)
			return false;
		seed[SEED_LEN - 1 - i / 2] |= (uint8_t)(digit << (4 * (i % 2)));
	}
	memcpy(ret, seed, sizeof(seed));
	return true;
}

/* Decimal when it is all decimal digits, unless there are as many as only hex can mean. */
static int take_seed(struct parse *p, const struct option_row *row, const char *value)
{
	bool is_hex = strlen(value) == 2 * SEED_LEN ||
		      strspn(value, "0123456789") != strlen(value);
	const char *digits = value;
	uint64_t number = 0;

	if (value[0] == '0' && (value[1] | 0x20) == 'x') {
		is_hex = true;
		digits += 2;
	}
	if (is_hex ? !parse_hex_seed(digits, p->out.seed) : !parse_number(value, &number))
		return bad_value(p, row, value, "up to 64 hex digits, or a number below 2^64");
	if (!is_hex) {
		memset(p->out.seed, 0, SEED_LEN);
		for (size_t i = 0; i < sizeof(number); i++)
			p->out.seed[SEED_LEN - 1 - i] = (uint8_t)(number >> (8 * i));
	}
	p->out.has_seed = true;
	return 0;
}

#define SETS(member)	.flag_off = offsetof(struct parse, member)
#define NOT_YET		.group = GROUP_NOT_YET

/* In the order of --help. Rows that kexec-tools has come from its x86 option set, all of them. */
const struct option_row option_table[] = {
	{ "load", 'l', .group = GROUP_ACTION, SETS(asked_load),
	  .help = "load KERNEL, change nothing else" },
	{ "exec", 'e', .group = GROUP_ACTION, SETS(asked_exec),
	  .help = "jump into the loaded kernel; nothing is shut down" },
	{ "force", 'f', .group = GROUP_ACTION, SETS(out.force),
	  .help = "load KERNEL and jump at once; same as -l -e" },
	{ "unload", 'u', .group = GROUP_ACTION, SETS(asked_unload),
	  .help = "forget the loaded kernel; with -p the crash kernel" },
	{ "status", 'S', .group = GROUP_ACTION, SETS(asked_status),
	  .help = "exit 1 if a crash kernel is loaded, 0 if not;\n"
		  "with -l the same of the kernel for -e" },
	{ "load-panic", 'p', .group = GROUP_ACTION, SETS(asked_panic),
	  .help = "load KERNEL into the memory that crashkernel=\nreserves, to be started by a panic" },
	{ "load-preserve-context", .group = GROUP_ACTION, .needs_kexec_load = true,
	  SETS(out.preserves_context),
	  .help = "load KERNEL to come back from: the memory up to\n"
		  "--mem-max is its own until then" },
	{ "load-jump-back-helper", .group = GROUP_ACTION, .needs_kexec_load = true,
	  SETS(out.jump_back_helper),
	  .help = "in that kernel: load the way back; --entry=ADDR,\n"
		  "default as its command line says" },
	{ "reload", .is_ours = true, .group = GROUP_ACTION, .is_load_only = true,
	  .take = take_crash_only,
	  .help = "with -p: only if the running kernel does not\n"
		  "keep what is loaded up to date by itself" },
	{ "check", .is_ours = true, .group = GROUP_ACTION, SETS(out.check),
	  .help = "would -l, -p and -s work here, and if not why;\n"
		  "with one of them, only that one" },
	{ "show", .is_ours = true, .group = GROUP_ACTION, SETS(out.show),
	  .help = "what is loaded now, by whom and from which files;\n"
		  "with -l or -p, only that one" },
	{ "last", .is_ours = true, .group = GROUP_ACTION, SETS(out.last),
	  .help = "how this kernel was started by kexec, and how\nlong each part of that took" },
	{ "list", .is_ours = true, .group = GROUP_ACTION, SETS(out.list),
	  .help = "the boot entries of this machine; each is loaded as\nkexec -l @ENTRY" },
	{ "print-ckr-size", .group = GROUP_ACTION, SETS(out.print_ckr_size),
	  .help = "print the bytes reserved for a crash kernel" },
	{ "help", 'h', .group = GROUP_ACTION, SETS(out.help), .help = "print this" },
	{ "version", 'v', .group = GROUP_ACTION, SETS(out.version), .help = "print the version" },

	{ "append", .group = GROUP_KERNEL, .is_load_only = true, .take = take_append,
	  .value = "STRING", .help = "command line of the new kernel" },
	{ "command-line", .group = GROUP_KERNEL, .is_load_only = true, .take = take_append,
	  .value = "STRING" },
	{ "reuse-cmdline", .group = GROUP_KERNEL, .is_load_only = true, SETS(out.reuse_cmdline),
	  .help = "start from the running kernel's command line;\n--append is added after it" },
	{ "initrd", .group = GROUP_KERNEL, .is_load_only = true, .take = take_initrd,
	  .value = "FILE", .help = "initial ram disk; several are joined in order" },
	{ "ramdisk", .group = GROUP_KERNEL, .is_load_only = true, .take = take_initrd,
	  .value = "FILE" },
	{ "reuseinitrd", .group = GROUP_KERNEL, .is_load_only = true, .take = take_reuseinitrd,
	  .help = "the running kernel's initrd, if it was told\nto retain_initrd" },
	{ "dtb", .group = GROUP_KERNEL, .is_load_only = true, .needs_kexec_load = true,
	  .take = take_dtb, .value = "FILE", .help = "a device tree for the new kernel" },
	{ "module", .group = GROUP_KERNEL, .is_load_only = true, .needs_kexec_load = true,
	  .take = take_module, .value = "FILE",
	  .help = "a file for a multiboot image, in quotes with\narguments behind it; once for each" },
	{ "type", 't', .group = GROUP_KERNEL, .take = take_type, .value = "TYPE",
	  .help = "insist on this image type, e.g. bzImage" },
	{ "boot-root", .is_ours = true, .group = GROUP_KERNEL, .take = take_boot_root,
	  .value = "DIR",
	  .help = "where boot entries are (--list, @ENTRY); default:\n/boot, /efi, /boot/efi" },
	{ "profile", .is_ours = true, .group = GROUP_KERNEL, .is_load_only = true,
	  .take = take_profile, .value = "WHICH",
	  .help = "of a unified kernel image (UKI): this profile,\nby number or ID" },
	{ "image-cmdline", .is_ours = true, .group = GROUP_KERNEL, .is_load_only = true,
	  SETS(out.image_cmdline),
	  .help = "start from the UKI's own command line, which is\nused as it is without "
		  "--append; --append is added" },
	{ "addon", .is_ours = true, .group = GROUP_KERNEL, .is_load_only = true,
	  .take = take_addon, .value = "FILE",
	  .help = "add this to the UKI, after the addons in its\nfolder IMAGE.efi.extra.d" },
	{ "no-addons", .is_ours = true, .group = GROUP_KERNEL, .is_load_only = true,
	  SETS(out.no_addons), .help = "leave the addons in that folder out" },
	{ "noefi", .group = GROUP_KERNEL, .is_load_only = true, .needs_kexec_load = true,
	  SETS(out.no_efi), .help = "do not tell the new kernel about EFI" },
	{ "reuse-video-type", .group = GROUP_KERNEL, .is_load_only = true,
	  .needs_kexec_load = true, SETS(out.reuse_video_type),
	  .help = "hand on the display as it was at the last boot,\n"
		  "though a driver has reprogrammed it" },
	{ "initrd-unpack", .is_ours = true, .group = GROUP_KERNEL, .is_load_only = true,
	  .needs_kexec_load = true, .take = take_initrd_unpack, .value = "WHEN",
	  .help = "unpack it now, not after the jump: auto\n(default), yes or no" },
	{ "hotplug", .group = GROUP_CRASH, .needs_kexec_load = true, .is_load_only = true,
	  .take = take_crash_only,
	  .help = "fail if the running kernel cannot follow CPUs and\n"
		  "memory that come and go (default: if it can)" },
	{ "backup", .is_ours = true, .group = GROUP_CRASH, .needs_kexec_load = true,
	  .is_load_only = true, .take = take_backup, .value = "WHEN",
	  .help = "save the lowest 640 KiB first: auto (default: for\n"
		  "kernels before 5.5), yes or no" },
	{ "pass-memmap-cmdline", .group = GROUP_CRASH, .needs_kexec_load = true,
	  .is_load_only = true, .take = take_crash_only,
	  .help = "the memory map as memmap= words too" },
	{ "strict", .is_ours = true, .group = GROUP_CRASH, .is_load_only = true,
	  .take = take_crash_only,
	  .help = "fail if the capture kernel is reckoned not to fit\ninto its reservation (default: "
		  "a warning)" },
	{ "elf64-core-headers", .group = GROUP_CRASH, .is_load_only = true,
	  .take = take_crash_only, .help = "64-bit headers of the dump (default)" },
	{ "elf32-core-headers", .group = GROUP_CRASH, .needs_kexec_load = true,
	  .is_load_only = true, .take = take_crash_only, .help = "32-bit headers of the dump" },

	{ "args-linux", .group = GROUP_KERNEL, .is_load_only = true, .take = take_args,
	  .help = "an ELF file is a Linux kernel (default if it is)" },
	{ "args-elf", .group = GROUP_KERNEL, .is_load_only = true, .needs_kexec_load = true,
	  .take = take_args, .help = "an ELF file is a program that takes ELF boot notes" },
	{ "args-none", .group = GROUP_KERNEL, .is_load_only = true, .needs_kexec_load = true,
	  .take = take_args, .help = "an ELF file is just jumped into" },

	{ "mem-min", .group = GROUP_PLACEMENT, .needs_kexec_load = true, .take = take_mem_min,
	  .value = "ADDR", .help = "lowest address to use; 0x..., K, M, G work" },
	{ "mem-max", .group = GROUP_PLACEMENT, .needs_kexec_load = true, .take = take_mem_max,
	  .value = "ADDR", .help = "highest address to use" },
	{ "enter", .is_ours = true, .group = GROUP_PLACEMENT, .is_load_only = true,
	  .needs_kexec_load = true, .take = take_enter, .value = "HOW",
	  .help = "auto (default), direct (the kernel itself,\nunpacked at load time), 64 or 32 "
		  "(its stub),\n16 (its setup code, in real mode),\npvh (by its PHYS32_ENTRY note)" },
	{ "subarch", .is_ours = true, .group = GROUP_PLACEMENT, .is_load_only = true,
	  .needs_kexec_load = true, .take = take_subarch, .value = "WHAT",
	  .help = "what the machine is to the kernel, which decides\nits entry: pc, lguest, xen, "
		  "intel-mid, ce4100 or\na number; default: as the running kernel" },
	{ "subarch-data", .is_ours = true, .group = GROUP_PLACEMENT, .is_load_only = true,
	  .needs_kexec_load = true, .take = take_subarch_data, .value = "ADDR",
	  .help = "what it finds more about that at" },
	{ "entry", .group = GROUP_PLACEMENT, .needs_kexec_load = true, .take = take_entry,
	  .value = "ADDR", .help = "jump there and not into purgatory, which then\n"
				  "verifies nothing" },
	{ "entry-32bit", .group = GROUP_PLACEMENT, .is_load_only = true, .needs_kexec_load = true,
	  .take = take_entry_32bit, .help = "same as --enter=32" },
	{ "real-mode", .group = GROUP_PLACEMENT, .is_load_only = true, .needs_kexec_load = true,
	  .take = take_real_mode, .help = "same as --enter=16" },

	{ "console-serial", .group = GROUP_PURGATORY, .needs_kexec_load = true,
	  .take = take_console, .help = "talk on a serial port, whatever runs now" },
	{ "console-vga", .group = GROUP_PURGATORY, .needs_kexec_load = true, .take = take_console,
	  .help = "talk on the VGA text screen, whatever runs now" },
	{ "reset-vga", .group = GROUP_PURGATORY, .needs_kexec_load = true, SETS(out.reset_vga),
	  .help = "set a VGA to text mode first" },
	{ "serial", .group = GROUP_PURGATORY, .needs_kexec_load = true, .take = take_serial,
	  .value = "PORT", .help = "which: ttyS0, ttyS1 or an I/O port as 0x3f8" },
	{ "serial-baud", .group = GROUP_PURGATORY, .needs_kexec_load = true,
	  .take = take_serial_baud, .value = "RATE",
	  .help = "set its speed, 9600 to 115200; default: as it is" },
	{ "quiet", .is_ours = true, .group = GROUP_PURGATORY, .needs_kexec_load = true,
	  SETS(out.quiet), .help = "say nothing unless something is wrong" },
	{ "on-failure", .is_ours = true, .group = GROUP_PURGATORY, .needs_kexec_load = true,
	  .take = take_on_failure, .value = "WHAT",
	  .help = "after damage was found: reset (default) or halt" },
	{ "digest", .is_ours = true, .group = GROUP_PURGATORY, .is_load_only = true,
	  .needs_kexec_load = true, .take = take_digest, .value = "HOW",
	  .help = "verify the loaded bytes before the jump by crc32c\n(default), sha256 or none" },
	{ "no-checks", 'i', .group = GROUP_PURGATORY, .needs_kexec_load = true,
	  .take = take_no_checks, .help = "same as --digest=none" },

	{ "kexec-syscall-auto", 'a', .group = GROUP_CALL, .take = take_call,
	  .help = "whatever works here (default)" },
	{ "kexec-file-syscall", 's', .group = GROUP_CALL, .take = take_call,
	  .help = "kexec_file_load: the running kernel does it all,\nand checks signatures" },
	{ "kexec-syscall", 'c', .group = GROUP_CALL, .take = take_call,
	  .help = "kexec_load: kexec places the kernel itself" },
	{ "no-cma", .group = GROUP_CALL, .take = option_take_file_only,
	  .help = "kexec_file_load: not into CMA memory" },
	{ "force-dtb", .group = GROUP_CALL, .take = option_take_file_only,
	  .help = "kexec_file_load: carry the device tree over" },
	{ "no-sandbox", .is_ours = true, .group = GROUP_CALL, .is_load_only = true,
	  SETS(out.no_sandbox),
	  .help = "read the files in this process, not in one\nwithout rights" },
	{ "no-ifdown", 'x', .group = GROUP_CALL, SETS(out.no_ifdown),
	  .help = "leave network interfaces up before the jump" },
	{ "no-sync", 'y', .group = GROUP_CALL, SETS(out.no_sync),
	  .help = "do not write out file systems before the jump" },

	{ "dry-run", .is_ours = true, .group = GROUP_REPORT, SETS(out.dry_run),
	  .help = "plan and print, load nothing; needs no rights" },
	{ "map", .is_ours = true, .group = GROUP_REPORT, .is_load_only = true, SETS(out.map),
	  .help = "draw physical memory with what goes where" },
	{ "rehearse", .is_ours = true, .group = GROUP_REPORT, .is_load_only = true,
	  SETS(out.rehearse), .take = take_rehearse, .takes_word = true,
	  .help = "carry the load out in a sandbox, up to the kernel's\nown entry, and say how it "
		  "went; needs no rights.\n--rehearse=vm: in a virtual machine, up to its init" },
	{ "time-limit", .is_ours = true, .group = GROUP_REPORT, .is_load_only = true,
	  .take = take_time_limit, .value = "SECONDS",
	  .help = "of each run of a rehearsal (default 60, vm 300)" },
	{ "json", .is_ours = true, .group = GROUP_REPORT, SETS(out.json),
	  .help = "print that, or the failure, as JSON" },
	{ "inspect", .is_ours = true, .group = GROUP_REPORT, .is_load_only = true,
	  SETS(out.inspect),
	  .help = "print what the file KERNEL holds and what it\nneeds in memory; needs no rights" },
	{ "debug", 'd', .group = GROUP_REPORT, SETS(out.debug),
	  .help = "print the plan and every decision on stderr" },

	{ "export", .is_ours = true, .group = GROUP_EXPORT, .is_load_only = true,
	  .take = take_export, .value = "KIND",
	  .help = "write KERNEL to a file: vmlinux, elf (unpacked,\n"
		  "with all it is handed and a PVH entry), bzimage" },
	{ "output", 'o', .is_ours = true, .group = GROUP_EXPORT, .is_load_only = true,
	  .take = take_output, .value = "FILE", .help = "which file; - is standard output" },
	{ "payload", .is_ours = true, .group = GROUP_EXPORT, .is_load_only = true,
	  .take = take_payload, .value = "FORMAT",
	  .help = "of a bzimage: elf (not packed), gzip, bzip2, lzma,\nxz, lzo, lz4 or zstd" },
	{ "base", .is_ours = true, .group = GROUP_EXPORT, .is_load_only = true, .take = take_base,
	  .value = "ADDR", .help = "of an elf: where the kernel is to run; default: as\nlinked" },
	{ "virt-offset", .is_ours = true, .group = GROUP_EXPORT, .is_load_only = true,
	  .take = take_virt_offset, .value = "BYTES",
	  .help = "of an elf: by how much its virtual addresses move" },

	{ "host-root", .is_ours = true, .group = GROUP_TEST, .take = take_host_root, .value = "DIR",
	  .help = "with --dry-run and what only looks: read /proc\nand /sys below DIR" },
	{ "flip", .is_ours = true, .group = GROUP_TEST, .is_load_only = true, .take = take_flip,
	  .value = "SEGMENT", .help = "with --rehearse: damage a bit of it, SEGMENT+OFFSET" },
	{ "seed", .is_ours = true, .group = GROUP_TEST, .needs_kexec_load = true, .take = take_seed,
	  .value = "SEED", .help = "fixed random seed: same input, same plan" },

	{ "load-live-update", NOT_YET },
	{ "exec-live-update", NOT_YET },
};
const size_t n_option_table = array_len(option_table);
_Static_assert(array_len(option_table) <= N_ROWS_MAX, "raise N_ROWS_MAX");
