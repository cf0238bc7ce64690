/* SPDX-License-Identifier: Apache-2.0 */
/** Digest nonces of the Ua interface (RFC 7616 3.3, 5.4): nothing is stored when one is given out, a MAC tells ours from
 * others; which nc values were used is remembered only for nonces a device has authenticated with. Thread-safe. */
#ifndef GBA_PROXY_NONCE_H
#define GBA_PROXY_NONCE_H

#include <stdint.h>
#include <talloc.h>

#include "core/bytes.h"
#include "core/codec.h"
#include "core/err.h"

#define NONCE_OCTETS	32 /* time [ms] 8, random 8, MAC 16 */
#define NONCE_CHARS	BASE64_LEN(NONCE_OCTETS)
#define NONCE_SECRET_LEN 32
#define OPAQUE_CHARS	16

struct nonces;

/** @param secret       key of the MAC: random, or shared by the proxies of one service
 * @param lifetime_ms  [ms] a nonce is good for
 * @param entries      nonces in use whose nc values are remembered; the oldest of eight neighbours makes room
 * @return NULL when memory is exhausted */
struct nonces *nonces_new(TALLOC_CTX *mem_ctx, const uint8_t secret[NONCE_SECRET_LEN], uint64_t lifetime_ms, size_t entries);

/** A new nonce for the host; out has NONCE_CHARS + 1 octets. @param now_ms [ms since epoch] */
void nonce_make(const struct nonces *nonces, struct bytes fqdn, uint64_t now_ms, char *out);
/** Opaque value of the host, the same for all its challenges; out has OPAQUE_CHARS + 1 octets. */
void nonce_opaque(const struct nonces *nonces, struct bytes fqdn, char *out);

enum nonce_state {
	NONCE_GOOD,
	NONCE_OLD,	/* ours, but past its time: "stale" once the response proves right */
	NONCE_FOREIGN,	/* not made by us for this host */
};
enum nonce_state nonce_check(const struct nonces *nonces, struct bytes fqdn, struct bytes nonce, uint64_t now_ms);
/** How old a nonce is that nonce_check() found ours. [ms] */
uint64_t nonce_age_ms(struct bytes nonce, uint64_t now_ms);

/** Use up one nc value of a nonce that is NONCE_GOOD, after the response proved right.
 * @return false: zero, used before, too far behind, or its memory was given up: the request may be a replay */
bool nonce_use(struct nonces *nonces, struct bytes nonce, uint32_t nc, uint64_t now_ms);

#endif
