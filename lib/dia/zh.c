/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/zh.h"

static struct dia_field digest_fields[] = { /* TS 29.229 6.3.36 */
	DIA_OCTETS("Digest-Realm",     DIA_REQUIRED, struct zh_digest, realm,     FQDN_MAX),
	DIA_OCTETS("Digest-Algorithm", DIA_OPTIONAL, struct zh_digest, algorithm, ZH_SCHEME_MAX),
	DIA_OCTETS("Digest-QoP",       DIA_REQUIRED, struct zh_digest, qop,       ZH_SCHEME_MAX),
	DIA_OCTETS("Digest-HA1",       DIA_REQUIRED, struct zh_digest, ha1,       ZH_AUTH_MAX),
	DIA_END
};

static struct dia_field auth_item_fields[] = { /* TS 29.229 6.3.13 as TS 29.109 4.2 uses it */
	DIA_U32   ("SIP-Item-Number",           DIA_OPTIONAL, struct zh_auth_item, item_number),
	DIA_OCTETS("SIP-Authentication-Scheme", DIA_OPTIONAL, struct zh_auth_item, scheme,        ZH_SCHEME_MAX),
	DIA_OCTETS("SIP-Authenticate",          DIA_OPTIONAL, struct zh_auth_item, authenticate,  ZH_AUTH_MAX),
	DIA_OCTETS("SIP-Authorization",         DIA_OPTIONAL, struct zh_auth_item, authorization, ZH_AUTH_MAX),
	DIA_OCTETS("Confidentiality-Key",       DIA_OPTIONAL, struct zh_auth_item, ck,            ZH_KEY_MAX),
	DIA_OCTETS("Integrity-Key",             DIA_OPTIONAL, struct zh_auth_item, ik,            ZH_KEY_MAX),
	DIA_GROUP ("SIP-Digest-Authenticate",   DIA_OPTIONAL, struct zh_auth_item, digest,        digest_fields),
	DIA_IGNORE("SIP-Authentication-Context"),
	DIA_END
};

struct dia_field zh_mar_fields[] = { /* TS 29.109 4.2 */
	DIA_OCTETS("User-Name",            DIA_REQUIRED, struct zh_mar, user_name,       IMPI_MAX),
	DIA_OCTETS("Public-Identity",      DIA_OPTIONAL, struct zh_mar, public_identity, ZH_IMPU_MAX),
	DIA_GROUP ("SIP-Auth-Data-Item",   DIA_OPTIONAL, struct zh_mar, auth,            auth_item_fields),
	DIA_TIME  ("GUSS-Timestamp",       DIA_OPTIONAL, struct zh_mar, guss_timestamp),
	DIA_OCTETS("Y3056-Application",    DIA_EXTENSION, struct zh_mar, application,    FQDN_MAX),
	DIA_IGNORE("SIP-Number-Auth-Items"), /* of the Cx MAR; IMS nodes send it on Zh too */
	DIA_IGNORE("Supported-Features"),
	DIA_END
};

struct dia_field zh_maa_fields[] = { /* TS 29.109 4.2 */
	DIA_OCTETS("User-Name",            DIA_OPTIONAL, struct zh_maa, user_name,       IMPI_MAX),
	DIA_OCTETS("Public-Identity",      DIA_OPTIONAL, struct zh_maa, public_identity, ZH_IMPU_MAX),
	DIA_GROUP ("SIP-Auth-Data-Item",   DIA_OPTIONAL, struct zh_maa, auth,            auth_item_fields),
	DIA_OCTETS("GBA-UserSecSettings",  DIA_OPTIONAL, struct zh_maa, guss,            ZH_GUSS_MAX),
	DIA_GROUP ("Y3056-Permission",     DIA_EXTENSION, struct zh_maa, permission,     y3056_permission_fields),
	DIA_IGNORE("SIP-Number-Auth-Items"),
	DIA_IGNORE("Supported-Features"),
	DIA_END
};

struct dia_cmd zh_mar_cmd = { "3GPP-Multimedia-Auth-Request", 303, DIA_APP_ZH, NULL, NULL };

enum gba_err zh_resolve(void)
{
	enum gba_err err;

	err = dia_cmd_resolve(&zh_mar_cmd);
	if (err != GBA_OK)
		return err;
	err = dia_fields_resolve(zh_mar_fields);
	if (err != GBA_OK)
		return err;
	return dia_fields_resolve(zh_maa_fields);
}
