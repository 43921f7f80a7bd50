// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A captured machine of the fuzzer's making: files below a directory, read by all that reads /proc,
 * /sys and /run. What was understood keeps what facts.h promises, and a kernel that is planned for such
 * a machine, for the next boot and for a panic, is safe to load there.
 *
 * The input is a text: a line ">PATH" begins a file, whose bytes follow; ">PATH LEN" fills it up with
 * zeros, ">PATH LEN OFFSET" puts the bytes there. A line "@PATH" begins a symbolic link. An input that
 * begins with '/' is read below a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/x86/bzimage.h"
#include "arch/x86/crash.h"
#include "arch/x86/x86.h"
#include "check.h"
#include "host.h"
#include "host_check.h"
#include "host_tree.h"
#include "last.h"
#include "lib_check.h"
#include "lib_image.h"
#include "lib_plan.h"
#include "lib_safe.h"
#include "place.h"
#include "record.h"

#define FILES_MAX	1200
#define FILE_LEN_MAX	(64 * KIB)
#define PATH_LEN_MAX	160

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t max_len);

static char root[64];

/* ---- the tree ------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	if (ftw->level > 0)
		remove(path);
	return 0;
}

static void empty_tree(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void drop_tree(void)
{
	empty_tree();
	rmdir(root);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(root, sizeof(root), "%s/kexec-fuzz-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(root));
	return atexit(drop_tree);
}

/* Letters that such paths have, and no way up. */
static bool is_path(const char *path)
{
	return path[0] != '\0' && path[0] != '/' && !strstr(path, "..") &&
	       strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789_-./") == strlen(path);
}

/* The whole path, its directories made; false if that cannot be one. */
static bool make_path(const char *path, char ret[static PATH_LEN_MAX + sizeof(root)])
{
	if (!is_path(path))
		return false;
	snprintf(ret, PATH_LEN_MAX + sizeof(root), "%s/%s", root, path);
	for (char *at = ret + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		mkdir(ret, 0755);
		*at = '/';
	}
	return true;
}

static void put_file(const char *head, struct span body)
{
	char path[PATH_LEN_MAX + 1] = "", full[PATH_LEN_MAX + sizeof(root)];
	unsigned int len = 0, off = 0;
	int fd;

	if (sscanf(head, "%160s %u %u", path, &len, &off) < 1 || !make_path(path, full))
		return;
	fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return;
	if (len > 0 && len <= FILE_LEN_MAX)
		CHECK(ftruncate(fd, len) == 0);
	if (body.len > 0 && off <= FILE_LEN_MAX)
		CHECK(pwrite(fd, body.data, body.len, off) == (ssize_t)body.len);
	close(fd);
}

static void put_link(const char *head, struct span body)
{
	char full[PATH_LEN_MAX + sizeof(root)], target[256];
	const size_t len = min_size(body.len, sizeof(target) - 1);

	if (!make_path(head, full))
		return;
	memcpy(target, body.data, len);
	target[len] = '\0';
	target[strcspn(target, "\n")] = '\0';
	if (symlink(target, full) < 0)
		return;
}

/* Where the next line begins that is a head; the end if none does. */
static size_t next_head(struct span s, size_t at)
{
	for (; at < s.len; at++)
		if ((s.data[at] == '>' || s.data[at] == '@') && (at == 0 || s.data[at - 1] == '\n'))
			return at;
	return s.len;
}

static size_t line_end(struct span s, size_t at)
{
	while (at < s.len && s.data[at] != '\n')
		at++;
	return at;
}

static void make_tree(struct span s)
{
	char head[PATH_LEN_MAX + 1];
	size_t at = next_head(s, 0);

	for (int n = 0; at < s.len && n < FILES_MAX; n++) {
		const size_t end = line_end(s, at), next = next_head(s, end);
		const size_t body = min_size(end + 1, next);

		snprintf(head, sizeof(head), "%.*s", (int)min_size(end - at - 1, PATH_LEN_MAX),
			 (const char *)s.data + at + 1);
		if (s.data[at] == '@')
			put_link(head, span_of(s.data + body, next - body));
		else
			put_file(head, span_of(s.data + body, next - body));
		at = next;
	}
}

/* ---- what is promised of the facts ---------------------------------------------------------- */

static void check_list(const struct range_list *l, uint64_t align)
{
	for (size_t i = 0; i < l->n; i++) {
		CHECK(l->r[i].start < l->r[i].end);
		CHECK(l->r[i].start % align == 0 && l->r[i].end % align == 0);
		CHECK(i == 0 || l->r[i - 1].end < l->r[i].start);
	}
}

static bool is_ram(const struct facts *f, phys_t at)
{
	for (size_t i = 0; i < f->n_map; i++)
		if (f->map[i].type == MEM_RAM && f->map[i].range.start <= at &&
		    at < f->map[i].range.end)
			return true;
	return false;
}

static void check_memory(const struct facts *f)
{
	CHECK(f->map_source != MAP_NONE && f->n_map > 0);
	for (size_t i = 0; i < f->n_map; i++)
		CHECK(f->map[i].range.start < f->map[i].range.end &&
		      (i == 0 || f->map[i - 1].range.end <= f->map[i].range.start));
	check_list(&f->ram, PAGE_LEN);
	check_list(&f->low_ram, PAGE_LEN);
	check_list(&f->crash.ram, 1);
	check_list(&f->crash.cma, 1);
	for (size_t i = 0; i < f->ram.n; i++) {
		CHECK(f->ram.r[i].start >= MIB);
		CHECK(is_ram(f, f->ram.r[i].start) && is_ram(f, f->ram.r[i].end - 1));
		for (size_t k = 0; k < f->crash_kernel.n; k++)
			CHECK(!range_overlaps(f->ram.r[i], f->crash_kernel.r[k]));
	}
	for (size_t i = 0; i < f->low_ram.n; i++)
		CHECK(f->low_ram.r[i].start >= PAGE_LEN && f->low_ram.r[i].end <= 640 * KIB);
}

static void check_rest(const struct facts *f)
{
	CHECK(f->efi.bits == 0 || f->efi.bits == 32 || f->efi.bits == 64);
	for (size_t i = 0; i < f->efi.n_map; i++)
		CHECK(f->efi.map[i].n_pages <= (UINT64_MAX - f->efi.map[i].phys) / PAGE_LEN);
	CHECK(f->cmdline && f->release && strlen(f->cmdline) <= 64 * KIB);
	CHECK(f->console.serial_port <= 0x10000 - 8);
	CHECK((f->rsdp == 0) == (f->rsdp_source == RSDP_NONE));
	for (size_t i = 0; i < f->crash.n_notes; i++)
		CHECK(f->crash.notes[i].start < f->crash.notes[i].end);
	CHECK(!f->policy.has_load_limit || f->policy.load_limit >= -1);
}

/* ---- what is done with them ----------------------------------------------------------------- */

/* A folder of names: sorted, none hidden, all with that end. */
static void list_names(struct arena *a)
{
	struct host_tree tree;
	struct host_names names;

	CHECK(host_tree_open(root, &tree) == 0);
	if (host_list_names(&tree, a, "boot/loader/entries", ".conf", 40, &names) == 0)
		for (size_t i = 0; i < names.n; i++)
			CHECK(names.v[i][0] != '.' && strlen(names.v[i]) > 5 &&
			      (i == 0 || strcmp(names.v[i - 1], names.v[i]) <= 0));
	host_tree_close(&tree);
}

static void ask(struct facts *f, struct arena *a, struct diag *diag)
{
	struct check_facts more;
	struct check_report report;
	const struct check_input in = { f, &more };
	struct tsc_clock clock = { .khz = f->cpu.tsc_khz, .start_source = "", .init_source = "" };
	struct record record;
	struct last last;
	int64_t limit;
	bool is_loaded;

	CHECK(host_read_check(root, f, a, &more, diag) == 0);
	check_all(&in, &report);
	for (size_t i = 0; i < N_CHECKS; i++)
		CHECK(report.findings[i].id && report.findings[i].text[0]);
	last_compute(f, &clock, &last);
	CHECK(host_find_xen(root, a, f) == f->xen.is_dom0);
	for (int i = 0; i < 2; i++) {
		if (host_is_loaded(root, i, &is_loaded) == 0)
			CHECK(is_loaded || !is_loaded);
		if (record_read(root, i, a, &record, diag) == 0)
			CHECK(record.loader && record.n_files <= RECORD_FILES_MAX);
		diag_clear(diag);
		record_limit(root, i, &limit);
	}
	record_boot_id(root, a);
	list_names(a);
}

static void plan_boot(const struct request *req, const struct facts *f, struct arena *a,
		      struct diag *diag)
{
	struct plan plan;

	if (plan_request(req, f, a, &plan, diag) < 0) {
		CHECK(diag->id && diag->error > 0 && diag->text[0]);
		diag_clear(diag);
		return;
	}
	require_safe_plan(&plan, req, f);
	require_safe_pointers(&plan, req);
}

static void plan_panic(const struct request *req, const struct facts *f, struct arena *a,
		       struct diag *diag)
{
	const struct image_type *type = x86_formats[0];
	const struct crash_plan *crash;
	struct request own;
	struct facts *capture = arena_alloc(a, sizeof(*capture));
	struct plan plan;
	int r = capture ? crash_prepare(req, f, a, &own, capture, &crash, diag) : -ENOMEM;

	plan_init(&plan, a);
	if (r == 0)
		r = type->plan(&own, capture, &plan, diag);
	if (r == 0)
		r = x86_plan_purgatory(&own, capture, &plan, diag);
	if (r == 0)
		r = crash_plan(crash, &plan, diag);
	if (r == 0)
		r = place(&plan, capture, own.mem_min, own.mem_end, diag);
	if (r == 0)
		r = type->finish(&own, capture, &plan, diag);
	if (r == 0)
		r = x86_finish_purgatory(&own, capture, &plan, diag);
	if (r == 0)
		r = plan_check(&plan, capture, own.mem_min, own.mem_end, diag);
	if (r < 0) {
		CHECK(diag->id && diag->error > 0 && diag->text[0]);
		diag_clear(diag);
		return;
	}
	require_safe_plan(&plan, &own, capture);
	require_safe_pointers(&plan, &own);
}

static void use(const struct facts *f, struct arena *a, struct diag *diag)
{
	static uint8_t image[TEST_IMAGE_LEN];
	struct request req;

	make_bzimage(image);
	set64(image, HDR_PAYLOAD_OFFSET, 0);
	make_request(&req, image, sizeof(image));
	req.initrd = span_of(image, PAGE_LEN);
	plan_boot(&req, f, a, diag);
	req.is_crash = true;
	plan_panic(&req, f, a, diag);
}

static int read_host(char how, struct arena *a, struct facts *f, struct diag *diag)
{
	char path[128];

	if (how != '/')
		return host_read(root, a, f, diag);
	snprintf(path, sizeof(path), "%s/proc/cmdline", root);
	CHECK(host_read(path, a, f, diag) < 0);
	return -ENOTDIR;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct arena arena = { 0 };
	struct facts *f = calloc(1, sizeof(*f));
	struct diag diag;

	CHECK(f);
	diag_init(&diag, &arena);
	make_tree(span_of(data, len));
	if (read_host(len > 0 ? (char)data[0] : 0, &arena, f, &diag) < 0) {
		CHECK(diag.id && diag.error > 0 && diag.text[0]);
	} else {
		CHECK(!diag.id);
		check_memory(f);
		check_rest(f);
		ask(f, &arena, &diag);
		use(f, &arena, &diag);
	}
	empty_tree();
	arena_free(&arena);
	free(f);
	return 0;
}

/* ---- the mutator: one file of the tree, or a whole line -------------------------------------- */

static size_t mutate_body(uint8_t *data, size_t len, size_t max_len, unsigned int seed)
{
	const struct span all = span_of(data, len);
	uint8_t body[512], *end;
	size_t from = next_head(all, seed / 8 % len), to, room, new_len;

	from = min_size(line_end(all, from) + 1, len);
	to = next_head(all, from);
	if (from >= to || to - from > sizeof(body) / 2)
		return LLVMFuzzerMutate(data, len, max_len);
	memcpy(body, data + from, to - from);
	room = min_size(sizeof(body), max_len - len + (to - from));
	new_len = LLVMFuzzerMutate(body, to - from, room);
	end = data + to;
	memmove(data + from + new_len, end, len - to);
	memcpy(data + from, body, new_len);
	return len - (to - from) + new_len;
}

/* Without the file that begins behind a place. */
static size_t drop_file(uint8_t *data, size_t len, unsigned int seed)
{
	const struct span all = span_of(data, len);
	const size_t from = next_head(all, seed / 8 % len);
	const size_t to = next_head(all, min_size(from + 1, len));

	memmove(data + from, data + to, len - to);
	return len - (to - from);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max_len, unsigned int seed)
{
	switch (len < 64 ? 7 : seed % 8) {
	case 0:
		return drop_file(data, len, seed);
	case 1:
	case 2:
	case 3:
	case 4:
		return mutate_body(data, len, max_len, seed);
	default:
		return LLVMFuzzerMutate(data, len, max_len);
	}
}
