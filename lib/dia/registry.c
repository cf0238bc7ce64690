/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/registry.h"

struct dia_field reg_rsr_fields[] = { /* Y.3059 7-iv-d */
	DIA_OCTETS("Y3059-RegID",     DIA_REQUIRED, struct reg_rsr, regid,   REG_ID_MAX),
	DIA_ENUM  ("Y3059-Sync-Step", DIA_REQUIRED, struct reg_rsr, step),
	DIA_LIST  ("Y3059-Have",      DIA_OPTIONAL, struct reg_rsr, haves,   REG_HAVES_MAX),
	DIA_LIST  ("Y3059-Accepts",   DIA_OPTIONAL, struct reg_rsr, accepts, REG_CLASSES_MAX),
	DIA_LIST  ("Y3059-Event",     DIA_OPTIONAL, struct reg_rsr, events,  REG_EVENTS_MAX),
	DIA_END
};

struct dia_field reg_rsa_fields[] = {
	DIA_OCTETS("Y3059-RegID",   DIA_OPTIONAL, struct reg_rsa, regid,   REG_ID_MAX),
	DIA_LIST  ("Y3059-Have",    DIA_OPTIONAL, struct reg_rsa, haves,   REG_HAVES_MAX),
	DIA_LIST  ("Y3059-Accepts", DIA_OPTIONAL, struct reg_rsa, accepts, REG_CLASSES_MAX),
	DIA_END
};

struct dia_cmd reg_rsr_cmd = { "Y3059-Registry-Sync-Request", DIA_BY_NAME, DIA_BY_NAME, NULL, NULL };

enum gba_err reg_resolve(void)
{
	enum gba_err err = dia_cmd_resolve(&reg_rsr_cmd);

	if (err == GBA_OK)
		err = dia_fields_resolve(reg_rsr_fields);
	return err == GBA_OK ? dia_fields_resolve(reg_rsa_fields) : err;
}
