// SPDX-License-Identifier: GPL-2.0-or-later
#include "sandbox.h"

#include <errno.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)

#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define HAVE_RSEQ
#define RSEQ_UNREGISTER	1	/* <linux/rseq.h> */
#endif

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U	/* Linux 6.3 */
#endif

/* Where the one page of ours is: a system call and a trap. Guest addresses stay below. */
#define CALL_PAGE	UINT64_C(0x7e0000000000)
#define CHUNK_LEN	(2 * MIB)	/* mapped at once */
#define LOOKS		64		/* instructions, from look_at on */
/* Selectors of processes: Linux, arch/x86/include/asm/segment.h. */
#define USER_CS		0x33
#define USER32_CS	0x23
#define USER_DS		0x2b
/* Of RFLAGS a process has its own: the arithmetic flags, DF, OF and ID. */
#define RFLAGS_OWN	UINT64_C(0x200cd5)
#define RFLAGS_ALWAYS	UINT64_C(0x202)
#define PF_FETCH	UINT64_C(0x10)
#define PF_PRESENT	UINT64_C(0x01)
#define PF_WRITE	UINT64_C(0x02)
#define NS		INT64_C(1000000000)
#define SYSCALL_STOP	(SIGTRAP | 0x80)

/* How the child ends when it cannot become what it should. */
enum child_failure {
	CHILD_CALL_PAGE = 1,
	CHILD_TRACE,
	CHILD_FILTER,
};

static int64_t now(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

/* ---- in the child ---- */

/* The kernel would go on writing where the C library had asked it to. How long that is depends on the
 * library's version. */
static void forget_rseq(void)
{
#ifdef HAVE_RSEQ
	for (unsigned long len = 32; len <= 512 && __rseq_size > 0; len += 4)
		if (syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, len,
			    RSEQ_UNREGISTER, RSEQ_SIG) == 0)
			break;
#endif
}

static bool make_call_page(void)
{
	static const uint8_t code[] = { 0x0f, 0x05, 0xcc };	/* syscall; int3 */
	void *page = (void *)CALL_PAGE;

	if (mmap(page, PAGE_LEN, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != page)
		return false;
	memcpy(page, code, sizeof(code));
	return mprotect(page, PAGE_LEN, PROT_READ | PROT_EXEC) == 0;
}

static void set_limits(unsigned int seconds)
{
	struct rlimit limit = { 0, 0 };

	setrlimit(RLIMIT_CORE, &limit);
	if (getrlimit(RLIMIT_CPU, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < seconds ? limit.rlim_max : seconds;
		setrlimit(RLIMIT_CPU, &limit);
	}
}

/* From now on: mmap and munmap, from our page. */
static bool set_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 7),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(CALL_PAGE >> 32), 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, instruction_pointer)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)CALL_PAGE + 2, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = (unsigned short)array_len(code),
		.filter = code,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static _Noreturn void become_guest(int memfd, unsigned int seconds)
{
	/* Nothing of ours is to be reached, even if all else fails. */
	for (int fd = 0; fd < 1024; fd++)
		if (fd != memfd)
			close(fd);
	if (!make_call_page())
		_exit(CHILD_CALL_PAGE);
	set_limits(seconds);
	forget_rseq();
	/* Reading the clock becomes a trap: a loop that waits need not take its time. */
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(CHILD_TRACE);
	raise(SIGSTOP);
	if (!set_filter())
		_exit(CHILD_FILTER);
	__asm__ volatile("int3");
	_exit(CHILD_FILTER);
}

/* ---- the parent's hold on it ---- */

/* The signal it stopped with; 0 if it is gone, and why says how. */
static int wait_for_stop(struct sandbox *sb)
{
	int status;
	pid_t r;

	do
		r = waitpid(sb->pid, &status, __WALL);
	while (r < 0 && errno == EINTR);
	if (r == sb->pid && WIFSTOPPED(status))
		return WSTOPSIG(status);
	if (r < 0)
		snprintf(sb->why, sizeof(sb->why), "it cannot be waited for: %s", strerror(errno));
	else if (WIFSIGNALED(status))
		snprintf(sb->why, sizeof(sb->why), "the process was ended by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(sb->why, sizeof(sb->why), "the process ended with status %d",
			 WEXITSTATUS(status));
	if (r >= 0)
		sb->pid = -1;
	return 0;
}

/* One system call of the child. */
static long call(struct sandbox *sb, long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		 uint64_t e, uint64_t f)
{
	struct user_regs_struct r = *(struct user_regs_struct *)sb->registers;

	r.rip = CALL_PAGE;
	r.rax = (unsigned long long)number;
	r.rdi = a;
	r.rsi = b;
	r.rdx = c;
	r.r10 = d;
	r.r8 = e;
	r.r9 = f;
	r.orig_rax = UINT64_MAX;
	if (ptrace(PTRACE_SETREGS, sb->pid, NULL, &r) < 0 ||
	    ptrace(PTRACE_CONT, sb->pid, NULL, NULL) < 0)
		return -errno;
	for (int sig = wait_for_stop(sb); sig != SIGTRAP; sig = wait_for_stop(sb)) {
		if (sig == 0)
			return -ESRCH;
		/* One of somebody else, such as SIGTSTP of a terminal: it goes on without it. */
		if (sig == SIGXCPU || sig == SIGSEGV || now() > sb->deadline ||
		    ptrace(PTRACE_CONT, sb->pid, NULL, NULL) < 0)
			return -ETIME;
	}
	if (ptrace(PTRACE_GETREGS, sb->pid, NULL, &r) < 0)
		return -errno;
	return (long)r.rax;
}

static void unmap(struct sandbox *sb, uint64_t start, uint64_t end)
{
	if (start < end)
		call(sb, SYS_munmap, start, end - start, 0, 0, 0, 0);
}

static void flush(struct sandbox *sb)
{
	unmap(sb, SANDBOX_LOW_END, sb->mapped_end);
	sb->mapped_end = 0;
	sb->last_rip = sb->last_addr = UINT64_MAX;
}

static void kill_child(struct sandbox *sb)
{
	int status;
	pid_t r;

	if (sb->pid <= 0)
		return;
	/* One that cannot be killed is not waited for: it ends with this process
	 * (PTRACE_O_EXITKILL). */
	if (kill(sb->pid, SIGKILL) == 0)
		do
			r = waitpid(sb->pid, &status, __WALL);
		while ((r < 0 && errno == EINTR) || (r == sb->pid && WIFSTOPPED(status)));
	sb->pid = -1;
}

/* ---- making it ---- */

static int fail_environment(struct diag *diag, int error, const char *id, const char *what,
			    const char *advice)
{
	fail(diag, error, id, "%s: %s", what, strerror(error));
	return fail_advise(diag, "%s", advice);
}

static int make_memory(struct sandbox *sb, struct diag *diag)
{
	sb->memfd = memfd_create("guest", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (sb->memfd < 0 && errno == EINVAL)
		sb->memfd = memfd_create("guest", MFD_CLOEXEC);
	if (sb->memfd < 0)
		return fail_environment(diag, errno, "rehearse/no-memfd",
					"memory for a rehearsal cannot be had (memfd_create)",
					"rehearse outside this container");
	if (ftruncate(sb->memfd, (off_t)sb->ram.len) < 0)
		return fail_environment(diag, errno, "rehearse/no-memory",
					"the machine's memory cannot be imitated",
					"raise the limit of this process on file sizes (ulimit -f)");
	sb->ram.bytes = mmap(NULL, sb->ram.len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			     sb->memfd, 0);
	if (sb->ram.bytes == MAP_FAILED) {
		sb->ram.bytes = NULL;
		return fail_environment(diag, errno, "rehearse/no-address-space",
					"the machine's memory cannot be mapped",
					"raise the limit of this process on memory (ulimit -v)");
	}
	/* The child has it elsewhere, and may want the place. */
	madvise(sb->ram.bytes, sb->ram.len, MADV_DONTFORK);
	return 0;
}

static int fail_child(struct diag *diag, enum child_failure why)
{
	switch (why) {
	case CHILD_TRACE:
		fail(diag, EPERM, "rehearse/no-ptrace", "this process may not trace its own child");
		return fail_advise(diag, "kernel.yama.ptrace_scope=3, a security module or a "
					 "container forbids it: rehearse elsewhere, by --host-root");
	case CHILD_FILTER:
		return fail(diag, EPERM, "rehearse/no-seccomp",
			    "the running kernel takes no system call filter (seccomp)");
	default:
		return fail(diag, EPERM, "rehearse/no-executable-memory",
			    "executable memory cannot be had at %#" PRIx64
			    ": a security module may forbid it",
			    CALL_PAGE);
	}
}

/* Waits for a stop of the child that is still being made. */
static int expect_stop(struct sandbox *sb, int expected, struct diag *diag)
{
	int status = 0, sig;
	pid_t r;

	do
		r = waitpid(sb->pid, &status, __WALL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return fail_environment(diag, errno, "rehearse/no-child",
					"the rehearsing process is gone", "try again");
	if (WIFEXITED(status)) {
		sb->pid = -1;
		return fail_child(diag, (enum child_failure)WEXITSTATUS(status));
	}
	sig = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
	if (sig == expected)
		return 0;
	if (!WIFSTOPPED(status))
		sb->pid = -1;
	return fail(diag, EPERM, "rehearse/child-killed",
		    "the rehearsing process was stopped by signal %d while it was made",
		    sig ? sig : WTERMSIG(status));
}

/* Everything that the child had of us is unmapped, but for what the kernel keeps from being. */
static int empty_child(struct sandbox *sb, struct diag *diag)
{
	struct range *found;
	char path[32], *line = NULL;
	size_t room = 0, n = 0, n_max = 4096;
	FILE *maps;
	int error;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)sb->pid);
	errno = 0;
	maps = fopen(path, "re");
	found = maps ? calloc(n_max, sizeof(*found)) : NULL;
	while (found && n < n_max && getline(&line, &room, maps) > 0)
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &found[n].start, &found[n].end) == 2)
			n++;
	/* A list without its end would leave something of ours in reach. */
	error = !found || ferror(maps) ? errno : n == n_max ? E2BIG : n == 0 ? ENODATA : 0;
	free(line);
	if (maps)
		fclose(maps);
	for (size_t i = 0; i < n; i++)
		if (found[i].start != CALL_PAGE && found[i].start < 128 * TIB)
			unmap(sb, found[i].start, found[i].end);
	free(found);
	if (error != 0)
		return fail_environment(diag, error, "rehearse/no-proc",
					"what the rehearsing process has mapped cannot be read",
					"mount /proc");
	return 0;
}

static int make_child(struct sandbox *sb, struct diag *diag)
{
	int r;

	sb->pid = fork();
	if (sb->pid < 0)
		return fail_environment(diag, errno, "rehearse/no-child",
					"no process for the rehearsal",
					"raise the limit on processes (ulimit -u)");
	if (sb->pid == 0)
		become_guest(sb->memfd, sb->seconds);
	r = expect_stop(sb, SIGSTOP, diag);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_SETOPTIONS, sb->pid, NULL,
		   (void *)(uintptr_t)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)) < 0 ||
	    ptrace(PTRACE_CONT, sb->pid, NULL, NULL) < 0)
		return fail_child(diag, CHILD_TRACE);
	r = expect_stop(sb, SIGTRAP, diag);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_GETREGS, sb->pid, NULL, sb->registers) < 0)
		return fail_child(diag, CHILD_TRACE);
	return empty_child(sb, diag);
}

int sandbox_open(struct sandbox *sb, const struct range_list *memory, unsigned int seconds,
		 uint64_t memory_limit, struct arena *a, struct diag *diag)
{
	char *text = arena_alloc(a, PORTS_TEXT_LEN);
	uint64_t low, high;
	int r;

	memset(sb, 0, sizeof(*sb));
	sb->memfd = sb->pid = -1;
	sb->memory = memory;
	sb->memory_limit = memory_limit;
	sb->seconds = seconds;
	sb->deadline = now() + seconds * NS;
	sb->last_rip = sb->last_addr = UINT64_MAX;
	sb->registers = arena_alloc(a, sizeof(struct user_regs_struct));
	if (!text || !sb->registers)
		return fail_nomem(diag);
	ports_start(&sb->ports, text, 0);
	sb->ram.len = memory->n > 0 ? memory->r[memory->n - 1].end : 0;
	if (sb->ram.len == 0 || sb->ram.len > SANDBOX_END)
		return fail(diag, EADDRNOTAVAIL, "rehearse/too-high",
			    "the machine has memory at %#" PRIx64 ", which no process can map at its "
			    "own address", sb->ram.len);
	r = make_memory(sb, diag);
	if (r == 0)
		r = make_child(sb, diag);
	if (r < 0) {
		sandbox_close(sb);
		return r;
	}
	/* Another child, which is to look at it, has it at the same place. */
	madvise(sb->ram.bytes, sb->ram.len, MADV_DOFORK);
	__asm__ volatile("rdtsc; shl $32, %%rdx; or %%rdx, %%rax"
			 : "=a"(low), "=d"(high) : : "cc");
	sb->cpu.tsc = low;
	return 0;
}

void sandbox_wait(struct sandbox *sb, double seconds)
{
	sb->deadline += (int64_t)(seconds * (double)NS);
}

void sandbox_close(struct sandbox *sb)
{
	kill_child(sb);
	if (sb->ram.bytes)
		munmap(sb->ram.bytes, sb->ram.len);
	if (sb->memfd >= 0)
		close(sb->memfd);
	sb->ram.bytes = NULL;
	sb->memfd = -1;
}

/* ---- windows ---- */

bool sandbox_add_window(struct sandbox *sb, struct range window)
{
	if (sb->n_windows == SANDBOX_WINDOWS)
		return false;
	window.start = align_down(window.start, PAGE_LEN);
	window.end = align_down(window.end + PAGE_LEN - 1, PAGE_LEN);
	sb->windows[sb->n_windows++] = window;
	flush(sb);
	return true;
}

void sandbox_drop_windows(struct sandbox *sb)
{
	sb->n_windows = 0;
	flush(sb);
}

/* Is it in one? Cuts part to what lies in that window, or between windows. */
static bool cut_at_windows(const struct sandbox *sb, phys_t at, struct range *part)
{
	for (size_t i = 0; i < sb->n_windows; i++) {
		const struct range w = sb->windows[i];

		if (at >= w.start && at < w.end) {
			part->start = max_u64(part->start, w.start);
			part->end = min_u64(part->end, w.end);
			return true;
		}
		if (w.start > at)
			part->end = min_u64(part->end, w.start);
		else
			part->start = max_u64(part->start, w.end);
	}
	return false;
}

/* ---- running ---- */

static enum sandbox_stop lose(struct sandbox *sb, const char *what)
{
	snprintf(sb->why, sizeof(sb->why), "%s: %s", what, strerror(errno));
	return SANDBOX_LOST;
}

#define REGISTERS(X)                                                                               \
	X(rax, REG_AX) X(rcx, REG_CX) X(rdx, REG_DX) X(rbx, REG_BX) X(rsp, REG_SP) X(rbp, REG_BP)  \
	X(rsi, REG_SI) X(rdi, REG_DI) X(r8, REG_8) X(r9, REG_9) X(r10, REG_10) X(r11, REG_11)      \
	X(r12, REG_12) X(r13, REG_13) X(r14, REG_14) X(r15, REG_15)

static bool put_registers(const struct sandbox *sb, struct user_regs_struct *r)
{
	const struct vcpu *v = &sb->cpu;

#define PUT(name, number) r->name = v->r[number];
	REGISTERS(PUT)
#undef PUT
	r->rip = v->rip;
	r->eflags = (v->rflags & RFLAGS_OWN) | RFLAGS_ALWAYS;
	r->cs = v->is_64 ? USER_CS : USER32_CS;
	r->ss = USER_DS;
	r->orig_rax = UINT64_MAX;
	if (!v->is_64)
		r->ds = r->es = USER_DS;
	return ptrace(PTRACE_SETREGS, sb->pid, NULL, r) == 0;
}

static bool get_registers(struct sandbox *sb, struct user_regs_struct *r)
{
	struct vcpu *v = &sb->cpu;

	if (ptrace(PTRACE_GETREGS, sb->pid, NULL, r) < 0)
		return false;
#define GET(name, number) v->r[number] = r->name;
	REGISTERS(GET)
#undef GET
	v->rip = r->rip;
	v->rflags = (r->eflags & RFLAGS_OWN) | (v->rflags & ~RFLAGS_OWN);
	v->is_64 = r->cs != USER32_CS;
	return true;
}

/* What a step of the run comes to: it goes on, or it stops with *ret. */
static bool stop(enum sandbox_stop *ret, enum sandbox_stop why)
{
	*ret = why;
	return false;
}

static bool raise_exception(struct sandbox *sb, unsigned int vector, uint64_t error_code,
			    enum sandbox_stop *ret)
{
	return vcpu_raise(&sb->cpu, sb->ram, vector, error_code) ||
	       stop(ret, SANDBOX_TRIPLE_FAULT);
}

static bool not_emulated(struct sandbox *sb, const char *what, enum sandbox_stop *ret)
{
	uint8_t bytes[INSN_LEN_MAX];
	const size_t n = min_size(vcpu_fetch(&sb->cpu, sb->ram, bytes), 8);
	int len = snprintf(sb->why, sizeof(sb->why), "%s, at %#" PRIx64 ":", what, sb->cpu.rip);

	for (size_t i = 0; i < n && len < (int)sizeof(sb->why); i++)
		len += snprintf(sb->why + len, sizeof(sb->why) - (size_t)len, " %02x", bytes[i]);
	sb->at = sb->cpu.rip;
	return stop(ret, SANDBOX_NOT_EMULATED);
}

/* The instruction at rip is not for the CPU to execute. */
static bool emulate(struct sandbox *sb, const struct insn *insn, enum sandbox_stop *ret)
{
	struct vcpu *v = &sb->cpu;

	switch (vcpu_execute(v, sb->ram, &sb->ports, insn)) {
	case VCPU_DONE:
		return true;
	case VCPU_REMAP:
		flush(sb);
		return true;
	case VCPU_HALTED:
		return stop(ret, SANDBOX_HALTED);
	case VCPU_RESET:
		return stop(ret, SANDBOX_RESET);
	case VCPU_EXCEPTION:
		return raise_exception(sb, v->vector, v->error_code, ret);
	case VCPU_WILD:
		sb->at = v->wild;
		return stop(ret, SANDBOX_WILD);
	case VCPU_STUCK:
		break;
	}
	return not_emulated(sb, v->stuck_at, ret);
}

static bool emulate_at_rip(struct sandbox *sb, const char *what, enum sandbox_stop *ret)
{
	uint8_t bytes[INSN_LEN_MAX];
	struct insn insn;
	const size_t n = vcpu_fetch(&sb->cpu, sb->ram, bytes);

	if (!insn_decode(span_of(bytes, n), sb->cpu.is_64, &insn) || insn.kind == INSN_UNKNOWN)
		return not_emulated(sb, what, ret);
	return emulate(sb, &insn, ret);
}

static bool is_memory(const struct sandbox *sb, phys_t at, struct range *part)
{
	for (size_t i = 0; i < sb->memory->n; i++) {
		const struct range r = sb->memory->r[i];

		if (at < r.start || at >= r.end)
			continue;
		part->start = max_u64(part->start, r.start);
		part->end = min_u64(part->end, r.end);
		return true;
	}
	return false;
}

static uint64_t memory_in_use(const struct sandbox *sb)
{
	struct stat st;

	return fstat(sb->memfd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : UINT64_MAX;
}

/* Maps what is around addr, as far as it is all the same. part is physical. */
static bool grant(struct sandbox *sb, uint64_t addr, const struct vcpu_page *page,
		  struct range part, bool is_window, enum sandbox_stop *ret)
{
	const int prot = PROT_READ | (page->is_writable ? PROT_WRITE : 0) |
			 (is_window && page->is_executable ? PROT_EXEC : 0);
	const uint64_t shift = addr - page->phys;	/* modulo 2^64 */
	struct range virt;
	long r;

	part.start = align_down(part.start + PAGE_LEN - 1, PAGE_LEN);
	part.end = align_down(part.end, PAGE_LEN);
	/* A page that is only partly memory still is a page. */
	part.start = min_u64(part.start, align_down(page->phys, PAGE_LEN));
	part.end = max_u64(part.end, align_down(page->phys, PAGE_LEN) + PAGE_LEN);
	virt = (struct range){ max_u64(part.start + shift, SANDBOX_LOW_END), part.end + shift };
	if (memory_in_use(sb) > sb->memory_limit)
		return stop(ret, SANDBOX_MEMORY);
	r = call(sb, SYS_mmap, virt.start, range_len(virt), (uint64_t)prot, MAP_SHARED | MAP_FIXED,
		 (uint64_t)sb->memfd, virt.start - shift);
	sb->n_maps++;
	sb->mapped_end = max_u64(sb->mapped_end, virt.end);
	if (r >= 0 && (uint64_t)r == virt.start)
		return true;
	if (r == -ETIME)
		return stop(ret, SANDBOX_TIME);
	if (sb->why[0] == '\0')
		snprintf(sb->why, sizeof(sb->why), "memory could not be mapped: %s",
			 strerror((int)-r));
	return stop(ret, SANDBOX_LOST);
}

/* The code touched addr, where nothing is mapped, or not for what it wanted. */
static bool page_fault(struct sandbox *sb, uint64_t addr, enum sandbox_stop *ret)
{
	struct vcpu *v = &sb->cpu;
	/* Twice in a row: what is mapped there does not do. An instruction may reach into a page that
	 * is no code; else it is a write to a page that may not be written. */
	const bool is_again = sb->last_rip == v->rip && sb->last_addr == addr;
	const bool is_fetch = addr == v->rip || (is_again && addr > v->rip &&
						 addr - v->rip < INSN_LEN_MAX &&
						 is_aligned(addr, PAGE_LEN));
	struct range part;
	struct vcpu_page page;
	bool is_window;

	sb->last_rip = v->rip;
	sb->last_addr = addr;
	sb->at = addr;
	if (!vcpu_translate(v, sb->ram, addr, &page)) {
		v->cr2 = addr;
		return raise_exception(sb, VECTOR_PF, is_fetch ? PF_FETCH : 0, ret);
	}
	part.start = page.phys - (addr - max_u64(page.virt, align_down(addr, CHUNK_LEN)));
	part.end = page.phys + (min_u64(page.virt + page.len, align_down(addr, CHUNK_LEN) + CHUNK_LEN) -
				addr);
	is_window = cut_at_windows(sb, page.phys, &part);
	if (is_fetch && !is_window)
		return stop(ret, SANDBOX_FETCH);
	if ((is_fetch && !page.is_executable) || (is_again && !is_fetch && !page.is_writable)) {
		v->cr2 = addr;
		return raise_exception(sb, VECTOR_PF, PF_PRESENT | (is_fetch ? PF_FETCH : PF_WRITE),
				       ret);
	}
	sb->at = page.phys;
	if (page.phys >= sb->ram.len || !is_memory(sb, page.phys, &part))
		return stop(ret, SANDBOX_WILD);
	if (addr >= CALL_PAGE)
		return not_emulated(sb, "an address that no process can have", ret);
	if (addr < SANDBOX_LOW_END)
		return emulate_at_rip(sb, "this instruction on memory below 64 KiB", ret);
	return grant(sb, addr, &page, part, is_window, ret);
}

static bool on_trap(struct sandbox *sb, const siginfo_t *info, enum sandbox_stop *ret)
{
	if (info->si_code == TRAP_TRACE)
		return true;
	return raise_exception(sb, VECTOR_BP, 0, ret);
}

static bool on_signal(struct sandbox *sb, int sig, enum sandbox_stop *ret)
{
	siginfo_t info = { 0 };

	if (sig == SYSCALL_STOP)
		return stop(ret, SANDBOX_SYSTEM_CALL);
	if (ptrace(PTRACE_GETSIGINFO, sb->pid, NULL, &info) < 0)
		return stop(ret, lose(sb, "the process cannot be asked"));
	/* From outside, such as SIGTSTP or SIGWINCH of a terminal. */
	if (info.si_code <= 0 && sig != SIGXCPU)
		return true;
	switch (sig) {
	case SIGSEGV:
		if (info.si_code == SEGV_MAPERR || info.si_code == SEGV_ACCERR)
			return page_fault(sb, (uintptr_t)info.si_addr, ret);
		return emulate_at_rip(sb, "an instruction that a process may not execute", ret);
	case SIGILL:
		return raise_exception(sb, VECTOR_UD, 0, ret);
	case SIGTRAP:
		return on_trap(sb, &info, ret);
	case SIGFPE:
		return raise_exception(sb, VECTOR_DE, 0, ret);
	case SIGBUS:
		errno = ENOMEM;
		return stop(ret, lose(sb, "this machine has no memory left for the rehearsal"));
	case SIGXCPU:
		return stop(ret, SANDBOX_TIME);
	default:
		return true;
	}
}

/* Instructions that do not trap and would show that this is a process. */
static bool look(struct sandbox *sb, enum sandbox_stop *ret)
{
	uint8_t bytes[INSN_LEN_MAX];
	struct insn insn;

	if (sb->look_at != 0 && sb->cpu.rip == sb->look_at)
		sb->n_looks = LOOKS;
	while (sb->n_looks > 0) {
		const size_t n = vcpu_fetch(&sb->cpu, sb->ram, bytes);

		if (!insn_decode(span_of(bytes, n), sb->cpu.is_64, &insn) ||
		    insn.kind != INSN_READ_SEGMENT)
			return true;
		sb->n_looks = 0;
		if (!emulate(sb, &insn, ret))
			return false;
	}
	return true;
}

static bool run_once(struct sandbox *sb, struct user_regs_struct *r, enum sandbox_stop *ret)
{
	int sig;

	if (!look(sb, ret))
		return false;
	if (!put_registers(sb, r))
		return stop(ret, lose(sb, "its registers cannot be set"));
	if (ptrace(sb->n_looks > 0 ? PTRACE_SYSEMU_SINGLESTEP : PTRACE_SYSEMU, sb->pid, NULL,
		   NULL) < 0)
		return stop(ret, lose(sb, "it cannot go on"));
	if (sb->n_looks > 0)
		sb->n_looks--;
	sig = wait_for_stop(sb);
	sb->n_stops++;
	if (sig == 0)
		return stop(ret, SANDBOX_LOST);
	if (!get_registers(sb, r))
		return stop(ret, lose(sb, "its registers cannot be read"));
	if (now() > sb->deadline)
		return stop(ret, SANDBOX_TIME);
	return on_signal(sb, sig, ret);
}

enum sandbox_stop sandbox_run(struct sandbox *sb)
{
	struct user_regs_struct r = *(struct user_regs_struct *)sb->registers;
	enum sandbox_stop why = SANDBOX_LOST;

	sb->why[0] = '\0';
	if (sb->pid <= 0) {
		errno = ESRCH;
		return lose(sb, "there is no process");
	}
	while (run_once(sb, &r, &why))
		;
	return why;
}

#else

int sandbox_open(struct sandbox *sb, const struct range_list *memory, unsigned int seconds,
		 uint64_t memory_limit, struct arena *a, struct diag *diag)
{
	(void)memory, (void)seconds, (void)memory_limit, (void)a;
	memset(sb, 0, sizeof(*sb));
	fail(diag, ENOSYS, "rehearse/32-bit-build",
	     "this kexec is a 32-bit program, in whose memory no machine has room");
	return fail_advise(diag, "rehearse with a 64-bit build");
}

enum sandbox_stop sandbox_run(struct sandbox *sb)
{
	(void)sb;
	return SANDBOX_LOST;
}

bool sandbox_add_window(struct sandbox *sb, struct range window)
{
	(void)sb, (void)window;
	return false;
}

void sandbox_wait(struct sandbox *sb, double seconds)
{
	(void)sb, (void)seconds;
}

void sandbox_drop_windows(struct sandbox *sb)
{
	(void)sb;
}

void sandbox_close(struct sandbox *sb)
{
	(void)sb;
}

#endif
