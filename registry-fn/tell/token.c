/* SPDX-License-Identifier: Apache-2.0 */
/* What a subscriber gets: a Security Event Token for an event, or for several at once. RFC 8417 2.2; the subject as RFC
 * 9493 3.2.7 has it. */
#include "core/clock.h"
#include "jose/jws.h"
#include "registry-fn/tell/tell.h"
#include "registry-fn/trust/trust.h"

#define KIND "urn:gba:registry:"

char *tell_jti(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub, int64_t seq)
{
	return talloc_asprintf(mem_ctx, "%s-%lld-%lld", registry_handle_of(r)->registry.conf->reg_id,
			       (long long)sub->rec->id, (long long)seq);
}

int64_t tell_place(struct records *r, const struct tell_sub *sub, const char *jti)
{
	const char *last = strrchr(jti, '-');
	int64_t seq = last != NULL && strlen(last) <= 19 ? strtoll(last + 1, NULL, 10) : 0;
	char *same = tell_jti(r, NULL, sub, seq);
	bool ours = seq > 0 && same != NULL && strcmp(same, jti) == 0;

	talloc_free(same);
	return ours ? seq : 0;
}

json_t *tell_claims(struct records *r, const struct tell_sub *sub, const struct tell_item *item)
{
	const struct event *event = item->event;
	char *type = talloc_asprintf(NULL, KIND "%s", event->kind);
	char *jti = tell_jti(r, type, sub, event->seq);
	json_t *claims = NULL;

	if (jti != NULL)
		claims = json_pack("{s:s, s:I, s:I, s:s, s:s, s:{s:s, s:s}, s:{s:{s:s, s:I, s:O}}}", "iss",
				   registry_handle_of(r)->registry.conf->reg_id, "iat", (json_int_t)event->at, "toe",
				   (json_int_t)event->at, "jti", jti, "aud", sub->actor.name, "sub_id", "format",
				   "opaque", "id", event->subject, "events", type, "origin", event->origin, "number",
				   (json_int_t)event->number, "body", event->body);
	talloc_free(type);
	return claims;
}

static enum gba_err signed_text(struct records *r, TALLOC_CTX *mem_ctx, json_t *claims, char **_text)
{
	enum gba_err err = GBA_E_NOMEM;

	if (claims != NULL)
		err = jws_sign_json(mem_ctx, registry_handle_of(r)->registry.key, TELL_TYP, claims, _text);
	json_decref(claims);
	return err;
}

enum gba_err tell_token(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub,
			const struct tell_item *item, char **_text)
{
	return signed_text(r, mem_ctx, tell_claims(r, sub, item), _text);
}

/* Each has the jti it would have alone. */
static json_t *batch_item(struct records *r, TALLOC_CTX *ctx, const struct tell_sub *sub, const struct event *event)
{
	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:O}", "jti", tell_jti(r, ctx, sub, event->seq), "kind",
			 event->kind, "subject", event->subject, "toe", (json_int_t)event->at, "origin", event->origin,
			 "number", (json_int_t)event->number, "body", event->body);
}

enum gba_err tell_batch_token(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub,
			      const struct tell_item *items, size_t n, char **_text)
{
	const char *reg_id = registry_handle_of(r)->registry.conf->reg_id;
	const struct event *first = items[0].event, *last = items[n - 1].event;
	char *jti = talloc_asprintf(mem_ctx, "%s-%lld-b%lld-%lld", reg_id, (long long)sub->rec->id,
				    (long long)first->seq, (long long)last->seq);
	json_t *list = json_array(), *claims = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		json_array_append_new(list, batch_item(r, mem_ctx, sub, items[i].event));
	if (jti != NULL && json_array_size(list) == n)
		claims = json_pack("{s:s, s:I, s:s, s:s, s:{s:s, s:s}, s:{s:{s:O}}}", "iss", reg_id, "iat",
				   (json_int_t)clock_now(), "jti", jti, "aud", sub->actor.name, "sub_id", "format",
				   "opaque", "id", reg_id, "events", KIND "batch", "items", list);
	json_decref(list);
	return signed_text(r, mem_ctx, claims, _text);
}

/* ---- digests ---- */

#define SUBJECTS_MAX 1000 /* named in one digest; of others their number is told */
#define MODELS_MAX   200

struct sums {
	json_t *kinds, *statuses, *models, *subjects;
	int64_t n, omitted;
};

static void count(json_t *counts, const char *key)
{
	json_object_set_new(counts, key, json_integer(json_integer_value(json_object_get(counts, key)) + 1));
}

/* "make\nmodel": neither has line ends (id_text). */
static void count_model(struct sums *sums, const struct tell_item *item)
{
	char key[2 * 128 + 2];

	snprintf(key, sizeof(key), "%s\n%s", item->make, item->model);
	if (item->make[0] != '\0' &&
	    (json_object_get(sums->models, key) != NULL || json_object_size(sums->models) < MODELS_MAX))
		count(sums->models, key);
}

/* The last that was said of each subject. */
static void keep_subject(struct sums *sums, const struct event *event)
{
	json_t *status = json_object_get(event->body, "status"), *one;

	if (json_object_get(event->body, "overtaken") != NULL && json_object_get(sums->subjects, event->subject) != NULL)
		return;
	if (json_object_get(sums->subjects, event->subject) == NULL &&
	    json_object_size(sums->subjects) == SUBJECTS_MAX) {
		sums->omitted++;
		return;
	}
	one = json_pack("{s:s, s:s, s:I}", "subject", event->subject, "kind", event->kind, "toe",
			(json_int_t)event->at);
	if (status != NULL)
		json_object_set(one, "status", status);
	json_object_set_new(sums->subjects, event->subject, one);
}

static void add(struct sums *sums, const struct tell_item *item)
{
	const char *status = json_string_value(json_object_get(item->event->body, "status"));

	sums->n++;
	count(sums->kinds, item->event->kind);
	if (status != NULL)
		count(sums->statuses, status);
	count_model(sums, item);
	keep_subject(sums, item->event);
}

static enum gba_err sum_up(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub,
			   const struct tell_digest *digest, struct sums *sums)
{
	struct tell_page *page = talloc_zero(mem_ctx, struct tell_page);
	int64_t seen = digest->since;
	enum gba_err err = page != NULL ? GBA_OK : GBA_E_NOMEM;
	TALLOC_CTX *ctx;
	size_t i;

	while (err == GBA_OK && !page->end && seen < digest->upto) {
		ctx = talloc_new(mem_ctx);
		err = ctx != NULL ? tell_read(r, ctx, sub, seen, digest->upto, TELL_WINDOW, page) : GBA_E_NOMEM;
		for (i = 0; err == GBA_OK && i < page->n; i++)
			add(sums, &page->items[i]);
		seen = page->seen;
		talloc_free(ctx);
	}
	return err;
}

static json_t *models_list(json_t *counts)
{
	json_t *list = json_array(), *n;
	const char *key, *end;

	json_object_foreach(counts, key, n)
	{
		end = strchr(key, '\n');
		json_array_append_new(list, json_pack("{s:s%, s:s, s:O}", "make", key, (size_t)(end - key), "model",
						      end + 1, "events", n));
	}
	return list;
}

static json_t *values_list(json_t *object)
{
	json_t *list = json_array(), *one;
	const char *key;

	json_object_foreach(object, key, one) json_array_append(list, one);
	return list;
}

static json_t *digest_claims(struct records *r, TALLOC_CTX *ctx, const struct tell_sub *sub,
			     const struct tell_digest *digest, const struct sums *sums)
{
	const char *reg_id = registry_handle_of(r)->registry.conf->reg_id;
	char *jti = talloc_asprintf(ctx, "%s-%lld-d%lld-%lld", reg_id, (long long)sub->rec->id, (long long)digest->ends,
				    (long long)digest->upto);
	json_t *body;

	if (jti == NULL)
		return NULL;
	body = json_pack("{s:I, s:I, s:I, s:I, s:I, s:O, s:O, s:o, s:o, s:I, s:b}", "from", (json_int_t)digest->began,
			 "to", (json_int_t)digest->ends, "after", (json_int_t)digest->since, "upto",
			 (json_int_t)digest->upto, "events", (json_int_t)sums->n, "kinds", sums->kinds, "statuses",
			 sums->statuses, "models", models_list(sums->models), "subjects", values_list(sums->subjects),
			 "omitted", (json_int_t)sums->omitted, "more", digest->part);
	return json_pack("{s:s, s:I, s:s, s:s, s:{s:s, s:s}, s:{s:o}}", "iss", reg_id, "iat", (json_int_t)digest->ends,
			 "jti", jti, "aud", sub->actor.name, "sub_id", "format", "opaque", "id", reg_id, "events",
			 KIND "digest", body);
}

enum gba_err tell_digest_token(struct records *r, TALLOC_CTX *mem_ctx, const struct tell_sub *sub,
			       const struct tell_digest *digest, int64_t *_n, char **_text)
{
	struct sums sums = { json_object(), json_object(), json_object(), json_object(), 0, 0 };
	enum gba_err err = sum_up(r, mem_ctx, sub, digest, &sums);

	if (err == GBA_OK)
		err = signed_text(r, mem_ctx, digest_claims(r, mem_ctx, sub, digest, &sums), _text);
	*_n = sums.n;
	json_decref(sums.kinds);
	json_decref(sums.statuses);
	json_decref(sums.models);
	json_decref(sums.subjects);
	return err;
}

/* Periods begin at multiples of their length: hours and days are those of UTC. What was missed while nobody ran is one.
 */
enum gba_err tell_digest_due(struct records *r, struct tell_sub *sub, time_t now, bool *_due)
{
	int64_t length = sub->rec->v[SUBSCRIPTION_DIGEST].n, ends = now - now % length, last = 0;
	enum gba_err err;

	*_due = sub->upto > 0 || sub->ends > 0;
	if (*_due || ends <= sub->told)
		return GBA_OK;
	err = event_last(registry_handle_of(r)->events, &last);
	if (err != GBA_OK)
		return err;
	sub->part = last - sub->cursor > TELL_DIGEST_SPAN;
	sub->upto = sub->part ? sub->cursor + TELL_DIGEST_SPAN : last > sub->cursor ? last : sub->cursor;
	sub->ends = ends;
	*_due = true;
	return GBA_OK;
}

void tell_digest_done(struct tell_sub *sub)
{
	sub->cursor = sub->upto;
	if (!sub->part)
		sub->told = sub->ends;
	sub->upto = sub->ends = sub->tries = sub->due = 0;
	sub->part = false;
}
