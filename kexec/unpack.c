// SPDX-License-Identifier: GPL-2.0-or-later
#include "unpack_codec.h"

#include <errno.h>
#include <inttypes.h>

static const struct codec *const codecs[] = {
	&unpack_gzip, &unpack_bzip2,	 &unpack_lzma, &unpack_xz,  &unpack_lzo,
	&unpack_lz4,  &unpack_lz4_frame, &unpack_zstd, &unpack_elf, NULL,
};

const struct codec *const *unpack_codecs(void)
{
	return codecs;
}

const struct codec *unpack_plain(void)
{
	return &unpack_elf;
}

const struct codec *unpack_find(struct span packed)
{
	for (size_t i = 0; codecs[i]; i++)
		if (span_starts_with(packed, codecs[i]->magic, codecs[i]->magic_len))
			return codecs[i];
	return NULL;
}

int unpack_split(const struct codec *codec, struct span payload, struct span *ret_packed,
		 size_t *ret_out_len, struct diag *diag)
{
	uint32_t out_len;

	if (payload.len < sizeof(out_len) ||
	    !span_le32(payload, payload.len - sizeof(out_len), &out_len))
		return fail(diag, EINVAL, "unpack/no-trailer",
			    "the payload must end with its unpacked length, but it has %zu bytes",
			    payload.len);
	*ret_out_len = out_len;
	*ret_packed = span_of(payload.data, payload.len - (codec->has_own_len ? 0 : sizeof(out_len)));
	return 0;
}

/* ---- where output goes ---------------------------------------------------------------------- */

int unpack_out_room(struct unpack_out *out, size_t want, uint8_t **ret_next, size_t *ret_room,
		    struct diag *diag)
{
	size_t left = out->max - out->len;
	size_t room = left;

	if (left == 0) {
		*ret_next = &out->spare;
		*ret_room = 1;
		return 0;
	}
	if (out->buf) {
		int r = unpack_buffer_reserve(out->buf, min_size(want, left), diag);

		if (r < 0)
			return r;
		room = min_size(left, out->buf->map_len - out->buf->len);
		*ret_next = out->buf->data + out->buf->len;
	} else {
		*ret_next = out->fixed + out->len;
	}
	*ret_room = room;
	return 0;
}

int unpack_out_wrote(struct unpack_out *out, size_t n, struct diag *diag)
{
	if (n > out->max - out->len)
		return unpack_fail_overflow(out, diag);
	out->len += n;
	if (out->buf)
		out->buf->len += n;
	return 0;
}

int unpack_fail_overflow(const struct unpack_out *out, struct diag *diag)
{
	if (!out->buf)
		return fail(diag, EINVAL, "unpack/long",
			    "more than the expected %zu bytes come out of the packed data", out->max);
	return fail(diag, EFBIG, "unpack/too-large",
		    "more than the %zu bytes that are allowed come out of the packed data", out->max);
}

int unpack_fail_damaged(const char *format, const char *reason, struct diag *diag)
{
	return fail(diag, EINVAL, "unpack/damaged", "the %s data is damaged: %s", format, reason);
}

int unpack_fail_truncated(const char *format, size_t len, struct diag *diag)
{
	return fail(diag, EINVAL, "unpack/truncated",
		    "the %s data has no end: after %zu bytes there is nothing more", format, len);
}

int unpack_fail_unsupported(const char *format, const char *what, struct diag *diag)
{
	return fail(diag, ENOTSUP, "unpack/unsupported",
		    "the %s data is of a kind that kexec-ng does not unpack: %s", format, what);
}

int unpack_fail_memory_limit(const char *format, uint64_t memory_max, struct diag *diag)
{
	return fail(diag, EFBIG, "unpack/memory-limit",
		    "the %s data was packed so that unpacking takes more memory than the %" PRIu64
		    " MiB that are allowed",
		    format, memory_max / MIB);
}

int unpack_run(const char *format, unpack_step step, void *stream, struct span in,
	       struct unpack_out *out, size_t *ret_consumed, struct diag *diag)
{
	size_t in_len = in.len;

	for (;;) {
		struct span part = span_of(in.data, min_size(in.len, UNPACK_STEP_MAX));
		size_t part_len = part.len;
		size_t len, taken;
		uint8_t *next;
		int r = unpack_out_room(out, 1, &next, &len, diag);
		int progress;

		if (r < 0)
			return r;
		len = min_size(len, UNPACK_STEP_MAX);
		progress = step(stream, &part, next, &len, diag);
		if (progress < 0)
			return progress;
		r = unpack_out_wrote(out, len, diag);
		if (r < 0)
			return r;
		taken = part_len - part.len;
		in = span_of(in.data + taken, in.len - taken);
		if (progress == UNPACK_ENDED)
			break;
		if (taken == 0 && len == 0)
			return unpack_fail_truncated(format, in_len, diag);
	}
	*ret_consumed = in_len - in.len;
	return 0;
}

/* ---- the two ways to unpack ----------------------------------------------------------------- */

static int decode(const struct codec *codec, struct span in, struct unpack_out *out,
		  size_t *ret_consumed, struct diag *diag)
{
	if (in.len < codec->magic_len)
		return unpack_fail_truncated(codec->name, in.len, diag);
	if (!span_starts_with(in, codec->magic, codec->magic_len))
		return unpack_fail_damaged(codec->name, "it does not begin as it must", diag);
	if (codec->is_built)
		return codec->decode(in, out, ret_consumed, diag);
	fail(diag, ENOTSUP, "unpack/not-built",
	     "this is packed with %s, and this kexec was built without %s", codec->name,
	     codec->library);
	return fail_advise(diag, "install %s (Debian's name) and build kexec-ng again",
			   codec->package);
}

int unpack_exact(const struct codec *codec, struct span packed, uint8_t *out, size_t out_len,
		 struct diag *diag)
{
	struct unpack_out o = { .fixed = out, .max = out_len };
	size_t consumed = 0;
	int r = decode(codec, packed, &o, &consumed, diag);

	if (r < 0)
		return r;
	if (o.len < out_len)
		return fail(diag, EINVAL, "unpack/short",
			    "%zu bytes come out of the packed data, expected %zu", o.len, out_len);
	if (consumed < packed.len)
		return fail(diag, EINVAL, "unpack/trailing",
			    "the %s data ends after %zu bytes, expected it to take %zu", codec->name,
			    consumed, packed.len);
	return 0;
}

int unpack_stream(const struct codec *codec, struct span in, size_t max_len,
		  struct unpack_buffer *buf, size_t *ret_consumed, struct diag *diag)
{
	struct unpack_out o = { .buf = buf, .start = buf->len, .max = max_len };
	size_t consumed = 0;
	int r = decode(codec, in, &o, &consumed, diag);

	if (r < 0) {
		buf->len = o.start;
		return r;
	}
	*ret_consumed = consumed;
	return 0;
}
