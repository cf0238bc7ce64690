/* SPDX-License-Identifier: Apache-2.0 */
/** What Y.3056 asks and 3GPP lacks, as structs and rows: RPA (bsf - agent of the application) and RPB (bsf - hss). Sent only
 * to peers that show the application, or as AVPs without M bit in messages of TS 29.109. doc/y3056-diameter.md. */
#ifndef GBA_DIA_Y3056_H
#define GBA_DIA_Y3056_H

#include "dia/dia.h"
#include "core/ident.h"

#define Y3056_DIGEST_LEN       32     /* [octets] SHA-256 of a B-TID */
#define Y3056_DIGESTS_MAX      512    /* [values] of one Revocation-Notice */
#define Y3056_UA_PROTOCOLS_MAX 80     /* [octets] sixteen identifiers */
#define Y3056_TEXT_MAX	       255    /* [octets] addresses, mechanisms */
#define Y3056_GSID_MAX	       32     /* [values] GAA-Service-Identifiers of a Token-Push */
#define Y3056_USS_MAX	       262144 /* [octets] GUSS or USS list */
#define Y3056_CERT_MAX	       4096   /* [octets] DER */
#define Y3056_ENTRIES_MAX      64     /* [values] of one Token-Report */

enum y3056_flag { Y3056_CLEARED = 0, Y3056_SET = 1 };
enum y3056_use { Y3056_MULTIPLE = 0, Y3056_SINGLE = 1 }; /* Y.3056 9.6.1: one token for several applications, or one */
enum y3056_kind {
	Y3056_PERMISSION_CHANGED,
	Y3056_PERMISSION_CLEARED,
	Y3056_DEVICE_REMOVED,
	Y3056_SUBSCRIBER_BARRED,
	Y3056_OPERATOR_CHANGED,
	Y3056_RENEWAL, /* the network wants the device to bootstrap: Y.OBF 9.2.3 */
	Y3056_KIND_COUNT
};

/** What the mapping and registration function knows of a client element and an application (9.2.2, 10.4-3b). */
struct y3056_permission {
	bool present;
	int32_t flag;		  /* enum y3056_flag; required */
	uint32_t gsid;		  /* DIA_NO_U32: none */
	time_t from, until;	  /* of the permission; DIA_NO_TIME: open */
	uint32_t degree;	  /* security degree; DIA_NO_U32: not said */
	uint32_t lifetime;	  /* [s] of a token at most; DIA_NO_U32: not said */
	int32_t token_use;	  /* enum y3056_use; DIA_NO_ENUM: not said */
	struct bytes push_peer;	  /* Diameter identity of the agent that takes tokens; absent: none */
	struct bytes ua_protocols; /* five octets each: those a token is pushed for; absent: not said */
};

/** What an application declares of itself on RPA (9.6.1); optional in a BIR, given back in its BIA as it now holds. */
struct y3056_declaration {
	bool present;
	int32_t token_use, flag;
	struct bytes ua_protocols, address, mechanisms;
};

/** Token-Push (RPA): what a Bootstrapping-Info-Answer would bring (10.4-4d). */
struct rpa_tpr {
	struct bytes user_name; /* IMPI, for NAFs that may know it */
	struct bytes naf_id, btid;
	struct bytes me_key, uicc_key;
	time_t expires, created;
	int32_t gba_type;
	struct bytes uss;      /* XML, root ussList */
	struct dia_list gsids; /* services the USS list answers for, decimal text */
	int32_t token_use;
};

/** Revocation-Notice (RPA): these tokens are no more; for these applications, or for all. */
struct rpa_rnr {
	struct dia_list digests;
	struct dia_list applications; /* host names; none: all */
	int32_t kind;		      /* enum y3056_kind */
};

/** Permission-Query (RPB, 10.4-3a, 3b). */
struct rpb_pqr {
	struct bytes user_name, application;
	time_t guss_timestamp; /* of the GUSS the BSF holds */
};
struct rpb_pqa {
	struct bytes user_name;
	struct y3056_permission permission;
	struct bytes guss; /* when there is a newer one */
};

/** Certificate-Query (RPB, 10.4-5): the device has proved that it has the key of this certificate; is it this user's? */
struct rpb_cqr {
	struct bytes user_name, certificate; /* DER */
	struct bytes application;	     /* absent: none was named */
	time_t guss_timestamp;		     /* of the GUSS the BSF holds */
};
struct rpb_cqa {
	struct y3056_permission permission; /* when an application was named */
	struct bytes guss;		    /* when there is a newer one */
	int32_t awaited;		    /* a Change-Step: TOKEN: the user is changing its operator, tell us of its token */
	struct bytes certificate;	    /* DER: the one the device shall show from now on; absent: it has that one */
};

/** Permission-Notice (RPB): what has changed at the hss. */
struct rpb_pnr {
	struct bytes user_name;
	int32_t kind;		  /* enum y3056_kind */
	struct bytes application; /* absent: all */
	struct bytes guss;	  /* as it is now; absent: unchanged, or none */
};

/** Token-Report (RPB): tokens that were made, and that an application got (Y.OBF 8.5.2, 9.2.1). */
struct rpb_trr {
	struct dia_list entries; /* texts of core/token_entry.h */
};

extern struct dia_field y3056_permission_fields[], y3056_declaration_fields[]; /* groups */
extern struct dia_field rpa_tpr_fields[], rpa_rnr_fields[], rpb_pqr_fields[], rpb_pqa_fields[], rpb_pnr_fields[];
extern struct dia_field rpb_cqr_fields[], rpb_cqa_fields[], rpb_trr_fields[];
extern struct dia_field y3056_no_fields[]; /* answers that say nothing but their result */
extern struct dia_cmd rpa_tpr_cmd, rpa_rnr_cmd, rpb_pqr_cmd, rpb_pnr_cmd, rpb_cqr_cmd, rpb_trr_cmd;

/** Resolve rows and commands of one application; once, at load, after dict_gba and dict_y3056. The process then advertises it.
 * @retval GBA_E_NOT_FOUND  dict_y3056 is not loaded: go on without (not logged) */
enum gba_err rpa_resolve(void);
enum gba_err rpb_resolve(void);

#endif
