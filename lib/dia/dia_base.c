/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "dia/dia_internal.h"
#include "dia/names.h"

struct dia_base dia_base;

static const struct {
	uint32_t code, vendor;
	const char *name;
} named[] = {
#define NAME_ROW(code, vendor, name, base, m, type) { code, vendor, name },
	DIA_AVPS(NAME_ROW)
#undef NAME_ROW
};

static struct dict_object *avp_by_code(uint32_t code, uint32_t vendor)
{
	struct dict_avp_request what = { vendor, code, NULL };
	struct dict_object *found = NULL;

	if (vendor == 0)
		(void)fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_CODE, &code, &found, 0);
	else
		(void)fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_CODE_AND_VENDOR, &what, &found, 0);
	return found;
}

/* Entered while extensions load, read afterwards. */
static struct {
	uint32_t app, vendor;
} apps[16];
static size_t app_n;

bool dia_app_enter(uint32_t app, uint32_t vendor)
{
	size_t i;

	for (i = 0; i < app_n && apps[i].app != app; i++)
		;
	if (i == sizeof(apps) / sizeof(apps[0]))
		return false;
	apps[i].app = app;
	apps[i].vendor = vendor;
	app_n = i == app_n ? i + 1 : app_n;
	return true;
}

uint32_t dia_vendor_of(uint32_t app)
{
	size_t i;

	for (i = 0; i < app_n; i++) {
		if (apps[i].app == app)
			return apps[i].vendor;
	}
	return DIA_VENDOR_3GPP;
}

struct dict_object *dia_avp_by_name(const char *name)
{
	struct dict_object *found = NULL;
	size_t i;

	for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (strcmp(named[i].name, name) == 0)
			return avp_by_code(named[i].code, named[i].vendor);
	}
	if (strncmp(name, "Y3056-", 6) == 0 || strncmp(name, "Y3059-", 6) == 0) /* of whatever vendor it was told */
		(void)fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME_ALL_VENDORS, name, &found, 0);
	else
		(void)fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_NAME, name, &found, 0);
	return found;
}

enum gba_err dia_base_resolve(void)
{
	static const struct {
		uint32_t code;
		struct dict_object **model;
	} wanted[] = {
		{ AVP_SESSION_ID, &dia_base.session_id },
		{ AVP_AUTH_APPLICATION_ID, &dia_base.auth_application_id },
		{ AVP_VENDOR_SPECIFIC_APPLICATION_ID, &dia_base.vendor_specific_application_id },
		{ AVP_ORIGIN_HOST, &dia_base.origin_host },
		{ AVP_VENDOR_ID, &dia_base.vendor_id },
		{ AVP_RESULT_CODE, &dia_base.result_code },
		{ AVP_AUTH_SESSION_STATE, &dia_base.auth_session_state },
		{ AVP_FAILED_AVP, &dia_base.failed_avp },
		{ AVP_ERROR_MESSAGE, &dia_base.error_message },
		{ AVP_DESTINATION_REALM, &dia_base.destination_realm },
		{ AVP_DESTINATION_HOST, &dia_base.destination_host },
		{ AVP_ORIGIN_REALM, &dia_base.origin_realm },
		{ AVP_EXPERIMENTAL_RESULT, &dia_base.experimental_result },
		{ AVP_EXPERIMENTAL_RESULT_CODE, &dia_base.experimental_result_code },
	};
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	enum gba_err err = GBA_OK;
	size_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*wanted[i].model = avp_by_code(wanted[i].code, 0);
		if (*wanted[i].model == NULL)
			err = GBA_E_NOT_FOUND;
	}
	if (err == GBA_OK)
		err = dia_results_resolve();
	pthread_mutex_unlock(&lock);
	return err;
}

struct avp *dia_find(msg_or_avp *parent, uint32_t code)
{
	struct avp_hdr *hdr;
	struct avp *avp;

	for (avp = dia_first(parent); avp != NULL; avp = dia_next(avp)) {
		hdr = dia_hdr(avp);
		if (hdr != NULL && dia_is(hdr, code))
			return avp;
	}
	return NULL;
}

static enum gba_err add_value(msg_or_avp *parent, struct dict_object *model, union avp_value *value)
{
	struct avp *avp;

	if (fd_msg_avp_new(model, 0, &avp) != 0)
		return GBA_E_NOMEM;
	if (fd_msg_avp_setvalue(avp, value) != 0 || fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, avp) != 0) {
		fd_msg_free(avp);
		return GBA_E_NOMEM;
	}
	return GBA_OK;
}

enum gba_err dia_add_octets(msg_or_avp *parent, struct dict_object *model, struct bytes octets)
{
	/* setvalue copies; the cast only takes const away for the duration of the call */
	union avp_value value = { .os = { .data = (uint8_t *)(uintptr_t)octets.p, .len = octets.n } };

	return add_value(parent, model, &value);
}

enum gba_err dia_add_u32(msg_or_avp *parent, struct dict_object *model, uint32_t number)
{
	union avp_value value = { .u32 = number };

	return add_value(parent, model, &value);
}

enum gba_err dia_add_group(msg_or_avp *parent, struct dict_object *model, struct avp **_group)
{
	struct avp *group;

	if (fd_msg_avp_new(model, 0, &group) != 0)
		return GBA_E_NOMEM;
	if (fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, group) != 0) {
		fd_msg_free(group);
		return GBA_E_NOMEM;
	}
	*_group = group;
	return GBA_OK;
}

static enum gba_err add_application(struct msg *msg, uint32_t app)
{
	struct avp *group;
	enum gba_err err;

	err = dia_add_group(msg, dia_base.vendor_specific_application_id, &group);
	if (err == GBA_OK)
		err = dia_add_u32(group, dia_base.vendor_id, dia_vendor_of(app));
	if (err == GBA_OK)
		err = dia_add_u32(group, dia_base.auth_application_id, app);
	return err;
}

enum gba_err dia_add_common(struct msg *msg, uint32_t app)
{
	enum gba_err err;

	err = add_application(msg, app);
	if (err == GBA_OK)
		err = dia_add_u32(msg, dia_base.auth_session_state, AUTH_NO_STATE_MAINTAINED);
	if (err == GBA_OK)
		err = dia_add_octets(msg, dia_base.origin_host, BYTES(fd_g_config->cnf_diamid, fd_g_config->cnf_diamid_len));
	if (err == GBA_OK)
		err = dia_add_octets(msg, dia_base.origin_realm, BYTES(fd_g_config->cnf_diamrlm, fd_g_config->cnf_diamrlm_len));
	return err;
}
