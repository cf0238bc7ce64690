/* SPDX-License-Identifier: Apache-2.0 */
/** The signing keys in their folder: one file each, "<made>.pem" [s since epoch], 0600. The newest that clients have had
 * `overlap` time to learn signs; those before it are shown for `overlap` longer. Thread-safe. */
#ifndef GBA_OIDC_RING_H
#define GBA_OIDC_RING_H

#include <time.h>

#include "jose/jwt.h"

struct ring;
struct ring_conf {
	const char *folder;
	enum jwt_alg alg;
	unsigned int rotation, overlap; /* [s] */
};

/** Read the folder's keys; make the folder, and a key, when there are none. @param _why  for the operator, below mem_ctx */
enum gba_err ring_open(TALLOC_CTX *mem_ctx, const struct ring_conf *conf, time_t now, struct ring **_ring, const char **_why);
/** Make the next key when it is time; forget those that nobody needs. @return what kept it from doing so; the keys stay */
enum gba_err ring_tick(struct ring *ring, time_t now);
enum gba_err ring_sign(struct ring *ring, TALLOC_CTX *mem_ctx, const json_t *claims, time_t now, char **_text);
/** A token that we have signed, with any key that is still shown; when it ends is not looked at.
 * @param _claims  to be json_decref()ed
 * @retval as jwt_open(): none of ours */
enum gba_err ring_open_token(struct ring *ring, struct bytes text, json_t **_claims);
/** The JWK Set (RFC 7517 5); a new reference. NULL: out of memory. */
json_t *ring_jwks(struct ring *ring);

#endif
