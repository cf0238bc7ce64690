/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/zn.h"

struct dia_field zn_bir_fields[] = { /* TS 29.109 5.2 */
	DIA_LIST  ("GAA-Service-Identifier",    DIA_OPTIONAL, struct zn_bir, gsids,             ZN_GSID_MAX),
	DIA_OCTETS("Transaction-Identifier",    DIA_REQUIRED, struct zn_bir, btid,              BTID_MAX),
	DIA_OCTETS("NAF-Id",                    DIA_REQUIRED, struct zn_bir, naf_id,            NAF_ID_MAX),
	DIA_ENUM  ("GBA_U-Awareness-Indicator", DIA_OPTIONAL, struct zn_bir, gba_u_aware),
	DIA_OCTETS("Security-Feature-Request",  DIA_OPTIONAL, struct zn_bir, security_features, ZN_FEATURES_MAX),
	DIA_GROUP ("Y3056-Declaration",         DIA_EXTENSION, struct zn_bir, declaration,      y3056_declaration_fields),
	DIA_END
};

struct dia_field zn_bia_fields[] = { /* TS 29.109 5.2 */
	DIA_OCTETS("User-Name",                 DIA_OPTIONAL, struct zn_bia, user_name,         IMPI_MAX),
	DIA_OCTETS("ME-Key-Material",           DIA_OPTIONAL, struct zn_bia, me_key,            ZN_KEY_LEN),
	DIA_OCTETS("UICC-Key-Material",         DIA_OPTIONAL, struct zn_bia, uicc_key,          ZN_KEY_LEN),
	DIA_TIME  ("Key-ExpiryTime",            DIA_OPTIONAL, struct zn_bia, expires),
	DIA_TIME  ("BootstrapInfoCreationTime", DIA_OPTIONAL, struct zn_bia, created),
	DIA_OCTETS("GBA-UserSecSettings",       DIA_OPTIONAL, struct zn_bia, uss,               ZN_USS_MAX),
	DIA_ENUM  ("GBA-Type",                  DIA_OPTIONAL, struct zn_bia, gba_type),
	DIA_OCTETS("Security-Feature-Response", DIA_OPTIONAL, struct zn_bia, security_features, ZN_FEATURES_MAX),
	DIA_GROUP ("Y3056-Declaration",         DIA_EXTENSION, struct zn_bia, declaration,      y3056_declaration_fields),
	DIA_END
};

struct dia_cmd zn_bir_cmd = { "Bootstrapping-Info-Request", 310, DIA_APP_ZN, NULL, NULL };

enum gba_err zn_resolve(void)
{
	enum gba_err err;

	err = dia_cmd_resolve(&zn_bir_cmd);
	if (err != GBA_OK)
		return err;
	err = dia_fields_resolve(zn_bir_fields);
	if (err != GBA_OK)
		return err;
	return dia_fields_resolve(zn_bia_fields);
}
