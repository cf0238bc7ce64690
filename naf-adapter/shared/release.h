/* SPDX-License-Identifier: Apache-2.0 */
/** Which identities of a device an application is told (TS 24.109 7, TS 33.222 6.5, Y.3056 9.6.2-2): one answer for all programs in
 * front of applications. The IMPI is told where the configuration says so and the operator's BSF told it us, nowhere else. */
#ifndef GBA_SHARED_RELEASE_H
#define GBA_SHARED_RELEASE_H

#include <stdbool.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/err.h"
#include "naf-adapter/libnaf/gba-naf.h"

#define RELEASE_LIST_MAX 8192 /* [octets] of all identities: what servers behind take in one header */

/** The first that is there: uids of the user security settings, the IMPI, the B-TID. */
enum release_policy {
	RELEASE_UIDS,
	RELEASE_UIDS_BTID,
	RELEASE_UIDS_IMPI,
	RELEASE_UIDS_IMPI_BTID,
	RELEASE_BTID,
	RELEASE_IMPI
};
extern const char *const release_policy_names[]; /* for CONF_ENUM */

struct released {
	const char *list;  /* value of X-3GPP-Asserted-Identity: "id", "id" in quotes */
	const char *user;  /* the first of them, bare */
	const char *flags; /* value of X-3GPP-Authorization-Flags; NULL: none, or not asked for */
};

/** @param flags  the authorisation flags of the settings, too
 * @param _told  texts below mem_ctx, written on GBA_OK
 * @retval GBA_E_NOT_AUTHORIZED  none of the identities of the policy is known @retval GBA_E_NOMEM */
enum gba_err release_of_result(TALLOC_CTX *mem_ctx, enum release_policy policy, bool flags, const struct gba_naf_result *result,
			       struct released *_told);

/** Append one identity in quotes, after ", " when it is not the first. One that would need escaping is left out: readers differ in
 * how they unescape. So is one that is there, and what goes beyond RELEASE_LIST_MAX.
 * @param list  talloc'ed text @retval GBA_E_NOMEM  only then */
enum gba_err release_put(char **list, const char *identity);
/** Is the wanted identity ("sip:a@b", quoted or not) among those of the list? Compared octet by octet. */
bool release_among(struct bytes wanted, struct bytes list);

#endif
