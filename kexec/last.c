// SPDX-License-Identifier: GPL-2.0-or-later
#include "last.h"

#include <asm/bootparam.h>
#include <string.h>

#include "handoff.h"

#define LOADER_KEXEC		0xd	/* high nibble of type_of_loader */
#define OLDEST_NOTE_LEN		144	/* notes have only grown since */

static const struct {
	const char *id;
	const char *text;
} steps[N_LAST_STEPS] = {
	[LAST_BEFORE] = { "before", "from the load to purgatory" },
	[LAST_VERIFY] = { "verify", "purgatory verifies" },
	[LAST_LEAVE] = { "leave", "purgatory reports and leaves" },
	[LAST_EARLY] = { "early", "the new kernel, until its clock starts" },
	[LAST_KERNEL] = { "kernel", "from there to init" },
};

const char *last_step_id(enum last_step step)
{
	return steps[step].id;
}

const char *last_step_text(enum last_step step)
{
	return steps[step].text;
}

static void make_printable(char *text, size_t len)
{
	text[len - 1] = '\0';
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

bool last_read_note(struct span data, struct boot_note *ret)
{
	struct boot_note note = { 0 };
	size_t len = min_size(data.len, sizeof(note));

	if (data.len < OLDEST_NOTE_LEN || !span_copy(data, 0, &note, len) ||
	    note.magic != BOOT_NOTE_MAGIC || note.len < OLDEST_NOTE_LEN || note.len > data.len)
		return false;
	make_printable(note.loader, sizeof(note.loader));
	make_printable(note.release, sizeof(note.release));
	*ret = note;
	return true;
}

static enum last_kind find_note(const struct facts *facts, struct last *ret)
{
	for (size_t i = 0; i < facts->n_setup; i++)
		if (facts->setup[i].type == 0 && last_read_note(facts->setup[i].data, &ret->note))
			return LAST_NOTED;
	if (!facts->has_boot_params)
		return LAST_UNKNOWN;
	return ret->loader_type >> 4 == LOADER_KEXEC ? LAST_OTHER : LAST_FIRMWARE;
}

/* ticks / khz in microseconds; false if they are more than a month. */
static bool us_of_ticks(uint64_t ticks, uint64_t khz, uint64_t *ret)
{
	const uint64_t ms_max = UINT64_C(31) * 24 * 3600 * 1000;

	if (khz == 0 || ticks / khz > ms_max)
		return false;
	*ret = ticks / khz * 1000 + ticks % khz * 1000 / khz;
	return true;
}

static struct last_figure unknown(const char *why)
{
	return (struct last_figure){ .state = LAST_STEP_UNKNOWN, .why = why };
}

static struct last_figure between(uint64_t from, uint64_t to, const struct tsc_clock *clock)
{
	struct last_figure f = { .state = LAST_STEP_KNOWN };

	if (from == 0 || to == 0)
		return unknown("purgatory left no mark");
	if (clock->khz == 0)
		return unknown("the rate of the TSC is not known");
	if (to < from || !us_of_ticks(to - from, clock->khz, &f.us))
		return unknown("the marks do not follow each other: the TSC was set in between");
	return f;
}

static struct last_figure before(const struct boot_note *note, const struct tsc_clock *clock)
{
	struct last_figure f;

	if (note->loaded == 0)
		return unknown("the load was not recorded");
	f = between(note->loaded, note->entered, clock);
	if (f.state != LAST_STEP_KNOWN)
		return f;
	f.state = LAST_STEP_AT_MOST;
	f.why = "nothing records when the jump began; the old kernel's shutdown is a part of it";
	return f;
}

static struct last_figure early(const struct boot_note *note, const struct tsc_clock *clock)
{
	struct last_figure f;

	if (!clock->has_start)
		return unknown(clock->start_source);
	/* What is not known to less than that may come out as if it were before the mark. */
	if (clock->start < note->left && note->left != 0 && clock->khz != 0 &&
	    (note->left - clock->start) / clock->khz <= clock->start_error_us / 1000)
		return (struct last_figure){ .state = LAST_STEP_KNOWN,
					     .error_us = clock->start_error_us };
	f = between(note->left, clock->start, clock);
	f.error_us = clock->start_error_us;
	return f;
}

void last_compute(const struct facts *facts, const struct tsc_clock *clock, struct last *ret)
{
	struct last l = { .clock = *clock };
	const struct boot_note *note = &l.note;

	if (facts->has_boot_params)
		l.loader_type = facts->boot_params[offsetof(struct boot_params,
							    hdr.type_of_loader)];
	l.kind = find_note(facts, &l);
	if (l.kind == LAST_NOTED) {
		l.steps[LAST_BEFORE] = before(note, clock);
		l.steps[LAST_VERIFY] = between(note->entered, note->verified, clock);
		if (note->verdict == VERDICT_UNCHECKED)
			l.steps[LAST_VERIFY].why = "nothing was to be verified but purgatory";
		l.steps[LAST_LEAVE] = between(note->verified, note->left, clock);
		l.steps[LAST_EARLY] = early(note, clock);
		l.steps[LAST_KERNEL] = clock->has_init ?
			(struct last_figure){ .state = LAST_STEP_KNOWN, .us = clock->init_us } :
			unknown(clock->init_source);
	}
	*ret = l;
}
