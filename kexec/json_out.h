/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON text under construction, by json-c: nothing of it is there in a program built without.
 *
 * Once memory is short every call does nothing, and json_out_finish() gives NULL: callers need not look
 * in between. What functions return may be NULL then.
 */
#ifndef KEXEC_NG_JSON_OUT_H
#define KEXEC_NG_JSON_OUT_H

#ifdef HAVE_JSON_C

#include <json-c/json.h>

#include "diag.h"

#define JSON_FORMAT	1	/* doc/json.md: raised when a key goes or changes its meaning */

struct json_out {
	struct json_object *top;
	bool is_short;		/* of memory */
};

/* An object with "format" in it; ends with json_out_free(), whatever happened. */
bool json_out_start(struct json_out *j);
/* The text, without a newline after it; it lives until json_out_free(). */
const char *json_out_finish(struct json_out *j);
void json_out_free(struct json_out *j);

/* Takes value over; NULL means that making it failed. */
void json_out_value(struct json_out *j, struct json_object *to, const char *key,
		    struct json_object *value);
void json_out_append(struct json_out *j, struct json_object *list, struct json_object *value);
/* An object or a list inside another; the caller fills what comes back. */
struct json_object *json_out_new(struct json_out *j, struct json_object *to, const char *key,
				 struct json_object *value);
/* A new object at the end of a list. */
struct json_object *json_out_element(struct json_out *j, struct json_object *list);

void json_out_null(struct json_out *j, struct json_object *to, const char *key);
void json_out_number(struct json_out *j, struct json_object *to, const char *key, uint64_t v);
void json_out_bool(struct json_out *j, struct json_object *to, const char *key, bool v);
/* "0x..." */
void json_out_addr(struct json_out *j, struct json_object *to, const char *key, uint64_t v);
/* JSON is UTF-8, and text may be anything: bytes that fit nowhere become U+FFFD. NULL is null. */
void json_out_text(struct json_out *j, struct json_object *to, const char *key, const char *text);
struct json_object *json_out_new_text(const char *text);

/* "error" and "notes", as doc/json.md has them. */
void json_out_error(struct json_out *j, struct json_object *to, const struct diag *failure);
void json_out_notes(struct json_out *j, struct json_object *to, const struct diag *diag);

#endif
#endif
