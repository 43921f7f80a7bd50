// SPDX-License-Identifier: GPL-2.0-or-later
#include "host_check.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "host_parts.h"
#include "host_text.h"
#include "host_tree.h"
#include "unpack.h"

#define STATUS_LEN_MAX		(16 * KIB)	/* /proc/self/status has some 60 lines */
#define CPUINFO_LEN_MAX		(64 * KIB)
#define CONFIG_LEN_MAX		(4 * MIB)	/* Debian's has 300 KiB */
#define POLICY_LEN_MAX		(64 * KIB)

/* Inode numbers of the machine's own namespaces (include/linux/proc_ns.h, PROC_*_INIT_INO). */
#define INIT_USER_NS		"user:[4026531837]"
#define INIT_PID_NS		"pid:[4026531836]"

#define SECURE_BOOT_VARIABLE	"SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define BOOT_PARAMS_SECURE_BOOT	0x1ec	/* 2 disabled, 3 enabled */
#define SECCOMP_FILTER		2

/* ---- this process ---------------------------------------------------------------------------- */

static bool has_capability(struct span mask)
{
	uint64_t v;

	return text_hex(mask, &v) && (v >> CAP_SYS_BOOT & 1);
}

static enum tri is_foreign(const struct host_tree *t, struct arena *a, const char *path,
			   const char *init)
{
	const char *name;

	if (host_link_name(t, a, &name, "%s", path) < 0)
		return TRI_UNKNOWN;
	return strcmp(name, init) == 0 ? TRI_NO : TRI_YES;
}

static const char *read_container(const struct host_tree *t, struct arena *a)
{
	struct host_attr attr;
	struct span ignored;

	if (host_attr_read(t, &attr, "run/systemd/container") == 0 && text_is_name(attr.text))
		return arena_strndup(a, (const char *)attr.text.data, attr.text.len);
	if (host_file_read_start(t, a, 1, &ignored, ".dockerenv") == 0)
		return "docker";
	if (host_file_read_start(t, a, 1, &ignored, "run/.containerenv") == 0)
		return "podman";
	return NULL;
}

static int read_process(const struct host_tree *t, struct arena *a, struct process_facts *p)
{
	struct span text, line, value;
	uint64_t v;
	int r = host_file_read_start(t, a, STATUS_LEN_MAX, &text, "proc/self/status");

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	while (text_next_line(&text, &line)) {
		if (text_value_of(line, "CapEff", &value)) {
			p->is_known = true;
			p->may_boot = has_capability(value);
		} else if (text_value_of(line, "CapBnd", &value)) {
			p->may_get_boot = has_capability(value);
		} else if (text_value_of(line, "Seccomp", &value)) {
			p->has_filter = text_number(value, &v) && v == SECCOMP_FILTER;
		}
	}
	p->in_user_ns = is_foreign(t, a, "proc/self/ns/user", INIT_USER_NS);
	p->in_pid_ns = is_foreign(t, a, "proc/self/ns/pid", INIT_PID_NS);
	p->container = read_container(t, a);
	return 0;
}

/* ---- the kernel's build ---------------------------------------------------------------------- */

static const char *const option_names[N_CONFIG_OPTIONS] = {
	[CONFIG_KEXEC] = "CONFIG_KEXEC=",
	[CONFIG_KEXEC_FILE] = "CONFIG_KEXEC_FILE=",
	[CONFIG_KEXEC_SIG] = "CONFIG_KEXEC_SIG=",
	[CONFIG_KEXEC_SIG_FORCE] = "CONFIG_KEXEC_SIG_FORCE=",
	[CONFIG_CRASH_DUMP] = "CONFIG_CRASH_DUMP=",
	[CONFIG_PROC_VMCORE] = "CONFIG_PROC_VMCORE=",
	[CONFIG_RELOCATABLE] = "CONFIG_RELOCATABLE=",
	[CONFIG_IMA_ARCH_POLICY] = "CONFIG_IMA_ARCH_POLICY=",
};

/* False if it is no configuration: each has many options that are set. */
static bool scan_config(struct span text, struct config_facts *config)
{
	struct span line, value;
	size_t n_set = 0;

	while (text_next_line(&text, &line)) {
		n_set += text_starts_with(line, "CONFIG_", &value);
		for (size_t i = 0; i < N_CONFIG_OPTIONS; i++)
			if (text_starts_with(line, option_names[i], &value) && text_is(value, "y"))
				config->is_set[i] = true;
	}
	return n_set > 0;
}

static void read_packed_config(const struct host_tree *t, struct arena *a,
			       struct config_facts *config)
{
	struct unpack_buffer plain = { 0 };
	const struct codec *codec;
	struct diag ignored;
	struct span packed;
	size_t consumed;

	if (host_file_read(t, a, CONFIG_LEN_MAX, &packed, "proc/config.gz") < 0)
		return;
	codec = unpack_find(packed);
	diag_init(&ignored, NULL);
	if (codec && codec->is_built &&
	    unpack_stream(codec, packed, CONFIG_LEN_MAX, &plain, &consumed, &ignored) == 0 &&
	    scan_config(span_of(plain.data, plain.len), config))
		config->source = "/proc/config.gz";
	unpack_buffer_free(&plain);
}

static int read_config(const struct host_tree *t, struct arena *a, const char *release,
		       struct config_facts *config)
{
	const char *const places[] = {
		arena_printf(a, "boot/config-%s", release),
		arena_printf(a, "usr/lib/modules/%s/config", release),
	};
	struct span text;

	read_packed_config(t, a, config);
	for (size_t i = 0; i < array_len(places) && !config->source && release[0]; i++) {
		const char *path = places[i];
		int r;

		if (!path)
			return -ENOMEM;
		r = host_file_read(t, a, CONFIG_LEN_MAX, &text, "%s", path);
		if (r == -ENOMEM)
			return r;
		if (r == 0 && scan_config(text, config))
			config->source = arena_printf(a, "/%s", path);
	}
	return 0;
}

/* ---- policy ---------------------------------------------------------------------------------- */

static enum tri read_secure_boot(const struct host_tree *t, const struct facts *f)
{
	struct host_attr attr;

	/* Four bytes of attributes, then the value. */
	if (host_attr_read(t, &attr, "sys/firmware/efi/efivars/" SECURE_BOOT_VARIABLE) == 0 &&
	    attr.text.len == 5)
		return attr.text.data[4] == 1 ? TRI_YES : TRI_NO;
	if (f->has_boot_params && f->boot_params[BOOT_PARAMS_SECURE_BOOT] == 3)
		return TRI_YES;
	if (f->has_boot_params && f->boot_params[BOOT_PARAMS_SECURE_BOOT] == 2)
		return TRI_NO;
	return f->efi.is_booted ? TRI_UNKNOWN : TRI_NO;
}

/* "appraise func=KEXEC_KERNEL_CHECK appraise_type=imasig"; the file can seldom be read. Where it can be
 * neither read nor written a second time, it goes away with the policy that is written
 * (security/integrity/ima/ima_fs.c, ima_release_policy()). */
static enum tri read_ima(const struct host_tree *t, struct arena *a, bool *ret_is_gone)
{
	struct span text, line, first;
	int r;

	if (!host_has_directory(t, "sys/kernel/security/ima"))
		return TRI_NO;
	r = host_file_read_start(t, a, POLICY_LEN_MAX, &text, "sys/kernel/security/ima/policy");
	*ret_is_gone = r == -ENOENT;
	if (r < 0)
		return TRI_UNKNOWN;
	while (text_next_line(&text, &line))
		if (text_has_word(line, "func=KEXEC_KERNEL_CHECK") &&
		    text_next_word(&line, &first) && text_is(first, "appraise"))
			return TRI_YES;
	return TRI_NO;
}

/* ---- the platform ---------------------------------------------------------------------------- */

static const char *read_dmi(const struct host_tree *t, struct arena *a, const char *name)
{
	struct host_attr attr;
	const char *text = NULL;

	if (host_attr_read(t, &attr, "sys/class/dmi/id/%s", name) == 0)
		text = arena_strndup(a, (const char *)attr.text.data, attr.text.len);
	return text ? text : "";
}

static int read_platform(const struct host_tree *t, struct arena *a, struct platform_facts *p)
{
	struct span text, line, value;
	struct host_attr attr;
	int r;

	*p = (struct platform_facts){
		.vendor = read_dmi(t, a, "sys_vendor"),
		.product = read_dmi(t, a, "product_name"),
		.board = read_dmi(t, a, "board_name"),
		.cpu = "",
	};
	p->is_xen = host_attr_read(t, &attr, "sys/hypervisor/type") == 0 &&
		    text_is(attr.text, "xen");
	p->is_xen_dom0 = p->is_xen && host_attr_read(t, &attr, "proc/xen/capabilities") == 0 &&
			 text_is(attr.text, "control_d");
	r = host_file_read_start(t, a, CPUINFO_LEN_MAX, &text, "proc/cpuinfo");
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	while (text_next_line(&text, &line) && text_trim(line).len > 0) {
		if (text_value_of(line, "flags", &value))
			p->is_guest = text_has_word(value, "hypervisor");
		else if (text_value_of(line, "model name", &value))
			p->cpu = arena_strndup(a, (const char *)value.data, value.len);
	}
	return p->cpu ? 0 : -ENOMEM;
}

/* Linux 7 moved these into a directory. */
static bool read_kexec_number(const struct host_tree *t, const char *name, uint64_t *ret)
{
	return host_number_read(t, ret, "sys/kernel/kexec/%s", name) == 0 ||
	       host_number_read(t, ret, "sys/kernel/kexec_%s", name) == 0;
}

int host_read_check(const char *root, const struct facts *facts, struct arena *a,
		    struct check_facts *ret, struct diag *diag)
{
	struct check_facts c = { 0 };
	struct host_trouble trouble = { 0 };
	struct host_tree tree;
	uint64_t ignored;
	int r = host_tree_open(root, &tree);

	if (r < 0)
		return fail(diag, -r, "host/root-closed", "cannot open %s: %s", *root ? root : "/",
			    strerror(-r));
	tree.trouble = &trouble;
	r = read_process(&tree, a, &c.process);
	if (r == 0)
		r = read_config(&tree, a, facts->release ? facts->release : "", &c.config);
	if (r == 0)
		r = read_platform(&tree, a, &c.platform);
	if (r == 0) {
		c.has_kexec = read_kexec_number(&tree, "loaded", &ignored);
		c.has_crash_size = read_kexec_number(&tree, "crash_size", &c.crash_size);
		c.secure_boot = read_secure_boot(&tree, facts);
		c.ima_appraises = read_ima(&tree, a, &c.is_ima_policy_gone);
	}
	host_tree_close(&tree);
	if (r < 0)
		return fail_nomem(diag);
	r = host_judge_trouble(&trouble, diag);
	if (r < 0)
		return r;
	*ret = c;
	return 0;
}
