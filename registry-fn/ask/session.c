/* SPDX-License-Identifier: Apache-2.0 */
/* How an enquirer is registered, and proves its key before it learns anything (Y.3059 9.3-i, 9.3-iii). */
#include <stdio.h>

#include "core/clock.h"
#include "core/codec.h"
#include "crypto/hash.h"
#include "registry-fn/ask/ask.h"

/* An enquirer is answered only while it is approved. */
static enum gba_err enquirer_good(struct rest_call *call, int64_t id)
{
	struct db_stmt *stmt;
	int64_t state = ENQUIRER_REQUESTED;
	enum gba_err err = records_stmt(call->r, "SELECT state FROM enquirer WHERE id = ?1", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, id);
	err = records_int(stmt, &state);
	return err == GBA_OK && state != ENQUIRER_APPROVED ? GBA_E_NOT_AUTHORIZED : err;
}

enum gba_err ask_by_session(struct rest_call *call)
{
	struct actor *actor;
	struct db_stmt *stmt;
	int64_t id = 0;
	enum gba_err err = records_stmt(call->r, "SELECT enquirer FROM session WHERE hash = ?1 AND expires > ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(call->hash));
	db_bind_int(stmt, 2, call->rc.now);
	err = records_int(stmt, &id);
	if (err == GBA_OK)
		err = enquirer_good(call, id);
	if (err != GBA_OK)
		return err == GBA_E_NOT_FOUND ? GBA_E_NOT_AUTHORIZED : err;
	actor = talloc_zero(call, struct actor);
	if (actor == NULL)
		return GBA_E_NOMEM;
	*actor = (struct actor){ REG_ROLE_ENQUIRER, id, talloc_asprintf(actor, "enquirer:%lld", (long long)id) };
	call->actor = actor;
	return actor->name != NULL ? GBA_OK : GBA_E_NOMEM;
}

enum gba_err ask_finish(struct rest_call *call, enum gba_err err)
{
	if (err == GBA_OK)
		return records_commit(call->r);
	records_rollback(call->r);
	return err;
}

/* ---- registration, challenge, session ---- */

static const struct actor node = { REG_ROLE_SYSTEM, 0, "system" };

/* Whether the name or the key is known already is not told: an administrator sees what was asked for. */
void ask_enquirer_registration(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	struct record_call rc = { .actor = &node, .now = call->rc.now, .mem_ctx = call };
	json_t *body = rest_read_body(call);
	enum gba_err err;

	if (body == NULL)
		return;
	err = records_add(call->r, &rc, REG_ENQUIRER, body, NULL);
	json_decref(body);
	if (err == GBA_OK || err == GBA_E_EXISTS)
		rest_json(call, 202, json_pack("{s:s}", "state", reg_enquirer_state_words[ENQUIRER_REQUESTED]));
	else
		rest_fail(call, err);
}

static void random_hex(char out[HEX_LEN(ASK_CHALLENGE_LEN) + 1])
{
	uint8_t octets[ASK_CHALLENGE_LEN];

	rand_bytes(octets, sizeof(octets));
	hex_encode(BYTES(octets, sizeof(octets)), out);
}

static void hash_hex(const char *text, char out[HEX_LEN(HASH_MAX) + 1])
{
	struct bytes piece = bytes_of(text);
	uint8_t digest[HASH_MAX];

	hash_pieces(HASH_SHA256, &piece, 1, digest);
	hex_encode(BYTES(digest, sizeof(digest)), out);
}

/* Keep the hash of a text until it expires; expired ones go. */
static enum gba_err keep(struct rest_call *call, const char *forget, const char *insert, const char *text, struct bytes about,
			 int64_t id, time_t expires)
{
	char hash[HEX_LEN(HASH_MAX) + 1];
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(call->r, forget, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, call->rc.now);
	err = db_run(stmt, NULL);
	if (err == GBA_OK)
		err = records_stmt(call->r, insert, &stmt);
	if (err != GBA_OK)
		return err;
	hash_hex(text, hash);
	db_bind_text(stmt, 1, bytes_of(hash));
	if (about.p != NULL)
		db_bind_text(stmt, 2, about);
	else
		db_bind_int(stmt, 2, id);
	db_bind_int(stmt, 3, expires);
	return db_run(stmt, NULL);
}

/* Any key gets a challenge: that it is known shows only when it has been signed. */
void ask_challenge(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = rest_read_body(call);
	const char *key = json_string_value(json_object_get(body, "public_key"));
	time_t expires = call->rc.now + ask_registry(call)->conf->challenge_life;
	char challenge[HEX_LEN(ASK_CHALLENGE_LEN) + 1];
	enum gba_err err;

	if (body == NULL)
		return;
	random_hex(challenge);
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = keep(call, "DELETE FROM challenge WHERE expires <= ?1",
			   "INSERT INTO challenge (hash, public_key, expires) VALUES (?1, ?2, ?3)", challenge,
			   bytes_of(key), 0, expires);
		err = ask_finish(call, err);
	}
	if (err == GBA_OK)
		rest_json(call, 201,
			  json_pack("{s:s, s:s, s:I}", "challenge", challenge, "reg_id",
				    ask_registry(call)->conf->reg_id, "expires", (json_int_t)expires));
	else
		rest_fail(call, err);
	json_decref(body);
}

/* The key a challenge was given to; used up by it. */
static enum gba_err challenge_take(struct rest_call *call, const char *challenge, char key[HEX_LEN(SIGN_PUBLIC_LEN) + 1])
{
	char hash[HEX_LEN(HASH_MAX) + 1];
	struct db_stmt *stmt;
	bool row = false;
	enum gba_err err;

	hash_hex(challenge, hash);
	err = records_stmt(call->r, "DELETE FROM challenge WHERE hash = ?1 RETURNING public_key, expires", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(hash));
	err = db_step(stmt, &row);
	if (err == GBA_OK && row && db_col_int(stmt, 1) > call->rc.now)
		snprintf(key, HEX_LEN(SIGN_PUBLIC_LEN) + 1, "%.*s", BYTES_FMT(db_col_text(stmt, 0)));
	else if (err == GBA_OK)
		err = GBA_E_NOT_AUTHORIZED;
	db_reset(stmt);
	return err;
}

static enum gba_err signature_good(struct rest_call *call, const char *challenge, const char *key, const char *signature_hex)
{
	uint8_t public[SIGN_PUBLIC_LEN], signature[SIGN_LEN];
	char said[256];

	snprintf(said, sizeof(said), ASK_CHALLENGE_SAID "%s %s", ask_registry(call)->conf->reg_id, challenge);
	if (hex_decode(bytes_of(key), public, sizeof(public)) != GBA_OK ||
	    hex_decode(bytes_of(signature_hex), signature, sizeof(signature)) != GBA_OK)
		return GBA_E_NOT_AUTHORIZED;
	return sign_verify(public, bytes_of(said), signature) == GBA_OK ? GBA_OK : GBA_E_NOT_AUTHORIZED;
}

static enum gba_err enquirer_by_key(struct rest_call *call, const char *key, int64_t *_id)
{
	struct db_stmt *stmt;
	enum gba_err err = records_stmt(call->r, "SELECT id FROM enquirer WHERE public_key = ?1 AND state = ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(key));
	db_bind_int(stmt, 2, ENQUIRER_APPROVED);
	err = records_int(stmt, _id);
	return err == GBA_E_NOT_FOUND ? GBA_E_NOT_AUTHORIZED : err;
}

/* A failure costs the challenge, too: the transaction is kept, the answer tells nothing of why. */
void ask_session(struct route_call *route)
{
	struct rest_call *call = rest_call_of(route);
	json_t *body = rest_read_body(call);
	const char *challenge = json_string_value(json_object_get(body, "challenge"));
	const char *signature = json_string_value(json_object_get(body, "signature"));
	char key[HEX_LEN(SIGN_PUBLIC_LEN) + 1] = "", token[HEX_LEN(ASK_CHALLENGE_LEN) + 1] = "";
	time_t expires = call->rc.now + ask_registry(call)->conf->session_life;
	struct entry entry = { .act = "session.open", .by = "nobody" };
	enum gba_err err, kept;
	int64_t id = 0;

	if (body == NULL)
		return;
	err = records_begin(call->r);
	if (err == GBA_OK) {
		err = challenge_take(call, challenge, key);
		if (err == GBA_OK)
			err = signature_good(call, challenge, key, signature);
		if (err == GBA_OK)
			err = enquirer_by_key(call, key, &id);
		if (err == GBA_OK) {
			random_hex(token);
			err = keep(call, "DELETE FROM session WHERE expires <= ?1",
				   "INSERT INTO session (hash, enquirer, expires) VALUES (?1, ?2, ?3)", token,
				   BYTES_NONE, id, expires);
			entry.by = talloc_asprintf(call, "enquirer:%lld", (long long)id);
		}
		entry.result = err;
		kept = entry_append(registry_handle_of(call->r)->entries, &entry, call->rc.now, NULL);
		kept = ask_finish(call, err == GBA_OK || err == GBA_E_NOT_AUTHORIZED ? kept : err);
		err = err == GBA_OK ? kept : err;
	}
	if (err == GBA_OK)
		rest_json(call, 201, json_pack("{s:s, s:s, s:I}", "token", token, "audience", entry.by, "expires",
					       (json_int_t)expires));
	else if (err == GBA_E_NOT_AUTHORIZED)
		rest_refuse(call, PROBLEM_UNAUTHORIZED, "no approved enquirer has signed this challenge");
	else
		rest_fail(call, err);
	json_decref(body);
}
