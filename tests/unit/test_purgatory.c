// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The purgatory image itself, the bytes that a machine gets, runs here in ring 3: in memory below
 * 4 GiB, entered and left by the assembly below. A privileged instruction would be a fault, and a
 * fault is an arrival at the wrong place.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/x86/pagetable.h"
#include "arch/x86/purgatory.h"
#include "boot_note.h"
#include "crc32c.h"
#include "digest.h"
#include "unit.h"

#define USER_CS		0x33	/* Linux, arch/x86/include/asm/segment.h */
#define USER32_CS	0x23
#define N_DATA		3
#define DATA_LEN	(3 * PAGE_LEN)
#define CHUNK_LEN	1024
#define CHUNKS_PER_REGION	(DATA_LEN / CHUNK_LEN)
#define TABLES_LEN	(HANDOFF_REGIONS_MAX * CHUNKS_PER_REGION * SHA256_LEN + PAGE_LEN)
#define VGA_LEN		(80 * 25 * 2)
#define RFLAGS_DF	(1 << 10)

enum place {
	NOWHERE,
	AT_ENTRY64,
	AT_ENTRY32,
	AT_EXIT,
	AT_FAULT,
};

/* Where purgatory went and with what; the assembly knows the offsets. */
struct arrival {
	uint64_t place;
	uint64_t rsi;
	uint64_t rsp;
	uint64_t rdi;
	uint64_t rflags;
	uint64_t others;	/* all the general registers but the named ones, ored */
	uint64_t ds;
	uint64_t pushed;	/* AT_ENTRY32: where pushal put the registers */
	uint64_t rax;
	uint64_t rbx;
};

struct arrival arrival;
uint64_t saved_rsp, n_visits;
void *purgatory_at;

/* Enters at purgatory_at with rubbish in the registers and returns after an arrival. */
void enter(void);
void arrive64(void);
void arrive_exit(void);
/* A program that returns, and leaves nothing as it was. */
void come_and_go(void);
void arrive_fault(void);
void arrive_from32(void);
/* Enters 32-bit code at purgatory_at directly, with esp below it. */
void enter32(void);
/* Position independent 32-bit code that goes on to arrive_from32(), through its last 8 bytes. */
extern const uint8_t landing32[], landing32_target[], landing32_end[];

__asm__(".text\n"
	"enter:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, saved_rsp(%rip)\n"
	"	mov $-1, %rax; mov %rax, %rbx; mov %rax, %rcx; mov %rax, %rdx; mov %rax, %rsi\n"
	"	mov %rax, %rdi; mov %rax, %rbp; mov %rax, %r8; mov %rax, %r9; mov %rax, %r10\n"
	"	mov %rax, %r11; mov %rax, %r12; mov %rax, %r13; mov %rax, %r14; mov %rax, %r15\n"
	"	std\n"
	"	jmp *purgatory_at(%rip)\n"
	"enter32:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rsp, saved_rsp(%rip)\n"
	"	mov purgatory_at(%rip), %rax\n"
	"	lea 4096(%rax), %rsp\n"
	"	pushq $0x23\n"
	"	push %rax\n"
	"	lretq\n"
	"arrive64:\n"
	"	mov %rsi, arrival+8(%rip)\n"
	"	mov %rsp, arrival+16(%rip)\n"
	"	mov %rdi, arrival+24(%rip)\n"
	"	pushfq\n"
	"	popq arrival+32(%rip)\n"
	"	mov %rax, arrival+64(%rip)\n"
	"	mov %rbx, arrival+72(%rip)\n"
	"	mov %rcx, %rax; or %rdx, %rax; or %rbp, %rax; or %r8, %rax\n"
	"	or %r9, %rax; or %r10, %rax; or %r11, %rax; or %r12, %rax; or %r13, %rax\n"
	"	or %r14, %rax; or %r15, %rax\n"
	"	mov %rax, arrival+40(%rip)\n"
	"	movq $1, arrival(%rip)\n"
	"back:\n"
	"	cld\n"
	"	mov saved_rsp(%rip), %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	"come_and_go:\n"
	"	incq n_visits(%rip)\n"
	"	mov $-1, %rax; mov %rax, %rbx; mov %rax, %rcx; mov %rax, %rdx; mov %rax, %rsi\n"
	"	mov %rax, %rdi; mov %rax, %rbp; mov %rax, %r8; mov %rax, %r9; mov %rax, %r10\n"
	"	mov %rax, %r11; mov %rax, %r12; mov %rax, %r13; mov %rax, %r14; mov %rax, %r15\n"
	"	std\n"
	"	ret\n"
	"arrive_exit:\n"
	"	mov %rdi, arrival+24(%rip)\n"
	"	movq $3, arrival(%rip)\n"
	"	jmp back\n"
	"arrive_fault:\n"
	"	movq $4, arrival(%rip)\n"
	"	jmp back\n"
	"arrive_from32:\n"
	"	mov %ebx, %ebx\n"
	"	mov %rbx, arrival+56(%rip)\n"
	"	mov %edx, %edx\n"
	"	mov %rdx, arrival+48(%rip)\n"
	"	movq $2, arrival(%rip)\n"
	"	jmp back\n"
	".section .rodata\n"
	".code32\n"
	"landing32:\n"
	"	pushfl\n"
	"	pushal\n"			/* an invalid opcode in 64-bit mode */
	"	mov %esp, %ebx\n"
	"	mov %ds, %edx\n"
	"	call 1f\n"
	"1:	pop %eax\n"
	"	add $2f - 1b, %eax\n"
	"	pushl $0x33\n"
	"	pushl %eax\n"
	"	lretl\n"
	".code64\n"
	"2:	jmp *landing32_target(%rip)\n"
	"landing32_target:\n"
	"	.quad 0\n"
	"landing32_end:\n"
	".text\n");

/* pushal, then pushfl, upwards from arrival.pushed. */
struct pushed32 {
	uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax, eflags;
};

/* One run: the image with its handoff, three regions and a landing place, all below 4 GiB. */
struct stage {
	uint8_t *memory;
	size_t memory_len;
	uint8_t *image;
	struct handoff *h;
	uint8_t *data[N_DATA];
	uint8_t *landing;
	size_t image_len;
	uint8_t *tables;	/* behind the image: digests, of which TABLES_LEN is more than enough */
};

static struct stage stage;
static int fault;	/* the signal of the last AT_FAULT */
static struct arena arena;
static struct diag diag;

static struct purgatory_head head_of_image(void)
{
	struct purgatory_head head;

	assert_true(span_copy(purgatory_image(), 0, &head, sizeof(head)));
	return head;
}

/* Purgatory must not write its regions. */
static void protect_data(int protection)
{
	assert_int_equal(mprotect(stage.data[0], N_DATA * DATA_LEN, protection), 0);
}

/* Where the digest of chunk i of a region is in the table. */
static uint8_t *digest_at(size_t region, size_t i)
{
	const size_t len = stage.h->digest == HANDOFF_DIGEST_SHA256 ? SHA256_LEN : CRC32C_LEN;

	return stage.tables + (stage.h->regions[region].first_chunk + i) * len;
}

/* Each region has CHUNKS_PER_REGION places in the table, whether it needs them or not. */
static void seal_region(size_t i, const char *name, const uint8_t *start, size_t len)
{
	struct handoff_region *r = &stage.h->regions[i];
	struct crc32c crc;

	r->start = (uintptr_t)start;
	r->len = len;
	r->first_chunk = (uint32_t)(i * CHUNKS_PER_REGION);
	snprintf(r->name, sizeof(r->name), "%s", name);
	crc32c_start_portable(&crc);
	if (stage.h->digest == HANDOFF_DIGEST_SHA256)
		sha256_chunks(SHA256_PORTABLE, start, len, stage.h->chunk_len, digest_at(i, 0));
	else
		crc32c_chunks(&crc, start, len, stage.h->chunk_len, digest_at(i, 0));
}

static void seal_regions(enum handoff_digest digest, uint32_t chunk_len)
{
	static const char *const names[N_DATA] = { "kernel", "initrd", "params" };

	stage.h->digest = digest;
	stage.h->chunk_len = chunk_len;
	for (size_t i = 0; i < N_DATA; i++)
		seal_region(i, names[i], stage.data[i], DATA_LEN - i * 100);
}

/* What purgatory verifies itself with; whoever changes the handoff does so before. */
static uint32_t crc_of_handoff(void)
{
	struct crc32c crc;

	crc32c_start_portable(&crc);
	return crc32c_add(&crc, 0, stage.h, offsetof(struct handoff, crc));
}

static void seal_self(void)
{
	const struct purgatory_head head = head_of_image();
	struct handoff *h = stage.h;
	struct crc32c crc;

	crc32c_start_portable(&crc);
	h->image_crc = crc32c_add(&crc, 0, stage.image, head.file_len);
	h->report_crc = crc32c_add(&crc, 0, stage.image + head.report_off,
				   head.report_end - head.report_off);
	h->tables_crc = crc32c_add(&crc, 0, stage.image + head.mem_len, h->self_len - head.mem_len);
	h->crc = crc_of_handoff();
}

static void lay_landing(void)
{
	const uint64_t target = (uintptr_t)arrive_from32;

	memcpy(stage.landing, landing32, (size_t)(landing32_end - landing32));
	memcpy(stage.landing + (landing32_target - landing32), &target, sizeof(target));
}

static int set_stage(void **state)
{
	const struct purgatory_head head = head_of_image();
	const size_t image_len = align_down(head.mem_len + TABLES_LEN + PAGE_LEN - 1, PAGE_LEN);

	(void)state;
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	stage.image_len = image_len;
	stage.memory_len = image_len + N_DATA * DATA_LEN + PAGE_LEN;
	stage.memory = mmap(NULL, stage.memory_len, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	assert_true(stage.memory != MAP_FAILED);
	stage.image = stage.memory;
	memcpy(stage.image, purgatory_image().data, head.file_len);
	stage.h = (struct handoff *)(stage.image + head.handoff_off);
	stage.landing = stage.memory + stage.memory_len - PAGE_LEN;
	lay_landing();
	for (size_t i = 0; i < N_DATA; i++) {
		stage.data[i] = stage.image + image_len + i * DATA_LEN;
		memset(stage.data[i], (int)('a' + i), DATA_LEN);
	}
	protect_data(PROT_READ);
	stage.tables = stage.image + head.mem_len;
	seal_regions(HANDOFF_DIGEST_CRC32C, CHUNK_LEN);
	stage.h->n_chunks = HANDOFF_REGIONS_MAX * CHUNKS_PER_REGION;
	stage.h->digests = (uintptr_t)stage.tables;
	stage.h->self_len = image_len;

	stage.h->magic = HANDOFF_MAGIC;
	stage.h->len = sizeof(*stage.h);
	stage.h->self = (uintptr_t)stage.image;
	stage.h->n_regions = N_DATA;
	stage.h->entry = (uintptr_t)arrive64;
	stage.h->arg = 0x123456789abcdef0;
	stage.h->ring3_exit = (uintptr_t)arrive_exit;
	stage.h->ring = 77;
	return 0;
}

static int clear_stage(void **state)
{
	(void)state;
	munmap(stage.memory, stage.memory_len);
	arena_free(&arena);
	return 0;
}

/* A fault in purgatory ends the run at arrive_fault(), in 64-bit mode whatever it was in. */
static void on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void)info;
	fault = number;
	c->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)arrive_fault;
	c->uc_mcontext.gregs[REG_CSGSFS] = (c->uc_mcontext.gregs[REG_CSGSFS] & ~0xffffLL) | USER_CS;
	c->uc_mcontext.gregs[REG_EFL] &= ~RFLAGS_DF;
}

/* Calls enter() or enter32(), with our handlers in place of cmocka's, which end the test program. */
static enum place enter_guarded(void (*how)(void), void *at)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS, SIGVTALRM };
	static uint8_t stack_bytes[64 * KIB];
	const struct sigaction action = { .sa_sigaction = on_fault,
					  .sa_flags = SA_SIGINFO | SA_ONSTACK };
	const stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };
	struct sigaction old[array_len(numbers)];
	stack_t old_stack;

	assert_int_equal(sigaltstack(&stack, &old_stack), 0);
	for (size_t i = 0; i < array_len(numbers); i++)
		assert_int_equal(sigaction(numbers[i], &action, &old[i]), 0);
	memset(&arrival, 0, sizeof(arrival));
	purgatory_at = at;
	how();
	for (size_t i = 0; i < array_len(numbers); i++)
		sigaction(numbers[i], &old[i], NULL);
	sigaltstack(&old_stack, NULL);
	return (enum place)arrival.place;
}

/* As it is; run() makes the self check pass. */
static enum place run_unsealed(void)
{
	return enter_guarded(enter, stage.image + head_of_image().entry_off);
}

static enum place run(void)
{
	seal_self();
	return run_unsealed();
}

/* The log as a string; every byte beyond log_len must still be zero. */
static const char *log_text(void)
{
	static char text[HANDOFF_LOG_LEN + 1];

	assert_in_range(stage.h->log_len, 0, HANDOFF_LOG_LEN);
	memcpy(text, stage.h->log, HANDOFF_LOG_LEN);
	text[HANDOFF_LOG_LEN] = '\0';
	assert_int_equal(strlen(text), stage.h->log_len);
	return text;
}

static void assert_log_has(const char *part)
{
	if (!strstr(log_text(), part))
		assert_string_equal(log_text(), part);	/* fails, and shows both */
}

static void flip_byte(uint8_t *at)
{
	protect_data(PROT_READ | PROT_WRITE);
	*at ^= 1;
	protect_data(PROT_READ);
}

static void test_entry64(void **state)
{
	(void)state;
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(arrival.rsi, 0x123456789abcdef0);
	assert_int_equal(arrival.rdi | arrival.rax | arrival.rbx, 0);
	assert_int_equal(arrival.others, 0);
	assert_int_equal(arrival.rflags & RFLAGS_DF, 0);
	assert_in_range(arrival.rsp, (uintptr_t)stage.image, (uintptr_t)stage.image + stage.image_len);
	assert_int_equal(stage.h->ring, 3);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);
	assert_string_equal(log_text(), "kexec: 3 segments intact, starting kernel\n");
}

/* For what is no Linux: registers, and an argument for C. */
static void test_registers64(void **state)
{
	(void)state;
	stage.h->eax = 0x80000001;
	stage.h->ebx = 0xfffffff2;
	stage.h->c_arg = 0xfedcba9876543210;
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(arrival.rax, 0x80000001);
	assert_int_equal(arrival.rbx, 0xfffffff2);
	assert_int_equal(arrival.rdi, 0xfedcba9876543210);
	assert_int_equal(arrival.rsi, 0x123456789abcdef0);
	assert_int_equal(arrival.others, 0);
}

/* A program that comes back: purgatory is entered again in the same memory, and calls it again. */
static void test_come_back(void **state)
{
	(void)state;
	n_visits = 0;
	stage.h->come_back = COME_BACK_PROGRAM;
	stage.h->entry = (uintptr_t)come_and_go;
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);
	assert_string_equal(log_text(), "kexec: 3 segments intact, starting program\n");
	flip_byte(stage.data[0]);	/* it may change its own memory */
	memset(stage.h->log, 0, HANDOFF_LOG_LEN);
	assert_int_equal(run_unsealed(), AT_EXIT);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);
	assert_string_equal(log_text(), "kexec: once more, starting program\n");
	assert_int_equal(n_visits, 2);
	assert_int_equal(stage.h->n_runs, 2);
	/* ... and nobody may change purgatory. */
	memset(stage.h->log, 0, HANDOFF_LOG_LEN);
	stage.image[head_of_image().entry_off + 1024] ^= 1;
	assert_int_equal(run_unsealed(), AT_EXIT);
	assert_int_equal(stage.h->verdict, VERDICT_MISMATCH);
	assert_int_equal(n_visits, 2);
}

static void check_no_way_back(uint32_t come_back, uint32_t leave, uint64_t text)
{
	stage.h->come_back = come_back;
	stage.h->leave = leave;
	stage.h->come_back_text = text;
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(stage.h->verdict, VERDICT_BAD_HANDOFF);
}

static void test_no_way_back(void **state)
{
	(void)state;
	check_no_way_back(COME_BACK_PEER + 1, LEAVE_64, 0);
	check_no_way_back(COME_BACK_PROGRAM, LEAVE_64, 1);
	check_no_way_back(COME_BACK_KERNEL, LEAVE_64, 0);
	/* No process is a kernel. */
	check_no_way_back(COME_BACK_KERNEL, LEAVE_64, (uintptr_t)stage.data[2]);
	check_no_way_back(COME_BACK_PEER, LEAVE_64, 0);
	stage.h->ring3_cs32 = USER32_CS;
	check_no_way_back(COME_BACK_PROGRAM, LEAVE_32, 0);
}

static void test_head(void **state)
{
	const struct purgatory_head head = head_of_image();

	(void)state;
	assert_int_equal(head.magic, PURGATORY_MAGIC);
	assert_int_equal(head.file_len, purgatory_image().len);
	assert_true(head.mem_len >= head.file_len);
	assert_true(head.handoff_off + sizeof(struct handoff) <= head.mem_len);
	assert_true(is_aligned(head.handoff_off, _Alignof(struct handoff)));
}

/* Not a byte of the image says where it is: it runs anywhere, also above 4 GiB. */
static void test_above_4gib(void **state)
{
	uint8_t *low = stage.image;
	uint8_t *high = mmap((void *)(64 * GIB), stage.image_len, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(high != MAP_FAILED);
	assert_true((uintptr_t)high >= 4 * GIB);
	memcpy(high, low, stage.image_len);
	stage.h = (struct handoff *)(high + head_of_image().handoff_off);
	stage.h->self = (uintptr_t)high;
	stage.h->digests = (uintptr_t)high + head_of_image().mem_len;
	stage.image = high;
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);

	memcpy(high, low, stage.image_len);
	stage.h->self = (uintptr_t)high;
	stage.h->digests = (uintptr_t)high + head_of_image().mem_len;
	stage.h->leave = LEAVE_32;
	stage.h->ring3_cs32 = USER32_CS;
	stage.h->entry = (uintptr_t)stage.landing;
	stage.h->arg = 0;
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(stage.h->verdict, VERDICT_BAD_HANDOFF);
	munmap(high, stage.image_len);
}

static void check_mismatch(size_t region, size_t at)
{
	char start[32];

	flip_byte(stage.data[region] + at);
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(arrival.rdi, (uintptr_t)stage.h);
	assert_int_equal(stage.h->verdict, VERDICT_MISMATCH);
	assert_int_equal(stage.h->bad_region, region);
	assert_int_equal(stage.h->bad_off, align_down(at, stage.h->chunk_len));
	snprintf(start, sizeof(start), "at %#" PRIx64 ",", stage.h->regions[region].start);
	assert_log_has(start);
	assert_log_has(stage.h->regions[region].name);
}

static void test_mismatch_first(void **state)
{
	(void)state;
	check_mismatch(0, 0);
	assert_log_has("segment kernel is damaged");
	assert_log_has("length 0x3000\n");
}

static void test_mismatch_middle(void **state)
{
	(void)state;
	check_mismatch(1, 5000);
}

static void test_mismatch_last_byte(void **state)
{
	(void)state;
	check_mismatch(2, DATA_LEN - 200 - 1);
}

static void test_byte_beyond_region(void **state)
{
	(void)state;
	flip_byte(stage.data[2] + DATA_LEN - 200);
	assert_int_equal(run(), AT_ENTRY64);
}

/* Both digests are shown: what the loader wrote down and what memory holds. */
static void test_mismatch_digests(void **state)
{
	(void)state;
	protect_data(PROT_READ | PROT_WRITE);
	memcpy(stage.data[1], "abc", 3);
	protect_data(PROT_READ);
	stage.h->regions[1].len = 3;
	memcpy(digest_at(1, 0), "\x67\x45\x23\x01", CRC32C_LEN);
	assert_int_equal(run(), AT_EXIT);
	assert_log_has("first bad chunk at +0x0: CRC32C expected 01234567, found 364b3fb7\n");

	stage.h->log_len = 0;
	memset(stage.h->log, 0, HANDOFF_LOG_LEN);
	seal_regions(HANDOFF_DIGEST_SHA256, CHUNK_LEN);
	stage.h->regions[1].len = 3;
	memcpy(digest_at(1, 0), "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	assert_int_equal(run(), AT_EXIT);
	assert_log_has("SHA-256 expected 0123456789abcdef..., found ba7816bf8f01cfea...\n");
}

static void test_mismatch_two(void **state)
{
	(void)state;
	flip_byte(stage.data[1]);
	flip_byte(stage.data[2]);
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(stage.h->bad_region, 1);
	assert_log_has("segment initrd");
	assert_log_has("segment params");
}

/* Every length around a chunk's border, damaged at each place that is special, by each digest. */
static void test_chunk_borders(void **state)
{
	static const uint32_t chunk_lens[] = { 64, 1024, 4096 };

	(void)state;
	for (size_t i = 0; i < 2 * array_len(chunk_lens); i++) {
		const uint32_t chunk_len = chunk_lens[i / 2];

		for (size_t len = 7 * chunk_len - 1; len <= 7 * chunk_len + 1; len++) {
			const size_t places[] = { 0, chunk_len - 1, chunk_len, 3 * chunk_len,
						  len / 2, 6 * chunk_len - 1, 6 * chunk_len, len - 1 };

			stage.h->digest = i % 2 ? HANDOFF_DIGEST_SHA256 : HANDOFF_DIGEST_CRC32C;
			stage.h->chunk_len = chunk_len;
			seal_region(0, "kernel", stage.data[0], len);
			stage.h->n_regions = 1;
			assert_int_equal(run(), AT_ENTRY64);
			for (size_t k = 0; k < array_len(places); k++) {
				stage.h->log_len = 0;
				memset(stage.h->log, 0, HANDOFF_LOG_LEN);
				check_mismatch(0, places[k]);
				flip_byte(stage.data[0] + places[k]);
			}
		}
	}
}

/* What was loaded need not begin or end where a word does. */
static void test_odd_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_DATA; i++)
		seal_region(i, "odd", stage.data[i] + 1 + 2 * i, DATA_LEN - 77);
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);
	check_mismatch(1, 3 + DATA_LEN - 77 - 1);
}

static void test_empty_region(void **state)
{
	(void)state;
	seal_region(1, "empty", NULL, 0);
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);
}

static void test_each_digest(void **state)
{
	static const enum handoff_digest digests[] = { HANDOFF_DIGEST_CRC32C, HANDOFF_DIGEST_SHA256 };

	(void)state;
	for (size_t i = 0; i < array_len(digests); i++) {
		stage.h->log_len = 0;
		memset(stage.h->log, 0, HANDOFF_LOG_LEN);
		seal_regions(digests[i], CHUNK_LEN);
		assert_int_equal(run(), AT_ENTRY64);
		assert_int_equal(stage.h->verdict, VERDICT_MATCH);
		assert_string_equal(log_text(), "kexec: 3 segments intact, starting kernel\n");
	}
}

/* ---- purgatory verifies itself ---- */

static void check_self_mismatch(uint8_t *at, const char *what)
{
	seal_self();
	*at ^= 0x10;
	assert_int_equal(run_unsealed(), AT_EXIT);
	*at ^= 0x10;
	assert_int_equal(stage.h->verdict, VERDICT_MISMATCH);
	assert_int_equal(stage.h->bad_region, HANDOFF_SELF);
	assert_log_has("kexec: segment purgatory is damaged: ");
	assert_log_has(what);
	stage.h->log_len = 0;
	memset(stage.h->log, 0, HANDOFF_LOG_LEN);
}

/* The bytes of the file, except the few that had run before they could be looked at. */
static void test_self_code(void **state)
{
	const struct purgatory_head head = head_of_image();

	(void)state;
	/* magic, which the running purgatory does not need; constants; the last byte */
	check_self_mismatch(stage.image, "its code: CRC32C expected ");
	check_self_mismatch(stage.image + head.file_len / 2, "its code: CRC32C expected ");
	check_self_mismatch(stage.image + head.file_len - 1, "its code: CRC32C expected ");
}

static void test_self_tables(void **state)
{
	(void)state;
	check_self_mismatch(stage.tables, "its tables: ");
	check_self_mismatch(digest_at(2, 1), "its tables: ");
	check_self_mismatch(stage.image + stage.h->self_len - 1, "its tables: ");
}

/* All that the loader wrote, and its checksum. Nothing of it is believed then. */
static void test_self_handoff(void **state)
{
	static struct handoff before;

	(void)state;
	for (size_t off = 16; off < offsetof(struct handoff, crc) + 4; off += 4) {
		if (off / 8 * 8 == HANDOFF_RING3_EXIT)
			continue;	/* then we would not hear of it */
		before = *stage.h;
		check_self_mismatch((uint8_t *)stage.h + off, "its handoff: ");
		assert_int_equal(stage.h->flags, HANDOFF_SERIAL);
		*stage.h = before;
	}
}

/* ---- */

static void test_no_checks(void **state)
{
	(void)state;
	stage.h->digest = HANDOFF_DIGEST_NONE;
	flip_byte(stage.data[1]);
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(stage.h->verdict, VERDICT_UNCHECKED);
	assert_string_equal(log_text(), "kexec: nothing checked, starting kernel\n");
}

static void test_quiet(void **state)
{
	(void)state;
	stage.h->flags = HANDOFF_QUIET;
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);
	assert_string_equal(log_text(), "");
}

static void test_quiet_still_complains(void **state)
{
	(void)state;
	stage.h->flags = HANDOFF_QUIET;
	check_mismatch(0, 1);
}

/* In ring 3 a serial port is not touched, whatever the flags say: that would be a fault. */
static void test_no_ports(void **state)
{
	(void)state;
	stage.h->flags = HANDOFF_SERIAL | HANDOFF_RESET_VGA;
	stage.h->serial_port = 0x3f8;
	stage.h->serial_divisor = 1;
	assert_int_equal(run(), AT_ENTRY64);
	stage.h->verdict = VERDICT_NONE;
	stage.h->flags |= HANDOFF_HALT;
	check_mismatch(0, 0);
}

static void test_longest_success(void **state)
{
	(void)state;
	for (size_t i = 0; i < HANDOFF_REGIONS_MAX; i++)
		seal_region(i, "aregion", stage.data[0], 1);
	stage.h->n_regions = HANDOFF_REGIONS_MAX;
	stage.h->n_nmis = UINT32_MAX;
	assert_int_equal(run(), AT_ENTRY64);
	assert_string_equal(log_text(),
			    "kexec: 16 segments intact, 4294967295 NMIs, starting kernel\n");
	/* One more for the carriage return. */
	assert_in_range(stage.h->log_len + 1, 1, 64);
}

static void test_singular(void **state)
{
	(void)state;
	stage.h->n_regions = 1;
	stage.h->n_nmis = 1;
	assert_int_equal(run(), AT_ENTRY64);
	assert_string_equal(log_text(), "kexec: 1 segment intact, 1 NMI, starting kernel\n");
}

static void test_log_is_bounded(void **state)
{
	(void)state;
	for (size_t i = 0; i < HANDOFF_REGIONS_MAX; i++) {
		seal_region(i, "elevenchars", stage.data[0], 1);
		*digest_at(i, 0) ^= 1;
		/* A name may even lack its NUL. */
		memset(stage.h->regions[i].name, 'x', HANDOFF_NAME_LEN);
	}
	stage.h->n_regions = HANDOFF_REGIONS_MAX;
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(stage.h->log_len, HANDOFF_LOG_LEN);
	assert_log_has("segment xxxxxxxxxxxx is damaged");
}

static void test_log_len_from_outside(void **state)
{
	(void)state;
	stage.h->log_len = UINT32_MAX;
	assert_int_equal(run(), AT_ENTRY64);
	assert_string_equal(log_text(), "kexec: 3 segments intact, starting kernel\n");
}

/* A dummy frame buffer between two pages that cannot be touched. */
static uint16_t *make_vga(uint8_t **ret_mapping)
{
	uint8_t *m = mmap(NULL, 3 * PAGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint16_t *cells;

	assert_true(m != MAP_FAILED);
	assert_int_equal(mprotect(m + PAGE_LEN, PAGE_LEN, PROT_READ | PROT_WRITE), 0);
	*ret_mapping = m;
	/* Its end is the page's end: a line too many is a fault. */
	cells = (uint16_t *)(m + 2 * PAGE_LEN - VGA_LEN);
	stage.h->flags |= HANDOFF_VGA;
	stage.h->vga_text = (uintptr_t)cells;
	return cells;
}

static void write_row(uint16_t *cells, size_t row, const char *text)
{
	for (size_t i = 0; i < 80; i++)
		cells[row * 80 + i] = (uint16_t)(0x1f00 | (i < strlen(text) ? text[i] : ' '));
}

static void assert_row(const uint16_t *cells, size_t row, const char *expected)
{
	char text[81];
	size_t end = 0;

	for (size_t i = 0; i < 80; i++) {
		text[i] = (char)cells[row * 80 + i];
		if (text[i] != ' ' && text[i] != 0)
			end = i + 1;
	}
	text[end] = '\0';
	assert_string_equal(text, expected);
}

static void test_vga_below_text(void **state)
{
	uint8_t *mapping;
	uint16_t *cells = make_vga(&mapping);

	(void)state;
	write_row(cells, 3, "last words");
	assert_int_equal(run(), AT_ENTRY64);
	assert_row(cells, 3, "last words");
	assert_row(cells, 4, "kexec: 3 segments intact, starting kernel");
	assert_int_equal(cells[4 * 80], 0x0700 | 'k');
	assert_row(cells, 5, "");
	munmap(mapping, 3 * PAGE_LEN);
}

static void test_vga_scrolls(void **state)
{
	uint8_t *mapping;
	uint16_t *cells = make_vga(&mapping);
	char text[8];

	(void)state;
	for (size_t row = 0; row < 25; row++) {
		snprintf(text, sizeof(text), "row %zu", row);
		write_row(cells, row, text);
	}
	assert_int_equal(run(), AT_ENTRY64);
	assert_row(cells, 0, "row 1");
	assert_row(cells, 23, "row 24");
	assert_row(cells, 24, "kexec: 3 segments intact, starting kernel");
	munmap(mapping, 3 * PAGE_LEN);
}

/* More lines than the screen has, the longest wrapped: all that was said is there in the end. */
static void test_vga_wraps(void **state)
{
	uint8_t *mapping;
	uint16_t *cells = make_vga(&mapping);
	char last[80];

	(void)state;
	stage.h->digest = HANDOFF_DIGEST_SHA256;
	for (size_t i = 0; i < HANDOFF_REGIONS_MAX; i++) {
		seal_region(i, "elevenchars", stage.data[0], 1);
		*digest_at(i, 0) ^= 1;
	}
	stage.h->n_regions = HANDOFF_REGIONS_MAX;
	assert_int_equal(run(), AT_EXIT);
	snprintf(last, sizeof(last), "kexec: segment elevenchars is damaged: at %p, length 0x1",
		 (void *)stage.data[0]);
	assert_row(cells, 22, last);
	munmap(mapping, 3 * PAGE_LEN);
}

static void test_vga_quiet(void **state)
{
	uint8_t *mapping;
	uint16_t *cells = make_vga(&mapping);

	(void)state;
	stage.h->flags |= HANDOFF_QUIET;
	assert_int_equal(run(), AT_ENTRY64);
	for (size_t i = 0; i < 80 * 25; i++)
		assert_int_equal(cells[i], 0);
	munmap(mapping, 3 * PAGE_LEN);
}

static void check_bad_handoff(void)
{
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(stage.h->ring, 3);
	assert_int_equal(stage.h->verdict, VERDICT_BAD_HANDOFF);
	assert_log_has("handoff is unusable");
}

static void test_bad_magic(void **state)
{
	(void)state;
	stage.h->magic ^= 1ULL << 63;
	stage.h->flags = HANDOFF_VGA;	/* with no frame buffer: must not be believed */
	stage.h->log_len = UINT32_MAX;
	check_bad_handoff();
}

static void test_bad_len(void **state)
{
	(void)state;
	stage.h->len -= 8;
	check_bad_handoff();
}

static void test_bad_self(void **state)
{
	(void)state;
	stage.h->self += PAGE_LEN;
	check_bad_handoff();
}

static void test_bad_n_regions(void **state)
{
	(void)state;
	stage.h->n_regions = HANDOFF_REGIONS_MAX + 1;
	check_bad_handoff();
}

/* ---- the note to the next kernel */

static struct boot_note *put_note(size_t off)
{
	struct boot_note *note = (struct boot_note *)(stage.data[2] + off);

	protect_data(PROT_READ | PROT_WRITE);
	*note = (struct boot_note){ .magic = BOOT_NOTE_MAGIC, .len = sizeof(*note), .loaded = 1 };
	stage.h->boot_note = (uintptr_t)note;
	seal_regions(HANDOFF_DIGEST_CRC32C, CHUNK_LEN);
	return note;
}

static void test_marks(void **state)
{
	const uint64_t before = __builtin_ia32_rdtsc();
	const struct boot_note *note = put_note(1000);

	(void)state;
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);
	assert_int_equal(note->verdict, VERDICT_MATCH);
	assert_true(before < note->entered && note->entered < note->verified);
	assert_true(note->verified < note->left && note->left < __builtin_ia32_rdtsc());
	assert_int_equal(note->n_nmis, 0);
	assert_int_equal(note->loaded, 1);
	assert_int_equal(stage.data[2][999], 'c');
	assert_int_equal(stage.data[2][1000 + sizeof(*note)], 'c');
}

/* Damage is found in it as anywhere; there are no marks then. */
static void test_no_marks_in_damage(void **state)
{
	struct boot_note *note = put_note(1000);

	(void)state;
	note->loaded = 2;
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(stage.h->verdict, VERDICT_MISMATCH);
	assert_int_equal(note->entered | note->left, 0);
}

/* What is not digested may be anything by now: marks go to a note only. */
static void test_no_marks_in_what_is_no_note(void **state)
{
	struct boot_note *note = put_note(1000);

	(void)state;
	stage.h->digest = HANDOFF_DIGEST_NONE;
	note->magic++;
	assert_int_equal(run(), AT_ENTRY64);
	assert_int_equal(note->entered | note->left, 0);
}

static uint8_t copy_from[3001], copy_to[sizeof(copy_from) + 2];

static void set_copy(void)
{
	memset(copy_to, 0, sizeof(copy_to));
	for (size_t i = 0; i < sizeof(copy_from); i++)
		copy_from[i] = (uint8_t)(i * 7 + 1);
	stage.h->copy_from = (uintptr_t)copy_from;
	stage.h->copy_to = (uintptr_t)copy_to + 1;
	stage.h->copy_len = sizeof(copy_from);
}

static void test_copy(void **state)
{
	(void)state;
	set_copy();
	assert_int_equal(run(), AT_ENTRY64);
	assert_memory_equal(copy_to + 1, copy_from, sizeof(copy_from));
	assert_int_equal(copy_to[0], 0);
	assert_int_equal(copy_to[sizeof(copy_to) - 1], 0);
}

static void test_no_copy_of_what_is_damaged(void **state)
{
	(void)state;
	set_copy();
	flip_byte(stage.data[0]);
	assert_int_equal(run(), AT_EXIT);
	assert_int_equal(copy_to[1], 0);
}

static void test_bad_copy(void **state)
{
	struct handoff *h = stage.h, good = *h;

	(void)state;
	h->copy_len = UINT64_MAX;
	h->copy_to = 2;
	check_bad_handoff();
	*h = good;
	h->copy_len = 1;
	h->copy_to = h->self + h->self_len - 1;
	check_bad_handoff();
	*h = good;
	h->copy_len = PAGE_LEN;
	h->copy_to = h->self - PAGE_LEN + 1;
	check_bad_handoff();
}

static void test_bad_note(void **state)
{
	struct handoff *h = stage.h;

	(void)state;
	h->boot_note = UINT64_MAX - sizeof(struct boot_note) + 1;
	check_bad_handoff();
	h->boot_note = h->self + h->self_len - 1;
	check_bad_handoff();
	h->boot_note = h->self - sizeof(struct boot_note) + 1;
	check_bad_handoff();
}

static void test_bad_digests(void **state)
{
	struct handoff *h = stage.h, good = *h;
	const struct purgatory_head head = head_of_image();

	(void)state;
	/* Tables that are elsewhere, in part, or not large enough; regions beyond them. */
#define BAD(change) \
	do { \
		*h = good; \
		change; \
		check_bad_handoff(); \
	} while (0)
	BAD(h->digest = 3);
	BAD(h->chunk_len = 0);
	BAD(h->chunk_len = 100);
	BAD(h->digests = (uintptr_t)stage.image);
	BAD(h->digests = (uintptr_t)stage.tables - 1);
	BAD(h->digests = (uintptr_t)stage.image + stage.image_len - 4);
	BAD(h->digests = UINT64_MAX - 3);
	BAD(h->n_chunks = UINT32_MAX);
	BAD(h->n_chunks = 0);
	BAD(h->n_chunks = 2 * CHUNKS_PER_REGION + CHUNKS_PER_REGION - 1);
	BAD(h->regions[2].first_chunk = UINT32_MAX);
	BAD(h->regions[2].first_chunk = h->n_chunks);
	BAD(h->regions[0].len = UINT64_MAX);
	BAD(h->regions[0].start = UINT64_MAX - 2);
	/* In these there is no telling what the tables' checksum is of: it is not looked at. */
#undef BAD
#define BAD(change) \
	do { \
		*h = good; \
		seal_self(); \
		change; \
		h->crc = crc_of_handoff(); \
		assert_int_equal(run_unsealed(), AT_EXIT); \
		assert_int_equal(h->verdict, VERDICT_BAD_HANDOFF); \
	} while (0)
	BAD(h->self_len = head.mem_len - 1);
	BAD(h->self_len = 0);
	BAD(h->self_len = UINT64_MAX);
#undef BAD
}

static void test_bad_paging(void **state)
{
	struct handoff *h = stage.h, good;

	(void)state;
	h->cr3_4level = h->cr3_5level = (uintptr_t)stage.tables;
	good = *h;
	for (uint32_t paging = HANDOFF_PAGING_KEEP; paging <= HANDOFF_PAGING_5_LEVEL; paging++) {
		/* In ring 3 a good wish has no effect. */
		*h = good;
		h->paging = paging;
		assert_int_equal(run(), AT_ENTRY64);
		assert_int_equal(h->n_levels, 0);
		*h = good;
		h->paging = paging;
		h->cr3_5level = (uintptr_t)stage.data[0];
		check_bad_handoff();
		*h = good;
		h->paging = paging;
		h->cr3_4level = (uintptr_t)stage.image + stage.image_len - PAGE_LEN + 1;
		check_bad_handoff();
	}
	*h = good;
	h->paging = HANDOFF_PAGING_4_LEVEL;
	h->cr3_4level = 0;
	check_bad_handoff();
	*h = good;
	h->paging = 3;
	check_bad_handoff();
	*h = good;
	h->paging = HANDOFF_PAGING_4_LEVEL;
	h->leave = LEAVE_32;
	h->ring3_cs32 = USER32_CS;
	h->entry = h->arg = 0x1000;
	check_bad_handoff();
}

static void test_bad_leave(void **state)
{
	(void)state;
	stage.h->leave = 3;
	check_bad_handoff();
	assert_log_has("unknown way to leave");
}

/* A process cannot go there, but all else is looked at before that is said. */
static void test_leave16(void **state)
{
	static const struct {
		phys_t entry, arg;
		const char *says;
	} v[] = {
		{ 0x10200, 0x10000, "this is a process" },
		{ 0xf0200, 0xf0000, "this is a process" },
		{ 0x10200, 0x10008, "not below 1 MiB" },
		{ 0xf0210, 0xf0010, "not below 1 MiB" },
		{ MIB, MIB, "not below 1 MiB" },
		{ 0x10200, UINT64_MAX - 15, "not below 1 MiB" },
		{ 0x10201, 0x10000, "not in the setup code" },
		{ 0x20000, 0x10000, "not in the setup code" },
		{ 0xfff0, 0x10000, "not in the setup code" },
	};
	const struct handoff good = *stage.h;

	(void)state;
	for (size_t i = 0; i < array_len(v); i++) {
		*stage.h = good;
		stage.h->leave = LEAVE_16;
		stage.h->entry = v[i].entry;
		stage.h->arg = v[i].arg;
		check_bad_handoff();
		assert_log_has(v[i].says);
	}
}

static void test_leave32_without_selector(void **state)
{
	(void)state;
	stage.h->leave = LEAVE_32;
	stage.h->entry = (uintptr_t)stage.landing;
	stage.h->arg = 0x1000;
	check_bad_handoff();
}

static void test_leave32_too_high(void **state)
{
	(void)state;
	stage.h->leave = LEAVE_32;
	stage.h->ring3_cs32 = USER32_CS;
	stage.h->arg = 0x1000;
	stage.h->entry = 4 * GIB;
	check_bad_handoff();
}

static void test_leave32_arg_too_high(void **state)
{
	(void)state;
	stage.h->leave = LEAVE_32;
	stage.h->ring3_cs32 = USER32_CS;
	stage.h->arg = 4 * GIB;
	stage.h->entry = 4 * GIB - 1;
	check_bad_handoff();
}

/* Does this kernel let a process run 32-bit code at all? */
static bool has_32bit(void)
{
	return enter_guarded(enter32, stage.landing) == AT_ENTRY32;
}

static void test_entry32(void **state)
{
	struct pushed32 got;

	(void)state;
	if (!has_32bit())
		skip();
	stage.h->leave = LEAVE_32;
	stage.h->ring3_cs32 = USER32_CS;
	stage.h->entry = (uintptr_t)stage.landing;
	stage.h->arg = 0xfedcba98;
	assert_int_equal(run(), AT_ENTRY32);
	assert_int_equal(stage.h->verdict, VERDICT_MATCH);
	memcpy(&got, (void *)(uintptr_t)arrival.pushed, sizeof(got));
	assert_int_equal(got.esi, 0xfedcba98);
	assert_int_equal(got.ebp | got.edi | got.ebx | got.eax | got.ecx | got.edx, 0);
	assert_in_range(got.esp, (uintptr_t)stage.image, (uintptr_t)stage.image + stage.image_len);
	assert_int_equal(got.eflags & RFLAGS_DF, 0);
	/* Usable as data segment: Linux gives a 64-bit process null in DS, this is its SS. */
	assert_int_not_equal(arrival.ds, 0);
}

static void test_registers32(void **state)
{
	struct pushed32 got;
	uint32_t frame[2];

	(void)state;
	if (!has_32bit())
		skip();
	stage.h->leave = LEAVE_32;
	stage.h->ring3_cs32 = USER32_CS;
	stage.h->entry = (uintptr_t)stage.landing;
	stage.h->arg = 0;
	stage.h->eax = 0x36d76289;
	stage.h->ebx = 0xfedcba98;
	stage.h->c_arg = 0xfffffff0;
	assert_int_equal(run(), AT_ENTRY32);
	memcpy(&got, (void *)(uintptr_t)arrival.pushed, sizeof(got));
	assert_int_equal(got.eax, 0x36d76289);
	assert_int_equal(got.ebx, 0xfedcba98);
	assert_int_equal(got.esi | got.ebp | got.edi | got.ecx | got.edx, 0);
	memcpy(frame, (void *)(uintptr_t)(got.esp + 4), sizeof(frame));	/* pushfl was before it */
	assert_int_equal(frame[0], 0);
	assert_int_equal(frame[1], 0xfffffff0);
}

static void test_leave32_c_arg_too_high(void **state)
{
	(void)state;
	stage.h->leave = LEAVE_32;
	stage.h->ring3_cs32 = USER32_CS;
	stage.h->arg = 0x1000;
	stage.h->entry = 0x1000;
	stage.h->c_arg = 4 * GIB;
	check_bad_handoff();
}

/* A handler that hides privileged instructions would prove nothing. */
static void test_faults_are_seen(void **state)
{
	static const uint8_t outb[] = { 0xe6, 0x80 };

	(void)state;
	memcpy(stage.image + head_of_image().entry_off, outb, sizeof(outb));
	assert_int_equal(run(), AT_FAULT);
}

/* ---- the loader's side: what purgatory_plan() and purgatory_finish() make ---- */

static struct facts facts;
static struct request request;
static struct plan plan;
static const struct mem_entry small_map[] = {
	{ { 0, 0x9fc00 }, MEM_RAM },
	{ { 0x9fc00, 0xa0000 }, MEM_RESERVED },
	{ { MIB, 1 * GIB }, MEM_RAM },
	{ { 0x50000000, 0x50001000 }, MEM_ACPI },
	{ { 0x58000000, 0x58001000 }, MEM_NVS },
	{ { 0x60000000, 0x60001000 }, MEM_RESERVED },
	{ { 4 * GIB, 5 * GIB }, MEM_RAM },
};

static void make_plan(enum jump_mode mode)
{
	memset(&arena, 0, sizeof(arena));
	diag_init(&diag, &arena);
	plan_init(&plan, &arena);
	memset(&facts, 0, sizeof(facts));
	facts.map = small_map;
	facts.n_map = array_len(small_map);
	facts.cpu.tsc_khz = 2500000;
	range_list_init(&facts.ram, &arena);
	assert_int_equal(range_list_add(&facts.ram, small_map[2].range), 0);
	assert_int_equal(range_list_add(&facts.ram, small_map[6].range), 0);
	request = (struct request){ .console_serial = -1, .console_vga = -1 };
	plan.jump_mode = mode;
}

static struct segment *add_segment(const char *name, size_t len, phys_t addr)
{
	const struct segment_wish wish = { .name = name, .is_digested = true };
	struct segment *s;

	assert_int_equal(plan_add_own(&plan, &wish, len, &s, &diag), 0);
	memset(s->own, name[0], len);
	s->addr = addr;
	s->is_placed = true;
	return s;
}

static int plan_and_finish(phys_t addr)
{
	int r = purgatory_plan(&request, &facts, &plan, &diag);
	struct segment *self;

	if (r < 0)
		return r;
	self = plan_find(&plan, PURGATORY_SEGMENT);
	self->addr = addr;
	self->is_placed = true;
	return purgatory_finish(&request, &facts, &plan, &diag);
}

static struct handoff planned_handoff(void)
{
	struct handoff h;

	memcpy(&h, plan_find(&plan, PURGATORY_SEGMENT)->own + head_of_image().handoff_off, sizeof(h));
	return h;
}

static int start_plan(void **state)
{
	(void)state;
	make_plan(JUMP_64);
	return 0;
}

static int end_plan(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static void test_plan(void **state)
{
	struct segment *s;

	(void)state;
	for (enum jump_mode mode = JUMP_64; mode <= JUMP_16; mode++) {
		arena_free(&arena);
		make_plan(mode);
		assert_int_equal(purgatory_plan(&request, &facts, &plan, &diag), 0);
		s = plan_find(&plan, PURGATORY_SEGMENT);
		assert_non_null(s);
		assert_false(s->is_digested);
		assert_int_equal(s->min, MIB);
		assert_int_equal(s->end, mode == JUMP_64 ? PAGETABLE_END : 4 * GIB);
		assert_true(s->bytes.len > head_of_image().mem_len);
		assert_memory_equal(s->own, purgatory_image().data, purgatory_image().len);
	}
}

/* It jumps with paging off: to 32-bit code, which has to be within its reach. */
static void test_plan_on_a_32bit_kernel(void **state)
{
	struct segment *s;

	(void)state;
	facts.is_32bit_kernel = true;
	assert_int_equal(purgatory_plan(&request, &facts, &plan, &diag), -ENOEXEC);
	assert_string_equal(diag.id, "purgatory/no-long-mode");
	diag_clear(&diag);
	facts.cpu.has_long_mode = true;
	assert_int_equal(plan_and_finish(16 * MIB), 0);
	s = plan_find(&plan, PURGATORY_SEGMENT);
	assert_int_equal(s->end, 4 * GIB);
	assert_int_equal(plan.entry, 16 * MIB + head_of_image().entry32_off);
	assert_int_not_equal(head_of_image().entry32_off, head_of_image().entry_off);
}

static void test_finish(void **state)
{
	struct segment *kernel, *tail, *self;
	struct crc32c crc;
	struct handoff h;
	uint32_t digest;

	(void)state;
	crc32c_start_portable(&crc);
	kernel = add_segment("kernel", 100000, 0x1000000);
	tail = add_segment("elevenchars", 1, 0x2000000);
	add_segment("unchecked", 10, 0x3000000)->is_digested = false;
	plan.jump_entry = 0x1000200;
	plan.jump_arg = 0x2000000;
	request.quiet = true;
	request.on_failure = ON_FAILURE_HALT;
	request.reset_vga = true;
	assert_int_equal(plan_and_finish(0x4000000), 0);

	h = planned_handoff();
	assert_int_equal(h.magic, HANDOFF_MAGIC);
	assert_int_equal(h.len, sizeof(h));
	assert_int_equal(h.self, 0x4000000);
	assert_int_equal(h.flags, HANDOFF_QUIET | HANDOFF_HALT | HANDOFF_RESET_VGA);
	assert_int_equal(h.leave, LEAVE_64);
	assert_int_equal(h.entry, 0x1000200);
	assert_int_equal(h.arg, 0x2000000);
	assert_int_equal(h.tsc_khz, 2500000);
	assert_int_equal(h.fail_delay_ms, 5000);
	assert_int_equal(h.vga_text, 0xb8000);
	assert_int_equal(h.verdict, VERDICT_NONE);
	assert_int_equal(plan.entry, 0x4000000 + head_of_image().entry_off);

	assert_int_equal(h.n_regions, 2);
	assert_string_equal(h.regions[0].name, "kernel");
	assert_int_equal(h.regions[0].start, 0x1000000);
	assert_int_equal(h.regions[0].len, 100000);
	assert_string_equal(h.regions[1].name, "elevenchars");
	assert_int_equal(h.regions[0].first_chunk, 0);
	assert_int_equal(h.regions[1].first_chunk, 2);

	/* The digests are in purgatory's segment, and so are the page tables. */
	self = plan_find(&plan, PURGATORY_SEGMENT);
	assert_int_equal(h.digest, HANDOFF_DIGEST_CRC32C);
	assert_int_equal(h.chunk_len, HANDOFF_CHUNK_LEN);
	assert_int_equal(h.n_chunks, 3);
	assert_int_equal(h.self_len, self->bytes.len);
	assert_in_range(h.digests, self->addr + head_of_image().mem_len, h.cr3_5level - 3 * CRC32C_LEN);
	assert_ptr_equal(kernel->digests, self->own + (h.digests - self->addr));
	assert_ptr_equal(tail->digests, kernel->digests + 2 * CRC32C_LEN);
	digest = crc32c_add(&crc, 0, kernel->own, HANDOFF_CHUNK_LEN);
	assert_memory_equal(kernel->digests, &digest, CRC32C_LEN);
	digest = crc32c_add(&crc, 0, kernel->own, 100000 - HANDOFF_CHUNK_LEN);
	assert_memory_equal(kernel->digests + CRC32C_LEN, &digest, CRC32C_LEN);
	digest = crc32c_add(&crc, 0, tail->own, 1);
	assert_memory_equal(tail->digests, &digest, CRC32C_LEN);
}

static void test_finish_no_checks(void **state)
{
	struct segment *kernel;
	struct handoff h;

	(void)state;
	kernel = add_segment("kernel", 5000, 0x1000000);
	request.digest = DIGEST_NONE;
	assert_int_equal(plan_and_finish(0x4000000), 0);
	h = planned_handoff();
	assert_int_equal(h.digest, HANDOFF_DIGEST_NONE);
	assert_int_equal(h.n_regions, 0);
	assert_int_equal(h.n_chunks, 0);
	assert_null(kernel->digests);
}

/* A segment that grew after purgatory was planned: its digests have no room. */
static void test_segments_changed(void **state)
{
	static uint8_t longer[200 * HANDOFF_CHUNK_LEN];
	struct segment *kernel;

	(void)state;
	kernel = add_segment("kernel", 5000, 0x1000000);
	request.digest = DIGEST_SHA256;
	assert_int_equal(purgatory_plan(&request, &facts, &plan, &diag), 0);
	plan_find(&plan, PURGATORY_SEGMENT)->addr = 0x4000000;
	plan_find(&plan, PURGATORY_SEGMENT)->is_placed = true;
	kernel->bytes = span_of(longer, sizeof(longer));
	/* The page tables move up, behind the digests. */
	assert_int_equal(purgatory_finish(&request, &facts, &plan, &diag), -ENOSPC);
	assert_string_equal(diag.id, "pagetable/no-room");
}

static void test_paging(void **state)
{
	static const struct {
		enum jump_mode mode;
		enum paging paging;
		phys_t end;
		uint32_t expected;
	} v[] = {
		{ JUMP_64, PAGING_KEEP, PAGETABLE_END, HANDOFF_PAGING_KEEP },
		{ JUMP_64, PAGING_4_LEVEL, 4 * GIB, HANDOFF_PAGING_4_LEVEL },
		{ JUMP_64, PAGING_5_LEVEL, 4 * GIB, HANDOFF_PAGING_5_LEVEL },
		{ JUMP_32, PAGING_5_LEVEL, 4 * GIB, HANDOFF_PAGING_KEEP },
		{ JUMP_16, PAGING_KEEP, 4 * GIB, HANDOFF_PAGING_KEEP },
	};

	(void)state;
	for (size_t i = 0; i < array_len(v); i++) {
		arena_free(&arena);
		make_plan(v[i].mode);
		plan.paging = v[i].paging;
		add_segment("kernel", 5000, 0x1000000);
		assert_int_equal(plan_and_finish(0x4000000), 0);
		assert_int_equal(plan_find(&plan, PURGATORY_SEGMENT)->end, v[i].end);
		assert_int_equal(planned_handoff().paging, v[i].expected);

		arena_free(&arena);
		make_plan(v[i].mode);
		plan.paging = v[i].paging;
		if (plan_and_finish(4 * GIB) == 0)
			assert_int_equal(v[i].end, PAGETABLE_END);
		else if (v[i].mode == JUMP_64)
			assert_string_equal(diag.id, "purgatory/paging-above-4gib");
	}
}

/* One step down from a table of the segment; 0 if the entry is not present. */
static uint64_t planned_entry(phys_t table, uint64_t index)
{
	const struct segment *self = plan_find(&plan, PURGATORY_SEGMENT);
	uint64_t entry;

	assert_in_range(table, self->addr, self->addr + self->bytes.len - PAGE_LEN);
	memcpy(&entry, self->own + (table - self->addr) + (index & 511) * 8, sizeof(entry));
	return entry & 1 ? entry : 0;
}

/* Is the address mapped from this root? Identity is test_pagetable.c's business. */
static bool is_mapped(phys_t root, phys_t address)
{
	uint64_t entry = planned_entry(root, address >> 39);

	if (entry)
		entry = planned_entry(entry & ~0xfffULL, address >> 30);
	if (entry && !(entry & 0x80))
		entry = planned_entry(entry & ~0xfffULL, address >> 21);
	return entry != 0;
}

static void test_finish_tables(void **state)
{
	static const phys_t mapped[] = { 0,	     0x40e,	 0xb8000,    MIB,	 0x3fffffff,
					 0x50000000, 0x58000000, 0x70000000, 0x7000ffff, 0x74000000,
					 0x78000000, 4 * GIB,	 5 * GIB - 1 };
	static const phys_t unmapped[] = { 0x48000000, 0x60000000, 0x80000000, 5 * GIB, 64 * GIB };
	struct handoff h;

	(void)state;
	facts.efi = (struct efi_facts){
		.is_booted = true,
		.config_table = 0x70000000,
		.fw_vendor = 0x74000000,
	};
	facts.has_boot_params = true;
	/* efi_info.efi_systab: 0x1c0 + 4 */
	memcpy(facts.boot_params + 0x1c4, &(uint32_t){ 0x78000000 }, 4);
	add_segment("kernel", 5000, 4 * GIB);
	assert_int_equal(plan_and_finish(0x4000000), 0);
	h = planned_handoff();
	for (size_t i = 0; i < array_len(mapped); i++)
		assert_true(is_mapped(h.cr3_4level, mapped[i]));
	for (size_t i = 0; i < array_len(unmapped); i++)
		assert_false(is_mapped(h.cr3_4level, unmapped[i]));
	assert_int_equal(planned_entry(h.cr3_5level, 0) & ~0xfffULL, h.cr3_4level);
}

static void test_memory_not_mapped_is_noted(void **state)
{
	static const struct mem_entry map[] = { { { 0, GIB }, MEM_RAM },
						{ { 128 * TIB, 129 * TIB }, MEM_RAM } };

	(void)state;
	facts.map = map;
	facts.n_map = array_len(map);
	add_segment("kernel", 5000, 0x1000000);
	assert_int_equal(plan_and_finish(0x4000000), 0);
	assert_non_null(diag_find_note(&diag, "purgatory/memory-not-mapped"));
}

static void test_consoles(void **state)
{
	static const struct {
		int serial, vga;
		uint16_t asked_port, found_port;
		bool has_vga;
		uint32_t baud;
		const char *skipped;
		const char *text;
		uint32_t flags;
		uint16_t port, divisor;
	} v[] = {
		{ -1, -1, 0, 0, false, 0, NULL, "none", 0, 0, 0 },
		{ -1, -1, 0, 0x2f8, false, 0, NULL, "ttyS 0x2f8", HANDOFF_SERIAL, 0x2f8, 0 },
		{ -1, -1, 0x3e8, 0x2f8, false, 0, NULL, "ttyS 0x3e8", HANDOFF_SERIAL, 0x3e8, 0 },
		{ -1, -1, 0, 0, true, 0, NULL, "vga text", HANDOFF_VGA, 0, 0 },
		{ -1, -1, 0, 0x3f8, true, 0, "x", "ttyS 0x3f8, vga text",
		  HANDOFF_SERIAL | HANDOFF_VGA, 0x3f8, 0 },
		{ 0, 0, 0x3f8, 0x3f8, true, 9600, NULL, "none", 0, 0, 0 },
		{ 1, 1, 0, 0, false, 9600, NULL, "ttyS 0x3f8, vga text",
		  HANDOFF_SERIAL | HANDOFF_VGA, 0x3f8, 12 },
		{ 1, -1, 0, 0, false, 115200, NULL, "ttyS 0x3f8", HANDOFF_SERIAL, 0x3f8, 1 },
		{ -1, -1, 0, 0, false, 0, "ttyS4: MMIO", "none (ttyS4: MMIO)", 0, 0, 0 },
		{ -1, -1, 0, 0, true, 0, "ttyS4: MMIO", "vga text (ttyS4: MMIO)", HANDOFF_VGA, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < array_len(v); i++) {
		struct handoff h;

		arena_free(&arena);
		make_plan(JUMP_64);
		request.console_serial = v[i].serial;
		request.console_vga = v[i].vga;
		request.serial_port = v[i].asked_port;
		request.serial_baud = v[i].baud;
		facts.console = (struct console_facts){ v[i].found_port, v[i].has_vga, v[i].skipped };
		assert_int_equal(plan_and_finish(0x4000000), 0);
		h = planned_handoff();
		assert_string_equal(plan.console, v[i].text);
		assert_int_equal(h.flags, v[i].flags);
		assert_int_equal(h.serial_port, v[i].port);
		assert_int_equal(h.serial_divisor, v[i].divisor);
	}
}

static void test_bad_baud(void **state)
{
	static const uint32_t rates[] = { 1, 56000, 115201, 230400, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < array_len(rates); i++) {
		arena_free(&arena);
		make_plan(JUMP_64);
		request.console_serial = 1;
		request.serial_baud = rates[i];
		assert_int_equal(plan_and_finish(0x4000000), -EINVAL);
		assert_string_equal(diag.id, "purgatory/serial-baud");
	}
}

static void test_not_placed(void **state)
{
	(void)state;
	assert_int_equal(purgatory_finish(&request, &facts, &plan, &diag), -EINVAL);
	assert_string_equal(diag.id, "purgatory/not-placed");
	diag_clear(&diag);
	add_segment("kernel", 1, 0x1000000)->is_placed = false;
	assert_int_equal(plan_and_finish(0x4000000), -EINVAL);
	assert_string_equal(diag.id, "purgatory/not-placed");
}

static void test_32bit_limits(void **state)
{
	static const struct {
		phys_t kernel, entry, arg, self;
		const char *id;
	} v[] = {
		{ 0x1000000, 0x1000000, 0x2000000, 4 * GIB, "purgatory/above-4gib" },
		{ 4 * GIB - PAGE_LEN, 0x1000000, 0x2000000, MIB, "purgatory/above-4gib" },
		{ 0x1000000, 4 * GIB, 0x2000000, MIB, "purgatory/entry-above-4gib" },
		{ 0x1000000, 0x1000000, 4 * GIB, MIB, "purgatory/entry-above-4gib" },
	};

	(void)state;
	for (size_t i = 0; i < array_len(v); i++) {
		arena_free(&arena);
		make_plan(JUMP_32);
		add_segment("kernel", 5000, v[i].kernel);
		plan.jump_entry = v[i].entry;
		plan.jump_arg = v[i].arg;
		assert_int_equal(plan_and_finish(v[i].self), -EADDRNOTAVAIL);
		assert_string_equal(diag.id, v[i].id);
	}
}

static void test_real_mode_leave(void **state)
{
	struct handoff h;

	(void)state;
	arena_free(&arena);
	make_plan(JUMP_16);
	add_segment("setup", 5000, 0x10000);
	plan.jump_entry = 0x10200;
	plan.jump_arg = 0x10000;
	assert_int_equal(plan_and_finish(0x4000000), 0);
	h = planned_handoff();
	assert_int_equal(h.leave, LEAVE_16);
	assert_int_equal(h.entry, 0x10200);
	assert_int_equal(h.arg, 0x10000);
	assert_int_equal(h.n_regions, 1);
	arena_free(&arena);
	make_plan(JUMP_16);
	add_segment("setup", 5000, 0x10000);
	assert_int_equal(plan_and_finish(4 * GIB), -EADDRNOTAVAIL);
	assert_string_equal(diag.id, "purgatory/above-4gib");
}

static void test_segment_out_of_reach(void **state)
{
	(void)state;
	add_segment("kernel", 5000, PAGETABLE_END - PAGE_LEN);
	assert_int_equal(plan_and_finish(0x4000000), -EADDRNOTAVAIL);
	assert_string_equal(diag.id, "purgatory/segment-not-mapped");
}

/* A segment outside RAM breaks the promise that the tables were sized by. */
static void test_segment_outside_ram(void **state)
{
	(void)state;
	add_segment("kernel", 5000, 64 * GIB);
	assert_int_equal(plan_and_finish(0x4000000), -ENOSPC);
	assert_string_equal(diag.id, "pagetable/no-room");
}

static void test_no_memory(void **state)
{
	size_t n;

	(void)state;
	facts.console.serial_port = 0x3f8;
	assert_int_equal(plan_and_finish(0x4000000), 0);
	n = arena.n_allocations;
	for (size_t fail_at = 1; fail_at <= n; fail_at++) {
		arena_free(&arena);
		make_plan(JUMP_64);
		facts.console.serial_port = 0x3f8;
		if (fail_at <= arena.n_allocations)
			continue;
		arena.fail_at = fail_at;
		assert_int_equal(plan_and_finish(0x4000000), -ENOMEM);
		assert_string_equal(diag.id, "memory/exhausted");
	}
}

#define RUN_LEN		(2 * MIB)
#define RUN_KERNEL_OFF	MIB
#define RUN_KERNEL_LEN	(9 * HANDOFF_CHUNK_LEN + 1234)

/* What the loader makes is what purgatory takes: the same segment, run at its address. Byte at of the
 * kernel is flipped on the way. */
static enum place run_planned(enum digest digest, enum paging paging, size_t at)
{
	const struct purgatory_head head = head_of_image();
	struct segment *self, *kernel;
	struct mem_entry ram;
	enum place place;

	make_plan(JUMP_64);
	stage.memory = mmap(NULL, RUN_LEN, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	assert_true(stage.memory != MAP_FAILED);
	ram = (struct mem_entry){ { (uintptr_t)stage.memory, (uintptr_t)stage.memory + RUN_LEN },
				  MEM_RAM };
	facts.map = &ram;
	facts.n_map = 1;
	request.digest = digest;
	plan.paging = paging;
	kernel = add_segment("kernel", RUN_KERNEL_LEN, (uintptr_t)stage.memory + RUN_KERNEL_OFF);
	plan.jump_entry = (uintptr_t)arrive64;
	plan.jump_arg = kernel->addr;
	assert_int_equal(plan_and_finish((uintptr_t)stage.memory), 0);
	self = plan_find(&plan, PURGATORY_SEGMENT);
	assert_in_range(self->mem_len, 1, RUN_KERNEL_OFF);
	assert_int_equal(plan.entry, (uintptr_t)stage.memory + head.entry_off);
	memcpy(stage.memory, self->own, self->bytes.len);
	memcpy(stage.memory + RUN_KERNEL_OFF, kernel->own, kernel->bytes.len);
	stage.memory[RUN_KERNEL_OFF + at] ^= 0x80;

	stage.h = (struct handoff *)(stage.memory + head.handoff_off);
	stage.h->ring3_exit = (uintptr_t)arrive_exit;
	stage.image = stage.memory;
	stage.h->crc = crc_of_handoff();
	place = enter_guarded(enter, stage.memory + head.entry_off);
	if (place == AT_ENTRY64)
		assert_int_equal(arrival.rsi, kernel->addr);
	return place;
}

static void end_planned(void)
{
	munmap(stage.memory, RUN_LEN);
	arena_free(&arena);
}

static void test_planned_image_runs(void **state)
{
	(void)state;
	for (enum digest digest = DIGEST_CRC32C; digest <= DIGEST_NONE; digest++) {
		for (enum paging paging = PAGING_KEEP; paging <= PAGING_5_LEVEL; paging++) {
			/* A byte that no digest covers: it is beyond the segment's bytes. */
			assert_int_equal(run_planned(digest, paging, RUN_KERNEL_LEN), AT_ENTRY64);
			assert_string_equal(log_text(),
					    digest == DIGEST_NONE ?
						    "kexec: nothing checked, starting kernel\n" :
						    "kexec: 1 segment intact, starting kernel\n");
			end_planned();
		}
	}
}

static void test_planned_image_finds_damage(void **state)
{
	static const size_t places[] = { 0, HANDOFF_CHUNK_LEN, 5 * HANDOFF_CHUNK_LEN + 17,
					 RUN_KERNEL_LEN - 1 };

	(void)state;
	for (enum digest digest = DIGEST_CRC32C; digest <= DIGEST_SHA256; digest++) {
		for (size_t i = 0; i < array_len(places); i++) {
			assert_int_equal(run_planned(digest, PAGING_KEEP, places[i]), AT_EXIT);
			assert_int_equal(stage.h->verdict, VERDICT_MISMATCH);
			assert_int_equal(stage.h->bad_region, 0);
			assert_int_equal(stage.h->bad_off, align_down(places[i], HANDOFF_CHUNK_LEN));
			end_planned();
		}
	}
}

/*
 * ---- every bit of the image ----
 *
 * One bit of what a machine gets is not what it was, and purgatory runs. Processes of their own do
 * that, some hundred bits each, since damaged code may do anything: they may make no system call, and
 * have little time.
 */

enum outcome {
	OUTCOME_NONE,
	OUTCOME_NAMED,		/* "segment purgatory is damaged" */
	OUTCOME_LAST_WORDS,	/* found, by what has no log: that much is told in ring 0 */
	OUTCOME_FOUND,		/* found, but it ended in another way */
	OUTCOME_EXCEPTION,	/* in ring 0 that is reported, or a reset */
	OUTCOME_HANG,
	OUTCOME_OTHER,		/* another report, or it went where it should not */
	OUTCOME_BOOTED,		/* as if nothing were wrong */
	N_OUTCOMES,
};

static const char *const outcome_names[N_OUTCOMES] = {
	"not run", "named", "last words", "found", "exception", "hang", "elsewhere", "booted",
};

#define BITS_PER_PROCESS	512
#define HANG_US			40000	/* of CPU time; a run takes less than one thousand */

static uint8_t *pristine;
static uint8_t *outcomes;	/* one for each bit, shared with the processes */

static enum outcome outcome_now(enum place place)
{
	static const char named[] = "kexec: segment purgatory is damaged";

	if (place != AT_EXIT && place != AT_ENTRY64 && stage.h->bad_region == HANDOFF_SELF)
		return OUTCOME_FOUND;
	if (place == AT_FAULT)
		return fault == SIGVTALRM ? OUTCOME_HANG :
		       fault == SIGSYS ? OUTCOME_OTHER : OUTCOME_EXCEPTION;
	if (place == AT_ENTRY64)
		return OUTCOME_BOOTED;
	if (place == AT_EXIT && stage.h->verdict == VERDICT_MISMATCH &&
	    stage.h->bad_region == HANDOFF_SELF)
		return stage.h->log_len == 0 ? OUTCOME_LAST_WORDS :
		       memmem(stage.h->log, stage.h->log_len, named, sizeof(named) - 1) ?
						      OUTCOME_NAMED : OUTCOME_FOUND;
	return OUTCOME_OTHER;
}

static enum outcome run_with_bit(size_t bit)
{
	const struct itimerval limit = { .it_value.tv_usec = HANG_US }, no_limit = { 0 };
	enum place place;

	memcpy(stage.image, pristine, stage.image_len);
	stage.image[bit / 8] ^= (uint8_t)(1 << bit % 8);
	setitimer(ITIMER_VIRTUAL, &limit, NULL);
	place = enter_guarded(enter, stage.image + head_of_image().entry_off);
	setitimer(ITIMER_VIRTUAL, &no_limit, NULL);
	return outcome_now(place);
}

/* What the test itself calls, in the process and when it ends. */
static void forbid_calls(void)
{
	static const int allowed[] = { SYS_rt_sigaction, SYS_rt_sigreturn, SYS_sigaltstack,
				       SYS_setitimer, SYS_exit_group, SYS_rt_sigprocmask };
	struct sock_filter code[array_len(allowed) + 3];
	struct sock_fprog program = { .len = array_len(code), .filter = code };
	size_t n = array_len(allowed);

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					       offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < n; i++)
		code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   (uint32_t)allowed[i],
							   (uint8_t)(n - i), 0);
	code[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	code[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(1);
}

/* The bits [at, end) of that many between; the next one that has no outcome. */
static size_t run_some_bits(size_t at, size_t end, size_t step)
{
	/* Damage may also have taken its timer from it. */
	const struct rlimit seconds = { .rlim_cur = 4, .rlim_max = 4 };
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CPU, &seconds);
		forbid_calls();
		for (; at < end; at += step)
			outcomes[at] = (uint8_t)run_with_bit(at);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (at < end && outcomes[at] != OUTCOME_NONE)
		at += step;
	if (at < end) {		/* it did not survive that one, or there were many hangs before */
		outcomes[at] = OUTCOME_OTHER;
		at += step;
	}
	return at;
}

/* What is not plain is looked at again, in a process that has seen no other damage. */
static void run_bits(size_t first, size_t end, size_t step)
{
	for (size_t at = first; at < end;)
		at = run_some_bits(at, at + BITS_PER_PROCESS * step < end ?
						at + BITS_PER_PROCESS * step : end, step);
	for (size_t at = first; at < end; at += step) {
		if (outcomes[at] == OUTCOME_NAMED || outcomes[at] == OUTCOME_EXCEPTION)
			continue;
		outcomes[at] = OUTCOME_NONE;
		run_some_bits(at, at + 1, 1);
	}
}

/* Damage in what makes reports ends in the last words; all other is named. Between the core and these
 * are the last words themselves and what leads back to a process, for which that need not hold. */
static void check_report(const struct purgatory_head *head, size_t first, size_t end, size_t step)
{
	for (size_t at = first; at < end; at += step) {
		const bool is_report = at / 8 >= head->report_off && at / 8 < head->report_end;
		const enum outcome wanted = is_report ? OUTCOME_LAST_WORDS : OUTCOME_NAMED;

		if (outcomes[at] != wanted)
			print_message("+%#zx bit %zu: %s\n", at / 8, at % 8,
				      outcome_names[outcomes[at]]);
		if (at / 8 >= head->report_off)
			assert_int_equal(outcomes[at], wanted);
	}
}

/* How often there was each; what must not be there is shown. */
static void count(const char *what, size_t first, size_t end, size_t step, size_t ret[N_OUTCOMES])
{
	memset(ret, 0, N_OUTCOMES * sizeof(*ret));
	for (size_t at = first; at < end; at += step) {
		ret[outcomes[at]]++;
		if (outcomes[at] == OUTCOME_BOOTED || outcomes[at] == OUTCOME_NONE)
			print_message("%s+%#zx bit %zu: %s\n", what, at / 8, at % 8,
				      outcome_names[outcomes[at]]);
	}
	print_message("%s: %zu bits of [%#zx, %#zx):", what, (end - first + step - 1) / step, first / 8,
		      end / 8);
	for (size_t i = 0; i < N_OUTCOMES; i++)
		print_message(" %s %zu", outcome_names[i], ret[i]);
	print_message("\n");
}

static void keep_pristine(void)
{
	seal_self();
	pristine = malloc(stage.image_len);
	memcpy(pristine, stage.image, stage.image_len);
	outcomes = mmap(NULL, 8 * stage.image_len, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(outcomes != MAP_FAILED);
}

static void drop_pristine(void)
{
	free(pristine);
	munmap(outcomes, 8 * stage.image_len);
}

/* Damage in the check core may end in any way but one. All other is found, and is named or, where it is
 * in what does that, ends in the last words; a few bits are in these, or in what leads back to a
 * process. Nothing boots. */
static void test_each_bit(void **state)
{
	const struct purgatory_head head = head_of_image();
	const size_t core_end = 8 * head.core_len, end = 8 * head.file_len;
	const size_t step = getenv("NG_LONG") ? 1 : 61;		/* a prime: all bits have their turn */
	size_t n[N_OUTCOMES], n_all;

	(void)state;
	keep_pristine();
	run_bits(0, core_end, 1);
	count("core", 0, core_end, 1, n);
	assert_int_equal(n[OUTCOME_NONE] + n[OUTCOME_BOOTED], 0);
	run_bits(core_end, end, step);
	count("image", core_end, end, step, n);
	n_all = (end - core_end + step - 1) / step;
	assert_int_equal(n[OUTCOME_NONE] + n[OUTCOME_BOOTED], 0);
	check_report(&head, core_end, end, step);
	assert_true(n[OUTCOME_NAMED] + n[OUTCOME_LAST_WORDS] >= n_all - n_all / 1000);
	drop_pristine();
}

/* What the loader leaves zero and nobody verifies makes no difference: it is set before it is read. */
static void test_each_bit_of_zeros(void **state)
{
	const struct purgatory_head head = head_of_image();
	const size_t step = getenv("NG_LONG") ? 1 : 61;
	const size_t handoff_at = 8 * head.handoff_off;
	size_t n_other = 0;

	(void)state;
	keep_pristine();
	for (size_t at = 8 * head.file_len; at < 8 * head.mem_len; at += step) {
		if (at >= handoff_at && at < handoff_at + 8 * (offsetof(struct handoff, crc) + 4))
			continue;
		/* Set by traps_start(), and no process has traps. */
		if (at / 32 == handoff_at / 32 + offsetof(struct handoff, n_nmis) / 4)
			continue;
		assert_int_equal(run_with_bit(at), OUTCOME_BOOTED);
		assert_int_equal(stage.h->verdict, VERDICT_MATCH);
		if (memcmp(stage.h->log, "kexec: 3 segments intact, starting kernel\n", 42) != 0 ||
		    stage.h->log_len != 42) {
			print_message("+%#zx bit %zu: %.60s\n", at / 8, at % 8, stage.h->log);
			n_other++;
		}
	}
	assert_int_equal(n_other, 0);
	drop_pristine();
}

int main(void)
{
#define planned(test) cmocka_unit_test_setup_teardown(test, start_plan, end_plan)
#define staged(test) cmocka_unit_test_setup_teardown(test, set_stage, clear_stage)
	const struct CMUnitTest tests[] = {
		staged(test_head),
		staged(test_entry64),
		staged(test_above_4gib),
		staged(test_mismatch_first),
		staged(test_mismatch_middle),
		staged(test_mismatch_last_byte),
		staged(test_byte_beyond_region),
		staged(test_mismatch_digests),
		staged(test_mismatch_two),
		staged(test_chunk_borders),
		staged(test_odd_addresses),
		staged(test_empty_region),
		staged(test_each_digest),
		staged(test_self_code),
		staged(test_self_tables),
		staged(test_self_handoff),
		staged(test_no_checks),
		staged(test_quiet),
		staged(test_quiet_still_complains),
		staged(test_no_ports),
		staged(test_longest_success),
		staged(test_singular),
		staged(test_log_is_bounded),
		staged(test_log_len_from_outside),
		staged(test_vga_below_text),
		staged(test_vga_scrolls),
		staged(test_vga_wraps),
		staged(test_vga_quiet),
		staged(test_bad_magic),
		staged(test_bad_len),
		staged(test_bad_self),
		staged(test_bad_n_regions),
		staged(test_copy),
		staged(test_no_copy_of_what_is_damaged),
		staged(test_bad_copy),
		staged(test_bad_note),
		staged(test_marks),
		staged(test_no_marks_in_damage),
		staged(test_no_marks_in_what_is_no_note),
		staged(test_bad_digests),
		staged(test_bad_paging),
		staged(test_bad_leave),
		staged(test_leave16),
		staged(test_leave32_without_selector),
		staged(test_leave32_too_high),
		staged(test_leave32_arg_too_high),
		staged(test_leave32_c_arg_too_high),
		staged(test_registers64),
		staged(test_come_back),
		staged(test_no_way_back),
		staged(test_registers32),
		staged(test_entry32),
		staged(test_faults_are_seen),
		planned(test_plan),
		planned(test_plan_on_a_32bit_kernel),
		planned(test_finish),
		planned(test_finish_no_checks),
		planned(test_segments_changed),
		planned(test_paging),
		planned(test_finish_tables),
		planned(test_memory_not_mapped_is_noted),
		planned(test_consoles),
		planned(test_bad_baud),
		planned(test_not_placed),
		planned(test_32bit_limits),
		planned(test_real_mode_leave),
		planned(test_segment_out_of_reach),
		planned(test_segment_outside_ram),
		planned(test_no_memory),
		staged(test_each_bit),
		staged(test_each_bit_of_zeros),
		cmocka_unit_test(test_planned_image_runs),
		cmocka_unit_test(test_planned_image_finds_damage),
	};

	return cmocka_run_group_tests_name("purgatory", tests, NULL, NULL);
}
