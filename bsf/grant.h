/* SPDX-License-Identifier: Apache-2.0 */
/** Who gets which key on Zn (TS 29.109 5.2): the decision, without Diameter. */
#ifndef GBA_BSF_GRANT_H
#define GBA_BSF_GRANT_H

#include "bsf/conf.h"
#include "bsf/ctx_store.h"
#include "bsf/declared.h"

/** What a NAF asks. Views. */
struct grant_request {
	struct bytes naf;	   /* Origin-Host, as authenticated */
	struct bytes btid, naf_id; /* Transaction-Identifier, NAF-Id */
	const struct bytes *gsids; /* GAA-Service-Identifiers, decimal text */
	size_t gsid_n;
	bool gba_u_aware;
	const struct declared_words *words; /* NULL: it declares nothing */
};

#define GRANT_SETTINGS_MAX 128

/** What it gets; below mem_ctx, wiped when that is freed. */
struct grant {
	uint8_t me_key[GBA_KS_NAF_LEN], uicc_key[GBA_KS_NAF_LEN];
	bool has_uicc_key;
	time_t created, expires;
	enum ctx_type type;
	enum guss_uicc uicc;
	char settings[GRANT_SETTINGS_MAX]; /* services the user has settings for, as they were used: "1000001,1000007", "none" */
	struct bytes impi; /* absent: not for this NAF */
	struct bytes owner; /* whose key it is: for the audit log, not for the NAF */
	struct bytes uss;  /* XML, root ussList; absent: none to give */
	bool declared;	   /* the NAF has declared something, and this holds now */
	struct declaration declaration;
	const struct ctx *claim; /* not NULL: the key may go only when this has been put: GBA_E_EXISTS: another was first */
};

/** A token to be made without being asked for. */
struct grant_push {
	const struct bsf_naf *naf;
	const struct ctx *ctx;
	struct bytes fqdn;
	uint32_t lifetime; /* [s] of a token; 0: the NAF's, or that of the Ks */
	const uint32_t *gsids;
	size_t gsid_n;
};
/** @retval GBA_E_NOT_AUTHORIZED  the NAF could not have it by asking either @retval GBA_E_NOMEM, GBA_E_CORRUPT */
enum gba_err grant_for_push(TALLOC_CTX *mem_ctx, const struct grant_push *what, const uint8_t ua_id[UA_ID_LEN],
			    struct grant **_grant);

struct grant_parts {
	const struct bsf_conf *conf;
	struct ctx_store *store;
	struct declared *declared;
	bool any_single; /* some NAF's B-TIDs may serve it alone: look for claims */
};

/** Decide. Whether the NAF may use the name is settled before the B-TID is looked up, so that a NAF learns nothing about
 * B-TIDs that it could not use.
 * @param _grant  written on GBA_OK only
 * Whose B-TID serves one application alone (Y.3056 9.6.1): named by the permission, or the first to ask where the NAF is so
 * configured or declares it. grant->claim is then to be put first.
 * @param _corr   CORR_LEN + 1 octets: set as soon as the B-TID could be read, else ""
 * @retval GBA_E_BTID_SYNTAX, GBA_E_NAF_ID_SYNTAX  5004
 * @retval GBA_E_RANGE           a GSID that is no number: 5004
 * @retval GBA_E_NOT_AUTHORIZED  5402
 * @retval GBA_E_BTID_UNKNOWN    5403
 * @retval GBA_E_IO, GBA_E_NOMEM, GBA_E_CORRUPT  the store failed */
enum gba_err grant_decide(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, const struct grant_request *request, time_t now,
			  struct grant **_grant, char *_corr);

/** grant->claim could not be put because one stands (GBA_E_EXISTS): is it this application's own after all?
 * @retval GBA_E_NOT_AUTHORIZED  another was first; store errors as above */
enum gba_err grant_claimed(TALLOC_CTX *mem_ctx, const struct grant_parts *parts, const struct grant *grant, time_t now);

#endif
