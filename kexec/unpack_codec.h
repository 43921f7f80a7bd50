/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between unpack.c and the codecs: where output goes, and the loop around a library's decoder.
 */
#ifndef KEXEC_NG_UNPACK_CODEC_H
#define KEXEC_NG_UNPACK_CODEC_H

#include "unpack.h"

/* The output of one stream: room of a fixed length, or the end of a buffer that grows. */
struct unpack_out {
	struct unpack_buffer *buf;	/* NULL: fixed */
	size_t start;			/* of this stream's output in buf */
	uint8_t *fixed;
	size_t len;			/* written so far */
	size_t max;			/* never more */
	uint8_t spare;			/* a byte that is written here is one too many */
};

/*
 * Where the next bytes go, and how many fit: at least want of them, or all that max allows. When
 * that is none the place is the spare byte.
 */
must_check int unpack_out_room(struct unpack_out *out, size_t want, uint8_t **ret_next,
			       size_t *ret_room, struct diag *diag);
/* n bytes were written there; the failure of having written to the spare byte. */
must_check int unpack_out_wrote(struct unpack_out *out, size_t n, struct diag *diag);
/* The failure of having more output than max. */
int unpack_fail_overflow(const struct unpack_out *out, struct diag *diag);
int unpack_fail_damaged(const char *format, const char *reason, struct diag *diag);
int unpack_fail_truncated(const char *format, size_t len, struct diag *diag);
int unpack_fail_unsupported(const char *format, const char *what, struct diag *diag);
int unpack_fail_memory_limit(const char *format, uint64_t memory_max, struct diag *diag);

enum unpack_progress {
	UNPACK_GOES_ON = 0,
	UNPACK_ENDED = 1,
};

/* No library is given more than this at once: some count in 32 bits. */
#define UNPACK_STEP_MAX		(512 * MIB)

/*
 * One call of a library's decoder: takes what it wants from the front of *in, writes up to *len
 * bytes to next and leaves their number in *len. enum unpack_progress, or a failure.
 */
typedef int (*unpack_step)(void *stream, struct span *in, uint8_t *next, size_t *len,
			   struct diag *diag);
must_check int unpack_run(const char *format, unpack_step step, void *stream, struct span in,
			  struct unpack_out *out, size_t *ret_consumed, struct diag *diag);

extern const struct codec unpack_gzip;
extern const struct codec unpack_bzip2;
extern const struct codec unpack_lzma;
extern const struct codec unpack_xz;
extern const struct codec unpack_lzo;
extern const struct codec unpack_lz4;
extern const struct codec unpack_lz4_frame;
extern const struct codec unpack_zstd;
extern const struct codec unpack_elf;

#endif
