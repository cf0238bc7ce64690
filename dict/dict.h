/* SPDX-License-Identifier: Apache-2.0 */
/** A Diameter dictionary as tables, and their loader. Depends on freeDiameter alone. */
#ifndef GBA_DICT_DICT_H
#define GBA_DICT_DICT_H

#include <freeDiameter/extension.h>
#include <stdbool.h>

enum m_bit { M_MUST, M_MUST_NOT, M_MAY };

struct dict_app_row {
	uint32_t id;
	const char *name;
};

struct dict_avp_row {
	uint32_t code, vendor;
	const char *name;
	enum dict_avp_basetype base;
	enum m_bit m;
	const char *type; /* derived type; NULL: none */
};

struct dict_value_row {
	const char *avp;
	int32_t value;
	const char *name;
};

struct dict_result_row {
	uint32_t code;
	const char *name;
};

struct dict_cmd_row {
	uint32_t code, app;
	const char *request, *answer;
};

/** One AVP of a command's or group's grammar. Left out here: *[AVP], which freeDiameter always allows. */
struct dict_rule_row {
	const char *parent; /* command or grouped AVP */
	uint32_t avp, vendor;
	enum rule_position position;
	int min, max; /* -1: what the position says; no limit */
};

/** All of one dictionary extension. Each table ends with a row of zeros. */
struct dict_tables {
	const char *extension; /* for the log */
	uint32_t vendor;       /* of its applications */
	const char *vendor_name;
	const struct dict_app_row *apps;
	const struct dict_avp_row *avps;
	const struct dict_value_row *values;
	const struct dict_result_row *results;
	const struct dict_cmd_row *cmds;
	const struct dict_rule_row *rules;
};

/** Define in dict what is absent. What exists already must be the same on the wire (code, type): else nothing of use could
 * be exchanged, and the load is refused.
 * @return 0, EEXIST (conflict, logged), or the errno value of freeDiameter */
int dict_tables_load(struct dictionary *dict, const struct dict_tables *tables);

#endif
