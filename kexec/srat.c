// SPDX-License-Identifier: GPL-2.0-or-later
#include "srat.h"

#include "checked.h"

#define SRAT_HEAD_LEN		48
#define MEMORY_AFFINITY		1
#define MEMORY_AFFINITY_LEN	40
#define IS_ENABLED		1
#define IS_PLUGGABLE		2

struct affinity {
	uint64_t start, len;
	uint32_t flags;
};

static bool read_memory(struct span entry, struct affinity *ret)
{
	return entry.len >= MEMORY_AFFINITY_LEN && entry.data[0] == MEMORY_AFFINITY &&
	       span_le64(entry, 8, &ret->start) && span_le64(entry, 16, &ret->len) &&
	       span_le32(entry, 28, &ret->flags);
}

struct srat srat_read(struct span table)
{
	struct srat found = { 0 };
	struct span entry;
	size_t len;

	if (!span_starts_with(table, "SRAT", 4))
		return found;
	for (size_t at = SRAT_HEAD_LEN; at + 2 <= table.len; at += len) {
		struct affinity memory;
		uint64_t end;

		len = table.data[at + 1];
		if (len < 2 || !span_sub(table, at, len, &entry))
			break;
		if (!read_memory(entry, &memory) || !(memory.flags & IS_ENABLED) ||
		    memory.len == 0 || !checked_add(memory.start, memory.len, &end))
			continue;
		found.memory_end = max_u64(found.memory_end, end);
		found.is_pluggable |= (memory.flags & IS_PLUGGABLE) != 0;
	}
	return found;
}
