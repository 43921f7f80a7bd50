// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib_core.h"

#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Places in memory; what the kernel's build decides, and VMCOREINFO tells. */
enum {
	PRB_POINTER = 0x10,
	PRB = 0x100,
	DESC_RING_OFF = 0,
	TEXT_RING_OFF = 56,
	COUNT_BITS_OFF = 0,
	DESCS_OFF = 8,
	INFOS_OFF = 16,
	HEAD_OFF = 24,
	TAIL_OFF = 32,
	SIZE_BITS_OFF = 0,
	DATA_OFF = 8,
	DESCS = 0x1000,
	DESC_LEN = 24,
	INFOS = 0x4000,
	INFO_LEN = 88,
	TS_OFF = 8,
	TEXT_LEN_OFF = 16,
	TEXT = 0x8000,
	LOG_BUF_POINTER = 0x20,
	LOG_BUF_LEN = 0x28,
	LOG_FIRST = 0x30,
	LOG_NEXT = 0x38,
	RECORD_HEADER_LEN = 16,
};

static void require(bool is_true)
{
	if (!is_true)
		abort();
}

static size_t long_len(const struct core *c)
{
	return c->is_64 ? 8 : 4;
}

static uint64_t id_mask(const struct core *c)
{
	return c->is_64 ? UINT64_MAX >> 2 : UINT32_MAX >> 2;
}

void core_init(struct core *c, struct arena *a, bool is_64)
{
	*c = (struct core){ .arena = a, .is_64 = is_64 };
	c->len = CORE_MEMORY_OFF + CORE_MEMORY_LEN;
	c->bytes = arena_alloc(a, c->len);
	c->info = arena_printf(a, "OSRELEASE=9.9.9\nPAGESIZE=4096\n");
	require(c->bytes && c->info);
}

uint8_t *core_at(struct core *c, size_t off)
{
	require(off < CORE_MEMORY_LEN);
	return c->bytes + CORE_MEMORY_OFF + off;
}

uint64_t core_vaddr(const struct core *c, size_t off)
{
	return (c->is_64 ? CORE_VADDR_64 : CORE_VADDR_32) + off;
}

void core_put_long(struct core *c, size_t off, uint64_t value)
{
	memcpy(core_at(c, off), &value, long_len(c));
}

void core_put_u32(struct core *c, size_t off, uint32_t value)
{
	memcpy(core_at(c, off), &value, sizeof(value));
}

static uint64_t get_long(struct core *c, size_t off)
{
	uint64_t value = 0;

	memcpy(&value, core_at(c, off), long_len(c));
	return value;
}

void core_tell(struct core *c, const char *fmt, ...)
{
	va_list args;
	char *line;

	va_start(args, fmt);
	line = arena_vprintf(c->arena, fmt, args);
	va_end(args);
	require(line != NULL);
	c->info = arena_printf(c->arena, "%s%s\n", c->info, line);
	require(c->info != NULL);
}

uint8_t *core_load_header(struct core *c)
{
	return c->bytes + (c->is_64 ? sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) :
				      sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr));
}

uint8_t *core_note_header(struct core *c)
{
	return c->bytes + CORE_INFO_OFF - 12 - sizeof(Elf64_Nhdr);
}

static void put_headers_64(struct core *c, size_t note_off, size_t notes_len)
{
	Elf64_Ehdr e = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr p[2] = {
		{ .p_type = PT_NOTE, .p_offset = note_off, .p_filesz = notes_len },
		{ .p_type = PT_LOAD, .p_offset = CORE_MEMORY_OFF, .p_filesz = CORE_MEMORY_LEN,
		  .p_memsz = CORE_MEMORY_LEN, .p_paddr = CORE_PADDR, .p_vaddr = CORE_VADDR_64 },
	};

	memcpy(c->bytes, &e, sizeof(e));
	memcpy(c->bytes + sizeof(e), p, sizeof(p));
}

static void put_headers_32(struct core *c, size_t note_off, size_t notes_len)
{
	Elf32_Ehdr e = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 2,
	};
	Elf32_Phdr p[2] = {
		{ .p_type = PT_NOTE, .p_offset = (uint32_t)note_off,
		  .p_filesz = (uint32_t)notes_len },
		{ .p_type = PT_LOAD, .p_offset = CORE_MEMORY_OFF, .p_filesz = CORE_MEMORY_LEN,
		  .p_memsz = CORE_MEMORY_LEN, .p_paddr = (uint32_t)CORE_PADDR,
		  .p_vaddr = (uint32_t)CORE_VADDR_32 },
	};

	memcpy(c->bytes, &e, sizeof(e));
	memcpy(c->bytes + sizeof(e), p, sizeof(p));
}

/* Notes: one of a CPU, then VMCOREINFO. */
void core_finish(struct core *c)
{
	static const char cpu_name[8] = "CORE", info_name[12] = "VMCOREINFO";
	const size_t info_len = (strlen(c->info) + 3) & ~(size_t)3, cpu_len = 40;
	const Elf64_Nhdr cpu = { .n_namesz = 5, .n_descsz = (uint32_t)cpu_len, .n_type = 1 };
	const Elf64_Nhdr info = { .n_namesz = 11, .n_descsz = (uint32_t)strlen(c->info) };
	uint8_t *note = core_note_header(c);
	uint8_t *start = note - sizeof(cpu) - sizeof(cpu_name) - cpu_len;
	const size_t off = (size_t)(start - c->bytes);

	require(CORE_INFO_OFF + info_len <= CORE_MEMORY_OFF);
	memcpy(start, &cpu, sizeof(cpu));
	memcpy(start + sizeof(cpu), cpu_name, sizeof(cpu_name));
	memcpy(note, &info, sizeof(info));
	memcpy(note + sizeof(info), info_name, sizeof(info_name));
	memset(c->bytes + CORE_INFO_OFF, 0, CORE_MEMORY_OFF - CORE_INFO_OFF);
	memcpy(c->bytes + CORE_INFO_OFF, c->info, strlen(c->info));
	if (c->is_64)
		put_headers_64(c, off, CORE_INFO_OFF - off + info_len);
	else
		put_headers_32(c, off, CORE_INFO_OFF - off + info_len);
}

/* -------------------------------------------------------------------------------------- the ring */

size_t core_ring_desc_off(const struct core *c, uint64_t id)
{
	return DESCS + (size_t)(id % (UINT64_C(1) << c->count_bits)) * DESC_LEN;
}

size_t core_ring_head_off(void)
{
	return PRB + DESC_RING_OFF + HEAD_OFF;
}

size_t core_ring_tail_off(void)
{
	return PRB + DESC_RING_OFF + TAIL_OFF;
}

size_t core_ring_count_bits_off(void)
{
	return PRB + DESC_RING_OFF + COUNT_BITS_OFF;
}

static void tell_ring(struct core *c)
{
	core_tell(c, "SYMBOL(prb)=%" PRIx64, core_vaddr(c, PRB_POINTER));
	core_tell(c, "SIZE(printk_ringbuffer)=%d", 88);
	core_tell(c, "OFFSET(printk_ringbuffer.desc_ring)=%d", DESC_RING_OFF);
	core_tell(c, "OFFSET(printk_ringbuffer.text_data_ring)=%d", TEXT_RING_OFF);
	core_tell(c, "OFFSET(prb_desc_ring.count_bits)=%d", COUNT_BITS_OFF);
	core_tell(c, "OFFSET(prb_desc_ring.descs)=%d", DESCS_OFF);
	core_tell(c, "OFFSET(prb_desc_ring.infos)=%d", INFOS_OFF);
	core_tell(c, "OFFSET(prb_desc_ring.head_id)=%d", HEAD_OFF);
	core_tell(c, "OFFSET(prb_desc_ring.tail_id)=%d", TAIL_OFF);
	core_tell(c, "SIZE(prb_desc)=%d", DESC_LEN);
	core_tell(c, "OFFSET(prb_desc.state_var)=%d", 0);
	core_tell(c, "OFFSET(prb_desc.text_blk_lpos)=%d", 8);
	core_tell(c, "OFFSET(prb_data_blk_lpos.begin)=%d", 0);
	core_tell(c, "OFFSET(prb_data_blk_lpos.next)=%zu", long_len(c));
	core_tell(c, "SIZE(printk_info)=%d", INFO_LEN);
	core_tell(c, "OFFSET(printk_info.ts_nsec)=%d", TS_OFF);
	core_tell(c, "OFFSET(printk_info.text_len)=%d", TEXT_LEN_OFF);
	core_tell(c, "OFFSET(prb_data_ring.size_bits)=%d", SIZE_BITS_OFF);
	core_tell(c, "OFFSET(prb_data_ring.data)=%d", DATA_OFF);
	core_tell(c, "OFFSET(atomic_long_t.counter)=0");
}

void core_ring_init(struct core *c, unsigned int count_bits, unsigned int size_bits)
{
	require((DESC_LEN << count_bits) <= INFOS - DESCS);
	require((INFO_LEN << count_bits) <= TEXT - INFOS);
	require((1 << size_bits) <= CORE_MEMORY_LEN - TEXT);
	c->count_bits = count_bits;
	c->size_bits = size_bits;
	/* Ids and positions begin just before they overflow, as the kernel has it. */
	c->head = (0 - ((UINT64_C(1) << count_bits) + 1)) & id_mask(c);
	c->begin = 0 - (UINT64_C(1) << size_bits);
	core_put_long(c, PRB_POINTER, core_vaddr(c, PRB));
	core_put_u32(c, core_ring_count_bits_off(), count_bits);
	core_put_long(c, PRB + DESC_RING_OFF + DESCS_OFF, core_vaddr(c, DESCS));
	core_put_long(c, PRB + DESC_RING_OFF + INFOS_OFF, core_vaddr(c, INFOS));
	core_put_long(c, core_ring_head_off(), c->head);
	core_put_long(c, core_ring_tail_off(), c->head);
	core_put_u32(c, PRB + TEXT_RING_OFF + SIZE_BITS_OFF, size_bits);
	core_put_long(c, PRB + TEXT_RING_OFF + DATA_OFF, core_vaddr(c, TEXT));
	/* The descriptor that stands before the first: reusable. */
	core_put_long(c, core_ring_desc_off(c, c->head), c->head | ~id_mask(c));
	tell_ring(c);
}

/* Reserves a block of the text ring; returns where its id stands. */
static uint64_t reserve(struct core *c, size_t len, uint64_t *ret_begin, uint64_t *ret_next)
{
	const uint64_t size = UINT64_C(1) << c->size_bits;
	const uint64_t block_len = (long_len(c) + len + long_len(c) - 1) & ~(long_len(c) - 1);
	uint64_t next = c->begin + block_len, at = c->begin & (size - 1);
	const uint64_t last = c->fits_exactly ? next - 1 : next;

	*ret_begin = c->begin;
	if (last / size != c->begin / size) {
		next = (last / size) * size + block_len;
		at = 0;
	}
	*ret_next = next;
	c->begin = next;
	return TEXT + at;
}

/* Forgets the oldest record while there is no room for another. */
static void push_tail(struct core *c)
{
	uint64_t tail = get_long(c, core_ring_tail_off());

	if (((c->head - tail) & id_mask(c)) >= (UINT64_C(1) << c->count_bits))
		tail = (tail + 1) & id_mask(c);
	core_put_long(c, core_ring_tail_off(), tail);
}

void core_ring_add(struct core *c, uint64_t ts_nsec, const char *text)
{
	const unsigned int state_shift = (unsigned int)long_len(c) * 8 - 2;
	const uint16_t len = (uint16_t)strlen(text);
	uint64_t begin = 1, next = 1;
	size_t desc, info;

	c->head = (c->head + 1) & id_mask(c);
	desc = core_ring_desc_off(c, c->head);
	info = INFOS + (desc - DESCS) / DESC_LEN * INFO_LEN;
	if (len > 0) {
		size_t at = (size_t)reserve(c, len, &begin, &next);

		core_put_long(c, at, c->head);
		memcpy(core_at(c, at + long_len(c)), text, len);
	}
	core_put_long(c, desc, c->head | (UINT64_C(2) << state_shift));
	core_put_long(c, desc + 8, begin);
	core_put_long(c, desc + 8 + long_len(c), next);
	memcpy(core_at(c, info + TS_OFF), &ts_nsec, sizeof(ts_nsec));
	memcpy(core_at(c, info + TEXT_LEN_OFF), &len, sizeof(len));
	core_put_long(c, core_ring_head_off(), c->head);
	push_tail(c);
}

/* ----------------------------------------------------------------------------------- the records */

static void init_buffer(struct core *c, uint32_t len)
{
	require(len <= CORE_MEMORY_LEN - CORE_RECORDS_OFF);
	core_put_long(c, LOG_BUF_POINTER, core_vaddr(c, CORE_RECORDS_OFF));
	core_put_u32(c, LOG_BUF_LEN, len);
	core_tell(c, "SYMBOL(log_buf)=%" PRIx64, core_vaddr(c, LOG_BUF_POINTER));
	core_tell(c, "SYMBOL(log_buf_len)=%" PRIx64, core_vaddr(c, LOG_BUF_LEN));
	c->size_bits = len;
}

void core_records_init(struct core *c, const char *name, uint32_t len)
{
	init_buffer(c, len);
	core_tell(c, "SYMBOL(log_first_idx)=%" PRIx64, core_vaddr(c, LOG_FIRST));
	core_tell(c, "SYMBOL(log_next_idx)=%" PRIx64, core_vaddr(c, LOG_NEXT));
	core_tell(c, "SIZE(%s)=%d", name, RECORD_HEADER_LEN);
	core_tell(c, "OFFSET(%s.ts_nsec)=0", name);
	core_tell(c, "OFFSET(%s.len)=8", name);
	core_tell(c, "OFFSET(%s.text_len)=10", name);
	core_tell(c, "OFFSET(%s.dict_len)=12", name);
}

static uint16_t record_len_at(struct core *c, uint32_t off)
{
	uint16_t len;

	memcpy(&len, core_at(c, CORE_RECORDS_OFF + off + 8), sizeof(len));
	return len;
}

/* Drops records until len bytes at next, and an empty header behind, overwrite none. */
static void drop_records(struct core *c, uint32_t len)
{
	while (c->first != c->next && c->first > c->next && c->first < c->next + len + 16) {
		uint16_t record_len = record_len_at(c, c->first);

		c->first = record_len ? c->first + record_len : 0;
		if (record_len == 0)
			break;
	}
}

void core_records_add(struct core *c, uint64_t ts_nsec, const char *text)
{
	static const char dictionary[] = "SUBSYSTEM=test";
	const uint16_t text_len = (uint16_t)strlen(text), dict_len = sizeof(dictionary) - 1;
	const uint16_t len = (uint16_t)((RECORD_HEADER_LEN + text_len + dict_len + 7) & ~7);
	uint8_t *at;

	if (c->next + len + RECORD_HEADER_LEN > c->size_bits) {
		memset(core_at(c, CORE_RECORDS_OFF + c->next), 0, RECORD_HEADER_LEN);
		if (c->first > c->next || c->first == 0)
			c->first = record_len_at(c, 0);
		c->next = 0;
	}
	drop_records(c, len);
	at = core_at(c, CORE_RECORDS_OFF + c->next);
	memset(at, 0, len);
	memcpy(at, &ts_nsec, sizeof(ts_nsec));
	memcpy(at + 8, &len, sizeof(len));
	memcpy(at + 10, &text_len, sizeof(text_len));
	memcpy(at + 12, &dict_len, sizeof(dict_len));
	memcpy(at + RECORD_HEADER_LEN, text, text_len);
	memcpy(at + RECORD_HEADER_LEN + text_len, dictionary, dict_len);
	c->next += len;
	core_put_u32(c, LOG_FIRST, c->first);
	core_put_u32(c, LOG_NEXT, c->next);
}

/* ------------------------------------------------------------------------------------ characters */

void core_plain_init(struct core *c, uint32_t len)
{
	init_buffer(c, len);
	core_tell(c, "SYMBOL(log_end)=%" PRIx64, core_vaddr(c, LOG_NEXT));
	core_tell(c, "SYMBOL(logged_chars)=%" PRIx64, core_vaddr(c, LOG_FIRST));
}

void core_plain_add(struct core *c, const char *text)
{
	for (; *text != '\0'; text++)
		*core_at(c, CORE_RECORDS_OFF + c->next++ % c->size_bits) = (uint8_t)*text;
	core_put_u32(c, LOG_NEXT, c->next);
	core_put_u32(c, LOG_FIRST, c->next < c->size_bits ? c->next : c->size_bits);
}
