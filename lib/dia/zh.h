/* SPDX-License-Identifier: Apache-2.0 */
/** Zh (BSF - HSS) as structs and rows: Multimedia-Auth-Request and -Answer of TS 29.109 4.2. What every message has
 * (Session-Id, Vendor-Specific-Application-Id, Auth-Session-State, Origin-*, Destination-*, results) is dia.h's business. */
#ifndef GBA_DIA_ZH_H
#define GBA_DIA_ZH_H

#include "core/ident.h"
#include "dia/dia.h"
#include "dia/y3056.h"

#define ZH_SCHEME_AKAV1	   "Digest-AKAv1-MD5" /* TS 29.229 6.3.9 */
#define ZH_SCHEME_DIGEST   "SIP Digest"	      /* GBA_Digest; spelling of TS 29.229 6.3.9 */
#define ZH_SCHEME_MAX	   64		      /* [octets] our limit */
#define ZH_AUTHENTICATE_LEN 32		      /* [octets] RAND || AUTN, TS 29.229 6.3.10 */
#define ZH_RESYNC_LEN	   30		      /* [octets] RAND || AUTS, TS 29.229 6.3.11 */
#define ZH_AUTH_MAX	   64		      /* [octets] our limit for SIP-Authenticate and SIP-Authorization */
#define ZH_KEY_MAX	   32		      /* [octets] CK, IK: 16; TUAK allows 32 (TS 35.231) */
#define ZH_GUSS_MAX	   262144	      /* [octets] our limit */
#define ZH_IMPU_MAX	   1024		      /* [octets] our limit */

/** SIP-Digest-Authenticate, for GBA_Digest. */
struct zh_digest {
	bool present;
	struct bytes realm, algorithm, qop, ha1;
};

/** SIP-Auth-Data-Item. In a MAR: absent means "an AKA vector please"; scheme and authorization (RAND || AUTS) ask for
 * resynchronisation. In a MAA: RAND || AUTN, XRES, CK, IK. */
struct zh_auth_item {
	bool present;
	uint32_t item_number; /* DIA_NO_U32 when absent */
	struct bytes scheme, authenticate, authorization, ck, ik;
	struct zh_digest digest;
};

struct zh_mar {
	struct bytes user_name; /* IMPI; required by us: 5005 when absent */
	struct bytes public_identity;
	struct zh_auth_item auth;
	time_t guss_timestamp; /* of the GUSS the BSF holds */
	struct bytes application; /* host name of the one the UE named: asks for its permission (Y.3056 10.4-3a) */
};

struct zh_maa {
	struct bytes user_name, public_identity;
	struct zh_auth_item auth;
	struct bytes guss; /* GBA-UserSecSettings: XML, root guss */
	struct y3056_permission permission; /* of the application asked for */
};

extern struct dia_field zh_mar_fields[], zh_maa_fields[];
extern struct dia_cmd zh_mar_cmd;

/** Resolve rows and command; once, at load, after dict_gba. Errors as dia_fields_resolve. */
enum gba_err zh_resolve(void);

#endif
