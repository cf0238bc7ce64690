/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "conf/role.h"

/* One item as it would stand in a file; NULL: out of memory. */
static char *item_text(const struct conf_item *item, const void *conf)
{
	const struct conf_item table[] = { *item, CONF_END };
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		return NULL;
	conf_dump(out, table, conf, false);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static bool same(const struct conf_item *item, const void *a, const void *b)
{
	char *text_a = item_text(item, a), *text_b = item_text(item, b);
	bool is_same = text_a != NULL && text_b != NULL && strcmp(text_a, text_b) == 0;

	free(text_a);
	free(text_b);
	return is_same;
}

/* The names of CONF_COMMON, which take effect at once, are left out. */
static char *differences(TALLOC_CTX *mem_ctx, const struct conf_item *items, const void *now, const void *in_force)
{
	static const size_t common = 4;
	char *names = talloc_strdup(mem_ctx, "");

	for (items += common; names != NULL && items->key != NULL; items++) {
		if (!same(items, now, in_force))
			names = talloc_asprintf_append(names, "%s%s", names[0] != '\0' ? ", " : "", items->key);
	}
	return names;
}

static void log_name(const struct role *role, char *name, size_t cap)
{
	snprintf(name, cap, "%s", role->name);
	for (; *name != '\0'; name++) {
		if (*name == '_')
			*name = '-';
	}
}

enum gba_err conf_reread(TALLOC_CTX *mem_ctx, const struct role *role, const char *path, const void *in_force,
			 const char **_differs, struct conf_error *_error)
{
	void *conf = talloc_zero_size(mem_ctx, role->conf_size);
	const struct conf_common *common;
	char name[24];
	enum gba_err err;

	snprintf(_error->text, sizeof(_error->text), "%s: out of memory", path);
	if (conf == NULL)
		return GBA_E_NOMEM;
	err = conf_load(mem_ctx, role->name, path, role->items, conf, _error);
	if (err == GBA_OK && role->check != NULL)
		err = role->check(conf, _error);
	if (err != GBA_OK)
		return err;
	common = (const struct conf_common *)((const char *)conf + role->items[0].offset);
	log_name(role, name, sizeof(name));
	err = conf_common_apply(name, common, _error);
	if (err != GBA_OK)
		return err;
	if (role->live != NULL)
		role->live(conf);
	*_differs = differences(mem_ctx, role->items, conf, in_force);
	return *_differs != NULL ? GBA_OK : GBA_E_NOMEM;
}
