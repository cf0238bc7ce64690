/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/oidc/grants.h"

#include <pthread.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/secret.h"
#include "crypto/hash.h"
#include "naf-adapter/agent/table.h"

#define SECRET_OCTETS 32
#define HANDLE_OCTETS 16 /* of a refresh token; the others are its secret */

struct grant {
	struct table_node by_code, by_access, by_handle;
	uint8_t code[HASH_MAX], access[HASH_MAX], refresh[HASH_MAX]; /* SHA-256 of them */
	uint8_t handle[HANDLE_OCTETS]; /* how refresh tokens of this grant begin: used ones are known, too */
	bool used, has_access, has_refresh;
	time_t code_ends, kept_until;
	struct grant_facts facts;
	struct gba_naf_result *result;
};

struct grants {
	pthread_mutex_t lock;
	size_t most;
	struct table by_code, by_access, by_handle;
};

static int grants_destroy(struct grants *grants)
{
	pthread_mutex_destroy(&grants->lock);
	return 0;
}

struct grants *grants_new(TALLOC_CTX *mem_ctx, size_t most)
{
	struct grants *grants = talloc_zero(mem_ctx, struct grants);

	if (grants == NULL || !table_init(&grants->by_code, grants, most) || !table_init(&grants->by_access, grants, most) ||
	    !table_init(&grants->by_handle, grants, most)) {
		talloc_free(grants);
		return NULL;
	}
	grants->most = most;
	pthread_mutex_init(&grants->lock, NULL);
	talloc_set_destructor(grants, grants_destroy);
	return grants;
}

static int grant_destroy(struct grant *grant)
{
	gba_naf_result_free(grant->result);
	return 0;
}

static void secret_make(char out[GRANT_SECRET_ROOM], uint8_t hash[HASH_MAX])
{
	uint8_t octets[SECRET_OCTETS];
	struct bytes text;

	rand_bytes(octets, sizeof(octets));
	base64url_encode(BYTES(octets, sizeof(octets)), out);
	text = bytes_of(out);
	hash_pieces(HASH_SHA256, &text, 1, hash);
	SECRET_WIPE(octets);
}

static bool copy_text(TALLOC_CTX *mem_ctx, const char **text)
{
	if (*text == NULL)
		return true;
	*text = talloc_strdup(mem_ctx, *text);
	return *text != NULL;
}

/* The texts become mem_ctx's. */
static enum gba_err facts_keep(TALLOC_CTX *mem_ctx, struct grant_facts *facts)
{
	return copy_text(mem_ctx, &facts->client) && copy_text(mem_ctx, &facts->redirect_uri) && copy_text(mem_ctx, &facts->sub) &&
	       copy_text(mem_ctx, &facts->nonce) && copy_text(mem_ctx, &facts->challenge) &&
	       copy_text(mem_ctx, &facts->identities) ? GBA_OK : GBA_E_NOMEM;
}

static void access_drop(struct grants *grants, struct grant *grant)
{
	if (grant->has_access)
		table_remove(&grants->by_access, &grant->by_access);
	grant->has_access = false;
}

static void drop(struct grants *grants, struct grant *grant)
{
	access_drop(grants, grant);
	if (grant->has_refresh)
		table_remove(&grants->by_handle, &grant->by_handle);
	table_remove(&grants->by_code, &grant->by_code);
	talloc_free(grant);
}

enum gba_err grants_add(struct grants *grants, const struct grant_facts *facts, struct gba_naf_result *result, time_t now,
			time_t until, char code[GRANT_SECRET_ROOM])
{
	struct grant *grant;
	enum gba_err err;

	if (grants_count(grants) >= grants->most) /* the oldest are not pushed out: that would end other users' logins */
		grants_sweep(grants, now);
	grant = talloc_zero(NULL, struct grant);
	if (grant == NULL)
		return GBA_E_NOMEM;
	talloc_set_destructor(grant, grant_destroy);
	grant->facts = *facts;
	err = facts_keep(grant, &grant->facts);
	grant->result = gba_naf_result_ref(result);
	grant->code_ends = grant->kept_until = until;
	secret_make(code, grant->code);
	pthread_mutex_lock(&grants->lock);
	if (err == GBA_OK && grants->by_code.count >= grants->most)
		err = GBA_E_BUSY;
	if (err == GBA_OK) {
		talloc_steal(grants, grant);
		table_add(&grants->by_code, &grant->by_code, BYTES(grant->code, HASH_MAX));
	}
	pthread_mutex_unlock(&grants->lock);
	if (err != GBA_OK)
		talloc_free(grant);
	return err;
}

static struct table_node *node_of(const struct table *table, struct bytes secret)
{
	uint8_t hash[HASH_MAX];

	hash_pieces(HASH_SHA256, &secret, 1, hash); /* equal hashes are compared; what that takes tells nothing of a secret */
	return table_find(table, BYTES(hash, sizeof(hash)));
}

/* RFC 7636 4.6, S256. A verifier without a challenge means that somebody took the challenge away (RFC 9700 4.8.2). */
static bool verifier_fits(const char *challenge, const char *verifier)
{
	char text[BASE64URL_LEN(HASH_MAX) + 1];
	struct bytes input = bytes_of(verifier);
	uint8_t digest[HASH_MAX];

	if (challenge == NULL || verifier == NULL)
		return challenge == NULL && verifier == NULL;
	if (input.n < 43 || input.n > 128)
		return false;
	hash_pieces(HASH_SHA256, &input, 1, digest);
	base64url_encode(BYTES(digest, sizeof(digest)), text);
	return bytes_eq_secret(bytes_of(text), bytes_of(challenge));
}

static enum gba_err judge(const struct grant *grant, const struct grant_claim *claim, time_t now)
{
	if (now >= grant->code_ends || now >= grant->facts.ends)
		return GBA_E_STALE;
	if (strcmp(claim->client, grant->facts.client) != 0 || claim->redirect_uri == NULL ||
	    strcmp(claim->redirect_uri, grant->facts.redirect_uri) != 0 || !verifier_fits(grant->facts.challenge, claim->verifier))
		return GBA_E_DENIED;
	return GBA_OK;
}

/* The handle stays, the secret is new each time. */
static void refresh_give(struct grants *grants, struct grant *grant, char out[GRANT_SECRET_ROOM])
{
	uint8_t octets[SECRET_OCTETS];
	struct bytes text;

	rand_bytes(octets, sizeof(octets));
	if (grant->has_refresh)
		memcpy(octets, grant->handle, HANDLE_OCTETS);
	memcpy(grant->handle, octets, HANDLE_OCTETS);
	base64url_encode(BYTES(octets, sizeof(octets)), out);
	text = bytes_of(out);
	hash_pieces(HASH_SHA256, &text, 1, grant->refresh);
	SECRET_WIPE(octets);
	if (!grant->has_refresh)
		table_add(&grants->by_handle, &grant->by_handle, BYTES(grant->handle, HANDLE_OCTETS));
	grant->has_refresh = true;
	grant->kept_until = grant->facts.ends;
}

static void access_give(struct grants *grants, struct grant *grant, time_t until, char out[GRANT_SECRET_ROOM])
{
	access_drop(grants, grant);
	grant->facts.access_ends = until < grant->facts.ends ? until : grant->facts.ends;
	if (grant->kept_until < grant->facts.access_ends)
		grant->kept_until = grant->facts.access_ends;
	secret_make(out, grant->access);
	grant->has_access = true;
	table_add(&grants->by_access, &grant->by_access, BYTES(grant->access, HASH_MAX));
}

static enum gba_err redeem(struct grants *grants, struct grant *grant, const struct grant_claim *claim, time_t now,
			   struct grant_tokens *_tokens)
{
	enum gba_err err;

	if (grant->used) {
		access_drop(grants, grant);
		if (grant->has_refresh)
			table_remove(&grants->by_handle, &grant->by_handle);
		grant->has_refresh = false;
		return GBA_E_REPLAY;
	}
	err = judge(grant, claim, now);
	grant->used = true;
	if (err != GBA_OK)
		return err;
	access_give(grants, grant, claim->access_until, _tokens->access);
	_tokens->refresh[0] = '\0';
	if (claim->refreshable)
		refresh_give(grants, grant, _tokens->refresh);
	return GBA_OK;
}

enum gba_err grants_redeem(struct grants *grants, const struct grant_claim *claim, time_t now, TALLOC_CTX *mem_ctx,
			   struct grant_facts *_facts, struct grant_tokens *_tokens)
{
	enum gba_err err = GBA_E_NOT_FOUND;
	struct table_node *node;

	pthread_mutex_lock(&grants->lock);
	node = node_of(&grants->by_code, claim->code);
	if (node != NULL) {
		struct grant *grant = TABLE_OWNER(node, struct grant, by_code);

		err = redeem(grants, grant, claim, now, _tokens);
		*_facts = grant->facts;
		if (err == GBA_OK)
			err = facts_keep(mem_ctx, _facts);
	}
	pthread_mutex_unlock(&grants->lock);
	return err;
}

/* By what it begins with; it need not be the last one. */
static struct grant *grant_of_refresh(const struct grants *grants, struct bytes token)
{
	uint8_t octets[SECRET_OCTETS];
	struct table_node *node = NULL;
	size_t n;

	if (base64url_decode(token, octets, sizeof(octets), &n) == GBA_OK && n == sizeof(octets))
		node = table_find(&grants->by_handle, BYTES(octets, HANDLE_OCTETS));
	return node != NULL ? TABLE_OWNER(node, struct grant, by_handle) : NULL;
}

static bool is_last(const struct grant *grant, struct bytes token)
{
	uint8_t hash[HASH_MAX];

	hash_pieces(HASH_SHA256, &token, 1, hash);
	return bytes_eq_secret(BYTES(hash, HASH_MAX), BYTES(grant->refresh, HASH_MAX));
}

static enum gba_err refresh(struct grants *grants, struct grant *grant, const struct grant_claim *claim, time_t now,
			    struct grant_tokens *_tokens)
{
	if (grant == NULL || grant->facts.ends <= now)
		return GBA_E_NOT_FOUND;
	if (strcmp(grant->facts.client, claim->client) != 0)
		return GBA_E_DENIED;
	if (!is_last(grant, claim->code)) {
		drop(grants, grant);
		return GBA_E_REPLAY;
	}
	access_give(grants, grant, claim->access_until, _tokens->access);
	refresh_give(grants, grant, _tokens->refresh);
	return GBA_OK;
}

enum gba_err grants_refresh(struct grants *grants, const struct grant_claim *claim, time_t now, TALLOC_CTX *mem_ctx,
			    struct grant_facts *_facts, struct grant_tokens *_tokens)
{
	struct grant *grant;
	enum gba_err err;

	pthread_mutex_lock(&grants->lock);
	grant = grant_of_refresh(grants, claim->code);
	err = refresh(grants, grant, claim, now, _tokens);
	if (err == GBA_OK) {
		*_facts = grant->facts;
		err = facts_keep(mem_ctx, _facts);
	}
	pthread_mutex_unlock(&grants->lock);
	return err;
}

enum gba_err grants_find(struct grants *grants, struct bytes access, time_t now, TALLOC_CTX *mem_ctx, struct grant_facts *_facts)
{
	enum gba_err err = GBA_E_NOT_FOUND;
	struct table_node *node;

	pthread_mutex_lock(&grants->lock);
	node = node_of(&grants->by_access, access);
	if (node != NULL && TABLE_OWNER(node, struct grant, by_access)->facts.access_ends > now) {
		*_facts = TABLE_OWNER(node, struct grant, by_access)->facts;
		err = facts_keep(mem_ctx, _facts);
	}
	pthread_mutex_unlock(&grants->lock);
	return err;
}

void grants_revoke(struct grants *grants, struct bytes token, const char *client)
{
	struct table_node *node;
	struct grant *grant;

	pthread_mutex_lock(&grants->lock);
	node = node_of(&grants->by_access, token);
	grant = node != NULL ? TABLE_OWNER(node, struct grant, by_access) : grant_of_refresh(grants, token);
	if (grant != NULL && strcmp(grant->facts.client, client) == 0)
		drop(grants, grant);
	pthread_mutex_unlock(&grants->lock);
}

/* @return how many were dropped */
static size_t drop_those(struct grants *grants, bool (*is_one)(const struct grant *grant, const void *arg), const void *arg)
{
	struct table_node *node, *older;
	size_t dropped = 0;

	pthread_mutex_lock(&grants->lock);
	for (node = grants->by_code.newest; node != NULL; node = older) {
		struct grant *grant = TABLE_OWNER(node, struct grant, by_code);

		older = node->older;
		if (!is_one(grant, arg))
			continue;
		drop(grants, grant);
		dropped++;
	}
	pthread_mutex_unlock(&grants->lock);
	return dropped;
}

struct login {
	const char *client, *sub;
};

static bool is_of_login(const struct grant *grant, const void *arg)
{
	const struct login *login = arg;

	return strcmp(grant->facts.client, login->client) == 0 && strcmp(grant->facts.sub, login->sub) == 0;
}

size_t grants_log_out(struct grants *grants, const char *client, const char *sub)
{
	return drop_those(grants, is_of_login, &(struct login){ client, sub });
}

struct judged {
	bool (*is_client)(const char *client, const void *arg);
	const void *arg;
};

static bool is_of_nobody(const struct grant *grant, const void *arg)
{
	const struct judged *judged = arg;

	return !judged->is_client(grant->facts.client, judged->arg);
}

size_t grants_retain(struct grants *grants, bool (*is_client)(const char *client, const void *arg), const void *arg)
{
	return drop_those(grants, is_of_nobody, &(struct judged){ is_client, arg });
}

static bool is_concerned(const struct grant *grant, const void *arg)
{
	return gba_naf_notice_concerns(arg, grant->result);
}

size_t grants_noticed(struct grants *grants, const struct gba_naf_notice *notice)
{
	return drop_those(grants, is_concerned, notice);
}

void grants_sweep(struct grants *grants, time_t now)
{
	struct table_node *node, *older;

	pthread_mutex_lock(&grants->lock);
	for (node = grants->by_code.newest; node != NULL; node = older) {
		older = node->older;
		if (TABLE_OWNER(node, struct grant, by_code)->kept_until <= now)
			drop(grants, TABLE_OWNER(node, struct grant, by_code));
	}
	pthread_mutex_unlock(&grants->lock);
}

size_t grants_count(struct grants *grants)
{
	size_t count;

	pthread_mutex_lock(&grants->lock);
	count = grants->by_code.count;
	pthread_mutex_unlock(&grants->lock);
	return count;
}
