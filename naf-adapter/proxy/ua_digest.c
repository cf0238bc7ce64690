/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/ua_digest.h"

#include "core/secret.h"

#define REALM_ME   "3GPP-bootstrapping@"
#define REALM_UICC "3GPP-bootstrapping-uicc@"
#define REALM_MAX  (2 * (sizeof(REALM_UICC) + FQDN_MAX))
#define PASSWORD_LEN BASE64_LEN(UA_KEY_LEN)

const char *const ua_keys_names[] = { "me", "uicc", "both", NULL };

/* A product token ends at its version, a blank or a comment (RFC 9110 10.1.5). */
static bool has_product(struct bytes agent, const char *product)
{
	size_t i, n = strlen(product);

	for (i = 0; i + n <= agent.n; i++) {
		if (!bytes_eq_nocase(BYTES(agent.p + i, n), bytes_of(product)))
			continue;
		if (i > 0 && agent.p[i - 1] != ' ' && agent.p[i - 1] != '\t' && agent.p[i - 1] != ';' && agent.p[i - 1] != ',')
			continue;
		if (i + n == agent.n || !h1_token_valid(BYTES(agent.p + i + n, 1)))
			return true;
	}
	return false;
}

bool ua_agent_knows_uicc(struct bytes user_agent)
{
	return has_product(user_agent, "3gpp-gba-uicc");
}

bool ua_agent_knows_gba(struct bytes user_agent)
{
	return has_product(user_agent, "3gpp-gba") || ua_agent_knows_uicc(user_agent);
}

/* Both realms only to a device that can choose; the UICC's first, it is the stronger one. */
static struct bytes realm_offered(const struct ua_policy *policy, struct bytes user_agent, char text[REALM_MAX])
{
	bool uicc = policy->keys == UA_KEYS_UICC || (policy->keys == UA_KEYS_BOTH && ua_agent_knows_uicc(user_agent));
	bool me = policy->keys != UA_KEYS_UICC;

	snprintf(text, REALM_MAX, "%s%.*s%s%s%.*s", uicc ? REALM_UICC : "", uicc ? (int)policy->fqdn.n : 0,
		 (const char *)policy->fqdn.p, uicc && me ? ";" : "", me ? REALM_ME : "", me ? (int)policy->fqdn.n : 0,
		 (const char *)policy->fqdn.p);
	return bytes_of(text);
}

static bool put_challenge(TALLOC_CTX *mem_ctx, const struct digest_challenge *challenge, struct buf *out)
{
	char *value = digest_challenge_build(mem_ctx, challenge);
	bool good = value != NULL && buf_put(out, bytes_of("WWW-Authenticate: ")) && buf_put(out, bytes_of(value)) &&
		    buf_put(out, bytes_of("\r\n"));

	talloc_free(value);
	return good;
}

bool ua_challenge_put(TALLOC_CTX *mem_ctx, const struct ua_policy *policy, struct bytes user_agent, bool stale,
		      uint64_t now_ms, struct buf *out)
{
	char realm[REALM_MAX], nonce[NONCE_CHARS + 1], opaque[OPAQUE_CHARS + 1];
	struct digest_challenge challenge = {
		.qop_auth = policy->qop_auth,
		.qop_auth_int = policy->qop_auth_int,
		.stale = stale,
		.realm = realm_offered(policy, user_agent, realm),
	};

	nonce_make(policy->nonces, policy->fqdn, now_ms, nonce);
	nonce_opaque(policy->nonces, policy->fqdn, opaque);
	challenge.nonce = bytes_of(nonce);
	challenge.opaque = bytes_of(opaque);
	/* In order of preference (RFC 7616 3.7). */
	challenge.algorithm = DIGEST_SHA256;
	if (policy->sha256 && !put_challenge(mem_ctx, &challenge, out))
		return false;
	challenge.algorithm = DIGEST_MD5;
	return !policy->md5 || put_challenge(mem_ctx, &challenge, out);
}

static bool realm_is(struct bytes realm, const char *prefix, struct bytes fqdn)
{
	size_t n = strlen(prefix);

	return realm.n == n + fqdn.n && memcmp(realm.p, prefix, n) == 0 &&
	       bytes_eq_nocase(BYTES(realm.p + n, fqdn.n), fqdn);
}

/* One of our realms, or both as we joined them: whether a device gives back the whole or its choice is not settled. */
static bool realm_read(const struct ua_policy *policy, struct bytes realm, struct ua_claim *claim)
{
	struct bytes first, second;

	if (bytes_split(realm, ';', &first, &second)) {
		claim->joined = realm_is(first, REALM_UICC, policy->fqdn) && realm_is(second, REALM_ME, policy->fqdn);
		return claim->joined && policy->keys == UA_KEYS_BOTH;
	}
	claim->uicc = realm_is(realm, REALM_UICC, policy->fqdn);
	if (claim->uicc)
		return policy->keys != UA_KEYS_ME;
	return realm_is(realm, REALM_ME, policy->fqdn) && policy->keys != UA_KEYS_UICC;
}

static bool algorithm_offered(const struct ua_policy *policy, enum digest_alg algorithm)
{
	return (policy->md5 && algorithm == DIGEST_MD5) || (policy->sha256 && algorithm == DIGEST_SHA256);
}

static bool qop_offered(const struct ua_policy *policy, enum digest_qop qop)
{
	return (policy->qop_auth && qop == DIGEST_QOP_AUTH) || (policy->qop_auth_int && qop == DIGEST_QOP_AUTH_INT);
}

static bool opaque_good(const struct ua_policy *policy, struct bytes opaque)
{
	char own[OPAQUE_CHARS + 1];

	if (opaque.p == NULL)
		return true; /* clients exist that do not give it back; it carries nothing */
	nonce_opaque(policy->nonces, policy->fqdn, own);
	return bytes_eq(opaque, bytes_of(own));
}

static bool is_digest(struct bytes header)
{
	return header.n > 7 && bytes_eq_nocase(BYTES(header.p, 6), bytes_of("Digest")) &&
	       (header.p[6] == ' ' || header.p[6] == '\t');
}

static enum ua_step claim_check(const struct ua_policy *policy, const struct h1_head *head, uint64_t now_ms,
				struct ua_claim *claim, enum gba_err *_err)
{
	const struct digest_auth *auth = &claim->auth;
	enum nonce_state state;
	uint8_t rand[RAND_LEN];

	*_err = GBA_E_DIGEST_SYNTAX;
	if (auth->username.p == NULL || auth->realm.p == NULL || auth->nonce.p == NULL || auth->uri.p == NULL ||
	    auth->response.p == NULL || (auth->qop != DIGEST_QOP_NONE && (auth->cnonce.p == NULL || auth->nc_text.p == NULL)))
		return UA_BAD;
	/* The header must speak of this request: RFC 7616 3.4.6. */
	if (!bytes_eq(auth->uri, head->target) && !bytes_eq(auth->uri, head->path))
		return UA_BAD;
	*_err = GBA_E_AUTH_SCHEME;
	if (!algorithm_offered(policy, auth->algorithm) || !qop_offered(policy, auth->qop))
		return UA_CHALLENGE;
	*_err = GBA_E_DIGEST_MISMATCH;
	if (!realm_read(policy, auth->realm, claim) || !opaque_good(policy, auth->opaque))
		return UA_CHALLENGE;
	*_err = GBA_E_DIGEST_STALE;
	state = nonce_check(policy->nonces, policy->fqdn, auth->nonce, now_ms);
	if (state == NONCE_FOREIGN)
		return UA_CHALLENGE;
	claim->old_nonce = state == NONCE_OLD;
	*_err = btid_parse(auth->username, rand, NULL);
	return *_err == GBA_OK ? UA_GO_ON : UA_CHALLENGE;
}

enum ua_step ua_claim_read(TALLOC_CTX *mem_ctx, const struct ua_policy *policy, const struct h1_head *head, uint64_t now_ms,
			   struct ua_claim *_claim, enum gba_err *_err)
{
	struct bytes header = h1_field_find(head, "authorization");
	struct ua_claim claim = { .uicc = false };
	enum ua_step step;

	*_err = GBA_OK;
	if (header.p == NULL)
		return UA_CHALLENGE;
	*_err = GBA_E_AUTH_SCHEME;
	if (!is_digest(header))
		return UA_CHALLENGE;
	*_err = digest_auth_parse(mem_ctx, header, &claim.auth);
	if (*_err == GBA_E_AUTH_SCHEME)
		return UA_CHALLENGE;
	if (*_err != GBA_OK)
		return UA_BAD;
	step = claim_check(policy, head, now_ms, &claim, _err);
	if (step == UA_GO_ON)
		*_claim = claim;
	return step;
}

/* The password is the base64 text of the key (TS 24.109 5.2.2); out has PASSWORD_LEN + 1 octets. */
static void calc_fill(const struct ua_claim *claim, const uint8_t *key, char *password, struct digest_calc *calc)
{
	const struct digest_auth *auth = &claim->auth;

	base64_encode(BYTES(key, UA_KEY_LEN), password);
	*calc = (struct digest_calc){
		.algorithm = auth->algorithm, .qop = auth->qop, .username = auth->username, .realm = auth->realm,
		.password = BYTES(password, PASSWORD_LEN), .nonce = auth->nonce, .cnonce = auth->cnonce,
		.nc_text = auth->nc_text, .uri = auth->uri, .body = bytes_of(""),
	};
}

bool ua_claim_proved(const struct ua_claim *claim, struct bytes method, struct bytes body, const uint8_t key[UA_KEY_LEN])
{
	char password[PASSWORD_LEN + 1];
	struct digest_calc calc;
	bool proved;

	calc_fill(claim, key, password, &calc);
	calc.method = method;
	if (body.p != NULL)
		calc.body = body;
	proved = digest_response_matches(&calc, claim->auth.response);
	SECRET_WIPE(password);
	return proved;
}

char *ua_info_build(TALLOC_CTX *mem_ctx, const struct ua_claim *claim, bool empty_body, const char *nextnonce,
		    const uint8_t key[UA_KEY_LEN])
{
	char password[PASSWORD_LEN + 1], rspauth[DIGEST_HEX_MAX + 1];
	struct digest_calc calc;
	struct digest_info info;

	calc_fill(claim, key, password, &calc);
	if (!empty_body)
		calc.qop = DIGEST_QOP_AUTH;
	digest_rspauth(&calc, rspauth);
	SECRET_WIPE(password);
	info = (struct digest_info){
		.rspauth = bytes_of(rspauth), .cnonce = calc.cnonce, .nextnonce = bytes_of(nextnonce), .nc_text = calc.nc_text,
		.qop = calc.qop,
	};
	return digest_info_build(mem_ctx, &info);
}
