// SPDX-License-Identifier: GPL-2.0-or-later
#include "kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "host_text.h"

#define LEVEL_MASK	7
#define FACILITY_KERNEL	0

/* Cuts what is before the separator, a number, off *rest. */
static bool next_number(struct span *rest, uint8_t separator, uint64_t *ret)
{
	struct span number = *rest;

	for (number.len = 0; number.len < rest->len && rest->data[number.len] != separator;)
		number.len++;
	if (number.len == rest->len || !text_number(number, ret))
		return false;
	*rest = span_of(rest->data + number.len + 1, rest->len - number.len - 1);
	return true;
}

/* "6,339,5140900,-,more;text\n", then lines that begin with a blank. */
bool kmsg_parse(struct span record, struct kmsg_record *ret)
{
	uint64_t prefix, sequence, us;
	struct span rest = record, line;
	size_t at = 0;

	if (!next_number(&rest, ',', &prefix) || !next_number(&rest, ',', &sequence) ||
	    !next_number(&rest, ',', &us) || prefix > UINT32_MAX)
		return false;
	while (at < rest.len && rest.data[at] != ';')
		at++;
	if (at == rest.len)
		return false;
	rest = span_of(rest.data + at + 1, rest.len - at - 1);
	line = span_of(rest.data, 0);
	if (rest.len > 0 && !text_next_line(&rest, &line))
		return false;
	*ret = (struct kmsg_record){
		.level = (uint32_t)prefix & LEVEL_MASK,
		.is_kernel = prefix >> 3 == FACILITY_KERNEL,
		.us = us,
		.text = line,
	};
	return true;
}

int kmsg_open(struct kmsg *k, bool from_start)
{
	int error;

	k->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (k->fd < 0)
		return -errno;
	if (lseek(k->fd, 0, from_start ? SEEK_SET : SEEK_END) == 0)
		return 0;
	error = errno;
	kmsg_close(k);
	return -error;
}

bool kmsg_next(struct kmsg *k, struct kmsg_record *ret)
{
	while (k->fd >= 0) {
		ssize_t len = read(k->fd, k->buf, sizeof(k->buf));

		/* EPIPE: what was next has been overwritten; the next read goes on behind it. */
		if (len < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (len <= 0)
			return false;
		if (kmsg_parse(span_of(k->buf, (size_t)len), ret))
			return true;
	}
	return false;
}

void kmsg_close(struct kmsg *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}
