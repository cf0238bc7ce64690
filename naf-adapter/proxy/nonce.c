/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/nonce.h"

#include <ctype.h>
#include <pthread.h>

#include "core/clock.h"
#include "core/ident.h"
#include "core/secret.h"
#include "crypto/hash.h"
#include "http/digest.h"

#define MAC_LEN	   16
#define STAMP_LEN  16 /* time and random: what the MAC covers besides the host */
#define WAYS	   8
#define LOCKS	   16
#define SKEW_MS	   60000 /* proxies that share a secret may differ by so much */

struct entry {
	uint64_t time_ms, random; /* time 0: free */
	struct digest_nc_window window;
};

/* Neighbours: when all are in use, the one with the oldest nonce goes, and no nonce up to its time is taken in again. */
struct set {
	struct entry way[WAYS];
	uint64_t floor_ms;
};

struct nonces {
	struct secret *secret;
	uint64_t lifetime_ms;
	size_t sets;
	struct set *set;
	pthread_mutex_t lock[LOCKS];
};

static int nonces_destroy(struct nonces *nonces)
{
	size_t i;

	for (i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&nonces->lock[i]);
	return 0;
}

struct nonces *nonces_new(TALLOC_CTX *mem_ctx, const uint8_t secret[NONCE_SECRET_LEN], uint64_t lifetime_ms, size_t entries)
{
	struct nonces *nonces = talloc_zero(mem_ctx, struct nonces);
	size_t i;

	if (nonces == NULL)
		return NULL;
	nonces->lifetime_ms = lifetime_ms;
	nonces->sets = entries / WAYS + 1;
	nonces->secret = secret_dup(nonces, BYTES(secret, NONCE_SECRET_LEN));
	nonces->set = talloc_zero_array(nonces, struct set, nonces->sets);
	if (nonces->secret == NULL || nonces->set == NULL) {
		talloc_free(nonces);
		return NULL;
	}
	for (i = 0; i < LOCKS; i++)
		pthread_mutex_init(&nonces->lock[i], NULL);
	talloc_set_destructor(nonces, nonces_destroy);
	return nonces;
}

static void put_u64(uint8_t *p, uint64_t v)
{
	int i;

	for (i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint64_t get_u64(const uint8_t *p)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* MAC over a label, the stamp and the host's name in lower case. */
static void mac_of(const struct nonces *nonces, const char *label, struct bytes stamp, struct bytes fqdn, uint8_t mac[HASH_MAX])
{
	uint8_t host[FQDN_MAX];
	size_t i, n = fqdn.n < sizeof(host) ? fqdn.n : sizeof(host);
	struct bytes pieces[3] = { bytes_of(label), stamp, BYTES(host, n) };

	for (i = 0; i < n; i++)
		host[i] = (uint8_t)tolower(fqdn.p[i]);
	hmac_pieces(HASH_SHA256, secret_bytes(nonces->secret), pieces, 3, mac);
}

void nonce_make(const struct nonces *nonces, struct bytes fqdn, uint64_t now_ms, char *out)
{
	uint8_t octets[STAMP_LEN + HASH_MAX];

	put_u64(octets, now_ms);
	rand_bytes(octets + 8, 8);
	mac_of(nonces, "nonce", BYTES(octets, STAMP_LEN), fqdn, octets + STAMP_LEN);
	base64_encode(BYTES(octets, NONCE_OCTETS), out);
}

void nonce_opaque(const struct nonces *nonces, struct bytes fqdn, char *out)
{
	uint8_t mac[HASH_MAX];

	mac_of(nonces, "opaque", BYTES_NONE, fqdn, mac);
	hex_encode(BYTES(mac, OPAQUE_CHARS / 2), out);
}

static bool decode(struct bytes nonce, uint8_t octets[NONCE_OCTETS])
{
	size_t n = 0;

	return nonce.n == NONCE_CHARS && base64_decode(nonce, octets, NONCE_OCTETS, &n) == GBA_OK && n == NONCE_OCTETS;
}

enum nonce_state nonce_check(const struct nonces *nonces, struct bytes fqdn, struct bytes nonce, uint64_t now_ms)
{
	uint8_t octets[NONCE_OCTETS], mac[HASH_MAX];
	uint64_t time_ms;

	if (!decode(nonce, octets))
		return NONCE_FOREIGN;
	mac_of(nonces, "nonce", BYTES(octets, STAMP_LEN), fqdn, mac);
	if (!bytes_eq_secret(BYTES(mac, MAC_LEN), BYTES(octets + STAMP_LEN, MAC_LEN)))
		return NONCE_FOREIGN;
	time_ms = get_u64(octets);
	if (time_ms > now_ms + SKEW_MS || now_ms >= time_ms + nonces->lifetime_ms)
		return NONCE_OLD;
	return NONCE_GOOD;
}

uint64_t nonce_age_ms(struct bytes nonce, uint64_t now_ms)
{
	uint8_t octets[NONCE_OCTETS];
	uint64_t time_ms;

	if (!decode(nonce, octets))
		return UINT64_MAX;
	time_ms = get_u64(octets);
	return now_ms > time_ms ? now_ms - time_ms : 0;
}

/* The place of a nonce in its set: its own, a free one, or that of the oldest. NULL: too old to be told from a replay. */
static struct entry *entry_of(struct nonces *nonces, struct set *set, uint64_t time_ms, uint64_t random, uint64_t now_ms)
{
	struct entry *victim = &set->way[0];
	size_t i;

	for (i = 0; i < WAYS; i++) {
		struct entry *e = &set->way[i];

		if (e->time_ms == time_ms && e->random == random)
			return e;
		if (e->time_ms < victim->time_ms)
			victim = e;
	}
	if (time_ms <= set->floor_ms)
		return NULL;
	if (victim->time_ms != 0 && now_ms < victim->time_ms + nonces->lifetime_ms) {
		if (time_ms < victim->time_ms)
			return NULL;
		set->floor_ms = victim->time_ms;
	}
	*victim = (struct entry){ .time_ms = time_ms, .random = random };
	return victim;
}

bool nonce_use(struct nonces *nonces, struct bytes nonce, uint32_t nc, uint64_t now_ms)
{
	uint8_t octets[NONCE_OCTETS];
	struct entry *entry;
	uint64_t random;
	size_t index;
	bool fresh;

	if (!decode(nonce, octets))
		return false;
	random = get_u64(octets + 8);
	index = random % nonces->sets;
	pthread_mutex_lock(&nonces->lock[index % LOCKS]);
	entry = entry_of(nonces, &nonces->set[index], get_u64(octets), random, now_ms);
	fresh = entry != NULL && digest_nc_use(&entry->window, nc);
	pthread_mutex_unlock(&nonces->lock[index % LOCKS]);
	return fresh;
}
