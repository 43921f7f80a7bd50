/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between pack.c and the encoders. */
#ifndef KEXEC_NG_PACK_CODEC_H
#define KEXEC_NG_PACK_CODEC_H

#include "pack.h"

/* Each appends one stream to out. */
typedef int (*pack_encode)(struct span plain, struct unpack_buffer *out, struct diag *diag);

/* lz4 as kernels use it, and the container of lzop. */
must_check int pack_lz4(struct span plain, struct unpack_buffer *out, struct diag *diag);
must_check int pack_lzo(struct span plain, struct unpack_buffer *out, struct diag *diag);

int pack_fail(const char *format, struct diag *diag);

#endif
