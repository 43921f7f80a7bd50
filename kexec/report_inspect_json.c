// SPDX-License-Identifier: GPL-2.0-or-later
#include "report_inspect.h"

#include <errno.h>

#include "json_out.h"
#include "report.h"

#ifdef HAVE_JSON_C

static void put_children(struct json_out *j, struct json_object *to, const struct item *group);

static void put_list(struct json_out *j, struct json_object *to, const struct item *list)
{
	for (const struct item *o = list->first; o && !j->is_short; o = o->next)
		put_children(j, json_out_element(j, to), o);
}

static void put_item(struct json_out *j, struct json_object *to, const struct item *item)
{
	switch (item->kind) {
	case ITEM_GROUP:
		put_children(j, json_out_new(j, to, item->key, json_object_new_object()), item);
		break;
	case ITEM_LIST:
		put_list(j, json_out_new(j, to, item->key, json_object_new_array()), item);
		break;
	case ITEM_TEXT:
		json_out_text(j, to, item->key, item->text);
		break;
	case ITEM_NUMBER:
	case ITEM_LEN:
		json_out_number(j, to, item->key, item->number);
		break;
	case ITEM_ADDR:
		json_out_addr(j, to, item->key, item->number);
		break;
	case ITEM_BOOL:
		json_out_bool(j, to, item->key, item->number != 0);
		break;
	}
}

static void put_children(struct json_out *j, struct json_object *to, const struct item *group)
{
	for (const struct item *o = group->first; o && !j->is_short; o = o->next)
		put_item(j, to, o);
}

int report_inspection_json(FILE *out, const struct inspection *in, struct diag *diag)
{
	const char *text = NULL;
	struct json_out j;

	if (json_out_start(&j))
		put_children(&j, j.top, in->top);
	text = json_out_finish(&j);
	if (text)
		fprintf(out, "%s\n", text);
	json_out_free(&j);
	return text ? 0 : fail_nomem(diag);
}

#else

int report_inspection_json(FILE *out, const struct inspection *in, struct diag *diag)
{
	(void)out, (void)in;
	return report_json_check(diag);
}

#endif
