/* SPDX-License-Identifier: Apache-2.0 */
/** Operator realms this device may bootstrap with (Y.3056 7.1): any number side by side, exactly one active as soon as
 * there is one. Kept in "profiles.json" of the state folder; nothing secret in it. */
#ifndef GBA_UE_PROFILES_H
#define GBA_UE_PROFILES_H

#include <jansson.h>

#include "core/ident.h"
#include "ue/state.h"
#include "ue/usim/usim_open.h"

#define PROFILES_MAX    64
#define PROFILE_URL_MAX 511 /* [octets] */

/** Texts are NUL-terminated; an empty one means "not set". */
struct profile {
	char name[STATE_NAME_MAX + 1];
	char bsf[FQDN_MAX + 1];        /* the BSF's name: its Digest realm and the domain of its B-TIDs must be this */
	char url[PROFILE_URL_MAX + 1]; /* where Ub is served; not set: http://<bsf>/ */
	char connect[FQDN_MAX + 8];    /* "address:port" to connect to instead of the URL's host */
	char ca_file[PROFILE_URL_MAX + 1]; /* PEM: trust for https URLs; not set: the system's */
	char usim[USIM_NAME_MAX + 1];      /* whose keys: a soft USIM, or a card: usim_open.h */
	char impi[IMPI_MAX + 1];           /* not set: the USIM's */
	char replaces[STATE_NAME_MAX + 1]; /* profile of the operator being left (Y.3056 10.6), until that is final */
	bool certificate;                  /* bootstrap by the card's certificate (Y.3056 10.4-5), not by AKA */
	bool announce;                     /* tell the BSF which application the token is wanted for (Y.3056 10.4-1a) */
};

struct profiles {
	struct profile *rows;
	size_t count;
	size_t active; /* index; meaningless when count is 0 */
};

/** An empty set when there is no file yet. @retval GBA_E_CORRUPT  the file is not what we write */
enum gba_err profiles_load(TALLOC_CTX *mem_ctx, struct state *state, struct profiles **_profiles, struct why *why);
enum gba_err profiles_save(struct state *state, const struct profiles *profiles);

/** NULL: none of that name. */
const struct profile *profiles_find(const struct profiles *profiles, const char *name);
/** NULL: no profile at all. */
const struct profile *profiles_active(const struct profiles *profiles);
/** Add; the first one becomes active. @retval GBA_E_EXISTS, GBA_E_NOSPACE, GBA_E_NOMEM, or a bad value (why tells) */
enum gba_err profiles_add(struct profiles *profiles, const struct profile *profile, struct why *why);
/** @retval GBA_E_NOT_FOUND */
enum gba_err profiles_use(struct profiles *profiles, const char *name);
/** The active one goes only when it is the last: a device is never left with profiles of which none is active.
 * @retval GBA_E_NOT_FOUND, GBA_E_DENIED */
enum gba_err profiles_remove(struct profiles *profiles, const char *name);
/** Is every value one that can work? */
enum gba_err profile_check(const struct profile *profile, struct why *why);
/** Members that are set, plus "active"; NULL: out of memory. */
json_t *profile_json(const struct profile *profile, bool active);

#endif
