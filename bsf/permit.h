/* SPDX-License-Identifier: Apache-2.0 */
/** May this user have a token for this application (Y.3056 10.4-2d, 3a..3c; Y.OBF 12.2-3)? The hss's fresh word where it
 * gives one, else the user's security settings. */
#ifndef GBA_BSF_PERMIT_H
#define GBA_BSF_PERMIT_H

#include <stdatomic.h>

#include "bsf/conf.h"
#include "bsf/hss.h"

#define PERMIT_UA_MAX 4 /* Ua security protocols a token is pushed for */

/** The application a UE names when it begins (10.4-1a). */
struct application {
	char fqdn[FQDN_MAX + 1]; /* lower case */
	uint8_t ua_ids[PERMIT_UA_MAX][UA_ID_LEN];
	size_t ua_n;
};
/** "host name", or "host name; ua=0100000002; ua=..." @retval GBA_E_NAF_ID_SYNTAX */
enum gba_err application_parse(struct bytes header, struct application *_application);

/** What the hss has said. Never changed once made; shared by reference. */
struct permit {
	atomic_uint refs;
	char application[FQDN_MAX + 1]; /* lower case */
	bool set, single;
	unsigned int notices; /* the node's count of notices when it was asked for: later ones may have changed it */
	time_t from, until;   /* [s since epoch] 0: open */
	uint32_t lifetime;    /* [s] of a token; 0: not said */
	char push_peer[FQDN_MAX + 1]; /* agent that takes tokens; "": none */
	uint8_t ua_ids[PERMIT_UA_MAX][UA_ID_LEN];
	size_t ua_n;
};
/** One reference, the caller's. NULL: out of memory. */
struct permit *permit_new(const char *application, const struct hss_permission *said, unsigned int notices);
struct permit *permit_ref(struct permit *permit); /* NULL passes */
void permit_unref(struct permit *permit);	  /* NULL passes */
/** Is the flag set, and the permission in force? */
bool permit_in_force(const struct permit *permit, time_t now);

enum permit_by_uss { PERMIT_USS_SET, PERMIT_USS_CLEARED, PERMIT_USS_UNKNOWN };
/** What the user's security settings say of a NAF's application (TS 33.220 Annex J): a USS for one of its GSIDs, and not all of
 * its flags 0. UNKNOWN: the NAF has no GSIDs of its own, or out of memory.
 * @param uss  packed by uss_pack() */
enum permit_by_uss permit_by_uss(const struct bsf_naf *naf, struct bytes uss);
/** The NAF that may use this name; NULL: none, so nobody could ask for its keys. */
const struct bsf_naf *permit_naf(const struct bsf_conf *conf, const char *application);

#endif
