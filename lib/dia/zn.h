/* SPDX-License-Identifier: Apache-2.0 */
/** Zn (NAF - BSF) as structs and rows: Bootstrapping-Info-Request and -Answer of TS 29.109 5.2. */
#ifndef GBA_DIA_ZN_H
#define GBA_DIA_ZN_H

#include "core/ident.h"
#include "dia/dia.h"
#include "dia/y3056.h"

#define ZN_KEY_LEN	  32	 /* [octets] Ks_(ext/int_)NAF, TS 33.220 B.3 */
#define ZN_GSID_MAX	  32	 /* [values] GAA-Service-Identifiers of one request; our limit */
#define ZN_GSID_TEXT_MAX  10	 /* [octets] of one value: decimal text, checked by the role */
#define ZN_USS_MAX	  262144 /* [octets] our limit */
#define ZN_FEATURES_MAX	  255	 /* [octets] our limit */

enum zn_gba_u_awareness { ZN_GBA_U_UNAWARE = 0, ZN_GBA_U_AWARE = 1 }; /* TS 29.109 6.3.1.8 */
enum zn_gba_type { ZN_TYPE_3G_GBA = 0, ZN_TYPE_2G_GBA = 1, ZN_TYPE_GBA_DIGEST = 2 }; /* TS 29.109 6.3.1.11 */

struct zn_bir {
	struct dia_list gsids; /* decimal text each */
	struct bytes btid;     /* Transaction-Identifier; required */
	struct bytes naf_id;   /* NAF-Id: FQDN and Ua security protocol identifier; required */
	int32_t gba_u_aware;   /* DIA_NO_ENUM when absent: unaware */
	struct bytes security_features;
	struct y3056_declaration declaration; /* what the NAF says of itself */
};

struct zn_bia {
	struct bytes user_name; /* IMPI, for NAFs that may know it */
	struct bytes me_key, uicc_key;
	time_t expires, created; /* Key-ExpiryTime, BootstrapInfoCreationTime */
	struct bytes uss;	 /* GBA-UserSecSettings: XML, root ussList */
	int32_t gba_type;	 /* DIA_NO_ENUM when absent: 3G GBA */
	struct bytes security_features;
	struct y3056_declaration declaration; /* as it now holds; only where the request had one */
};

extern struct dia_field zn_bir_fields[], zn_bia_fields[];
extern struct dia_cmd zn_bir_cmd;

/** Resolve rows and command; once, at load, after dict_gba. Errors as dia_fields_resolve. */
enum gba_err zn_resolve(void);

#endif
