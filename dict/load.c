/* SPDX-License-Identifier: Apache-2.0 */
#include "dict/dict.h"

/* What is being loaded: for the log, and to find AVPs by the names of the rows. Loading is freeDiameter's main thread's. */
static const struct dict_tables *tables;

/* freeDiameter's structs hold char *, and it copies what they point to. */
static char *text_of(const char *text)
{
	union {
		const char *in;
		char *out;
	} u = { .in = text };

	return u.out;
}

static int conflict(const char *what, const char *name, const char *why)
{
	LOG_E("%s: %s '%s': %s", tables->extension, what, name, why);
	return EEXIST;
}

/* fd_dict_new that names the row that failed. */
static int define(struct dictionary *dict, enum dict_object_type type, void *data, struct dict_object *parent, const char *name)
{
	int rc = fd_dict_new(dict, type, data, parent, NULL);

	if (rc != 0)
		LOG_E("%s: '%s': %s", tables->extension, name, strerror(rc));
	return rc;
}

static struct dict_object *avp_find(struct dictionary *dict, uint32_t code, uint32_t vendor)
{
	struct dict_avp_request by_code = { vendor, code, NULL };
	struct dict_object *found = NULL;

	if (vendor == 0)
		(void)fd_dict_search(dict, DICT_AVP, AVP_BY_CODE, &code, &found, 0);
	else
		(void)fd_dict_search(dict, DICT_AVP, AVP_BY_CODE_AND_VENDOR, &by_code, &found, 0);
	return found;
}

static struct dict_object *avp_find_by_name(struct dictionary *dict, const char *name, uint32_t vendor)
{
	struct dict_avp_request by_name = { vendor, 0, text_of(name) };
	struct dict_object *found = NULL;

	if (vendor == 0)
		(void)fd_dict_search(dict, DICT_AVP, AVP_BY_NAME, name, &found, 0);
	else
		(void)fd_dict_search(dict, DICT_AVP, AVP_BY_NAME_AND_VENDOR, &by_name, &found, 0);
	return found;
}

/* An AVP of our rows, under whatever name another dictionary may have it. */
static struct dict_object *avp_of_rows(struct dictionary *dict, const char *name)
{
	const struct dict_avp_row *row;

	for (row = tables->avps; row->name != NULL; row++) {
		if (strcmp(row->name, name) == 0)
			return avp_find(dict, row->code, row->vendor);
	}
	return NULL;
}

static int load_vendor(struct dictionary *dict, struct dict_object **_vendor)
{
	struct dict_vendor_data data = { tables->vendor, text_of(tables->vendor_name) };

	if (fd_dict_search(dict, DICT_VENDOR, VENDOR_BY_ID, &data.vendor_id, _vendor, ENOENT) == 0)
		return 0;
	return fd_dict_new(dict, DICT_VENDOR, &data, NULL, _vendor);
}

static int load_app(struct dictionary *dict, const struct dict_app_row *row, struct dict_object *vendor)
{
	struct dict_application_data data = { row->id, text_of(row->name) };
	struct dict_object *found;

	if (fd_dict_search(dict, DICT_APPLICATION, APPLICATION_BY_ID, &data.application_id, &found, ENOENT) == 0)
		return 0;
	return define(dict, DICT_APPLICATION, &data, vendor, row->name);
}

static int load_type(struct dictionary *dict, const struct dict_avp_row *row, struct dict_object **_type)
{
	struct dict_type_data data = { .type_base = row->base, .type_name = text_of(row->type) };

	*_type = NULL;
	if (row->type == NULL)
		return 0;
	if (fd_dict_search(dict, DICT_TYPE, TYPE_BY_NAME, row->type, _type, ENOENT) == 0)
		return 0;
	return fd_dict_new(dict, DICT_TYPE, &data, NULL, _type);
}

/* Another dictionary's idea of an AVP will do when it reads the same octets: names and M bits do not matter. */
static int check_avp(struct dict_object *found, const struct dict_avp_row *row)
{
	struct dict_avp_data data;
	int rc = fd_dict_getval(found, &data);

	if (rc != 0)
		return rc;
	if (data.avp_code != row->code)
		return conflict("AVP", row->name, "another dictionary gives this name to another code");
	if (data.avp_basetype != row->base)
		return conflict("AVP", row->name, "another dictionary defines this code with another type");
	return 0;
}

static int load_avp(struct dictionary *dict, const struct dict_avp_row *row)
{
	struct dict_avp_data data = { .avp_code = row->code, .avp_vendor = row->vendor, .avp_name = text_of(row->name),
				      .avp_flag_mask = AVP_FLAG_VENDOR, .avp_basetype = row->base };
	struct dict_object *found, *type;
	int rc;

	found = avp_find(dict, row->code, row->vendor);
	if (found == NULL)
		found = avp_find_by_name(dict, row->name, row->vendor);
	if (found != NULL)
		return check_avp(found, row);
	rc = load_type(dict, row, &type);
	if (rc != 0)
		return rc;
	if (row->vendor != 0)
		data.avp_flag_val |= AVP_FLAG_VENDOR;
	if (row->m != M_MAY)
		data.avp_flag_mask |= AVP_FLAG_MANDATORY;
	if (row->m == M_MUST)
		data.avp_flag_val |= AVP_FLAG_MANDATORY;
	return define(dict, DICT_AVP, &data, type, row->name);
}

/* A value that exists under either its name or its number stays as it is: it is only text for dumps. */
static int load_value(struct dictionary *dict, struct dict_object *type, const struct dict_enumval_data *value)
{
	struct dict_enumval_request by_name = { .type_obj = type, .search = { .enum_name = value->enum_name } };
	struct dict_enumval_request by_value = { .type_obj = type, .search = { NULL, value->enum_value } };
	struct dict_enumval_data copy = *value;
	struct dict_object *found = NULL;

	if (fd_dict_search(dict, DICT_ENUMVAL, ENUMVAL_BY_STRUCT, &by_value, &found, ENOENT) == 0)
		return 0;
	if (fd_dict_search(dict, DICT_ENUMVAL, ENUMVAL_BY_STRUCT, &by_name, &found, ENOENT) == 0)
		return 0;
	return define(dict, DICT_ENUMVAL, &copy, type, value->enum_name);
}

/* The type that the AVP really has: another dictionary may have named it otherwise, or given it none. */
static struct dict_object *type_of_avp(struct dictionary *dict, struct dict_object *avp)
{
	struct dict_object *type = NULL;

	if (avp != NULL)
		(void)fd_dict_search(dict, DICT_TYPE, TYPE_OF_AVP, avp, &type, 0);
	return type;
}

static int load_values(struct dictionary *dict)
{
	const struct dict_value_row *row;
	struct dict_object *type;
	int rc;

	for (row = tables->values; row->avp != NULL; row++) {
		struct dict_enumval_data value = { text_of(row->name), { .i32 = row->value } };

		type = type_of_avp(dict, avp_of_rows(dict, row->avp));
		rc = type != NULL ? load_value(dict, type, &value) : 0;
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* freeDiameter keeps one list of Experimental-Result-Codes for all vendors. */
static int load_results(struct dictionary *dict)
{
	const struct dict_result_row *row;
	struct dict_object *type;
	int rc;

	type = type_of_avp(dict, avp_find_by_name(dict, "Experimental-Result-Code", 0));
	for (row = tables->results; type != NULL && row->name != NULL; row++) {
		struct dict_enumval_data value = { text_of(row->name), { .u32 = row->code } };

		rc = load_value(dict, type, &value);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int load_cmd(struct dictionary *dict, const struct dict_cmd_row *row, bool request)
{
	const char *name = request ? row->request : row->answer;
	struct dict_cmd_data data = { row->code, text_of(name), CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE,
				      CMD_FLAG_PROXIABLE | (request ? CMD_FLAG_REQUEST : 0) };
	struct dict_object *found, *app;
	int rc;

	/* Commands are found by code alone, whatever the application: a foreign grammar would judge our messages. */
	if (fd_dict_search(dict, DICT_COMMAND, request ? CMD_BY_CODE_R : CMD_BY_CODE_A, &data.cmd_code, &found, ENOENT) == 0)
		return conflict("command", name, "another dictionary defines this code; load only one of the two");
	rc = fd_dict_search(dict, DICT_APPLICATION, APPLICATION_BY_ID, &row->app, &app, ENOENT);
	if (rc != 0)
		return rc;
	return define(dict, DICT_COMMAND, &data, app, name);
}

static struct dict_object *parent_find(struct dictionary *dict, const char *name)
{
	struct dict_object *found = NULL;

	if (fd_dict_search(dict, DICT_COMMAND, CMD_BY_NAME, name, &found, ENOENT) == 0)
		return found;
	return avp_of_rows(dict, name);
}

static int load_rule(struct dictionary *dict, const struct dict_rule_row *row)
{
	struct dict_rule_data data = { .rule_avp = avp_find(dict, row->avp, row->vendor), .rule_position = row->position,
				       .rule_order = row->position == RULE_FIXED_HEAD ? 1 : 0, .rule_min = row->min,
				       .rule_max = row->max };
	struct dict_rule_request existing = { parent_find(dict, row->parent), data.rule_avp };
	struct dict_object *found;

	if (existing.rule_parent == NULL || data.rule_avp == NULL)
		return conflict("grammar of", row->parent, "names what is not defined");
	if (fd_dict_search(dict, DICT_RULE, RULE_BY_AVP_AND_PARENT, &existing, &found, ENOENT) == 0)
		return 0;
	return define(dict, DICT_RULE, &data, existing.rule_parent, row->parent);
}

static int load_cmds_and_rules(struct dictionary *dict)
{
	const struct dict_cmd_row *cmd;
	const struct dict_rule_row *rule;
	int rc = 0;

	for (cmd = tables->cmds; rc == 0 && cmd->request != NULL; cmd++) {
		rc = load_cmd(dict, cmd, true);
		if (rc == 0)
			rc = load_cmd(dict, cmd, false);
	}
	for (rule = tables->rules; rc == 0 && rule->parent != NULL; rule++)
		rc = load_rule(dict, rule);
	return rc;
}

int dict_tables_load(struct dictionary *dict, const struct dict_tables *what)
{
	const struct dict_app_row *app;
	const struct dict_avp_row *avp;
	struct dict_object *vendor;
	int rc;

	tables = what;
	rc = load_vendor(dict, &vendor);
	for (app = tables->apps; rc == 0 && app->name != NULL; app++)
		rc = load_app(dict, app, vendor);
	for (avp = tables->avps; rc == 0 && avp->name != NULL; avp++)
		rc = load_avp(dict, avp);
	if (rc == 0)
		rc = load_values(dict);
	if (rc == 0)
		rc = load_results(dict);
	if (rc == 0)
		rc = load_cmds_and_rules(dict);
	return rc;
}
