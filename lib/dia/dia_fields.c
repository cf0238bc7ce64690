/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"
#include "dia/dia_internal.h"
#include "dia/names.h"

/* The M bit as TS 29.109 and TS 29.229 want it, whatever another dictionary says. */
static const struct {
	uint32_t code, vendor;
	uint8_t flags;
} sent_flags[] = {
#define FLAGS_MUST     AVP_FLAG_MANDATORY
#define FLAGS_MUST_NOT 0
#define FLAGS_MAY      0
#define FLAGS_ROW(code, vendor, name, base, m, type) { code, vendor, FLAGS_##m },
	DIA_AVPS(FLAGS_ROW)
};

static uint8_t flags_of(const struct dict_avp_data *data)
{
	uint8_t vendor_bit = data->avp_vendor != 0 ? AVP_FLAG_VENDOR : 0;
	size_t i;

	for (i = 0; i < sizeof(sent_flags) / sizeof(sent_flags[0]); i++) {
		if (sent_flags[i].code == data->avp_code && sent_flags[i].vendor == data->avp_vendor)
			return sent_flags[i].flags | vendor_bit;
	}
	return (data->avp_flag_val & AVP_FLAG_MANDATORY) | vendor_bit;
}

static bool type_fits(enum dia_kind kind, enum dict_avp_basetype base)
{
	switch (kind) {
	case DIA_K_OCTETS:
	case DIA_K_OCTETS_LIST:
	case DIA_K_TIME: return base == AVP_TYPE_OCTETSTRING;
	case DIA_K_ENUM: return base == AVP_TYPE_INTEGER32;
	case DIA_K_U32: return base == AVP_TYPE_UNSIGNED32;
	case DIA_K_GROUP: return base == AVP_TYPE_GROUPED;
	case DIA_K_IGNORE: return true;
	}
	return false;
}

static enum gba_err resolve_row(struct dia_field *row)
{
	struct dict_avp_data data;

	row->model = dia_avp_by_name(row->avp);
	if (row->model == NULL && row->need == DIA_EXTENSION)
		return GBA_OK;
	if (row->model == NULL || fd_dict_getval(row->model, &data) != 0)
		return GBA_E_NOT_FOUND;
	if (!type_fits(row->kind, data.avp_basetype))
		return GBA_E_UNSUPPORTED;
	row->code = data.avp_code;
	row->vendor = data.avp_vendor;
	row->flags = flags_of(&data);
	return row->kind == DIA_K_GROUP ? dia_fields_resolve(row->group) : GBA_OK;
}

enum gba_err dia_fields_resolve(struct dia_field *fields)
{
	struct dia_field *row;
	enum gba_err err;

	for (row = fields; row->avp != NULL; row++) {
		err = resolve_row(row);
		if (err == GBA_OK)
			continue;
		log_event(LOG_L_ERROR, "dia.dictionary", &(struct log_about){ .result = err },
			  "AVP %s: %s in the dictionary; is dict_gba.fdx loaded first?", row->avp,
			  err == GBA_E_NOT_FOUND ? "not" : "of another type");
		return err;
	}
	return GBA_OK;
}

/* Codes of an extension are what its dictionary was told. */
static enum gba_err cmd_by_name(struct dia_cmd *cmd)
{
	struct dictionary *dict = fd_g_config->cnf_dict;
	struct dict_application_data app;
	struct dict_cmd_data data;

	if (fd_dict_search(dict, DICT_COMMAND, CMD_BY_NAME, cmd->request, &cmd->model, ENOENT) != 0 ||
	    fd_dict_search(dict, DICT_APPLICATION, APPLICATION_OF_COMMAND, cmd->model, &cmd->app_model, ENOENT) != 0 ||
	    fd_dict_getval(cmd->model, &data) != 0 || fd_dict_getval(cmd->app_model, &app) != 0)
		return GBA_E_NOT_FOUND;
	cmd->code = data.cmd_code;
	cmd->app = app.application_id;
	return GBA_OK;
}

/* Clients advertise what they ask for too: peers choose by common application (RFC 6733 5.3). */
static enum gba_err advertise(const struct dia_cmd *cmd)
{
	struct dict_object *vendor = NULL;
	struct dict_vendor_data data;

	if (fd_dict_search(fd_g_config->cnf_dict, DICT_VENDOR, VENDOR_OF_APPLICATION, cmd->app_model, &vendor, ENOENT) != 0 ||
	    fd_dict_getval(vendor, &data) != 0 || !dia_app_enter(cmd->app, data.vendor_id))
		return GBA_E_NOT_FOUND;
	return fd_disp_app_support(cmd->app_model, vendor, 1, 0) == 0 ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err dia_cmd_resolve(struct dia_cmd *cmd)
{
	struct dictionary *dict = fd_g_config->cnf_dict;
	enum gba_err err;

	err = dia_base_resolve();
	if (err != GBA_OK)
		return err;
	if (cmd->code == DIA_BY_NAME) {
		err = cmd_by_name(cmd);
		return err == GBA_OK ? advertise(cmd) : err;
	}
	if (fd_dict_search(dict, DICT_COMMAND, CMD_BY_CODE_R, &cmd->code, &cmd->model, ENOENT) != 0 ||
	    fd_dict_search(dict, DICT_APPLICATION, APPLICATION_BY_ID, &cmd->app, &cmd->app_model, ENOENT) != 0) {
		log_event(LOG_L_ERROR, "dia.dictionary", &(struct log_about){ .result = GBA_E_NOT_FOUND },
			  "%s (%u) not in the dictionary; is dict_gba.fdx loaded first?", cmd->request, cmd->code);
		return GBA_E_NOT_FOUND;
	}
	return advertise(cmd);
}
