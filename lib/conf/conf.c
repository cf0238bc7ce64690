/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "conf/conf_scan.h"
#include "core/mask.h"

/* One load in progress. */
struct loader {
	TALLOC_CTX *mem_ctx;
	const char *role, *path;
	struct conf_error *error;
};

/* Where a value comes from, for messages. */
struct origin {
	const char *file;
	unsigned int line;  /* 0: the environment or a default */
	const char *key;    /* item, or the environment's variable */
};

static enum gba_err fail(struct loader *ld, const struct origin *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static enum gba_err fail(struct loader *ld, const struct origin *at, const char *fmt, ...)
{
	size_t cap = sizeof(ld->error->text), n;
	va_list args;

	if (at->line > 0)
		n = (size_t)snprintf(ld->error->text, cap, "%s:%u: %s: ", at->file, at->line, at->key);
	else
		n = (size_t)snprintf(ld->error->text, cap, "%s: %s: ", at->file, at->key);
	va_start(args, fmt);
	if (n < cap)
		vsnprintf(ld->error->text + n, cap - n, fmt, args);
	va_end(args);
	return GBA_E_CONF;
}

static void *member(void *conf, const struct conf_item *item)
{
	return (char *)conf + item->offset;
}

static const void *member_const(const void *conf, const struct conf_item *item)
{
	return (const char *)conf + item->offset;
}

static enum gba_err store_u32(struct loader *ld, const struct origin *at, const struct conf_item *item, long long value,
			      void *conf)
{
	if (value < (long long)item->min || value > (long long)item->max)
		return fail(ld, at, "%lld is not allowed (%" PRIu32 "..%" PRIu32 "%s%s)", value, item->min, item->max,
			    item->unit[0] != '\0' ? " " : "", item->unit);
	*(uint32_t *)member(conf, item) = (uint32_t)value;
	return GBA_OK;
}

static enum gba_err check_text(struct loader *ld, const struct origin *at, const struct conf_item *item, const char *text)
{
	size_t n = strlen(text);
	char shown[MASK_MAX];

	mask_password(text, shown);
	if (n < item->min || n > item->max)
		return fail(ld, at, "\"%.60s\" has %zu characters (allowed %" PRIu32 "..%" PRIu32 ")", shown, n, item->min,
			    item->max);
	if (item->valid != NULL && n > 0 && !item->valid(bytes_of(text)))
		return fail(ld, at, "\"%.60s\" is not valid: %s", shown, item->help);
	return GBA_OK;
}

static enum gba_err store_str(struct loader *ld, const struct origin *at, const struct conf_item *item, const char *text,
			      void *conf)
{
	enum gba_err err = check_text(ld, at, item, text);
	const char *copy;

	if (err != GBA_OK)
		return err;
	copy = talloc_strdup(ld->mem_ctx, text);
	if (copy == NULL)
		return GBA_E_NOMEM;
	*(const char **)member(conf, item) = copy;
	return GBA_OK;
}

static enum gba_err store_enum(struct loader *ld, const struct origin *at, const struct conf_item *item, const char *word,
			       void *conf)
{
	char allowed[200] = "";
	uint32_t i;

	for (i = 0; item->names[i] != NULL; i++) {
		size_t n = strlen(allowed);

		if (strcmp(item->names[i], word) == 0) {
			*(uint32_t *)member(conf, item) = i;
			return GBA_OK;
		}
		snprintf(allowed + n, sizeof(allowed) - n, "%s%s", i > 0 ? ", " : "", item->names[i]);
	}
	return fail(ld, at, "\"%.60s\" is not allowed (%s)", word, allowed);
}

static enum gba_err append_text(struct loader *ld, const struct origin *at, const struct conf_item *item, const char *text,
				struct conf_strlist *list)
{
	enum gba_err err = check_text(ld, at, item, text);
	const char **grown;

	if (err != GBA_OK)
		return err;
	grown = talloc_realloc(ld->mem_ctx, list->v, const char *, list->n + 1);
	if (grown == NULL)
		return GBA_E_NOMEM;
	list->v = grown;
	list->v[list->n] = talloc_strdup(grown, text);
	return list->v[list->n++] != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* "a, b" of the environment or a default. */
static enum gba_err store_list_text(struct loader *ld, const struct origin *at, const struct conf_item *item,
				    const char *text, void *conf)
{
	struct conf_strlist *list = member(conf, item);
	char *copy = talloc_strdup(ld->mem_ctx, text), *word, *save = NULL;
	enum gba_err err = copy != NULL ? GBA_OK : GBA_E_NOMEM;

	for (word = copy != NULL ? strtok_r(copy, ", ", &save) : NULL; word != NULL && err == GBA_OK;
	     word = strtok_r(NULL, ", ", &save))
		err = append_text(ld, at, item, word, list);
	talloc_free(copy);
	return err;
}

static enum gba_err store_bool_text(struct loader *ld, const struct origin *at, const struct conf_item *item,
				    const char *text, void *conf)
{
	bool yes = strcmp(text, "true") == 0;

	if (!yes && strcmp(text, "false") != 0)
		return fail(ld, at, "\"%.60s\" is not allowed (true, false)", text);
	*(bool *)member(conf, item) = yes;
	return GBA_OK;
}

static enum gba_err store_u32_text(struct loader *ld, const struct origin *at, const struct conf_item *item,
				   const char *text, void *conf)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0)
		return fail(ld, at, "\"%.60s\" is not a number", text);
	return store_u32(ld, at, item, value, conf);
}

static enum gba_err store_text(struct loader *ld, const struct origin *at, const struct conf_item *item, const char *text,
			       void *conf)
{
	switch (item->type) {
	case CONF_T_U32: return store_u32_text(ld, at, item, text, conf);
	case CONF_T_BOOL: return store_bool_text(ld, at, item, text, conf);
	case CONF_T_STR: return store_str(ld, at, item, text, conf);
	case CONF_T_ENUM: return store_enum(ld, at, item, text, conf);
	case CONF_T_STRLIST: return store_list_text(ld, at, item, text, conf);
	case CONF_T_GROUPS: break; /* an empty list; groups come from files only */
	}
	return GBA_OK;
}

static struct origin origin_of(const struct loader *ld, const config_setting_t *setting, const char *key)
{
	const char *file = config_setting_source_file(setting);
	struct origin at = { file != NULL ? file : ld->path, config_setting_source_line(setting), key };

	return at;
}

static enum gba_err load_items(struct loader *ld, const config_setting_t *group, const struct conf_item *items,
			       const char *env_prefix, void *conf);

static enum gba_err load_groups(struct loader *ld, const struct origin *at, const struct conf_item *item,
				config_setting_t *list, void *conf)
{
	struct conf_groups *groups = member(conf, item);
	int i, n = config_setting_length(list);
	enum gba_err err = GBA_OK;

	if (config_setting_type(list) != CONFIG_TYPE_LIST)
		return fail(ld, at, "a list of groups is wanted: ( { ... }, { ... } )");
	if ((uint32_t)n < item->min || (uint32_t)n > item->max)
		return fail(ld, at, "%d entries (allowed %" PRIu32 "..%" PRIu32 ")", n, item->min, item->max);
	groups->v = talloc_zero_size(ld->mem_ctx, item->group_size * (size_t)(n > 0 ? n : 1));
	if (groups->v == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < n && err == GBA_OK; i++) {
		config_setting_t *elem = config_setting_get_elem(list, (unsigned int)i);

		if (config_setting_type(elem) != CONFIG_TYPE_GROUP)
			return fail(ld, at, "entry %d is not a group { ... }", i + 1);
		err = load_items(ld, elem, item->group, NULL, (char *)groups->v + (size_t)i * item->group_size);
		groups->n = (size_t)i + 1;
	}
	return err;
}

static enum gba_err load_strlist(struct loader *ld, const struct origin *at, const struct conf_item *item,
				 config_setting_t *setting, void *conf)
{
	int i, n = config_setting_length(setting), type = config_setting_type(setting);
	enum gba_err err = GBA_OK;

	if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST)
		return fail(ld, at, "a list of texts is wanted: [ \"a\", \"b\" ]");
	for (i = 0; i < n && err == GBA_OK; i++) {
		const char *text = config_setting_get_string_elem(setting, i);

		if (text == NULL)
			return fail(ld, at, "entry %d is not a text in quotes", i + 1);
		err = append_text(ld, at, item, text, member(conf, item));
	}
	return err;
}

static enum gba_err load_setting(struct loader *ld, const struct origin *at, const struct conf_item *item,
				 config_setting_t *setting, void *conf)
{
	int type = config_setting_type(setting);

	switch (item->type) {
	case CONF_T_U32:
		if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
			return fail(ld, at, "a number is wanted (%" PRIu32 "..%" PRIu32 "%s%s)", item->min, item->max,
				    item->unit[0] != '\0' ? " " : "", item->unit);
		return store_u32(ld, at, item, config_setting_get_int64(setting), conf);
	case CONF_T_BOOL:
		if (type != CONFIG_TYPE_BOOL)
			return fail(ld, at, "true or false is wanted");
		*(bool *)member(conf, item) = config_setting_get_bool(setting) != 0;
		return GBA_OK;
	case CONF_T_STR:
	case CONF_T_ENUM:
		if (type != CONFIG_TYPE_STRING)
			return fail(ld, at, "a text in quotes is wanted");
		return store_text(ld, at, item, config_setting_get_string(setting), conf);
	case CONF_T_STRLIST: return load_strlist(ld, at, item, setting, conf);
	case CONF_T_GROUPS: return load_groups(ld, at, item, setting, conf);
	}
	return GBA_E_INTERNAL;
}

static void env_name(const char *prefix, const char *key, char *out, size_t cap)
{
	char *p;

	snprintf(out, cap, "GBA_%s_%s", prefix, key);
	for (p = out; *p != '\0'; p++)
		*p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

static enum gba_err load_item(struct loader *ld, const config_setting_t *group, const struct conf_item *item,
			      const char *env_prefix, void *conf)
{
	config_setting_t *setting = config_setting_get_member(group, item->key);
	struct origin at = { ld->path, config_setting_source_line(group), item->key };
	const char *value = NULL;
	char variable[96];

	if (env_prefix != NULL && item->type != CONF_T_GROUPS) {
		env_name(env_prefix, item->key, variable, sizeof(variable));
		value = getenv(variable);
	}
	if (value != NULL) {
		at = (struct origin){ "environment", 0, variable };
		return store_text(ld, &at, item, value, conf);
	}
	if (setting != NULL) {
		at = origin_of(ld, setting, item->key);
		return load_setting(ld, &at, item, setting, conf);
	}
	if (item->def == NULL)
		return fail(ld, &at, "missing: %s", item->help);
	/* An empty default is "none", even where a given value must have some length. */
	if (item->type == CONF_T_STR && item->def[0] == '\0') {
		*(const char **)member(conf, item) = "";
		return GBA_OK;
	}
	return store_text(ld, &at, item, item->def, conf);
}

static enum gba_err refuse_unknown(struct loader *ld, const config_setting_t *group, const struct conf_item *items)
{
	int i, n = config_setting_length(group);

	for (i = 0; i < n; i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned int)i);
		const char *name = config_setting_name(setting);
		const struct conf_item *item;

		for (item = items; item->key != NULL && strcmp(item->key, name) != 0; item++)
			;
		if (item->key == NULL) {
			struct origin at = origin_of(ld, setting, name);

			return fail(ld, &at, "no such item");
		}
	}
	return GBA_OK;
}

static enum gba_err load_items(struct loader *ld, const config_setting_t *group, const struct conf_item *items,
			       const char *env_prefix, void *conf)
{
	enum gba_err err = refuse_unknown(ld, group, items);

	for (; items->key != NULL && err == GBA_OK; items++)
		err = load_item(ld, group, items, env_prefix, conf);
	return err;
}

static size_t conf_extent(const struct conf_item *items)
{
	static const size_t sizes[] = { sizeof(uint32_t), sizeof(bool), sizeof(char *), sizeof(uint32_t),
					sizeof(struct conf_strlist), sizeof(struct conf_groups) };
	size_t extent = 0;

	for (; items->key != NULL; items++) {
		if (items->offset + sizes[items->type] > extent)
			extent = items->offset + sizes[items->type];
	}
	return extent;
}

static enum gba_err read_error(struct loader *ld, const config_t *cfg)
{
	struct origin at = { ld->path, 0, "cannot be read" };
	const char *file = config_error_file(cfg);
	char name[CONF_SCAN_NAME];
	int failure = errno;
	struct stat st;

	if (config_error_type(cfg) == CONFIG_ERR_FILE_IO) {
		if (stat(ld->path, &st) == 0 && S_ISDIR(st.st_mode)) /* refused without an errno */
			failure = EISDIR;
		return fail(ld, &at, "%s", strerror(failure));
	}
	at = (struct origin){ file != NULL ? file : ld->path, (unsigned int)config_error_line(cfg), "syntax" };
	if (strcmp(config_error_text(cfg), "duplicate setting name") == 0 && conf_scan_name(at.file, at.line, name)) {
		at.key = name;
		return fail(ld, &at, "stands there twice");
	}
	return fail(ld, &at, "%s", config_error_text(cfg));
}

static const struct conf_item *find_number(const struct conf_item *items, const char *name)
{
	const struct conf_item *found = NULL;

	for (; items->key != NULL && found == NULL; items++) {
		if (items->type == CONF_T_U32 && strcmp(items->key, name) == 0)
			found = items;
		else if (items->type == CONF_T_GROUPS)
			found = find_number(items->group, name);
	}
	return found;
}

/* Numbers of which the parser would keep the lower 32 bits. */
static enum gba_err refuse_cut(struct loader *ld, const struct conf_item *items)
{
	const struct conf_item *item;
	struct conf_cut cut;
	struct origin at;

	if (!conf_scan_cut(ld->path, &cut))
		return GBA_OK;
	at = (struct origin){ cut.file, cut.line, cut.name };
	item = find_number(items, cut.name);
	if (item != NULL && cut.value >= 0 && cut.value <= (long long)item->max)
		return fail(ld, &at, "write it as %lldL: it has more than 31 bits", cut.value);
	return item != NULL ? store_u32(ld, &at, item, cut.value, NULL) : fail(ld, &at, "%lld is not allowed", cut.value);
}

enum gba_err conf_load(TALLOC_CTX *mem_ctx, const char *role, const char *path, const struct conf_item *items, void *conf,
		       struct conf_error *_error)
{
	struct loader ld = { mem_ctx, role, path, _error };
	enum gba_err err;
	config_t cfg;

	_error->text[0] = '\0';
	memset(conf, 0, conf_extent(items));
	config_init(&cfg);
	if (config_read_file(&cfg, path) != CONFIG_TRUE)
		err = read_error(&ld, &cfg);
	else
		err = refuse_cut(&ld, items);
	if (err == GBA_OK)
		err = load_items(&ld, config_root_setting(&cfg), items, role, conf);
	config_destroy(&cfg);
	if (err == GBA_E_NOMEM)
		snprintf(_error->text, sizeof(_error->text), "%s: out of memory", path);
	return err;
}

static void dump_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void dump_items(FILE *out, const struct conf_item *items, const void *conf, bool help, int depth);

static void dump_value(FILE *out, const struct conf_item *item, const void *value, bool help, int depth)
{
	const struct conf_strlist *list = value;
	const struct conf_groups *groups = value;
	char shown[MASK_MAX];
	size_t i;

	switch (item->type) {
	case CONF_T_U32:
		fprintf(out, "%" PRIu32 "%s", *(const uint32_t *)value, *(const uint32_t *)value > INT32_MAX ? "L" : "");
		break;
	case CONF_T_BOOL: fputs(*(const bool *)value ? "true" : "false", out); break;
	case CONF_T_STR: dump_text(out, mask_password(*(const char *const *)value, shown)); break;
	case CONF_T_ENUM: dump_text(out, item->names[*(const uint32_t *)value]); break;
	case CONF_T_STRLIST:
		fputs("[", out);
		for (i = 0; i < list->n; i++) {
			fputs(i > 0 ? ", " : " ", out);
			dump_text(out, list->v[i]);
		}
		fputs(" ]", out);
		break;
	case CONF_T_GROUPS:
		fputs("(", out);
		for (i = 0; i < groups->n; i++) {
			fprintf(out, "%s\n%*s{\n", i > 0 ? "," : "", 2 * depth + 2, "");
			dump_items(out, item->group, (const char *)groups->v + i * item->group_size, help && i == 0, depth + 2);
			fprintf(out, "%*s}", 2 * depth + 2, "");
		}
		fputs(groups->n > 0 ? " )" : ")", out);
		break;
	}
}

void conf_help(FILE *out, const struct conf_item *item, int depth)
{
	size_t i;

	fprintf(out, "%*s# %s", 2 * depth, "", item->help);
	if (item->type == CONF_T_U32)
		fprintf(out, " (%" PRIu32 "..%" PRIu32 "%s%s)", item->min, item->max, item->unit[0] != '\0' ? " " : "",
			item->unit);
	for (i = 0; item->type == CONF_T_ENUM && item->names[i] != NULL; i++)
		fprintf(out, "%s%s", i > 0 ? ", " : " (", item->names[i]);
	fputs(item->type == CONF_T_ENUM ? ")\n" : "\n", out);
}

static void dump_items(FILE *out, const struct conf_item *items, const void *conf, bool help, int depth)
{
	for (; items->key != NULL; items++) {
		if (help)
			conf_help(out, items, depth);
		fprintf(out, "%*s%s = ", 2 * depth, "", items->key);
		dump_value(out, items, member_const(conf, items), help, depth);
		fputs(";\n", out);
	}
}

void conf_dump(FILE *out, const struct conf_item *items, const void *conf, bool help)
{
	dump_items(out, items, conf, help, 0);
}
