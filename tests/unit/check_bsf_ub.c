/* SPDX-License-Identifier: Apache-2.0 */
/* Ub as a UE and as an attacker sees it. Vectors and the good response are those of the worked example, computed by another
 * implementation; every row of the bypass table must be refused and leave no context behind. The bootstrapping function alone:
 * where it puts tokens is a store in memory, and nobody hands out keys.
 * REQ: Y3056-9.1-1, Y3056-10.4-1d, Y3056-10.4-2a, Y3056-9.1.1-1, Y3056-9.1.1-3, Y3056-9.1.1-4, OBF-10.2.3-2 */
#include <stdio.h>
#include <stdlib.h>

#include "bsf/ub.h"
#include "http/digest.h"
#include "unit/bsf_fake.h"

#define RES_A	"\xa5\x42\x11\xd5\xe3\xba\x50\xbf"
#define HERE	"192.0.2.1:4711"
#define THERE	"192.0.2.2:4712"
#define LIFE_MS 30000
#define HOUR	3600
#define T_END	1925035200 /* 2031-01-01T12:00:00Z */

static struct bsf_conf conf;
static struct fake_hss hss;
static struct fake_store store;
static struct ub *ub;

static void start(void)
{
	static const char *paths[] = { "/" }, *sim_only[] = { "@sim.example" };

	if (conf.name == NULL)
		conf = (struct bsf_conf){ .name = BSF, .key_lifetime = HOUR, .tmpi = true, .ub_paths = { paths, 1 },
					  .sim_only = { sim_only, 1 }, .challenge_lifetime = LIFE_MS, .pending_max = 1024,
					  .pending_per_source = 256, .ask_interval = 5000, .wrong_limit = 3, .wrong_hold = 5000,
					  .resync_rounds = 2, .zh_in_flight = 64, .guss_cache = 16 };
	fake_now = T_END - HOUR;
	fake_ms = 1000000;
	fake_hss_init(&hss);
	hss.known = IMPI_A;
	fake_store_init(&store);
	ub = ub_new(test_ctx, &(struct ub_parts){ &conf, &store.base, &hss.base, NULL });
	ck_assert_ptr_nonnull(ub);
}

/* What goes into an Authorization header; NULL leaves the parameter out. */
struct attempt {
	const char *method, *target, *source, *username, *realm, *nonce, *uri, *qop, *nc, *cnonce, *opaque, *algorithm, *auts;
	const char *response; /* NULL: computed from the calc_* members */
	const char *raw;      /* whole header value instead */
	const char *extra;    /* appended to the header */
	const char *calc_method, *calc_uri, *calc_realm, *calc_nonce, *calc_username;
	struct bytes password, body, calc_body;
	bool rspauth_instead;
	bool tls, tmpi;
};

static char *field(char *header, const char *name, const char *value, bool quoted)
{
	if (value == NULL)
		return header;
	return talloc_asprintf_append(header, quoted ? ", %s=\"%s\"" : ", %s=%s", name, value);
}

static void compute(struct attempt *a, char out[DIGEST_HEX_MAX + 1])
{
	struct digest_calc calc = {
		.algorithm = DIGEST_AKAV1_MD5, .qop = DIGEST_QOP_AUTH_INT,
		.username = bytes_of(a->calc_username != NULL ? a->calc_username : a->username),
		.realm = bytes_of(a->calc_realm != NULL ? a->calc_realm : a->realm), .password = a->password,
		.nonce = bytes_of(a->calc_nonce != NULL ? a->calc_nonce : a->nonce), .cnonce = bytes_of(a->cnonce),
		.nc_text = bytes_of(a->nc), .method = bytes_of(a->calc_method != NULL ? a->calc_method : a->method),
		.uri = bytes_of(a->calc_uri != NULL ? a->calc_uri : a->uri), .body = a->calc_body,
	};

	if (a->rspauth_instead)
		digest_rspauth(&calc, out);
	else
		digest_response(&calc, out);
}

static struct http_req *send_attempt(struct attempt *a)
{
	struct http_req *req = fake_req_new(a->source);
	const char *response = a->response;
	char computed[DIGEST_HEX_MAX + 1];
	char *h = talloc_strdup(req, "Digest x=y");

	if (response == NULL && a->nonce != NULL && a->nonce[0] != '\0') {
		compute(a, computed);
		response = computed;
	}
	h = field(h, "username", a->username, true);
	h = field(h, "realm", a->realm, true);
	h = field(h, "nonce", a->nonce, true);
	h = field(h, "uri", a->uri, true);
	h = field(h, "qop", a->qop, false);
	h = field(h, "nc", a->nc, false);
	h = field(h, "cnonce", a->cnonce, true);
	h = field(h, "response", response, true);
	h = field(h, "opaque", a->opaque, true);
	h = field(h, "algorithm", a->algorithm, false);
	h = field(h, "auts", a->auts, true);
	if (a->extra != NULL)
		h = talloc_asprintf_append(h, "%s", a->extra);
	req->method = a->method;
	req->target = a->target;
	req->body = a->body;
	req->tls = a->tls;
	if (a->raw == NULL || a->raw[0] != '\0')
		fake_req_header(req, "Authorization", a->raw != NULL ? a->raw : h);
	fake_req_header(req, "User-Agent", a->tmpi ? "ue/1 3gpp-gba 3gpp-gba-tmpi" : "ue/1 3gpp-gba");
	fake_req_header(req, "X-3GPP-Asserted-Identity", "\"sip:admin@operator.example\"");
	ub_handle(req, ub);
	return req;
}

static struct attempt first_leg(void)
{
	return (struct attempt){ .method = "GET", .target = "/", .source = HERE, .username = IMPI_A, .realm = BSF, .nonce = "",
				 .uri = "/", .response = "", .body = BYTES("", 0), .calc_body = BYTES("", 0) };
}

/* A parameter of the challenge in the answer, below test_ctx. */
static const char *challenge_param(const struct http_req *req, const char *name)
{
	const char *header = fake_req_answer(req, "WWW-Authenticate");
	char *key = talloc_asprintf(test_ctx, "%s=\"", name);
	const char *at = header != NULL ? strstr(header, key) : NULL;

	if (at == NULL)
		return NULL;
	at += strlen(key);
	return talloc_strndup(test_ctx, at, strcspn(at, "\""));
}

/* Get a challenge and make the right answer to it; rows then spoil it. */
static struct attempt good_answer(const char *source)
{
	struct attempt a = first_leg();
	struct http_req *req;

	a.source = source;
	req = send_attempt(&a);
	ck_assert_uint_eq(req->status, 401);
	a.nonce = challenge_param(req, "nonce");
	a.opaque = challenge_param(req, "opaque");
	ck_assert_ptr_nonnull(a.nonce);
	ck_assert_ptr_nonnull(a.opaque);
	a.qop = "auth-int";
	a.nc = "00000001";
	a.cnonce = CNONCE;
	a.algorithm = "AKAv1-MD5";
	a.response = NULL;
	a.password = BYTES(RES_A, 8);
	return a;
}

START_TEST(worked_example_bootstraps)
{
	struct attempt a;
	struct http_req *req;

	start();
	a = good_answer(HERE);
	ck_assert_str_eq(a.nonce, NONCE);
	a.response = "8d8d3ee5cd889b2db40664ff42f13a74";
	a.tmpi = true;
	req = send_attempt(&a);
	ck_assert_uint_eq(req->status, 200);
	ck_assert_str_eq(fake_req_answer(req, "Content-Type"), "application/vnd.3gpp.bsf+xml");
	ck_assert_str_eq(fake_req_answer(req, "Authentication-Info"),
			 "qop=auth-int, rspauth=\"7eb98648f105ed66871d6aa1c3e345ad\", cnonce=\"" CNONCE "\", nc=00000001");
	ck_assert_str_eq(fake_req_answer(req, "Expires"), "Wed, 01 Jan 2031 12:00:00 GMT");
	ck_assert_uint_eq(store.n, 1);
	ck_assert_bytes(BYTES(store.held[0]->ks, 32), fixture_hex(CK_HEX IK_HEX), "Ks");
	ck_assert_bytes(store.held[0]->impi, bytes_of(IMPI_A), "IMPI");
	ck_assert_int_eq(store.held[0]->expires, T_END);
	ck_assert_int_eq(store.held[0]->created, T_END - HOUR);
}
END_TEST

START_TEST(challenge_is_as_in_ts_24109)
{
	struct attempt a = first_leg();
	struct http_req *req;
	char *want;

	start();
	req = send_attempt(&a);
	want = talloc_asprintf(test_ctx, "Digest realm=\"" BSF "\", nonce=\"" NONCE "\", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"%s\"",
			       challenge_param(req, "opaque"));
	ck_assert_uint_eq(req->status, 401);
	ck_assert_str_eq(fake_req_answer(req, "WWW-Authenticate"), want);
	ck_assert_uint_eq(store.n, 0);
}
END_TEST

#include "unit/bsf_bypass_table.h"

START_TEST(bypass_is_refused)
{
	const struct bypass *row = &bypasses[_i];
	struct http_req *req;
	struct attempt a;
	const char *challenge;

	start();
	hss.fresh_rand = true;
	a = good_answer(HERE);
	row->spoil(&a);
	req = send_attempt(&a);
	ck_assert_msg(req->status == row->status, "%s: status %u, want %u", row->name, req->status, row->status);
	ck_assert_msg(store.n == 0, "%s: a context came into being", row->name);
	challenge = fake_req_answer(req, "WWW-Authenticate");
	ck_assert_msg((challenge != NULL) == (row->status == 401), "%s: challenge", row->name);
	ck_assert_msg(challenge == NULL || (strstr(challenge, "stale=true") != NULL) == row->stale, "%s: %s", row->name, challenge);
	ck_assert_msg(row->status != 401 || strcmp(challenge_param(req, "opaque"), a.opaque != NULL ? a.opaque : "") != 0,
		      "%s: same opaque", row->name);
	ck_assert_ptr_null(fake_req_answer(req, "Authentication-Info"));
}
END_TEST

/* The rows above are refused for their fault and not for another: without it, a neighbour gets in. */
START_TEST(bypass_leaves_others_alone)
{
	const struct bypass *row = &bypasses[_i];
	struct attempt a, b;

	if (row->spoil == m_stopping || row->spoil == m_expired_nonce || row->spoil == m_used_nonce ||
	    row->spoil == m_replay_counted_on)
		return;
	start();
	a = good_answer(HERE);
	b = good_answer(THERE); /* the same challenge, handed out again */
	ck_assert_uint_eq(hss.asked, 1);
	row->spoil(&a);
	send_attempt(&a);
	hss.resync_err = GBA_OK;
	ck_assert_msg(send_attempt(&b)->status == 200, "%s: spoilt somebody else's run", row->name);
	ck_assert_uint_eq(store.n, 1);
}
END_TEST

START_TEST(oddity_is_served)
{
	struct attempt a;

	start();
	a = good_answer(HERE);
	oddities[_i].change(&a);
	ck_assert_msg(send_attempt(&a)->status == 200, "%s", oddities[_i].name);
	ck_assert_uint_eq(store.n, 1);
	ck_assert_msg(send_attempt(&a)->status == 401, "%s: good twice", oddities[_i].name);
	ck_assert_uint_eq(store.n, 1);
}
END_TEST

START_TEST(challenge_has_one_winner)
{
	struct attempt a, b;

	start();
	a = good_answer(HERE);
	b = good_answer(THERE);
	ck_assert_str_eq(a.nonce, b.nonce);
	ck_assert_str_ne(a.opaque, b.opaque);
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
	ck_assert_uint_eq(send_attempt(&b)->status, 401);
	ck_assert_uint_eq(store.n, 1);
}
END_TEST

/* T21: one MAR per IMPI in five seconds for first legs that nobody answers. */
START_TEST(unanswered_challenge_is_reused)
{
	struct attempt a = first_leg();
	int i;

	start();
	hss.fresh_rand = true;
	for (i = 0; i < 200; i++) {
		ck_assert_uint_eq(send_attempt(&a)->status, 401);
		fake_ms += 50;
	}
	ck_assert_uint_le(hss.asked, 2);
	a.username = IMPI_B; /* unknown: the refusal is remembered as well */
	hss.asked = 0;
	for (i = 0; i < 100; i++) {
		ck_assert_uint_eq(send_attempt(&a)->status, 403);
		fake_ms += 49;
	}
	ck_assert_uint_eq(hss.asked, 1);
}
END_TEST

START_TEST(older_challenge_stays_good)
{
	struct attempt a;

	start();
	hss.fresh_rand = true;
	a = good_answer(HERE);
	fake_ms += 6000;
	good_answer(THERE); /* somebody else begins anew: a second challenge */
	ck_assert_uint_eq(hss.asked, 2);
	fake_ms += LIFE_MS - 6001;
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
}
END_TEST

START_TEST(wrong_answers_close_the_door_for_their_source)
{
	struct attempt a, good;
	struct http_req *req;
	int i;

	start();
	hss.fresh_rand = true;
	for (i = 0; i < 3; i++) {
		a = good_answer(HERE);
		m_res_other(&a);
		req = send_attempt(&a);
		ck_assert_uint_eq(req->status, i < 2 ? 401 : 403);
	}
	ck_assert_str_eq(fake_req_answer(req, "Retry-After"), "5");
	a = first_leg();
	ck_assert_uint_eq(send_attempt(&a)->status, 403);
	good = good_answer(THERE);
	ck_assert_uint_eq(send_attempt(&good)->status, 200);
	fake_ms += 5000;
	good = good_answer(HERE);
	ck_assert_uint_eq(send_attempt(&good)->status, 200);
}
END_TEST

START_TEST(guessing_is_slowed_down_more_each_time)
{
	struct attempt a = first_leg();
	uint64_t begun;
	int wrong = 0;

	start();
	hss.fresh_rand = true;
	begun = fake_ms;
	while (fake_ms - begun < 3600000) {
		struct http_req *req;

		a = first_leg();
		req = send_attempt(&a);
		if (req->status == 401) {
			a.nonce = challenge_param(req, "nonce");
			a.opaque = challenge_param(req, "opaque");
			a.qop = "auth-int";
			a.nc = "00000001";
			a.cnonce = CNONCE;
			a.response = NULL;
			a.password = BYTES("guess", 5);
			send_attempt(&a);
			wrong++;
		}
		fake_ms += 1000;
	}
	ck_assert_int_le(wrong, 60); /* 3 per hold of 5, 10, 20 ... 600 s */
	ck_assert_int_ge(wrong, 20);
}
END_TEST

START_TEST(resynchronises_and_then_no_more)
{
	struct attempt a;
	struct http_req *req;
	int i;

	start();
	hss.fresh_rand = true;
	a = good_answer(HERE);
	for (i = 0; i < 3; i++) {
		m_auts(&a);
		req = send_attempt(&a);
		ck_assert_uint_eq(req->status, i < 2 ? 401 : 403);
		if (i < 2) {
			ck_assert_uint_eq(hss.resyncs, i + 1);
			ck_assert_str_ne(challenge_param(req, "nonce"), a.nonce);
			a.nonce = challenge_param(req, "nonce");
			a.opaque = challenge_param(req, "opaque");
		}
	}
	ck_assert_uint_eq(hss.resyncs, 2);
	ck_assert_uint_eq(store.n, 0);
}
END_TEST

START_TEST(auts_answer_of_the_worked_example)
{
	struct attempt a;
	struct http_req *req;

	start();
	a = good_answer(HERE);
	a.auts = AUTS_B64;
	a.response = "19c406e61adde879196774cca4b043ca";
	req = send_attempt(&a);
	ck_assert_uint_eq(req->status, 401);
	ck_assert_uint_eq(hss.resyncs, 1);
	ck_assert_ptr_null(strstr(fake_req_answer(req, "WWW-Authenticate"), "stale"));
}
END_TEST

/* ---- identities ---- */

START_TEST(tmpi_stands_for_its_impi)
{
	struct attempt a;
	struct http_req *req;

	start();
	a = good_answer(HERE);
	a.tmpi = true;
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
	hss.fresh_rand = true;
	a = first_leg();
	a.username = TMPI;
	req = send_attempt(&a);
	ck_assert_uint_eq(req->status, 401);
	ck_assert_str_eq(hss.impi, IMPI_A);
	a = good_answer(HERE); /* answered under the IMPI: another opaque, so that the names cannot be mixed */
	a.username = TMPI;
	ck_assert_uint_eq(send_attempt(&a)->status, 400);
	a.username = TMPI;
	a.opaque = challenge_param(req, "opaque");
	a.response = NULL;
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
	ck_assert_bytes(store.held[1]->impi, bytes_of(IMPI_A), "the registered IMPI");
}
END_TEST

START_TEST(tmpi_is_refused_with_404)
{
	struct attempt a;

	start();
	a = good_answer(HERE);
	a.tmpi = _i != 3; /* a UE that does not speak it gets none */
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
	a = first_leg();
	a.username = TMPI;
	if (_i == 0)
		a.username = "7g8A0RHDuCXAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org"; /* only the index is right */
	if (_i == 1)
		fake_now = T_END;
	if (_i == 2)
		conf.tmpi = false;
	ck_assert_uint_eq(send_attempt(&a)->status, 404);
	conf.tmpi = true;
}
END_TEST

START_TEST(store_failure_on_tmpi_is_no_ignorance)
{
	struct attempt a = first_leg();

	start();
	store.find_err = GBA_E_IO;
	a.username = TMPI;
	ck_assert_uint_eq(send_attempt(&a)->status, 503);
}
END_TEST

/* ---- GUSS ---- */

#define GUSS(inner) "<guss id=\"" IMPI_A "\">" inner "</guss>"
static const struct {
	const char *name, *guss;
	time_t life;
	enum guss_uicc uicc;
	const char *nonce;
} guss_rows[] = {
	{ "none", NULL, HOUR, GUSS_UICC_GBA, NONCE },
	{ "shorter lifetime", GUSS("<bsfInfo><lifeTime>60</lifeTime></bsfInfo><ussList/>"), 60, GUSS_UICC_GBA, NONCE },
	{ "longer lifetime", GUSS("<bsfInfo><lifeTime>999999</lifeTime></bsfInfo><ussList/>"), HOUR, GUSS_UICC_GBA, NONCE },
	{ "GBA_U", GUSS("<bsfInfo><uiccType>GBA_U</uiccType></bsfInfo><ussList/>"), HOUR, GUSS_UICC_GBA_U,
	  "I1U8vpY3qJ0hiuZNrke/NaponGSDUQAAWWm7PMFE2A8=" },
};

START_TEST(guss_decides_lifetime_and_mac)
{
	struct attempt a;

	start();
	hss.guss = guss_rows[_i].guss;
	a = good_answer(HERE);
	ck_assert_str_eq(a.nonce, guss_rows[_i].nonce);
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
	ck_assert_int_eq(store.held[0]->expires - store.held[0]->created, guss_rows[_i].life);
	ck_assert_int_eq(store.held[0]->uicc, guss_rows[_i].uicc);
}
END_TEST

START_TEST(guss_is_kept_when_the_hss_leaves_it_out)
{
	struct attempt a;

	start();
	hss.fresh_rand = true;
	hss.guss = GUSS("<bsfInfo><lifeTime>60</lifeTime></bsfInfo><ussList/>");
	a = good_answer(HERE);
	ck_assert_int_eq(hss.last_timestamp, 0);
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
	hss.guss = NULL;
	a = good_answer(HERE);
	ck_assert_int_eq(hss.last_timestamp, fake_now - 1);
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
	ck_assert_int_eq(store.held[1]->expires - store.held[1]->created, 60);
}
END_TEST

/* ---- what the HSS may say ---- */

static void h_down(void) { hss.down = true; }
static void h_timeout(void) { hss.err = GBA_E_TIMEOUT; }
static void h_unreachable(void) { hss.err = GBA_E_UNREACHABLE; }
static void h_busy(void) { hss.err = GBA_E_BUSY; }
static void h_garbage(void) { hss.err = GBA_E_PEER; }
static void h_unknown(void) { hss.err = GBA_E_IMPI_UNKNOWN; }
static void h_refused(void) { hss.err = GBA_E_NOT_AUTHORIZED; }
static void h_ck_short(void) { hss.ck.n = 15; }
static void h_ik_absent(void) { hss.ik = BYTES_NONE; }
static void h_autn_short(void) { hss.autn.n = 15; }
static void h_xres_none(void) { hss.xres = BYTES("", 0); }
static void h_xres_short(void) { hss.xres.n = 3; }
static void h_xres_long(void) { hss.xres = BYTES("0123456789012345678901234567890123", 33); }
static void h_other_user(void) { hss.user_name = IMPI_B; }
static void h_other_scheme(void) { hss.scheme = "SIP Digest"; }
static void h_guss_broken(void) { hss.guss = "<guss><ussList>"; }
static void h_guss_other(void) { hss.guss = "<guss id=\"" IMPI_B "\"><ussList/></guss>"; }
static void h_guss_entity(void) { hss.guss = "<!DOCTYPE g [<!ENTITY e \"x\">]><guss id=\"&e;\"><ussList/></guss>"; }

static const struct {
	const char *name;
	void (*happen)(void);
	unsigned int status;
} hss_rows[] = {
	{ "no peer", h_down, 503 },		{ "no answer", h_timeout, 503 },
	{ "unreachable", h_unreachable, 503 },	{ "too busy", h_busy, 503 },
	{ "unusable answer", h_garbage, 503 },	{ "unknown", h_unknown, 403 },
	{ "not authorised", h_refused, 403 },	{ "CK of 15 octets", h_ck_short, 503 },
	{ "no IK", h_ik_absent, 503 },		{ "AUTN of 15 octets", h_autn_short, 503 },
	{ "XRES empty", h_xres_none, 503 },	{ "XRES of 3 octets", h_xres_short, 503 },
	{ "XRES too long", h_xres_long, 503 },	{ "vector of another user", h_other_user, 503 },
	{ "another scheme", h_other_scheme, 503 }, { "GUSS not well-formed", h_guss_broken, 503 },
	{ "GUSS of another user", h_guss_other, 503 }, { "GUSS with an entity", h_guss_entity, 503 },
};

START_TEST(hss_trouble_is_503_and_ignorance_403)
{
	struct attempt a = first_leg();
	struct http_req *req;

	start();
	hss_rows[_i].happen();
	req = send_attempt(&a);
	ck_assert_msg(req->status == hss_rows[_i].status, "%s: %u", hss_rows[_i].name, req->status);
	ck_assert_int_eq(fake_req_answer(req, "Retry-After") != NULL, req->status == 503);
	fake_hss_init(&hss); /* and back to normal without a restart */
	fake_ms += 5000;
	a = good_answer(HERE);
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
}
END_TEST

START_TEST(waiters_share_one_question)
{
	struct http_req *reqs[32], *late;
	struct attempt a = first_leg();
	int i;

	start();
	hss.hold = true;
	for (i = 0; i < 32; i++)
		reqs[i] = send_attempt(&a);
	late = send_attempt(&a); /* no place to wait */
	ck_assert_uint_eq(late->status, 503);
	ck_assert_uint_eq(hss.asked, 1);
	fake_hss_release(&hss);
	for (i = 0; i < 32; i++)
		ck_assert_uint_eq(reqs[i]->status, 401);
}
END_TEST

START_TEST(questions_in_flight_are_bounded)
{
	struct attempt a = first_leg();
	struct http_req *held;

	conf.name = NULL;
	start();
	conf.zh_in_flight = 1;
	hss.known = NULL;
	hss.hold = true;
	held = send_attempt(&a);
	a.username = IMPI_B;
	ck_assert_uint_eq(send_attempt(&a)->status, 503);
	ck_assert_uint_eq(held->status, 0);
	fake_hss_release(&hss);
	ck_assert_uint_eq(held->status, 401);
	conf.zh_in_flight = 64;
}
END_TEST

/* ---- the store ---- */

static const struct {
	enum gba_err put, done;
	unsigned int status;
} store_rows[] = {
	{ GBA_E_IO, GBA_OK, 503 },	 { GBA_E_NOMEM, GBA_OK, 503 },	 { GBA_E_BUSY, GBA_OK, 503 },
	{ GBA_OK, GBA_E_NOSPACE, 503 }, { GBA_OK, GBA_E_IO, 503 },	 { GBA_OK, GBA_E_EXISTS, 503 },
	{ GBA_OK, GBA_OK, 200 },
};

START_TEST(ok_only_when_stored)
{
	struct attempt a;
	struct http_req *req;

	start();
	a = good_answer(HERE);
	store.put_err = store_rows[_i].put;
	store.done_err = store_rows[_i].done;
	store.hold = true;
	req = send_attempt(&a);
	if (store_rows[_i].put == GBA_OK) {
		ck_assert_uint_eq(req->status, 0);
		store.done(store.arg, store.done_err);
	}
	ck_assert_uint_eq(req->status, store_rows[_i].status);
	ck_assert_int_eq(fake_req_answer(req, "Retry-After") != NULL, req->status == 503);
}
END_TEST

/* ---- floods ---- */

/* A device begins, repeats when told 503 (Retry-After), and answers. */
static bool device_gets_in(void)
{
	struct attempt a = first_leg();
	unsigned int status = 503;
	int i;

	a.source = THERE;
	for (i = 0; i < 5 && status == 503; i++)
		status = send_attempt(&a)->status;
	if (status != 401)
		return false;
	a = good_answer(THERE);
	store.n = 0;
	return send_attempt(&a)->status == 200;
}

START_TEST(flood_of_first_legs_lets_devices_in)
{
	struct attempt flood = first_leg();
	int i, served = 0, tried = 0;
	char impi[96], source[32];

	start();
	hss.known = NULL;
	hss.fresh_rand = true;
	for (i = 0; i < 20000; i++) {
		snprintf(impi, sizeof(impi), "%015d@ims.mnc001.mcc001.3gppnetwork.org", 100000 + i);
		snprintf(source, sizeof(source), "203.0.113.%d:1", _i == 0 ? 1 : i % 250);
		flood.username = impi;
		flood.source = source;
		talloc_free(send_attempt(&flood));
		fake_ms++;
		if (i % 1000 == 0)
			ub_tick(ub);
		if (i % 200 == 0) {
			tried++;
			served += device_gets_in();
		}
	}
	ck_assert_msg(served * 10 >= tried * 8, "%d of %d", served, tried);
	ck_assert_uint_le((unsigned int)metric_value(metric_get("gba_bsf_pending", "", METRIC_GAUGE, "")), 1024);
}
END_TEST

/* ---- AKAv2 and 2G GBA ---- */

START_TEST(akav2_by_configuration)
{
	struct attempt a;
	struct http_req *req;

	conf.name = NULL;
	start();
	conf.digest = BSF_DIGEST_AKAV2;
	ub = ub_new(test_ctx, &(struct ub_parts){ &conf, &store.base, &hss.base, NULL });
	a = good_answer(HERE);
	a.response = "2f899e8013ddba7ae6d5e22161ed6e5e";
	a.algorithm = "AKAv2-MD5";
	req = send_attempt(&a);
	ck_assert_uint_eq(req->status, 200);
	ck_assert_bytes(BYTES(store.held[0]->ks, 32), fixture_hex(CK_HEX IK_HEX), "Ks");
	a = good_answer(HERE);
	a.algorithm = "AKAv1-MD5";
	ck_assert_uint_eq(send_attempt(&a)->status, 400);
	conf.digest = BSF_DIGEST_AKAV1;
}
END_TEST

static const struct {
	bool allowed, tls;
	unsigned int status;
} sim_rows[] = { { false, false, 403 }, { false, true, 403 }, { true, false, 403 }, { true, true, 401 } };

START_TEST(sim_only_needs_tls_and_permission)
{
	struct attempt a = first_leg();
	uint8_t nonce[48], res[16], sres[4], kc[8];
	struct http_req *req;
	const char *text;
	size_t n;

	start();
	hss.known = NULL;
	conf.gba_2g = sim_rows[_i].allowed;
	a.username = "262011234567890@sim.example";
	a.tls = sim_rows[_i].tls;
	req = send_attempt(&a);
	conf.gba_2g = true;
	ck_assert_uint_eq(req->status, sim_rows[_i].status);
	if (req->status != 401)
		return;
	text = challenge_param(req, "nonce");
	ck_assert_err(base64_decode(bytes_of(text), nonce, sizeof(nonce), &n), GBA_OK);
	ck_assert_uint_eq(n, 48); /* RAND || sixteen zero octets || Ks-input */
	ck_assert_bytes(BYTES(nonce, 16), fixture_hex(RAND_HEX), "RAND");
	ck_assert_bytes(BYTES(nonce + 16, 16), fixture_hex("00000000000000000000000000000000"), "zero");
	memcpy(sres, fixture_hex("46f8416a").p, 4);
	memcpy(kc, fixture_hex("eae4be823af9a08b").p, 8);
	ck_assert_bytes(fixture_hex("91a40904556e5b5427543b008b1fc21e"),
			(gba_2g_res(kc, nonce, sres, res), BYTES(res, 16)), "RES of the worked example");
	a.nonce = text;
	a.opaque = challenge_param(req, "opaque");
	a.qop = "auth-int";
	a.nc = "00000001";
	a.cnonce = CNONCE;
	a.response = NULL;
	a.password = BYTES(res, 16);
	a.tls = false;
	ck_assert_uint_eq(send_attempt(&a)->status, 403);
	a.tls = true;
	a.response = NULL;
	ck_assert_uint_eq(send_attempt(&a)->status, 200);
	ck_assert_int_eq(store.held[0]->type, CTX_2G_GBA);
	conf.gba_2g = false;
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("bsf_ub");
	TCase *tc = fixture_tcase("ub");

	tcase_add_test(tc, worked_example_bootstraps);
	tcase_add_test(tc, challenge_is_as_in_ts_24109);
	tcase_add_loop_test(tc, bypass_is_refused, 0, ROWS(bypasses));
	tcase_add_loop_test(tc, bypass_leaves_others_alone, 0, ROWS(bypasses));
	tcase_add_loop_test(tc, oddity_is_served, 0, ROWS(oddities));
	tcase_add_test(tc, challenge_has_one_winner);
	tcase_add_test(tc, unanswered_challenge_is_reused);
	tcase_add_test(tc, older_challenge_stays_good);
	tcase_add_test(tc, wrong_answers_close_the_door_for_their_source);
	tcase_add_test(tc, guessing_is_slowed_down_more_each_time);
	tcase_add_test(tc, resynchronises_and_then_no_more);
	tcase_add_test(tc, auts_answer_of_the_worked_example);
	tcase_add_test(tc, tmpi_stands_for_its_impi);
	tcase_add_loop_test(tc, tmpi_is_refused_with_404, 0, 4);
	tcase_add_test(tc, store_failure_on_tmpi_is_no_ignorance);
	tcase_add_loop_test(tc, guss_decides_lifetime_and_mac, 0, ROWS(guss_rows));
	tcase_add_test(tc, guss_is_kept_when_the_hss_leaves_it_out);
	tcase_add_loop_test(tc, hss_trouble_is_503_and_ignorance_403, 0, ROWS(hss_rows));
	tcase_add_test(tc, waiters_share_one_question);
	tcase_add_test(tc, questions_in_flight_are_bounded);
	tcase_add_loop_test(tc, ok_only_when_stored, 0, ROWS(store_rows));
	tcase_add_loop_test(tc, flood_of_first_legs_lets_devices_in, 0, 2); /* from one source, from 250 */
	tcase_add_test(tc, akav2_by_configuration);
	tcase_add_loop_test(tc, sim_only_needs_tls_and_permission, 0, ROWS(sim_rows));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
