// SPDX-License-Identifier: GPL-2.0-or-later
#include "xen.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memmap.h"

#define MAP_ENTRIES_MAX		1024
#define CONVENTIONAL_END	(640 * KIB)

#ifdef KEXEC_NG_STATIC
#define IS_STATIC		true

static void *library_open(const char *name)
{
	(void)name;
	return NULL;
}

static void *library_find(void *library, const char *name)
{
	(void)library;
	(void)name;
	return NULL;
}

static void library_close(void *library)
{
	(void)library;
}
#else
#include <dlfcn.h>
#define IS_STATIC		false

static void *library_open(const char *name)
{
	return dlopen(name, RTLD_NOW);
}

static void *library_find(void *library, const char *name)
{
	return dlsym(library, name);
}

static void library_close(void *library)
{
	dlclose(library);
}
#endif

/* ---- the library -------------------------------------------------------------------------- */

static void *open_library(const struct facts *facts)
{
	const char *version = facts->xen.version ? facts->xen.version : "";
	char name[64];
	void *library;

	snprintf(name, sizeof(name), "libxenctrl.so.%s", version);
	library = *version != '\0' ? library_open(name) : NULL;
	return library ? library : library_open("libxenctrl.so");
}

static bool find_calls(void *library, struct xenctrl *ret)
{
	struct {
		const char *name;
		void *call;	/* a pointer to a function */
	} wanted[] = {
		{ "xc_interface_open", &ret->interface_open },
		{ "xc_interface_close", &ret->interface_close },
		{ "xc_get_machine_memory_map", &ret->get_machine_memory_map },
		{ "xc_hypercall_buffer_array_create", &ret->buffer_array_create },
		{ "xc__hypercall_buffer_array_alloc", &ret->buffer_array_alloc },
		{ "xc_hypercall_buffer_array_destroy", &ret->buffer_array_destroy },
		{ "xc_kexec_load", &ret->kexec_load },
		{ "xc_kexec_unload", &ret->kexec_unload },
		{ "xc_kexec_exec", &ret->kexec_exec },
		{ "xc_kexec_status", &ret->kexec_status },
	};

	for (size_t i = 0; i < array_len(wanted); i++) {
		void *found = library_find(library, wanted[i].name);

		if (!found)
			return false;
		memcpy(wanted[i].call, &found, sizeof(found));
	}
	return true;
}

int xen_open(const struct facts *facts, struct xen *ret, struct diag *diag)
{
	struct xen x = { 0 };

	if (IS_STATIC) {
		fail(diag, EOPNOTSUPP, "xen/static",
		     "this is a Xen host, where libxenctrl loads kernels, and this kexec is a static "
		     "program, which can use no library");
		return fail_advise(diag, "build it without STATIC=1");
	}
	x.library = open_library(facts);
	if (!x.library || !find_calls(x.library, &x.call)) {
		fail(diag, ENOENT, "xen/no-library",
		     "this is a Xen host, where libxenctrl loads kernels, and %s",
		     x.library ? "the one that is installed lacks what is needed" :
				 "it is not installed");
		xen_close(&x);
		return fail_advise(diag, "on Debian it is in the package libxenmisc and the version "
					 "of Xen (%s)",
				   facts->xen.version ? facts->xen.version : "unknown");
	}
	x.interface = x.call.interface_open(NULL, NULL, 0);
	if (!x.interface) {
		fail(diag, EACCES, "xen/no-interface", "the hypervisor cannot be talked to: %s",
		     strerror(errno));
		xen_close(&x);
		return fail_advise(diag, "run it as root; /dev/xen/privcmd has to be there (module "
					 "xen-privcmd)");
	}
	*ret = x;
	return 0;
}

void xen_close(struct xen *x)
{
	if (x->interface)
		x->call.interface_close(x->interface);
	if (x->library)
		library_close(x->library);
	memset(x, 0, sizeof(*x));
}

/* ---- the machine -------------------------------------------------------------------------- */

static int add_entries(const struct xen_map_entry *entries, size_t n, struct memmap *m,
		       struct diag *diag)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct range e = { entries[i].addr, entries[i].addr + entries[i].len };

		if (e.end > e.start)
			r = memmap_add(m, e, entries[i].type, diag);
	}
	return r < 0 ? r : memmap_normalize(m, diag);
}

static int choose_ram(struct arena *a, struct facts *f, struct diag *diag)
{
	struct range conventional = { PAGE_LEN, CONVENTIONAL_END };
	struct range_list low = { .r = &conventional, .n = 1 };
	struct range_list ram;
	int r = memmap_ranges(f->map, f->n_map, MEM_RAM, a, &ram, diag);

	if (r < 0)
		return r;
	f->ram_total = range_list_total(&ram);
	if (range_list_intersect(&ram, &low, a, &f->low_ram) < 0 ||
	    range_list_subtract(&ram, (struct range){ 0, MIB }) < 0)
		return fail_nomem(diag);
	range_list_align_inward(&f->low_ram, PAGE_LEN);
	range_list_align_inward(&ram, PAGE_LEN);
	f->ram = ram;
	return 0;
}

int xen_read_map(const struct xen *x, struct arena *a, struct facts *f, struct diag *diag)
{
	struct xen_map_entry *entries = arena_alloc_array(a, MAP_ENTRIES_MAX, sizeof(*entries));
	struct facts machine = *f;
	struct memmap m;
	int n, r;

	if (!entries)
		return fail_nomem(diag);
	n = x->call.get_machine_memory_map(x->interface, entries, MAP_ENTRIES_MAX);
	if (n <= 0)
		return fail(diag, EIO, "xen/no-map",
			    "the hypervisor does not tell the machine's memory map: %s",
			    strerror(errno));
	memmap_init(&m, a);
	r = add_entries(entries, (size_t)min_u64((uint64_t)n, MAP_ENTRIES_MAX), &m, diag);
	machine.map = m.entries;
	machine.n_map = m.n;
	machine.map_source = MAP_FIRMWARE;
	machine.crash_kernel.n = 0;
	if (r == 0)
		r = choose_ram(a, &machine, diag);
	if (r < 0)
		return r;
	*f = machine;
	return 0;
}

/* ---- calls -------------------------------------------------------------------------------- */

static int compare_addr(const void *a, const void *b)
{
	const struct xen_segment *l = a, *r = b;

	return (l->addr > r->addr) - (l->addr < r->addr);
}

/* Xen maps what is a segment and nothing else; purgatory may write to the screen before it has page
 * tables of its own. */
static int map_first_mib(struct xen_segment *segments, uint32_t *n, struct diag *diag)
{
	const uint32_t n_given = *n;
	uint64_t at = 0;

	qsort(segments, n_given, sizeof(*segments), compare_addr);
	for (uint32_t i = 0; i <= n_given && at < MIB; i++) {
		const uint64_t end = i < n_given ? min_u64(segments[i].addr, MIB) : MIB;

		if (end > at && *n == XEN_KEXEC_SEGMENTS_MAX)
			return fail(diag, E2BIG, "xen/too-many-segments",
				    "with the memory in front of them the segments are more than the "
				    "%d that the hypervisor takes", XEN_KEXEC_SEGMENTS_MAX);
		if (end > at)
			segments[(*n)++] = (struct xen_segment){ .addr = at, .mem_len = end - at };
		if (i < n_given)
			at = segments[i].addr + segments[i].mem_len;
	}
	qsort(segments, *n, sizeof(*segments), compare_addr);
	return 0;
}

static int copy_segments(const struct xen *x, const struct plan *plan,
			 struct xen_buffer_array *array, struct xen_segment *segments)
{
	for (size_t i = 0; i < plan->n_segments; i++) {
		const struct segment *s = &plan->segments[i];
		struct xen_buffer buffer = { 0 };
		void *bytes = NULL;

		if (s->bytes.len > 0) {
			bytes = x->call.buffer_array_alloc(x->interface, array, (unsigned int)i,
							   &buffer, s->bytes.len);
			if (!bytes)
				return -ENOMEM;
			memcpy(bytes, s->bytes.data, s->bytes.len);
		}
		segments[i] = (struct xen_segment){
			.bytes = (uintptr_t)bytes,
			.len = s->bytes.len,
			.addr = s->addr,
			.mem_len = s->mem_len,
		};
	}
	return 0;
}

static int explain(const char *what, int error, struct diag *diag)
{
	fail(diag, error, "xen/refused", "the hypervisor refused %s: %s", what, strerror(error));
	if (error == ENOMEM)
		return fail_advise(diag, "leave Xen memory that no domain has: dom0_mem= on its "
					 "command line");
	if (error == EPERM || error == EACCES)
		return fail_advise(diag, "run it as root in dom0");
	return fail_advise(diag, "xl dmesg may say more");
}

int xen_load(const struct xen *x, const struct plan *plan, struct arena *a, struct diag *diag)
{
	struct xen_segment *segments = arena_alloc_array(a, XEN_KEXEC_SEGMENTS_MAX,
							 sizeof(*segments));
	uint32_t n = (uint32_t)plan->n_segments;
	struct xen_buffer_array *array;
	int r;

	_Static_assert(PLAN_SEGMENTS_MAX <= XEN_KEXEC_SEGMENTS_MAX, "every segment has room");
	if (!segments)
		return fail_nomem(diag);
	array = x->call.buffer_array_create(x->interface, n);
	if (!array || copy_segments(x, plan, array, segments) < 0) {
		if (array)
			x->call.buffer_array_destroy(x->interface, array);
		return fail_nomem(diag);
	}
	r = map_first_mib(segments, &n, diag);
	if (r == 0 && x->call.kexec_load(x->interface, XEN_KEXEC_DEFAULT, EM_X86_64, plan->entry, n,
					 segments) != 0)
		r = explain("the load", errno, diag);
	x->call.buffer_array_destroy(x->interface, array);
	return r;
}

static int type_of(bool crash)
{
	return crash ? XEN_KEXEC_CRASH : XEN_KEXEC_DEFAULT;
}

int xen_unload(const struct xen *x, bool crash, struct diag *diag)
{
	if (x->call.kexec_unload(x->interface, type_of(crash)) == 0)
		return 0;
	return explain("to unload", errno, diag);
}

int xen_is_loaded(const struct xen *x, bool crash, bool *ret, struct diag *diag)
{
	int r = x->call.kexec_status(x->interface, type_of(crash));

	if (r < 0)
		return explain("to say what is loaded", errno, diag);
	*ret = r > 0;
	return 0;
}

int xen_exec(const struct xen *x, struct diag *diag)
{
	x->call.kexec_exec(x->interface, XEN_KEXEC_DEFAULT);
	return explain("the jump", errno, diag);
}
