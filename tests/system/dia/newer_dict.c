/* SPDX-License-Identifier: Apache-2.0 */
/* What a dictionary of a newer freeDiameter may be like: some of the AVPs of TS 29.109 and TS 29.229, with names, types and
 * M bits of its own. Its argument makes it contradict: "type" (405 is a number), "name" (NAF-Id is 499), "command" (303). */
#include <freeDiameter/extension.h>
#include <stdint.h>

static int avp(uint32_t code, const char *name, enum dict_avp_basetype base, uint8_t m, struct dict_object *type)
{
	struct dict_avp_data data = { code, 10415, (char *)(uintptr_t)name, AVP_FLAG_VENDOR | AVP_FLAG_MANDATORY,
				      AVP_FLAG_VENDOR | m, base };

	return fd_dict_new(fd_g_config->cnf_dict, DICT_AVP, &data, type, NULL);
}

static int indicator(void)
{
	char type_name[] = "Enumerated(GBA-U-Awareness-Indicator)", value_name[] = "not aware";
	struct dict_type_data type_data = { .type_base = AVP_TYPE_INTEGER32, .type_name = type_name };
	struct dict_enumval_data value = { value_name, { .i32 = 0 } };
	struct dict_object *type;
	int rc;

	rc = fd_dict_new(fd_g_config->cnf_dict, DICT_TYPE, &type_data, NULL, &type);
	if (rc == 0)
		rc = fd_dict_new(fd_g_config->cnf_dict, DICT_ENUMVAL, &value, type, NULL);
	return rc == 0 ? avp(407, "GBA-U-Awareness-Indicator", AVP_TYPE_INTEGER32, 0, type) : rc;
}

static int entry(char *conf)
{
	char vendor_name[] = "3GPP as we call it", cmd_name[] = "Cx-Multimedia-Auth-Request";
	struct dict_vendor_data vendor = { 10415, vendor_name };
	struct dict_cmd_data command = { 303, cmd_name, CMD_FLAG_REQUEST, CMD_FLAG_REQUEST };
	int rc;

	rc = fd_dict_new(fd_g_config->cnf_dict, DICT_VENDOR, &vendor, NULL, NULL);
	if (rc == 0)
		rc = indicator();
	if (rc == 0) /* no Time type, and M clear */
		rc = avp(404, "Key-ExpiryTime", AVP_TYPE_OCTETSTRING, 0, NULL);
	if (rc == 0)
		rc = avp(612, "3GPP-SIP-Auth-Data-Item", AVP_TYPE_GROUPED, AVP_FLAG_MANDATORY, NULL);
	if (rc == 0 && conf != NULL && strcmp(conf, "type") == 0)
		rc = avp(405, "ME-Key-Material", AVP_TYPE_UNSIGNED32, AVP_FLAG_MANDATORY, NULL);
	if (rc == 0 && conf != NULL && strcmp(conf, "name") == 0)
		rc = avp(499, "NAF-Id", AVP_TYPE_OCTETSTRING, AVP_FLAG_MANDATORY, NULL);
	if (rc == 0 && conf != NULL && strcmp(conf, "command") == 0)
		rc = fd_dict_new(fd_g_config->cnf_dict, DICT_COMMAND, &command, NULL, NULL);
	return rc;
}

EXTENSION_ENTRY("newer_dict", entry);
