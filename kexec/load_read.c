// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "arch/x86/x86.h"
#include "host.h"
#include "load_stages.h"
#include "sys.h"

void load_init(struct load *l, const struct options *o, struct arena *a)
{
	memset(l, 0, sizeof(*l));
	l->arena = a;
	l->options = o;
	l->kernel.fd = -1;
	l->dtb.fd = -1;
	l->cages[CAGE_OPEN].memfd = l->cages[CAGE_PLAN].memfd = -1;
	progress_start(&l->progress);
}

void load_free(struct load *l)
{
	progress_end(&l->progress);
	record_turn_end(&l->turn, false);
	file_close(&l->kernel);
	file_close(&l->dtb);
	file_sequence_close(&l->initrd);
	file_sequence_close(&l->modules);
	initramfs_free(&l->unpacked);
	file_join_free(&l->joined);
	addons_close(&l->addons);
	unwrapped_free(&l->unwrapped);
	for (size_t i = 0; i < array_len(l->cages); i++)
		cage_close(&l->cages[i]);
	if (l->is_xen)
		xen_close(&l->xen);
}

void load_fork(struct load *fork, const struct load *l)
{
	*fork = *l;
	fork->cages[CAGE_PLAN] = (struct cage){ .memfd = -1 };
	fork->first_plan = cage_memory(&l->cages[CAGE_PLAN]);
	fork->must_be_caged = l->is_caged;
	progress_none(&fork->progress);
}

void load_free_fork(struct load *fork)
{
	cage_close(&fork->cages[CAGE_PLAN]);
}

/* Early in a boot there may be no random numbers yet. A seed is welcome, not needed. */
static void read_seed(const struct options *o, struct request *req, struct diag *diag)
{
	req->has_seed = true;
	if (o->has_seed) {
		memcpy(req->seed, o->seed, SEED_LEN);
	} else if (sys_random(req->seed, SEED_LEN) < 0) {
		req->has_seed = false;
		sys_random_early(req->seed, SEED_LEN);
		note(diag, "load/no-random",
		     "the running kernel has no random numbers yet: the next one gets no seed");
	}
}

static int open_files(struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	int r = file_open(o->kernel, &l->kernel, diag);

	if (r == 0)
		r = file_sequence_open(o->initrds, o->n_initrds, l->arena, &l->initrd, diag);
	if (r == -ENOENT && o->reuse_initrd && l->kernel.fd >= 0)
		fail_advise(diag, "--reuseinitrd takes a running kernel of 6.6 or later that was "
				  "started with retain_initrd; else --initrd=FILE");
	if (r == 0 && o->dtb)
		r = file_open(o->dtb, &l->dtb, diag);
	if (r == 0)
		r = addons_open(o->kernel, !o->no_addons, o->addons, o->n_addons, l->arena,
				&l->addons, diag);
	if (r == 0)
		r = file_sequence_open(o->module_paths, o->n_modules, l->arena, &l->modules, diag);
	return r;
}

static int list_modules(struct load *l, struct diag *diag)
{
	const size_t n = l->modules.n;
	struct module *list = arena_alloc_array(l->arena, n, sizeof(*list));

	if (!list)
		return fail_nomem(diag);
	for (size_t i = 0; i < n; i++) {
		list[i].len = (uint64_t)l->modules.files[i].stat.st_size;
		list[i].cmdline = l->options->modules[i];
	}
	l->request.modules = l->modules.bytes;
	l->request.module_list = list;
	l->request.n_modules = n;
	return 0;
}

/* Of the machine and the request, what a kernel to come back from is planned by. */
static int prepare_jump_back(struct load *l, struct diag *diag)
{
	struct request *req = &l->request;

	/* What no format takes is refused by describe(). */
	if (!l->format)
		return 0;
	return x86_prepare_jump_back(l->format, req, &l->facts, l->arena, req, &l->target, diag);
}

/* What nobody has done there yet, by name. */
static int check_xen(const struct options *o, struct diag *diag)
{
	const char *what = o->load_crash ? "-p, a load for a panic," :
			   o->preserves_context ? "--load-preserve-context" :
			   o->call == CALL_FILE ? "-s, a call that the hypervisor has no like of," :
						  NULL;

	if (o->host_root)
		return fail(diag, EOPNOTSUPP, "xen/host-root",
			    "this tree is of a Xen host, where only the hypervisor knows the machine's "
			    "memory");
	if (!what)
		return 0;
	fail(diag, EOPNOTSUPP, "xen/not-supported",
	     "this is a Xen host, and kexec-ng does not have %s there", what);
	return fail_advise(diag, "kexec-tools, for that; -l, -e, -u and -S are supported");
}

/* On a Xen host the hypervisor loads, and knows the machine. */
static int read_xen(struct load *l, struct diag *diag)
{
	int r = check_xen(l->options, diag);

	if (r == 0)
		r = xen_open(&l->facts, &l->xen, diag);
	if (r < 0)
		return r;
	l->is_xen = true;
	return xen_read_map(&l->xen, l->arena, &l->facts, diag);
}

int load_read(struct load *l, struct diag *diag)
{
	const struct options *o = l->options;
	struct request *req = &l->request;
	int r;

	*req = (struct request){
		.type = o->type,
		.profile = o->profile,
		.args = o->args,
		.enter = o->enter,
		.has_subarch = o->has_subarch,
		.subarch = o->subarch,
		.has_subarch_data = o->has_subarch_data,
		.subarch_data = o->subarch_data,
		.is_crash = o->load_crash,
		.preserves_context = o->preserves_context,
		.core_class = o->core_class,
		.pass_memmap = o->pass_memmap,
		.backup = o->backup,
		.hotplug = o->hotplug ? HOTPLUG_YES : HOTPLUG_AUTO,
		.mem_min = o->mem_min,
		.mem_end = o->mem_end,
		.no_efi = o->no_efi,
		.reuse_video_type = o->reuse_video_type,
		.has_entry = o->has_entry,
		.entry = o->entry,
		.digest = o->digest,
		.quiet = o->quiet,
		.on_failure = o->on_failure,
		.console_serial = o->console_serial,
		.console_vga = o->console_vga,
		.reset_vga = o->reset_vga,
		.serial_port = o->serial_port,
		.serial_baud = o->serial_baud,
	};
	r = open_files(l, diag);
	if (r == 0)
		r = list_modules(l, diag);
	if (r == 0)
		r = host_read(o->host_root ? o->host_root : "", l->arena, &l->facts, diag);
	if (r == 0)
		r = host_withhold_efi_tables(o->host_root ? o->host_root : "", &l->facts, diag);
	if (r == 0 && l->facts.xen.is_dom0)
		r = read_xen(l, diag);
	req->mem_end = min_u64(req->mem_end,
			       l->facts.is_32bit_kernel ? 4 * GIB : SYS_ADDRESS_END);
	read_seed(o, req, diag);
	req->kernel = l->kernel.bytes;
	req->kernel_path = o->kernel;
	req->initrd = l->initrd.bytes;
	req->n_initrds = l->initrd.n;
	req->dtb = l->dtb.bytes;
	req->addons = l->addons.addons;
	req->n_addons = l->addons.n;
	if (r == 0)
		r = load_unwrap(l, diag);
	/* Others need not touch the machine's memory for it. */
	if (r == 0 && l->format && l->format->takes_rsdp)
		host_read_rsdp(o->host_root ? o->host_root : "", &l->facts);
	l->cmdline = req->cmdline;
	l->target = l->facts;
	if (r == 0 && !l->is_caged)
		load_unpack_initrd(l, diag);
	if (r == 0 && req->is_crash)
		r = x86_prepare_crash(req, &l->facts, l->arena, req, &l->target, &l->crash, diag);
	if (r == 0 && req->preserves_context)
		r = prepare_jump_back(l, diag);
	return r;
}
