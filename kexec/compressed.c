// SPDX-License-Identifier: GPL-2.0-or-later
#include "compressed.h"

#include <errno.h>
#include <inttypes.h>

/* An ELF file is what a codec makes of a payload that nobody packed; here that is no container. */
static const struct codec *codec_of(struct span file)
{
	const struct codec *codec = unpack_find(file);

	return codec == unpack_plain() ? NULL : codec;
}

static int compressed_probe(struct span file, struct diag *why)
{
	if (codec_of(file))
		return 0;
	return fail(why, ENOEXEC, "compressed/no-magic",
		    "it begins as no compressed file of a known format does");
}

static const char *compressed_name(struct span file)
{
	const struct codec *codec = codec_of(file);

	return codec ? codec->name : "compressed data";
}

static bool is_zeros(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != 0)
			return false;
	return true;
}

static uint64_t len_max(const struct facts *facts)
{
	if (facts->ram_available == 0)
		return COMPRESSED_LEN_MAX;
	return min_u64(COMPRESSED_LEN_MAX, facts->ram_available / 2);
}

static int unpack_all(const struct codec *codec, struct span rest, uint64_t max,
		      struct unpack_buffer *memory, struct diag *diag)
{
	const size_t file_len = rest.len;

	do {
		size_t consumed = 0;
		int r = unpack_stream(codec, rest, (size_t)(max - memory->len), memory, &consumed,
				      diag);

		if (r < 0)
			return r;
		rest = span_of(rest.data + consumed, rest.len - consumed);
	} while (span_starts_with(rest, codec->magic, codec->magic_len));
	if (!is_zeros(rest))
		return fail(diag, EINVAL, "compressed/trailing",
			    "the %s data ends after %zu of %zu bytes, and what follows is neither "
			    "more of it nor zeros",
			    codec->name, file_len - rest.len, file_len);
	return 0;
}

static int compressed_open(struct request *inner, const struct facts *facts, struct arena *a,
			   struct unpack_buffer *memory, struct diag *diag)
{
	const struct codec *codec = codec_of(inner->kernel);
	const uint64_t max = len_max(facts);
	int r;

	(void)a;
	if (!codec)
		return fail(diag, ENOEXEC, "compressed/no-codec", "this is no compressed file");
	r = unpack_all(codec, inner->kernel, max, memory, diag);
	if (r == -EFBIG)
		return fail_advise(diag,
				   "a kernel is never so large, or this machine has too little memory "
				   "for it: at most %" PRIu64 " MiB are unpacked here",
				   max / MIB);
	if (r < 0)
		return r;
	if (memory->len == 0)
		return fail(diag, EINVAL, "compressed/empty", "the %s data unpacks to nothing",
			    codec->name);
	unpack_buffer_trim(memory);
	inner->kernel = span_of(memory->data, memory->len);
	return 0;
}

const struct container compressed_container = {
	.probe = compressed_probe,
	.name_of = compressed_name,
	.open = compressed_open,
};
