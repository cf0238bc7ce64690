/* SPDX-License-Identifier: Apache-2.0 */
/* Ub against a BSF that is a list of canned answers: the worked example octet by octet, then everything that must stop
 * a run. Texts are those of ub-worked-example.json; other digests were computed by Python's hashlib. */
#include <stdio.h>

#include "core/clock.h"
#include "core/codec.h"
#include "ue/ub.h"
#include "unit/ue_fixture.h"

#define CNONCE    "0a4f113b9c2d7e60"
#define NONCE     "I1U8vpY3qJ0hiuZNrke/NaponGSDUQAAn4l+8uekxfg="
#define OPAQUE    "5ccc069c403ebaf9f0171e9517f30e41"
#define REALM     "Digest realm=\"" EX_BSF "\", "
#define CHALLENGE REALM "nonce=\"" NONCE "\", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"" OPAQUE "\""
#define BODY                                                                                                           \
	"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BootstrappingInfo xmlns=\"uri:3gpp-gba\">\n  <btid>" EX_BTID     \
	"</btid>\n  <lifetime>2031-01-01T12:00:00Z</lifetime>\n</BootstrappingInfo>\n"
#define INFO  "qop=auth-int, rspauth=\"7eb98648f105ed66871d6aa1c3e345ad\", cnonce=\"" CNONCE "\", nc=00000001"
#define STEP1 "Digest username=\"" EX_IMPI "\", realm=\"" EX_BSF "\", nonce=\"\", uri=\"/\", response=\"\""
#define STEP3                                                                                                          \
	"Digest username=\"" EX_IMPI "\", realm=\"" EX_BSF "\", nonce=\"" NONCE "\", uri=\"/\", qop=auth-int, "        \
	"nc=00000001, cnonce=\"" CNONCE "\", response=\"8d8d3ee5cd889b2db40664ff42f13a74\", opaque=\"" OPAQUE "\", "   \
	"algorithm=AKAv1-MD5"
#define T_NOW ((time_t)1900000000) /* 2030-03-17 */
#define T_END ((time_t)1925035200) /* 2031-01-01T12:00:00Z */

struct canned {
	unsigned int status;
	const char *name, *value; /* one header; NULL: none */
	const char *body;
	unsigned int retry_after;
	const char *server;
};

struct script {
	const struct canned *answers;
	size_t asked;
	const char *authorization[6], *user_agent, *application; /* as sent */
};

static enum gba_err canned_fetch(void *arg, TALLOC_CTX *mem_ctx, const struct fetch_ask *ask,
				 struct fetch_answer *_answer, struct why *why)
{
	struct script *script = arg;
	const struct canned *canned = &script->answers[script->asked];
	const struct fetch_header *header;

	(void)why;
	memset(_answer, 0, sizeof(*_answer));
	ck_assert_uint_lt(script->asked, 6);
	ck_assert_msg(canned->status != 0, "a request more than there are answers");
	ck_assert_str_eq(ask->method, "GET");
	ck_assert_str_eq(ask->target, "/");
	for (header = ask->headers; header->name != NULL; header++) {
		if (strcmp(header->name, "Authorization") == 0)
			script->authorization[script->asked] = talloc_strdup(test_ctx, header->value);
		if (strcmp(header->name, "User-Agent") == 0)
			script->user_agent = talloc_strdup(test_ctx, header->value);
		if (strcmp(header->name, UB_APP_HEADER) == 0)
			script->application = talloc_strdup(test_ctx, header->value);
	}
	script->asked++;
	_answer->status = canned->status;
	_answer->retry_after = canned->retry_after;
	_answer->body = bytes_of(canned->body != NULL ? canned->body : "");
	_answer->headers = talloc_zero_array(mem_ctx, struct fetch_header, 2);
	if (canned->name != NULL)
		_answer->headers[_answer->header_count++] = (struct fetch_header){ canned->name, canned->value };
	if (canned->server != NULL)
		_answer->headers[_answer->header_count++] = (struct fetch_header){ "Server", canned->server };
	return GBA_OK;
}

static struct ub_conf example_conf(void)
{
	return (struct ub_conf){ .bsf = bytes_of(EX_BSF),
				 .url = "http://" EX_BSF "/",
				 .impi = bytes_of(EX_IMPI),
				 .product = "example-ue/1.0",
				 .cnonce = CNONCE,
				 .now = T_NOW };
}

static enum gba_err run(const struct ub_conf *conf, bool gba_u, struct script *script, struct ub_result *result)
{
	struct usim usim = ue_fixture_usim(ue_fixture_state(), gba_u);
	struct fetcher fetcher = { canned_fetch, script };
	struct why why = { "" };

	return ub_run(test_ctx, conf, &usim, &fetcher, result, &why);
}

#define WWW         "WWW-Authenticate"
#define AINFO       "Authentication-Info"
#define TMPI_SERVER "bsf/1.0 3gpp-gba-tmpi"

/* REQ: Y3056-10.4-2c, Y3056-9.3-6 */
START_TEST(worked_example)
{
	static const struct canned answers[] = { { 401, WWW, CHALLENGE, NULL, 0, TMPI_SERVER },
						 { 200, AINFO, INFO, BODY, 0, TMPI_SERVER },
						 { 0 } };
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;

	ck_assert_err(run(&conf, false, &script, &result), GBA_OK);
	ck_assert_uint_eq(script.asked, 2);
	ck_assert_str_eq(script.authorization[0], STEP1);
	ck_assert_str_eq(script.authorization[1], STEP3);
	ck_assert_str_eq(script.user_agent, "example-ue/1.0 3gpp-gba 3gpp-gba-tmpi");
	ck_assert_ptr_null(script.application);
	ck_assert_str_eq(result.btid, EX_BTID);
	ck_assert_int_eq(result.expires, T_END);
	ck_assert_bytes(secret_bytes(result.ks), fixture_hex(EX_KS), "Ks");
	ck_assert_str_eq(result.tmpi, "7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@tmpi.bsf.3gppnetwork.org");
}
END_TEST

/* Each row: what the BSF answers, and how the run must end after how many requests. REQ: Y3056-10.4-2b, OBF-7.2.3-1 */
#define BAD_REALM "Digest realm=\"bsf.evil.example\", nonce=\"" NONCE "\", algorithm=AKAv1-MD5, qop=\"auth-int\""
#define MAC_NONCE "I1U8vpY3qJ0hiuZNrke/NaponGSDUQAAn4l+8uekxfk=" /* last bit of MAC */
#define OK401                                                                                                          \
	{                                                                                                              \
		401, WWW, CHALLENGE, NULL, 0, NULL                                                                     \
	}
static const struct {
	const char *name;
	struct canned answers[4];
	enum gba_err want;
	size_t asked;
} stop_rows[] = {
	{ "realm of another node", { { 401, WWW, BAD_REALM, NULL, 0, NULL } }, GBA_E_REALM, 1 },
	{ "MAC wrong",
	  { { 401, WWW, REALM "nonce=\"" MAC_NONCE "\", algorithm=AKAv1-MD5, qop=\"auth-int\"", NULL, 0, NULL } },
	  GBA_E_AKA_MAC,
	  1 },
	{ "nonce too short",
	  { { 401, WWW, REALM "nonce=\"I1U8vpY3qJ0hiuZNrke/NQ==\", algorithm=AKAv1-MD5, qop=\"auth-int\"", NULL, 0,
	      NULL } },
	  GBA_E_PEER,
	  1 },
	{ "nonce not base64",
	  { { 401, WWW, REALM "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", algorithm=AKAv1-MD5, qop=\"auth-int\"",
	      NULL, 0, NULL } },
	  GBA_E_PEER,
	  1 },
	{ "plain MD5",
	  { { 401, WWW, REALM "nonce=\"" NONCE "\", algorithm=MD5, qop=\"auth-int\"", NULL, 0, NULL } },
	  GBA_E_AUTH_SCHEME,
	  1 },
	{ "no algorithm",
	  { { 401, WWW, REALM "nonce=\"" NONCE "\", qop=\"auth-int\"", NULL, 0, NULL } },
	  GBA_E_AUTH_SCHEME,
	  1 },
	{ "qop without integrity",
	  { { 401, WWW, REALM "nonce=\"" NONCE "\", algorithm=AKAv1-MD5, qop=\"auth\"", NULL, 0, NULL } },
	  GBA_E_AUTH_SCHEME,
	  1 },
	{ "no qop",
	  { { 401, WWW, REALM "nonce=\"" NONCE "\", algorithm=AKAv1-MD5", NULL, 0, NULL } },
	  GBA_E_AUTH_SCHEME,
	  1 },
	{ "Basic", { { 401, WWW, "Basic realm=\"" EX_BSF "\"", NULL, 0, NULL } }, GBA_E_AUTH_SCHEME, 1 },
	{ "401 without challenge", { { 401, NULL, NULL, NULL, 0, NULL } }, GBA_E_AUTH_SCHEME, 1 },
	{ "403 at once", { { 403, NULL, NULL, NULL, 0, NULL } }, GBA_E_NOT_AUTHORIZED, 1 },
	{ "403 to our response", { OK401, { 403, NULL, NULL, NULL, 0, NULL } }, GBA_E_NOT_AUTHORIZED, 2 },
	{ "200 without challenge", { { 200, AINFO, INFO, BODY, 0, NULL } }, GBA_E_PEER, 1 },
	{ "redirect", { { 302, "Location", "http://bsf.evil.example/", NULL, 0, NULL } }, GBA_E_PEER, 1 },
	{ "redirect of the response",
	  { OK401, { 307, "Location", "http://bsf.evil.example/", NULL, 0, NULL } },
	  GBA_E_PEER,
	  2 },
	{ "503 without Retry-After", { { 503, NULL, NULL, NULL, 0, NULL } }, GBA_E_BUSY, 1 },
	{ "503 for an hour", { { 503, NULL, NULL, NULL, 3600, NULL } }, GBA_E_BUSY, 1 },
	{ "503 twice", { { 503, NULL, NULL, NULL, 1, NULL }, { 503, NULL, NULL, NULL, 1, NULL } }, GBA_E_BUSY, 2 },
	{ "500", { { 500, NULL, NULL, NULL, 0, NULL } }, GBA_E_PEER, 1 },
	{ "no Authentication-Info", { OK401, { 200, NULL, NULL, BODY, 0, NULL } }, GBA_E_DIGEST_MISMATCH, 2 },
	{ "no rspauth",
	  { OK401, { 200, AINFO, "qop=auth-int, cnonce=\"" CNONCE "\", nc=00000001", BODY, 0, NULL } },
	  GBA_E_DIGEST_MISMATCH,
	  2 },
	{ "rspauth wrong",
	  { OK401,
	    { 200, AINFO,
	      "qop=auth-int, rspauth=\"7eb98648f105ed66871d6aa1c3e345ae\", cnonce=\"" CNONCE "\", nc=00000001", BODY, 0,
	      NULL } },
	  GBA_E_DIGEST_MISMATCH,
	  2 },
	{ "rspauth cut short",
	  { OK401,
	    { 200, AINFO, "qop=auth-int, rspauth=\"7eb98648\", cnonce=\"" CNONCE "\", nc=00000001", BODY, 0, NULL } },
	  GBA_E_DIGEST_MISMATCH,
	  2 },
	{ "cnonce of another request",
	  { OK401,
	    { 200, AINFO, "qop=auth-int, rspauth=\"7eb98648f105ed66871d6aa1c3e345ad\", cnonce=\"0000\", nc=00000001",
	      BODY, 0, NULL } },
	  GBA_E_DIGEST_MISMATCH,
	  2 },
	{ "rspauth without body integrity",
	  { OK401,
	    { 200, AINFO, "qop=auth, rspauth=\"7eb98648f105ed66871d6aa1c3e345ad\", cnonce=\"" CNONCE "\", nc=00000001",
	      BODY, 0, NULL } },
	  GBA_E_DIGEST_MISMATCH,
	  2 },
	{ "body altered", { OK401, { 200, AINFO, INFO, BODY " ", 0, NULL } }, GBA_E_DIGEST_MISMATCH, 2 },
	{ "body missing", { OK401, { 200, AINFO, INFO, NULL, 0, NULL } }, GBA_E_DIGEST_MISMATCH, 2 },
	{ "response refused, challenge used up", { OK401, OK401 }, GBA_E_AKA_SYNC, 3 },
};

START_TEST(runs_that_must_stop)
{
	struct script script = { .answers = stop_rows[_i].answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;
	struct canned answers[5] = { { 0 } };
	enum gba_err got;

	memcpy(answers, stop_rows[_i].answers, sizeof(stop_rows[_i].answers));
	if (stop_rows[_i].want == GBA_E_AKA_SYNC)
		answers[2] = answers[1]; /* the AUTS is answered with the same challenge again: no second AUTS */
	script.answers = answers;
	got = run(&conf, false, &script, &result);
	ck_assert_msg(got == stop_rows[_i].want, "%s: got %s", stop_rows[_i].name, gba_err_name(got));
	ck_assert_msg(script.asked == stop_rows[_i].asked, "%s: %zu requests", stop_rows[_i].name, script.asked);
	ck_assert_ptr_null(result.ks);
	ck_assert_str_eq(result.tmpi, "");
}
END_TEST

/* Bodies that are protected by a right rspauth (third column, by hashlib) and still of no use. */
#define DOC(btid, lifetime)                                                                                            \
	"<BootstrappingInfo xmlns=\"uri:3gpp-gba\"><btid>" btid "</btid><lifetime>" lifetime                           \
	"</lifetime></BootstrappingInfo>"
#define LATER "2031-01-01T12:00:00Z"
static const struct {
	const char *name, *body, *rspauth;
	enum gba_err want;
} body_rows[] = {
	{ "good", DOC(EX_BTID, LATER), "4b57c5ce92fe966054f566976eabc21d", GBA_OK },
	{ "B-TID of another run", DOC("QkJCQkJCQkJCQkJCQkJCQg==@" EX_BSF, LATER), "317daf2cf8115f690870810e156ec663",
	  GBA_E_PEER },
	{ "B-TID of another BSF", DOC("I1U8vpY3qJ0hiuZNrke/NQ==@bsf.evil.example", LATER),
	  "04b6e246c643a42760f21adee2477c25", GBA_E_REALM },
	{ "B-TID malformed", DOC("I1U8vpY3@" EX_BSF, LATER), "8a7f42b1a2f69bd41f55374a2b274f6e", GBA_E_BTID_SYNTAX },
	{ "over already", DOC(EX_BTID, "2030-03-17T17:46:40Z"), "d64a3796ff2ee8b2d5deb31ceb7977cd", GBA_E_PEER },
	{ "no XML", "BootstrappingInfo", "925a2001ab462e8c4287197ac0b8494e", GBA_E_XML },
	{ "empty", "", "97acc19d753065d63c5fbeb0db4483ce", GBA_E_XML },
};

START_TEST(bodies_are_checked)
{
	struct canned answers[] = { OK401, { 200, AINFO, NULL, body_rows[_i].body, 0, NULL }, { 0 } };
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;
	enum gba_err got;

	answers[1].value = talloc_asprintf(test_ctx, "qop=auth-int, rspauth=\"%s\", cnonce=\"" CNONCE "\", nc=00000001",
					   body_rows[_i].rspauth);
	got = run(&conf, false, &script, &result);
	ck_assert_msg(got == body_rows[_i].want, "%s: got %s", body_rows[_i].name, gba_err_name(got));
}
END_TEST

/* RFC 3310 3.4: AUTS of SQN_MS 000000001000, response with an empty password; then a fresh challenge is answered. */
#define RESYNC_TAIL                                                                                                    \
	"response=\"19c406e61adde879196774cca4b043ca\", opaque=\"" OPAQUE                                              \
	"\", algorithm=AKAv1-MD5, auts=\"RR6L7LQ7BcVC+xeK+y0=\""

static enum gba_err ahead(struct soft_usim_data *data, void *arg)
{
	data->active.sqn.seq[0] = 0x1000 >> 5;
	(void)arg;
	data->active.sqn.seq[1] = 1;
	return GBA_OK;
}

START_TEST(resynchronisation)
{
	static const struct canned answers[] = {
		OK401,
		{ 401, WWW,
		  REALM "nonce=\"I1U8vpY3qJ0hiuZNrke/NaponGSTUQAAC7lzb6wxPgU=\", algorithm=AKAv1-MD5, qop=\"auth-int\"",
		  NULL, 0, NULL },
		{ 200, AINFO,
		  "qop=auth-int, rspauth=\"f70d6341adfa401aa387064c9b036a63\", cnonce=\"" CNONCE "\", nc=00000001",
		  BODY, 0, NULL },
		{ 0 }
	};
	struct script script = { .answers = answers };
	struct state *state = ue_fixture_state();
	struct usim usim = ue_fixture_usim(state, false);
	struct fetcher fetcher = { canned_fetch, &script };
	struct ub_conf conf = example_conf();
	struct ub_result result;

	ck_assert_err(soft_usim_edit(state, "default", ahead, NULL), GBA_OK);
	ck_assert_err(ub_run(test_ctx, &conf, &usim, &fetcher, &result, NULL), GBA_OK);
	ck_assert_uint_eq(result.resyncs, 1);
	ck_assert_uint_eq(script.asked, 3);
	ck_assert_ptr_nonnull(strstr(script.authorization[1], RESYNC_TAIL));
	ck_assert_ptr_null(strstr(script.authorization[2], "auts"));
}
END_TEST

/* TMPI: used when known; refused in each of these ways the run goes on with the IMPI. REQ: Y3056-7.5-6b */
#define TMPI "7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@tmpi.bsf.3gppnetwork.org"
static const struct {
	const char *name;
	struct canned first;
} tmpi_rows[] = {
	{ "403", { 403, NULL, NULL, NULL, 0, NULL } },
	{ "404", { 404, NULL, NULL, NULL, 0, NULL } },
	{ "400", { 400, NULL, NULL, NULL, 0, NULL } },
	{ "401 without challenge", { 401, NULL, NULL, NULL, 0, NULL } },
	{ "challenge for somebody else",
	  { 401, WWW, REALM "nonce=\"" MAC_NONCE "\", algorithm=AKAv1-MD5, qop=\"auth-int\"", NULL, 0, NULL } },
};

START_TEST(tmpi_refused_falls_back)
{
	struct canned answers[] = { tmpi_rows[_i].first, OK401, { 200, AINFO, INFO, BODY, 0, NULL }, { 0 } };
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;

	conf.tmpi = bytes_of(TMPI);
	ck_assert_err(run(&conf, false, &script, &result), GBA_OK);
	ck_assert_ptr_nonnull(strstr(script.authorization[0], "username=\"" TMPI "\""));
	ck_assert_str_eq(script.authorization[1], STEP1);
	ck_assert(result.tmpi_refused);
	ck_assert_str_eq(result.tmpi, ""); /* this BSF does not show the token */
}
END_TEST

START_TEST(tmpi_is_the_username_and_the_impi_stays_hidden)
{
	static const struct canned answers[] = { OK401, { 403, NULL, NULL, NULL, 0, NULL }, { 0 } };
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;

	conf.tmpi = bytes_of(TMPI);
	ck_assert_err(run(&conf, false, &script, &result), GBA_E_NOT_AUTHORIZED); /* 403 to a response is final */
	ck_assert_uint_eq(script.asked, 2);
	ck_assert_ptr_nonnull(strstr(script.authorization[1], "username=\"" TMPI "\""));
	ck_assert_ptr_null(strstr(script.authorization[0], EX_IMPI));
	ck_assert_ptr_null(strstr(script.authorization[1], EX_IMPI));
}
END_TEST

/* RFC 4169 is preferred when offered; its response is that of the worked example (same nonce and cnonce). */
#define AKAV2 REALM "nonce=\"" NONCE "\", algorithm=AKAv2-MD5, qop=\"auth-int\", opaque=\"" OPAQUE "\""
START_TEST(akav2_when_offered)
{
	static const struct canned answers[] = { { 401, WWW, AKAV2, NULL, 0, NULL },
						 { 403, NULL, NULL, NULL, 0, NULL },
						 { 0 } };
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;

	ck_assert_err(run(&conf, false, &script, &result), GBA_E_NOT_AUTHORIZED);
	ck_assert_ptr_nonnull(strstr(script.authorization[1], "response=\"2f899e8013ddba7ae6d5e22161ed6e5e\""));
	ck_assert_ptr_nonnull(strstr(script.authorization[1], "algorithm=AKAv2-MD5"));
}
END_TEST

/* GBA_U: the same messages, MAC* in AUTN, Ks in the card; TMPI equal to that of the worked example. */
#define NONCE_STAR "I1U8vpY3qJ0hiuZNrke/NaponGSDUQAAWWm7PMFE2A8="
START_TEST(gba_u_run)
{
	static const struct canned answers[] = {
		{ 401, WWW, REALM "nonce=\"" NONCE_STAR "\", algorithm=AKAv1-MD5, qop=\"auth-int\"", NULL, 0,
		  TMPI_SERVER },
		{ 200, AINFO,
		  "qop=auth-int, rspauth=\"b39edb08c881cda0328957de7d74128c\", cnonce=\"" CNONCE "\", nc=00000001",
		  BODY, 0, TMPI_SERVER },
		{ 0 }
	};
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;

	ck_assert_err(run(&conf, true, &script, &result), GBA_OK);
	ck_assert(result.in_usim);
	ck_assert_ptr_null(result.ks);
	ck_assert_str_eq(result.tmpi, TMPI);
}
END_TEST

START_TEST(gba_u_card_does_not_do_akav2)
{
	static const struct canned answers[] = { { 401, WWW, AKAV2, NULL, 0, NULL }, { 0 } };
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;

	ck_assert_err(run(&conf, true, &script, &result), GBA_E_AUTH_SCHEME);
}
END_TEST

/* REQ: Y3056-10.4-1a */
START_TEST(application_is_announced_when_wanted)
{
	static const struct canned answers[] = { { 403, NULL, NULL, NULL, 0, NULL }, { 0 } };
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	struct ub_result result;

	conf.application = bytes_of("naf1.example.com");
	ck_assert_err(run(&conf, false, &script, &result), GBA_E_NOT_AUTHORIZED);
	ck_assert_str_eq(script.application, "naf1.example.com");
	ck_assert_str_eq(script.authorization[0], STEP1);
}
END_TEST

START_TEST(retry_after_is_waited_out)
{
	static const struct canned answers[] = {
		{ 503, NULL, NULL, NULL, 1, NULL }, OK401, { 200, AINFO, INFO, BODY, 0, NULL }, { 0 }
	};
	struct script script = { .answers = answers };
	struct ub_conf conf = example_conf();
	uint64_t began = clock_mono_ms();
	struct ub_result result;

	ck_assert_err(run(&conf, false, &script, &result), GBA_OK);
	ck_assert_uint_ge(clock_mono_ms() - began, 1000);
	ck_assert_uint_eq(script.asked, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ue Ub");
	TCase *tc = fixture_tcase("ub");

	tcase_add_test(tc, worked_example);
	tcase_add_loop_test(tc, runs_that_must_stop, 0, sizeof(stop_rows) / sizeof(stop_rows[0]));
	tcase_add_loop_test(tc, bodies_are_checked, 0, sizeof(body_rows) / sizeof(body_rows[0]));
	tcase_add_test(tc, resynchronisation);
	tcase_add_loop_test(tc, tmpi_refused_falls_back, 0, sizeof(tmpi_rows) / sizeof(tmpi_rows[0]));
	tcase_add_test(tc, tmpi_is_the_username_and_the_impi_stays_hidden);
	tcase_add_test(tc, akav2_when_offered);
	tcase_add_test(tc, gba_u_run);
	tcase_add_test(tc, gba_u_card_does_not_do_akav2);
	tcase_add_test(tc, application_is_announced_when_wanted);
	tcase_add_test(tc, retry_after_is_waited_out);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
