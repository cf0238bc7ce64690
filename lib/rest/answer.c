/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in the database, for a retry that comes after a restart or to another node: committed with the write they tell of, so
 * that a request is done once, whichever of its copies is first. Sealed: they show what the caller may read. Only what was
 * written is kept: a request that was refused has changed nothing, and is judged again. */
#include <jansson.h>
#include <stdlib.h>

#include "core/secret.h"
#include "record/rules.h"
#include "rest/rest_priv.h"

#define LIFE_S	    86400
#define ANSWERS_MAX 100000 /* then the oldest go */
#define REPLY_MAX   65536  /* [octets] a longer one is not kept, but that it was given is */
#define ABOUT_MAX   96

static struct bytes about_of(const struct rest_call *call, char about[ABOUT_MAX])
{
	return BYTES(about, (size_t)snprintf(about, ABOUT_MAX, "answer/%s", call->once));
}

static json_t *reply_json(const struct rest_reply *reply)
{
	json_t *headers = json_array();
	size_t i;

	for (i = 0; i < reply->n_headers; i++)
		json_array_append_new(headers, json_pack("[s, s]", reply->headers[i].name, reply->headers[i].value));
	return json_pack("{s:i, s:s, s:o, s:o}", "status", (int)reply->status, "type", reply->type != NULL ? reply->type : "",
			 "headers", headers, "body", json_stringn((const char *)reply->body.p, reply->body.n));
}

/* Below the call; absent: too long, or out of memory. */
static struct bytes reply_seal(struct rest_call *call)
{
	json_t *json = call->reply.file == NULL && call->reply.body.n <= REPLY_MAX ? reply_json(&call->reply) : NULL;
	char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t n = text != NULL ? strlen(text) : 0;
	uint8_t *sealed = text != NULL ? talloc_size(call, n + SEAL_OVERHEAD) : NULL;
	struct kek *kek = records_kek(call->r);
	char about[ABOUT_MAX];
	bool good = sealed != NULL && kek != NULL && seal(kek, about_of(call, about), BYTES(text, n), sealed) == GBA_OK;

	if (text != NULL)
		secret_wipe(text, n);
	free(text);
	json_decref(json);
	return good ? BYTES(sealed, n + SEAL_OVERHEAD) : BYTES_NONE;
}

static bool reply_take(struct rest_call *call, json_t *json)
{
	struct rest_reply reply = { 0 };
	const char *type = NULL, *body = NULL, *name, *value;
	json_t *headers = NULL, *pair;
	size_t n = 0, i;
	int status = 0;

	if (json_unpack(json, "{s:i, s:s, s:o, s:s%}", "status", &status, "type", &type, "headers", &headers, "body", &body,
			&n) != 0)
		return false;
	reply.status = (unsigned int)status;
	reply.type = talloc_strdup(call, type);
	reply.body = BYTES(talloc_memdup(call, n > 0 ? body : "", n + (n == 0)), n);
	json_array_foreach(headers, i, pair)
	{
		if (i < REST_HEADERS_MAX && json_unpack(pair, "[s, s]", &name, &value) == 0)
			reply.headers[reply.n_headers++] =
				(struct http_header){ talloc_strdup(call, name), talloc_strdup(call, value) };
	}
	call->reply = reply;
	return reply.type != NULL && reply.body.p != NULL;
}

static bool reply_unseal(struct rest_call *call, struct bytes sealed)
{
	struct kek *kek = records_kek(call->r);
	char about[ABOUT_MAX], *text;
	json_t *json = NULL;
	size_t n;
	bool good;

	if (sealed.n < SEAL_OVERHEAD || kek == NULL)
		return false;
	n = sealed.n - SEAL_OVERHEAD;
	text = talloc_size(call, n + 1);
	if (text != NULL && unseal(kek, about_of(call, about), sealed, (uint8_t *)text) == GBA_OK)
		json = json_loadb(text, n, 0, NULL);
	good = json != NULL && reply_take(call, json);
	json_decref(json);
	talloc_free(text);
	return good;
}

/* The row of the key, if there is one. */
static enum gba_err row_take(struct rest_call *call, struct db_stmt *stmt, enum idem_state *_state)
{
	enum gba_err err;
	bool row = false;

	db_bind_text(stmt, 1, bytes_of(call->once));
	db_bind_int(stmt, 2, call->rc.now - LIFE_S);
	err = db_step(stmt, &row);
	if (err == GBA_OK && row) {
		*_state = IDEM_SAME;
		if (!bytes_eq_str(db_col_text(stmt, 0), call->once_body))
			*_state = IDEM_OTHER;
		else if (!reply_unseal(call, db_col_blob(stmt, 1)))
			rest_refuse(call, PROBLEM_CONFLICT, "this request was carried out; what was answered is not kept");
	}
	db_reset(stmt);
	return err;
}

enum idem_state answer_find(struct rest_call *call)
{
	enum idem_state state = IDEM_NEW;
	struct db_stmt *stmt = NULL;
	enum gba_err err;

	if (!call->rest->setup->answers)
		return IDEM_NEW;
	err = records_stmt(call->r, "SELECT body, reply FROM answer WHERE id = ?1 AND at > ?2", &stmt);
	if (err == GBA_OK)
		err = row_take(call, stmt, &state);
	if (err == GBA_OK)
		return state;
	rest_fail(call, err);
	return IDEM_FAILED;
}

/* What is over and what there is no room for. */
static enum gba_err old_drop(struct records *r, time_t now, int64_t n)
{
	struct db_stmt *stmt = NULL;
	enum gba_err err = records_stmt(r, "DELETE FROM answer WHERE at <= ?1 OR n <= ?2", &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_int(stmt, 1, now - LIFE_S);
	db_bind_int(stmt, 2, n - ANSWERS_MAX);
	return db_run(stmt, NULL);
}

enum gba_err answer_add(struct rest_call *call)
{
	struct db_stmt *stmt = NULL;
	int64_t n = 0;
	enum gba_err err;

	if (call->once == NULL || !call->rest->setup->answers)
		return GBA_OK;
	err = old_drop(call->r, call->rc.now, 0);
	if (err == GBA_OK)
		err = records_stmt(call->r, "INSERT INTO answer (id, body, at, reply) VALUES (?1, ?2, ?3, ?4) RETURNING n", &stmt);
	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(call->once));
	db_bind_text(stmt, 2, bytes_of(call->once_body));
	db_bind_int(stmt, 3, call->rc.now);
	db_bind_blob(stmt, 4, reply_seal(call));
	err = records_int(stmt, &n);
	return err == GBA_OK && n > ANSWERS_MAX ? old_drop(call->r, call->rc.now, n) : err;
}
