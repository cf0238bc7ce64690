/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/y3056.h"

#include "dia/zn.h"

struct dia_field y3056_permission_fields[] = { /* Y.3056 9.2.2, 10.4-3b */
	DIA_ENUM  ("Y3056-Permission-Flag", DIA_REQUIRED, struct y3056_permission, flag),
	DIA_U32   ("Y3056-GSID",            DIA_OPTIONAL, struct y3056_permission, gsid),
	DIA_TIME  ("Y3056-Valid-From",      DIA_OPTIONAL, struct y3056_permission, from),
	DIA_TIME  ("Y3056-Valid-Until",     DIA_OPTIONAL, struct y3056_permission, until),
	DIA_U32   ("Y3056-Security-Degree", DIA_OPTIONAL, struct y3056_permission, degree),
	DIA_U32   ("Y3056-Token-Lifetime",  DIA_OPTIONAL, struct y3056_permission, lifetime),
	DIA_ENUM  ("Y3056-Token-Use",       DIA_OPTIONAL, struct y3056_permission, token_use),
	DIA_OCTETS("Y3056-Push-Peer",       DIA_OPTIONAL, struct y3056_permission, push_peer,    FQDN_MAX),
	DIA_OCTETS("Y3056-Ua-Protocols",    DIA_OPTIONAL, struct y3056_permission, ua_protocols, Y3056_UA_PROTOCOLS_MAX),
	DIA_END
};

struct dia_field y3056_declaration_fields[] = { /* Y.3056 9.6.1 */
	DIA_ENUM  ("Y3056-Token-Use",       DIA_OPTIONAL, struct y3056_declaration, token_use),
	DIA_ENUM  ("Y3056-Permission-Flag", DIA_OPTIONAL, struct y3056_declaration, flag),
	DIA_OCTETS("Y3056-Ua-Protocols",    DIA_OPTIONAL, struct y3056_declaration, ua_protocols, Y3056_UA_PROTOCOLS_MAX),
	DIA_OCTETS("Y3056-Address",         DIA_OPTIONAL, struct y3056_declaration, address,      Y3056_TEXT_MAX),
	DIA_OCTETS("Y3056-Mechanisms",      DIA_OPTIONAL, struct y3056_declaration, mechanisms,   Y3056_TEXT_MAX),
	DIA_END
};

struct dia_field rpa_tpr_fields[] = { /* Y.3056 10.4-4d; AVPs of TS 29.109 5.2 */
	DIA_OCTETS("User-Name",                 DIA_OPTIONAL, struct rpa_tpr, user_name, IMPI_MAX),
	DIA_OCTETS("NAF-Id",                    DIA_REQUIRED, struct rpa_tpr, naf_id,    NAF_ID_MAX),
	DIA_OCTETS("Transaction-Identifier",    DIA_REQUIRED, struct rpa_tpr, btid,      BTID_MAX),
	DIA_OCTETS("ME-Key-Material",           DIA_REQUIRED, struct rpa_tpr, me_key,    ZN_KEY_LEN),
	DIA_OCTETS("UICC-Key-Material",         DIA_OPTIONAL, struct rpa_tpr, uicc_key,  ZN_KEY_LEN),
	DIA_TIME  ("Key-ExpiryTime",            DIA_REQUIRED, struct rpa_tpr, expires),
	DIA_TIME  ("BootstrapInfoCreationTime", DIA_OPTIONAL, struct rpa_tpr, created),
	DIA_ENUM  ("GBA-Type",                  DIA_OPTIONAL, struct rpa_tpr, gba_type),
	DIA_OCTETS("GBA-UserSecSettings",       DIA_OPTIONAL, struct rpa_tpr, uss,       Y3056_USS_MAX),
	DIA_LIST  ("GAA-Service-Identifier",    DIA_OPTIONAL, struct rpa_tpr, gsids,     Y3056_GSID_MAX),
	DIA_ENUM  ("Y3056-Token-Use",           DIA_OPTIONAL, struct rpa_tpr, token_use),
	DIA_END
};

struct dia_field rpa_rnr_fields[] = { /* Y.3056 9.4.1, life cycle */
	DIA_LIST  ("Y3056-Token-Digest", DIA_REQUIRED, struct rpa_rnr, digests,      Y3056_DIGESTS_MAX),
	DIA_LIST  ("Y3056-Application",  DIA_OPTIONAL, struct rpa_rnr, applications, Y3056_GSID_MAX),
	DIA_ENUM  ("Y3056-Notice-Kind",  DIA_OPTIONAL, struct rpa_rnr, kind),
	DIA_END
};

struct dia_field rpb_pqr_fields[] = { /* Y.3056 10.4-3a */
	DIA_OCTETS("User-Name",         DIA_REQUIRED, struct rpb_pqr, user_name,   IMPI_MAX),
	DIA_OCTETS("Y3056-Application", DIA_REQUIRED, struct rpb_pqr, application, FQDN_MAX),
	DIA_TIME  ("GUSS-Timestamp",    DIA_OPTIONAL, struct rpb_pqr, guss_timestamp),
	DIA_END
};

struct dia_field rpb_pqa_fields[] = { /* Y.3056 10.4-3b */
	DIA_OCTETS("User-Name",           DIA_OPTIONAL, struct rpb_pqa, user_name,  IMPI_MAX),
	DIA_GROUP ("Y3056-Permission",    DIA_REQUIRED, struct rpb_pqa, permission, y3056_permission_fields),
	DIA_OCTETS("GBA-UserSecSettings", DIA_OPTIONAL, struct rpb_pqa, guss,       Y3056_USS_MAX),
	DIA_END
};

struct dia_field rpb_cqr_fields[] = { /* Y.3056 10.4-5 */
	DIA_OCTETS("User-Name",                DIA_REQUIRED, struct rpb_cqr, user_name,   IMPI_MAX),
	DIA_OCTETS("Y3056-Device-Certificate", DIA_REQUIRED, struct rpb_cqr, certificate, Y3056_CERT_MAX),
	DIA_OCTETS("Y3056-Application",        DIA_OPTIONAL, struct rpb_cqr, application, FQDN_MAX),
	DIA_TIME  ("GUSS-Timestamp",           DIA_OPTIONAL, struct rpb_cqr, guss_timestamp),
	DIA_END
};

struct dia_field rpb_cqa_fields[] = { /* Y.3056 10.4-5 */
	DIA_GROUP ("Y3056-Permission",         DIA_OPTIONAL, struct rpb_cqa, permission, y3056_permission_fields),
	DIA_OCTETS("GBA-UserSecSettings",      DIA_OPTIONAL, struct rpb_cqa, guss,        Y3056_USS_MAX),
	DIA_ENUM  ("Y3056-Change-Step",        DIA_OPTIONAL, struct rpb_cqa, awaited),
	DIA_OCTETS("Y3056-Device-Certificate", DIA_OPTIONAL, struct rpb_cqa, certificate, Y3056_CERT_MAX),
	DIA_END
};

struct dia_field rpb_pnr_fields[] = { /* Y.3056 9.2.2, revocation */
	DIA_OCTETS("User-Name",           DIA_REQUIRED, struct rpb_pnr, user_name,   IMPI_MAX),
	DIA_ENUM  ("Y3056-Notice-Kind",   DIA_REQUIRED, struct rpb_pnr, kind),
	DIA_OCTETS("Y3056-Application",   DIA_OPTIONAL, struct rpb_pnr, application, FQDN_MAX),
	DIA_OCTETS("GBA-UserSecSettings", DIA_OPTIONAL, struct rpb_pnr, guss,        Y3056_USS_MAX),
	DIA_END
};

struct dia_field rpb_trr_fields[] = { /* Y.OBF 8.5.2 */
	DIA_LIST  ("Y3056-Token-Entry", DIA_REQUIRED, struct rpb_trr, entries, Y3056_ENTRIES_MAX),
	DIA_END
};

struct dia_field y3056_no_fields[] = { DIA_END };

struct dia_cmd rpa_tpr_cmd = { "Y3056-Token-Push-Request", DIA_BY_NAME, DIA_BY_NAME, NULL, NULL };
struct dia_cmd rpa_rnr_cmd = { "Y3056-Revocation-Notice-Request", DIA_BY_NAME, DIA_BY_NAME, NULL, NULL };
struct dia_cmd rpb_pqr_cmd = { "Y3056-Permission-Query-Request", DIA_BY_NAME, DIA_BY_NAME, NULL, NULL };
struct dia_cmd rpb_cqr_cmd = { "Y3056-Certificate-Query-Request", DIA_BY_NAME, DIA_BY_NAME, NULL, NULL };
struct dia_cmd rpb_pnr_cmd = { "Y3056-Permission-Notice-Request", DIA_BY_NAME, DIA_BY_NAME, NULL, NULL };

struct dia_cmd rpb_trr_cmd = { "Y3056-Token-Report-Request", DIA_BY_NAME, DIA_BY_NAME, NULL, NULL };

enum gba_err rpa_resolve(void)
{
	enum gba_err err = dia_cmd_resolve(&rpa_tpr_cmd);

	if (err == GBA_OK)
		err = dia_cmd_resolve(&rpa_rnr_cmd);
	if (err == GBA_OK)
		err = dia_fields_resolve(rpa_tpr_fields);
	return err == GBA_OK ? dia_fields_resolve(rpa_rnr_fields) : err;
}

enum gba_err rpb_resolve(void)
{
	enum gba_err err = dia_cmd_resolve(&rpb_pqr_cmd);

	if (err == GBA_OK)
		err = dia_cmd_resolve(&rpb_pnr_cmd);
	if (err == GBA_OK)
		err = dia_cmd_resolve(&rpb_cqr_cmd);
	if (err == GBA_OK)
		err = dia_cmd_resolve(&rpb_trr_cmd);
	if (err == GBA_OK)
		err = dia_fields_resolve(rpb_trr_fields);
	if (err == GBA_OK)
		err = dia_fields_resolve(rpb_pqr_fields);
	if (err == GBA_OK)
		err = dia_fields_resolve(rpb_pqa_fields);
	if (err == GBA_OK)
		err = dia_fields_resolve(rpb_cqr_fields);
	if (err == GBA_OK)
		err = dia_fields_resolve(rpb_cqa_fields);
	return err == GBA_OK ? dia_fields_resolve(rpb_pnr_fields) : err;
}
