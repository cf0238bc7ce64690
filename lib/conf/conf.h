/* SPDX-License-Identifier: Apache-2.0 */
/** The one configuration reader: libconfig syntax under a table. A row feeds the parser, the range check, the dump of
 * what is in force and the manual. Errors name file, line, item and what is allowed. */
#ifndef GBA_CONF_CONF_H
#define GBA_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"

enum conf_type { CONF_T_U32, CONF_T_BOOL, CONF_T_STR, CONF_T_ENUM, CONF_T_STRLIST, CONF_T_GROUPS };

/** Values of a list; n == 0 when the item is absent. */
struct conf_strlist {
	const char **v;
	size_t n;
};
/** Array of structs, one per group of a list such as  nafs = ( { ... }, { ... } ); */
struct conf_groups {
	void *v; /* cast to the row's struct */
	size_t n;
};

struct conf_item {
	const char *key; /* "zh-timeout"; the environment's GBA_<ROLE>_ZH_TIMEOUT wins over the file (top level only) */
	enum conf_type type;
	const char *def;		/* text form; NULL: the item is required (lists: "" is empty) */
	uint32_t min, max;		/* U32: range; STR, STRLIST: length of a text; GROUPS: number of groups */
	const char *unit;		/* "s", "ms", "" */
	const char *const *names;	/* ENUM: allowed words, NULL-terminated, the value is the index */
	bool (*valid)(struct bytes);	/* STR, STRLIST: further check such as fqdn_valid; may be NULL */
	const struct conf_item *group;	/* GROUPS: table of one group */
	size_t group_size;		/* GROUPS: sizeof its struct */
	size_t offset;
	const char *help;
};

#define CONF_OF(st, m, ctype) (offsetof(st, m) + 0 * sizeof((ctype *)0 == &((st *)0)->m)) /* wrong type: no compile */
/* Rows for: uint32_t, bool, const char * ("" when empty), uint32_t index, struct conf_strlist, struct conf_groups. */
#define CONF_U32(key, def, min, max, unit, st, m, help) \
	{ key, CONF_T_U32, #def, min, max, unit, NULL, NULL, NULL, 0, CONF_OF(st, m, uint32_t), help }
#define CONF_BOOL(key, def, st, m, help) \
	{ key, CONF_T_BOOL, #def, 0, 0, "", NULL, NULL, NULL, 0, CONF_OF(st, m, bool), help }
#define CONF_STR(key, def, min, max, check, st, m, help) \
	{ key, CONF_T_STR, def, min, max, "", NULL, check, NULL, 0, CONF_OF(st, m, const char *), help }
#define CONF_ENUM(key, def, words, st, m, help) \
	{ key, CONF_T_ENUM, def, 0, 0, "", words, NULL, NULL, 0, CONF_OF(st, m, uint32_t), help }
#define CONF_STRLIST(key, def, min, max, check, st, m, help) \
	{ key, CONF_T_STRLIST, def, min, max, "", NULL, check, NULL, 0, CONF_OF(st, m, struct conf_strlist), help }
#define CONF_GROUPS(key, def, min, max, table, row_st, st, m, help) \
	{ key, CONF_T_GROUPS, def, min, max, "", NULL, NULL, table, sizeof(row_st), CONF_OF(st, m, struct conf_groups), help }
#define CONF_END { NULL, CONF_T_U32, NULL, 0, 0, NULL, NULL, NULL, NULL, 0, 0, NULL }

/** Items every role has, to be put first in its table with CONF_COMMON(struct bsf_conf, common). */
struct conf_common {
	uint32_t log_level, log_format;
	const char *log_file, *trace_file;
};
#define CONF_COMMON(st, m)                                                                                             \
	CONF_ENUM("log-level", "info", log_level_names, st, m.log_level, "Lines below this are left out"),             \
	CONF_ENUM("log-format", "text", log_format_names, st, m.log_format, "One line of text or of JSON per event"), \
	CONF_STR("log-file", "", 0, 255, NULL, st, m.log_file, "Append here; empty: standard error"),                  \
	CONF_STR("trace-file", "", 0, 255, NULL, st, m.trace_file, "Append steps as JSON lines; empty: off")

/** One problem, for the operator. Filled by conf_load on failure. */
struct conf_error {
	char text[512]; /* "bsf.conf:12: key-lifetime: 5 is below 60 (allowed 60..604800 s)" */
};

/** For checks across items. @param fmt  with one %s, which becomes what @return GBA_E_CONF */
enum gba_err conf_wrong(struct conf_error *_error, const char *fmt, const char *what);
/** Read path into *conf (zeroed by us first; strings and arrays below mem_ctx). Unknown items are errors: a typing mistake
 * must not silently mean the default.
 * @param role     "bsf": prefix of environment items
 * @retval GBA_E_CONF   see _error->text
 * @retval GBA_E_NOMEM */
enum gba_err conf_load(TALLOC_CTX *mem_ctx, const char *role, const char *path, const struct conf_item *items, void *conf,
		       struct conf_error *_error);
/** Print what is in force, in the syntax conf_load reads; each item preceded by its help as a comment when `help`. */
void conf_dump(FILE *out, const struct conf_item *items, const void *conf, bool help);
/** One item's help as a comment line: meaning, range and unit, or allowed words; indented by two blanks per depth. */
void conf_help(FILE *out, const struct conf_item *item, int depth);
/** conf_common into effect: log_init, trace_open. _error is filled when a file cannot be opened. */
enum gba_err conf_common_apply(const char *role, const struct conf_common *common, struct conf_error *_error);

#endif
