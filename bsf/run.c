/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/run.h"

#include "bsf/key_hash.h"
#include "bsf/run_priv.h"
#include "core/secret.h"

static void refuse(struct run_outcome *_outcome, enum gba_err err, uint64_t wait_ms)
{
	_outcome->verdict = RUN_REFUSED;
	_outcome->err = err;
	_outcome->retry_s = (unsigned int)((wait_ms + 999) / 1000);
}

static bool is_open(const struct runs *runs, const struct run_challenge *c, uint64_t now_ms)
{
	return c->pub.guss != NULL && run_age(now_ms, c->made_ms) < runs->conf.life_ms;
}

/* The state that the challenges left over make. */
static void settle_state(struct runs *runs, struct run *run, uint64_t now_ms)
{
	if (run->state != RUN_S_ASKING)
		run_go(run, run_has_open(runs, run, now_ms) ? RUN_S_OPEN : RUN_S_IDLE);
}

/* ---- wrong answers, by address ---- */

static struct run_strike *strike_of(struct run *run, uint64_t source)
{
	unsigned int i;

	for (i = 0; i < RUN_STRIKERS; i++) {
		if (run->strikes[i].source == source)
			return &run->strikes[i];
	}
	return NULL;
}

/* [ms] for which the address must wait; 0: it need not. */
static uint64_t held_for(struct run *run, uint64_t source, uint64_t now_ms)
{
	const struct run_strike *s = strike_of(run, source);

	return s != NULL && s->held_until_ms > now_ms ? s->held_until_ms - now_ms : 0;
}

/* Count a wrong answer. @return [ms] for which the door is closed now */
static uint64_t strike(struct runs *runs, struct run *run, uint64_t source, uint64_t now_ms)
{
	struct run_strike *s = strike_of(run, source);
	unsigned int i;

	if (s == NULL) { /* the one silent for longest makes place */
		s = &run->strikes[0];
		for (i = 1; i < RUN_STRIKERS; i++) {
			if (run->strikes[i].last_ms < s->last_ms)
				s = &run->strikes[i];
		}
		*s = (struct run_strike){ .source = source };
	}
	if (run_age(now_ms, s->last_ms) >= WRONG_MEMORY_MS && s->held_until_ms <= now_ms)
		s->wrong = s->holds = 0;
	s->last_ms = now_ms;
	if (++s->wrong < runs->conf.wrong_limit)
		return 0;
	s->wrong = 0;
	i = s->holds < 16 ? s->holds++ : 16;
	s->held_until_ms = (uint64_t)runs->conf.wrong_hold_ms << i;
	if (s->held_until_ms > WRONG_HOLD_MAX_MS)
		s->held_until_ms = WRONG_HOLD_MAX_MS;
	s->held_until_ms += now_ms;
	s->last_ms = s->held_until_ms;
	return s->held_until_ms - now_ms;
}

/* ---- questions to the HSS ---- */

static void wait_for_hss(struct run *run, struct run_waiter *waiter, struct run_outcome *_outcome)
{
	if (run->waiter_n >= RUN_WAITERS) {
		refuse(_outcome, GBA_E_BUSY, 1000);
		return;
	}
	waiter->next = NULL;
	waiter->stale = _outcome->stale;
	*run->waiters_end = waiter;
	run->waiters_end = &waiter->next;
	run->waiter_n++;
	_outcome->verdict = RUN_WAIT;
}

/* Beyond the one question per window come a few more, for wrong answers and AUTS; then the UE has to wait. */
static bool may_ask(struct runs *runs, struct run *run, uint64_t now_ms)
{
	if (run->asked_ms == 0 || run_age(now_ms, run->window_ms) >= runs->conf.ask_ms) {
		run->window_ms = now_ms;
		run->extra_asks = 0;
		return true;
	}
	return run->extra_asks++ < RUN_EXTRA_ASKS;
}

static void ask_hss(struct runs *runs, struct run *run, const struct run_leg *leg, struct run_waiter *waiter,
		    struct run_outcome *_outcome)
{
	if (run->state == RUN_S_ASKING) {
		wait_for_hss(run, waiter, _outcome);
		return;
	}
	if (!may_ask(runs, run, leg->now_ms)) {
		refuse(_outcome, GBA_E_DENIED, run->window_ms + runs->conf.ask_ms - leg->now_ms);
		return;
	}
	wait_for_hss(run, waiter, _outcome);
	if (_outcome->verdict != RUN_WAIT)
		return;
	run->asked_ms = leg->now_ms;
	run->asker = 0;
	run->ask_round = 0;
	run_go(run, RUN_S_ASKING);
	_outcome->verdict = RUN_ASK;
}

/* ---- legs ---- */

/* Hand out the newest challenge again while it is young; else ask. */
static void begin(struct runs *runs, struct run *run, const struct run_leg *leg, struct run_waiter *waiter,
		  struct run_outcome *_outcome)
{
	const struct run_challenge *c = &run->challenges[run->newest];

	if (run->held_until_ms > leg->now_ms) {
		refuse(_outcome, run->held_err, run->held_until_ms - leg->now_ms);
		return;
	}
	if (is_open(runs, c, leg->now_ms) && run_age(leg->now_ms, c->made_ms) < runs->conf.ask_ms && c->burned_n < RUN_BURNED) {
		_outcome->verdict = RUN_CHALLENGE;
		_outcome->challenge = c->pub;
		return;
	}
	ask_hss(runs, run, leg, waiter, _outcome);
}

static void first_locked(struct runs *runs, struct run_shard *shard, uint64_t hash, const struct run_leg *leg,
			 struct run_waiter *waiter, struct run_outcome *_outcome)
{
	struct run *run = run_find(shard, hash, leg->impi);
	uint64_t held;

	if (run == NULL && run_insert(runs, shard, hash, leg, &run) != GBA_OK) {
		refuse(_outcome, GBA_E_BUSY, 1000 + 2000 * (hash >> 60) / 16);
		return;
	}
	run_touch(shard, run);
	settle_state(runs, run, leg->now_ms);
	held = held_for(run, key_hash(leg->source), leg->now_ms);
	if (held > 0)
		refuse(_outcome, GBA_E_DENIED, held);
	else
		begin(runs, run, leg, waiter, _outcome);
}

void run_first(struct runs *runs, const struct run_leg *leg, struct run_waiter *waiter, struct run_outcome *_outcome)
{
	uint64_t hash = key_hash(leg->impi);
	struct run_shard *shard = run_shard_of(runs, hash);

	memset(_outcome, 0, sizeof(*_outcome));
	pthread_mutex_lock(&shard->lock);
	first_locked(runs, shard, hash, leg, waiter, _outcome);
	pthread_mutex_unlock(&shard->lock);
}

/* ---- opaque: salt || first octets of HMAC(salt || RAND || username), as hex ---- */

static void opaque_mac(struct runs *runs, const struct challenge *challenge, struct bytes username,
		       const uint8_t salt[OPAQUE_SALT], uint8_t mac[HASH_MAX])
{
	struct bytes pieces[] = { BYTES(salt, OPAQUE_SALT), BYTES(challenge->rand, RAND_LEN), username };

	hmac_pieces(HASH_SHA256, BYTES(runs->opaque_key, sizeof(runs->opaque_key)), pieces, 3, mac);
}

void run_opaque(struct runs *runs, const struct challenge *challenge, struct bytes username, char *out)
{
	/* Unlike is enough, the MAC makes it unguessable; zero stands for an opaque left out. */
	uint64_t number = atomic_fetch_add(&runs->opaque_number, 1) + 1;
	uint8_t value[OPAQUE_SALT + HASH_MAX];

	memcpy(value, &number, OPAQUE_SALT);
	opaque_mac(runs, challenge, username, value, value + OPAQUE_SALT);
	hex_encode(BYTES(value, RUN_OPAQUE_CHARS / 2), out);
}

/* UEs that leave it out share one salt: among them the first answer to a challenge counts. */
static bool opaque_ours(struct runs *runs, const struct challenge *challenge, struct bytes username, struct bytes opaque,
			uint8_t salt[OPAQUE_SALT])
{
	uint8_t value[RUN_OPAQUE_CHARS / 2], mac[HASH_MAX];

	memset(salt, 0, OPAQUE_SALT);
	if (opaque.n == 0)
		return true;
	if (hex_decode(opaque, value, sizeof(value)) != GBA_OK)
		return false;
	memcpy(salt, value, OPAQUE_SALT);
	opaque_mac(runs, challenge, username, salt, mac);
	return bytes_eq_secret(BYTES(value + OPAQUE_SALT, sizeof(value) - OPAQUE_SALT), BYTES(mac, sizeof(value) - OPAQUE_SALT));
}

static bool is_burned(const struct run_challenge *c, const uint8_t salt[OPAQUE_SALT])
{
	unsigned int i;

	for (i = 0; i < c->burned_n; i++) {
		if (memcmp(c->burned[i], salt, OPAQUE_SALT) == 0)
			return true;
	}
	return false;
}

/* ---- answers ---- */

/* An answer that counts: to which challenge, under which opaque. */
struct answer {
	struct run_shard *shard;
	struct run *run;
	unsigned int i;
	uint8_t salt[OPAQUE_SALT];
	uint64_t source;
};

/* The opaque has had its one answer; a challenge that collects too many of these goes. */
static void burn(struct runs *runs, struct answer *a, uint64_t now_ms)
{
	struct run_challenge *c = &a->run->challenges[a->i];

	if (c->burned_n < RUN_BURNED)
		memcpy(c->burned[c->burned_n++], a->salt, OPAQUE_SALT);
	if (c->burned_n >= RUN_BURNED)
		run_challenge_clear(a->shard, a->run, a->i);
	settle_state(runs, a->run, now_ms);
}

static void on_wrong(struct runs *runs, struct answer *a, const struct run_leg *leg, enum gba_err err,
		     struct run_waiter *waiter, struct run_outcome *_outcome)
{
	uint64_t held = strike(runs, a->run, a->source, leg->now_ms);

	burn(runs, a, leg->now_ms);
	_outcome->err = err;
	_outcome->stale = err == GBA_E_DIGEST_STALE;
	if (held > 0)
		refuse(_outcome, GBA_E_DENIED, held);
	else
		ask_hss(runs, a->run, leg, waiter, _outcome);
}

static void on_right(struct runs *runs, struct answer *a, uint64_t now_ms, struct run_outcome *_outcome)
{
	struct run *run = a->run;
	unsigned int i;

	_outcome->verdict = RUN_PROVED;
	_outcome->challenge = run->challenges[a->i].pub;
	guss_kept_ref(_outcome->challenge.guss);
	permit_ref(_outcome->challenge.permit);
	_outcome->secret = *run_secret(a->shard, run, a->i);
	for (i = 0; i < RUN_CHALLENGES; i++) /* the others were made before or beside it: the UE has moved on */
		run_challenge_clear(a->shard, run, i);
	memset(run->strikes, 0, sizeof(run->strikes));
	run->asked_ms = 0;
	settle_state(runs, run, now_ms);
	if (run->state == RUN_S_IDLE)
		run_drop(runs, a->shard, run);
}

/* AUTS instead of a proof (RFC 3310 3.4): the response was computed with an empty password. */
static void on_auts(struct runs *runs, struct answer *a, const struct run_leg *leg, struct bytes auts, struct run_waiter *waiter,
		    struct run_outcome *_outcome)
{
	struct run_challenge *c = &a->run->challenges[a->i];
	unsigned int round = c->round + 1;

	if (round > runs->conf.resync_rounds || c->pub.type == CTX_2G_GBA) {
		burn(runs, a, leg->now_ms);
		refuse(_outcome, GBA_E_AUTS, strike(runs, a->run, a->source, leg->now_ms));
		return;
	}
	memcpy(_outcome->resync, c->pub.rand, RAND_LEN);
	memcpy(_outcome->resync + RAND_LEN, auts.p, AKA_AUTS_LEN);
	_outcome->err = GBA_E_AKA_SYNC;
	burn(runs, a, leg->now_ms);
	ask_hss(runs, a->run, leg, waiter, _outcome);
	if (_outcome->verdict != RUN_ASK)
		return;
	_outcome->resyncing = true;
	a->run->ask_round = round;
	a->run->asker = a->source;
}

static void judge(struct runs *runs, struct answer *a, const struct run_leg *leg, const struct digest_auth *auth,
		  struct digest_calc *calc, struct run_waiter *waiter, struct run_outcome *_outcome)
{
	const struct challenge_secret *secret = run_secret(a->shard, a->run, a->i);
	bool matches;

	calc->algorithm = a->run->challenges[a->i].pub.algorithm;
	calc->password = auth->auts.p != NULL ? BYTES("", 0) : BYTES(secret->password, secret->password_n);
	matches = digest_response_matches(calc, auth->response);
	if (!matches)
		on_wrong(runs, a, leg, GBA_E_DIGEST_MISMATCH, waiter, _outcome);
	else if (auth->nc != 1) /* a nonce is good for one answer: this one counts on */
		on_wrong(runs, a, leg, GBA_E_DIGEST_STALE, waiter, _outcome);
	else if (auth->auts.p != NULL)
		on_auts(runs, a, leg, auth->auts, waiter, _outcome);
	else
		on_right(runs, a, leg->now_ms, _outcome);
}

/* Which open challenge the nonce names; false: none. */
static bool challenge_named(struct runs *runs, struct run *run, struct bytes nonce, uint64_t now_ms, unsigned int *_i)
{
	unsigned int i;

	for (i = 0; i < RUN_CHALLENGES; i++) {
		if (is_open(runs, &run->challenges[i], now_ms) && bytes_eq_str(nonce, run->challenges[i].pub.nonce)) {
			*_i = i;
			return true;
		}
	}
	return false;
}

/* The nonce is old, used or somebody else's: a new challenge, with stale (RFC 7616 3.3). */
static void on_stale(struct runs *runs, struct run_shard *shard, uint64_t hash, const struct run_leg *leg,
		     struct run_waiter *waiter, struct run_outcome *_outcome)
{
	_outcome->err = GBA_E_DIGEST_STALE;
	_outcome->stale = true;
	first_locked(runs, shard, hash, leg, waiter, _outcome);
}

static void answer_locked(struct runs *runs, struct run_shard *shard, uint64_t hash, const struct run_leg *leg,
			  const struct digest_auth *auth, struct digest_calc *calc, struct run_waiter *waiter,
			  struct run_outcome *_outcome)
{
	struct answer a = { .shard = shard, .run = run_find(shard, hash, leg->impi), .source = key_hash(leg->source) };
	uint64_t held = a.run != NULL ? held_for(a.run, a.source, leg->now_ms) : 0;

	if (held > 0) {
		refuse(_outcome, GBA_E_DENIED, held);
		return;
	}
	if (a.run == NULL || !challenge_named(runs, a.run, auth->nonce, leg->now_ms, &a.i)) {
		on_stale(runs, shard, hash, leg, waiter, _outcome);
		return;
	}
	if (!opaque_ours(runs, &a.run->challenges[a.i].pub, leg->username, auth->opaque, a.salt)) {
		refuse(_outcome, GBA_E_DIGEST_SYNTAX, 0);
		return;
	}
	if (is_burned(&a.run->challenges[a.i], a.salt)) {
		on_stale(runs, shard, hash, leg, waiter, _outcome);
		return;
	}
	settle_state(runs, a.run, leg->now_ms);
	judge(runs, &a, leg, auth, calc, waiter, _outcome);
}

void run_answer(struct runs *runs, const struct run_leg *leg, const struct digest_auth *auth, struct digest_calc *calc,
		struct run_waiter *waiter, struct run_outcome *_outcome)
{
	uint64_t hash = key_hash(leg->impi);
	struct run_shard *shard = run_shard_of(runs, hash);

	memset(_outcome, 0, sizeof(*_outcome));
	pthread_mutex_lock(&shard->lock);
	answer_locked(runs, shard, hash, leg, auth, calc, waiter, _outcome);
	pthread_mutex_unlock(&shard->lock);
	calc->password = BYTES_NONE;
}

/* ---- the HSS's answer ---- */

static void install(struct run_shard *shard, struct run *run, const struct challenge *challenge,
		    const struct challenge_secret *secret, uint64_t now_ms)
{
	unsigned int i = (run->newest + 1) % RUN_CHALLENGES;

	run_challenge_clear(shard, run, i);
	run->challenges[i].pub = *challenge;
	run->challenges[i].made_ms = now_ms;
	run->challenges[i].round = run->ask_round;
	*run_secret(shard, run, i) = *secret;
	run->newest = i;
	run_go(run, RUN_S_OPEN);
}

/* Repeat what the HSS said for a while, so that asking again costs it nothing; what may pass soon is held more briefly,
 * and an unreachable HSS costs nothing to try. */
static void remember(struct runs *runs, struct run *run, enum gba_err err, uint64_t now_ms)
{
	run_go(run, run_has_open(runs, run, now_ms) ? RUN_S_OPEN : RUN_S_IDLE);
	if (err == GBA_E_AUTS) {
		if (run->asker != 0)
			strike(runs, run, run->asker, now_ms);
		return;
	}
	run->held_err = err;
	if (err == GBA_E_IMPI_UNKNOWN || err == GBA_E_NOT_AUTHORIZED)
		run->held_until_ms = now_ms + runs->conf.ask_ms;
	else if (err != GBA_E_UNREACHABLE && err != GBA_E_NOMEM)
		run->held_until_ms = now_ms + runs->conf.ask_ms / 5;
	if (err == GBA_E_UNREACHABLE || err == GBA_E_NOMEM)
		run->asked_ms = 0;
}

struct run_waiter *run_settle(struct runs *runs, struct bytes impi, enum gba_err err, const struct challenge *challenge,
			      const struct challenge_secret *secret, uint64_t now_ms)
{
	uint64_t hash = key_hash(impi);
	struct run_shard *shard = run_shard_of(runs, hash);
	struct run_waiter *waiters = NULL;
	struct run *run;

	pthread_mutex_lock(&shard->lock);
	run = run_find(shard, hash, impi);
	if (run != NULL && run->state == RUN_S_ASKING) {
		waiters = run->waiters;
		run->waiters = NULL;
		run->waiters_end = &run->waiters;
		run->waiter_n = 0;
		if (err == GBA_OK)
			install(shard, run, challenge, secret, now_ms);
		else
			remember(runs, run, err, now_ms);
		run_touch(shard, run);
	}
	pthread_mutex_unlock(&shard->lock);
	return waiters;
}

void run_forget(struct runs *runs, struct bytes impi)
{
	uint64_t hash = key_hash(impi);
	struct run_shard *shard = run_shard_of(runs, hash);
	struct run *run;
	unsigned int i;

	pthread_mutex_lock(&shard->lock);
	run = run_find(shard, hash, impi);
	for (i = 0; run != NULL && i < RUN_CHALLENGES; i++)
		run_challenge_clear(shard, run, i);
	if (run != NULL && run->state == RUN_S_OPEN)
		run_go(run, RUN_S_IDLE);
	pthread_mutex_unlock(&shard->lock);
}
