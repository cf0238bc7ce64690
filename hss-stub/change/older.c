/* SPDX-License-Identifier: Apache-2.0 */
/* The old operator's side: hands over what opens one device for one change, and lets go when the new operator has it. */
#include "core/codec.h"
#include "core/record.h"
#include "crypto/hash.h"
#include "hss-stub/change/change_priv.h"

enum { STEP_KEYS = 1, STEP_DONE = 2, STEP_CANCEL = 3, STEP_RELEASE = 5 };

size_t change_signed_text(const struct change_request_in *in, struct bytes old_realm, uint8_t *out, size_t cap)
{
	struct record_out rec = { .p = out, .cap = cap };

	record_put_field(&rec, bytes_of("Y.3056 change"));
	record_put(&rec, (uint64_t)in->step, 1);
	record_put(&rec, (uint64_t)in->kind, 1);
	record_put_field(&rec, in->change_id);
	record_put_field(&rec, in->origin);
	record_put_field(&rec, old_realm);
	record_put_field(&rec, in->impi);
	record_put_field(&rec, in->new_impi);
	record_put_field(&rec, in->bsf);
	record_put_field(&rec, in->operator_key);
	if (in->step == STEP_RELEASE)
		record_put_field(&rec, in->digest);
	return rec.bad ? 0 : rec.n;
}

size_t change_wrap_about(const uint8_t change_id[CHANGE_ID_LEN], struct bytes old_realm, struct bytes new_realm,
			 struct bytes device, uint8_t *out, size_t cap)
{
	struct record_out rec = { .p = out, .cap = cap };

	record_put_field(&rec, bytes_of("Y.3056 wrap"));
	record_put_field(&rec, BYTES(change_id, CHANGE_ID_LEN));
	record_put_field(&rec, old_realm);
	record_put_field(&rec, new_realm);
	record_put_field(&rec, device);
	return rec.n;
}

/* One message being served. */
struct serving {
	struct changes *changes;
	TALLOC_CTX *tmp, *mem_ctx;
	const struct change_request_in *in;
	const struct change_peer *peer;
	char id[CHANGE_ID_TEXT + 1];
	struct change *change; /* NULL: not seen before */
	time_t now;
	struct change_answer *answer;
};

/* An operator we have an agreement with, speaking for itself. */
static enum gba_err check_sender(struct serving *s)
{
	uint8_t octets[CHANGE_SIGNED_MAX];
	size_t n;

	s->peer = change_peer_find(s->changes->conf, s->in->origin);
	if (s->peer == NULL)
		return GBA_E_DENIED;
	if (s->in->change_id.n != CHANGE_ID_LEN || s->in->signature.n != OP_SIG_LEN ||
	    (s->in->kind != KEY_UPDATE_SYMMETRIC && s->in->kind != KEY_UPDATE_ASYMMETRIC))
		return GBA_E_AVP_VALUE;
	n = change_signed_text(s->in, bytes_of(s->changes->conf->realm), octets, sizeof(octets));
	if (n == 0)
		return GBA_E_TOO_LONG;
	hex_encode(s->in->change_id, s->id);
	return op_verify(s->peer->public, BYTES(octets, n), s->in->signature.p);
}

static enum gba_err find_record(struct serving *s)
{
	enum gba_err err = change_get(s->changes, s->tmp, s->id, &s->change);

	if (err == GBA_E_NOT_FOUND) {
		s->change = NULL;
		return GBA_OK;
	}
	if (err != GBA_OK)
		return err;
	if (s->change->state != CHANGE_HELD && s->change->state != CHANGE_LEFT && s->change->state != CHANGE_RETURNED)
		return GBA_E_STATE; /* our own change, as the new operator */
	if (!bytes_eq_nocase(s->in->origin, bytes_of(s->change->peer)) ||
	    !bytes_eq_nocase(s->in->impi, bytes_of(s->change->impi)) || s->in->kind != (int32_t)s->change->kind)
		return GBA_E_DENIED;
	return GBA_OK;
}

/* The first time: note to whom it is released, and count. The key leaves only when this is durable. */
static enum gba_err hold(struct serving *s, const struct subscriber *sub)
{
	struct change *other, *change = talloc_zero(s->tmp, struct change);
	enum gba_err err;

	if (change == NULL)
		return GBA_E_NOMEM;
	err = change_store_of_old(s->changes, s->tmp, sub->impi, &other);
	if (err != GBA_E_NOT_FOUND)
		return err == GBA_OK ? GBA_E_STATE : err;
	memcpy(change->id, s->id, sizeof(change->id));
	change->kind = (enum key_update_kind)s->in->kind;
	change->state = CHANGE_HELD;
	change->impi = talloc_strndup(change, (const char *)sub->impi.p, sub->impi.n);
	change->new_impi = talloc_strndup(change, (const char *)s->in->new_impi.p, s->in->new_impi.n);
	change->peer = s->peer->realm;
	change->bsf = talloc_strndup(change, (const char *)s->in->bsf.p, s->in->bsf.n);
	change->imsi = change->why = "";
	change->who = s->peer->realm;
	err = change_count_up(s->changes, sub, &change->counter);
	if (err == GBA_OK)
		err = change_store_add(s->changes, change, s->now);
	s->change = change;
	return err;
}

static struct key_update_head head_of(const struct serving *s)
{
	struct key_update_head head = { .kind = s->change->kind, .counter = s->change->counter };

	memcpy(head.change_id, s->in->change_id.p, CHANGE_ID_LEN);
	head.old_operator = bytes_of(s->changes->conf->realm);
	head.new_operator = bytes_of(s->peer->realm);
	head.device = bytes_of(s->change->impi);
	return head;
}

static enum gba_err wrap(const struct serving *s, const uint8_t change_key[CHANGE_KEY_LEN])
{
	struct bytes plain = BYTES(change_key, CHANGE_KEY_LEN), about;
	uint8_t octets[CHANGE_SIGNED_MAX], *out;
	size_t n = CHANGE_KEY_LEN + (s->peer->shared_wrap ? 8 : OP_WRAP_OVERHEAD);

	out = talloc_size(s->mem_ctx, n);
	if (out == NULL)
		return GBA_E_NOMEM;
	about.n = change_wrap_about(s->in->change_id.p, bytes_of(s->changes->conf->realm), bytes_of(s->peer->realm),
				    bytes_of(s->change->impi), octets, sizeof(octets));
	about.p = octets;
	s->answer->wrapped = BYTES(out, n);
	if (s->peer->shared_wrap)
		return op_shared_wrap(s->peer->shared, about, plain, out);
	return op_wrap(s->peer->public + OP_SIGN_LEN, about, plain, out);
}

/* 10.6.1-3: not the transfer key itself, but what it yields for this device, counter, change and operator. */
static enum gba_err answer_symmetric(const struct serving *s, const struct subscriber *sub)
{
	struct key_update_head head = head_of(s);
	uint8_t transfer_key[TRANSFER_KEY_LEN], change_key[CHANGE_KEY_LEN], *counter;
	enum gba_err err;
	int i;

	counter = talloc_size(s->mem_ctx, 8);
	if (counter == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < 8; i++)
		counter[i] = (uint8_t)(s->change->counter >> (56 - 8 * i));
	s->answer->counter = BYTES(counter, 8);
	err = change_key_get(s->changes, sub, transfer_key);
	if (err == GBA_OK) {
		change_key_derive(transfer_key, &head, change_key);
		err = wrap(s, change_key);
	}
	SECRET_WIPE(transfer_key);
	SECRET_WIPE(change_key);
	return err;
}

/* 10.6.2-3: our word that the device shall trust the other operator. */
static enum gba_err answer_asymmetric(const struct serving *s)
{
	struct key_update_head head = head_of(s);
	uint8_t *out = talloc_size(s->mem_ctx, KEY_UPDATE_MAX);
	enum gba_err err;
	size_t n = 0;

	if (out == NULL)
		return GBA_E_NOMEM;
	err = key_update_sign(&head, s->changes->conf->key, s->peer->public, bytes_of(s->change->bsf),
			      bytes_of(s->change->new_impi), out, &n);
	s->answer->update = BYTES(out, n);
	return err;
}

static enum gba_err serve_keys(struct serving *s)
{
	struct subscriber *sub;
	enum gba_err err;

	if (s->change != NULL && s->change->state != CHANGE_HELD)
		return GBA_E_STATE;
	if (s->in->operator_key.n != OP_PUBLIC_LEN || memcmp(s->in->operator_key.p, s->peer->public, OP_PUBLIC_LEN) != 0)
		return GBA_E_SIGNATURE; /* the key of the agreement, not one that came along */
	if (!impi_valid(s->in->new_impi) || !fqdn_valid(s->in->bsf))
		return GBA_E_AVP_VALUE;
	err = sub_store_find(s->changes->subscribers, s->tmp, s->in->impi, &sub);
	if (err == GBA_OK && sub->state != SUBSCRIBER_ACTIVE)
		err = GBA_E_IMPI_BARRED;
	if (err == GBA_OK && s->change == NULL)
		err = hold(s, sub);
	if (err != GBA_OK)
		return err;
	return s->in->kind == KEY_UPDATE_SYMMETRIC ? answer_symmetric(s, sub) : answer_asymmetric(s);
}

static struct bytes copy_of(TALLOC_CTX *ctx, struct bytes octets)
{
	return octets.p != NULL ? BYTES(talloc_memdup(ctx, octets.p, octets.n), octets.n) : BYTES_NONE;
}

static bool is_of(struct bytes certificate, struct bytes digest)
{
	uint8_t own[HASH_MAX];

	if (certificate.p == NULL)
		return false;
	hash_pieces(HASH_SHA256, &certificate, 1, own);
	return bytes_eq(digest, BYTES(own, CHANGE_DIGEST_LEN));
}

/* 10.6.2-4: the device has shown its certificate to the new operator, which it does when it trusts it; now it is given. */
static enum gba_err serve_release(struct serving *s)
{
	struct change_certs certs;
	struct subscriber *sub;
	enum gba_err err;

	if (s->change == NULL || s->change->state != CHANGE_HELD || s->change->kind != KEY_UPDATE_ASYMMETRIC)
		return GBA_E_STATE;
	err = sub_store_find(s->changes->subscribers, s->tmp, s->in->impi, &sub);
	if (err == GBA_OK)
		err = change_cert_get(s->changes, s->mem_ctx, sub, &certs);
	if (err != GBA_OK)
		return err;
	if (is_of(certs.now, s->in->digest))
		s->answer->certificate = certs.now;
	else if (is_of(certs.former, s->in->digest))
		s->answer->certificate = certs.former;
	return s->answer->certificate.p != NULL ? GBA_OK : GBA_E_CERTIFICATE;
}

/* 10.6.1-5: the device is the other operator's; here nothing of it is left but this change's record. */
static enum gba_err serve_done(struct serving *s)
{
	struct change_certs certs = { BYTES_NONE, BYTES_NONE };
	struct subscriber *sub;
	enum gba_err err;

	if (s->change == NULL || s->change->state == CHANGE_RETURNED)
		return GBA_E_STATE;
	if (s->change->state == CHANGE_LEFT) { /* told twice: our answer was lost */
		s->answer->certificate = copy_of(s->mem_ctx, s->change->update);
		return GBA_OK;
	}
	err = sub_store_find(s->changes->subscribers, s->tmp, s->in->impi, &sub);
	if (err == GBA_OK)
		err = change_cert_get(s->changes, s->mem_ctx, sub, &certs);
	if (err == GBA_OK)
		err = change_key_drop(s->changes, sub);
	if (err == GBA_OK)
		err = sub_store_remove(s->changes->subscribers, sub->id);
	if (err == GBA_OK)
		err = change_tell_bsfs(s->changes, sub->impi, CHANGE_TELL_LEFT, s->now);
	if (err != GBA_OK && err != GBA_E_IMPI_UNKNOWN)
		return err;
	s->answer->certificate = certs.now;
	s->change->state = CHANGE_LEFT;
	s->change->update = s->answer->certificate; /* public; for when we are told twice */
	return change_store_set(s->changes, s->change, s->now);
}

static enum gba_err serve_cancel(struct serving *s)
{
	if (s->change == NULL || s->change->state == CHANGE_RETURNED)
		return GBA_OK; /* it never came to anything here, or told twice */
	if (s->change->state != CHANGE_HELD)
		return GBA_E_STATE;
	s->change->state = CHANGE_RETURNED;
	return change_store_set(s->changes, s->change, s->now);
}

static enum gba_err serve(struct serving *s)
{
	enum gba_err err = find_record(s);

	if (err != GBA_OK)
		return err;
	switch (s->in->step) {
	case STEP_KEYS: return serve_keys(s);
	case STEP_DONE: return serve_done(s);
	case STEP_CANCEL: return serve_cancel(s);
	case STEP_RELEASE: return serve_release(s);
	default: return GBA_E_AVP_VALUE;
	}
}

enum gba_err change_serve(struct changes *changes, TALLOC_CTX *mem_ctx, const struct change_request_in *in, time_t now,
			  struct change_answer *_answer)
{
	struct serving s = { .changes = changes, .mem_ctx = mem_ctx, .in = in, .now = now, .answer = _answer };
	enum gba_err err;

	memset(_answer, 0, sizeof(*_answer));
	err = check_sender(&s);
	if (err != GBA_OK)
		return err;
	s.tmp = talloc_new(NULL);
	if (s.tmp == NULL)
		return GBA_E_NOMEM;
	err = sub_store_begin(changes->subscribers);
	if (err == GBA_OK) {
		err = serve(&s);
		err = sub_store_end(changes->subscribers, err);
	}
	talloc_free(s.tmp);
	return err;
}
