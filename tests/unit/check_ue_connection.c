/* SPDX-License-Identifier: Apache-2.0 */
/* The connection element alone (Y.3056 8.1): this program has its files and none of the client element's, which a stand-in
 * replaces behind ue/token_source.h. Applications are lists of canned answers; digests are computed by Python's hashlib.
 * REQ: Y3056-8.1-1 */
#include <stdio.h>
#include <stdlib.h>

#include "common/fixture.h"
#include "ue/ua.h"

#define FIRST	"I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define SECOND	"AAECAwQFBgcICQoLDA0ODw==@bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define URL	"http://naf1.example.com/hello"
#define CNONCE	"0123456789abcdef"
#define WWW	"WWW-Authenticate"
#define INFO	"Authentication-Info"
#define CHALLENGE "Digest realm=\"3GPP-bootstrapping@naf1.example.com\", nonce=\"n1\", algorithm=MD5, qop=\"auth\""
#define PROOF(hex) "rspauth=\"" hex "\", cnonce=\"" CNONCE "\", nc=00000001, qop=auth"
#define FIRST_RESPONSE	"e06745f8412fd4f6df25b7baba8817b0" /* the password is 00 01 .. 1f in base64 */
#define FIRST_RSPAUTH	"a68ebf45501bed4bfb28debf377373f1"
#define SECOND_RESPONSE "ec521989e377514ee047f4a6e49385f3" /* 40 41 .. 5f */
#define SECOND_RSPAUTH	"a612afd6cc36b2f807b4b640595bd546"

/* ---- the stand-in for the client element ---- */

struct mock {
	unsigned int tokens, keys;
	char refused[BTID_MAX + 1], naf[64];
	uint8_t naf_id[NAF_ID_MAX];
	size_t naf_id_n;
	enum gba_err token_err, key_err;
};

static enum gba_err mock_token(void *arg, struct bytes naf, const char *refused, struct token_ref *_token, struct why *why)
{
	struct mock *mock = arg;

	mock->tokens++;
	snprintf(mock->naf, sizeof(mock->naf), "%.*s", BYTES_FMT(naf));
	snprintf(mock->refused, sizeof(mock->refused), "%s", refused != NULL ? refused : "");
	if (mock->token_err != GBA_OK)
		return why_fail(why, mock->token_err, "the client element says no");
	snprintf(_token->btid, sizeof(_token->btid), "%s", refused == NULL ? FIRST : SECOND);
	_token->expires = 1925035200;
	return GBA_OK;
}

static enum gba_err mock_key(void *arg, const struct token_ref *token, struct bytes naf_id, uint8_t key[GBA_KS_NAF_LEN])
{
	struct mock *mock = arg;
	uint8_t from = strcmp(token->btid, FIRST) == 0 ? 0 : 0x40;
	size_t i;

	mock->keys++;
	memcpy(mock->naf_id, naf_id.p, naf_id.n);
	mock->naf_id_n = naf_id.n;
	for (i = 0; i < GBA_KS_NAF_LEN; i++)
		key[i] = (uint8_t)(from + i);
	return mock->key_err;
}

/* ---- the stand-in for the application ---- */

struct canned {
	unsigned int status;
	const char *name, *value, *wanted; /* wanted: text that the request's Authorization must have; NULL: there is none */
};
struct script {
	const struct canned *answers;
	unsigned int asked;
};

static enum gba_err canned_fetch(void *arg, TALLOC_CTX *mem_ctx, const struct fetch_ask *ask, struct fetch_answer *_answer,
				 struct why *why)
{
	const struct fetch_header *header;
	struct script *script = arg;
	const struct canned *canned = &script->answers[script->asked++];
	const char *authorization = NULL;

	(void)why;
	ck_assert_msg(canned->status != 0, "a request more than there are answers");
	for (header = ask->headers; header->name != NULL; header++) {
		if (strcmp(header->name, "Authorization") == 0)
			authorization = header->value;
	}
	ck_assert_int_eq(authorization == NULL, canned->wanted == NULL);
	ck_assert_msg(canned->wanted == NULL || strstr(authorization, canned->wanted) != NULL, "%s", authorization);
	*_answer = (struct fetch_answer){ .status = canned->status, .body = bytes_of("hi") };
	_answer->headers = talloc_zero_array(mem_ctx, struct fetch_header, 2);
	if (canned->name != NULL)
		_answer->headers[_answer->header_count++] = (struct fetch_header){ canned->name, canned->value };
	return GBA_OK;
}

static enum gba_err run(struct mock *mock, const struct canned *answers, struct ua_reply *_reply)
{
	struct script script = { .answers = answers };
	struct fetcher fetcher = { canned_fetch, &script };
	struct token_source source = { .arg = mock, .token = mock_token, .key = mock_key };
	struct ua_conf conf = { .product = "example/1.0", .cnonce = CNONCE };
	struct ua_request request = { .url = URL, .method = "GET" };
	struct why why = { "" };

	return ua_fetch(test_ctx, &conf, &source, &fetcher, &request, _reply, &why);
}

START_TEST(a_session_with_what_the_client_element_gives)
{
	static const struct canned answers[] = { { 401, WWW, CHALLENGE, NULL },
						 { 200, INFO, PROOF(FIRST_RSPAUTH), "response=\"" FIRST_RESPONSE "\"" }, { 0 } };
	struct mock mock = { 0 };
	struct ua_reply reply;

	ck_assert_err(run(&mock, answers, &reply), GBA_OK);
	ck_assert(reply.authenticated && reply.server_proved && !reply.rebootstrapped);
	ck_assert_str_eq(mock.naf, "naf1.example.com");
	ck_assert_uint_eq(mock.tokens, 1);
	ck_assert_bytes(BYTES(mock.naf_id, mock.naf_id_n), BYTES("naf1.example.com\x01\x00\x00\x00\x02", 21), "NAF_Id");
}
END_TEST

START_TEST(another_token_when_the_application_wants_one)
{
	static const struct canned answers[] = { { 401, WWW, CHALLENGE, NULL },
						 { 401, WWW, CHALLENGE, "username=\"" FIRST "\"" },
						 { 200, INFO, PROOF(SECOND_RSPAUTH), "response=\"" SECOND_RESPONSE "\"" }, { 0 } };
	struct mock mock = { 0 };
	struct ua_reply reply;

	ck_assert_err(run(&mock, answers, &reply), GBA_OK);
	ck_assert(reply.rebootstrapped && reply.server_proved);
	ck_assert_uint_eq(mock.tokens, 2);
	ck_assert_str_eq(mock.refused, FIRST);
	ck_assert_str_eq(reply.token.btid, SECOND);
}
END_TEST

START_TEST(no_token_is_asked_for_that_nobody_wants)
{
	static const struct canned answers[] = { { 200, NULL, NULL, NULL }, { 0 } };
	struct mock mock = { 0 };
	struct ua_reply reply;

	ck_assert_err(run(&mock, answers, &reply), GBA_OK);
	ck_assert(!reply.authenticated);
	ck_assert_uint_eq(mock.tokens + mock.keys, 0);
}
END_TEST

static const struct {
	const char *name;
	struct mock mock;
	struct canned answers[4];
	enum gba_err want;
} no_rows[] = {
	{ "no token", { .token_err = GBA_E_NOT_AUTHORIZED }, { { 401, WWW, CHALLENGE, NULL }, { 0 } }, GBA_E_NOT_AUTHORIZED },
	{ "no key", { .key_err = GBA_E_IO }, { { 401, WWW, CHALLENGE, NULL }, { 0 } }, GBA_E_IO },
	{ "an application that has another key", { 0 },
	  { { 401, WWW, CHALLENGE, NULL }, { 200, INFO, PROOF(SECOND_RSPAUTH), "response=\"" FIRST_RESPONSE "\"" }, { 0 } },
	  GBA_E_DIGEST_MISMATCH },
};

START_TEST(runs_that_must_stop)
{
	struct mock mock = no_rows[_i].mock;
	struct ua_reply reply;
	enum gba_err got = run(&mock, no_rows[_i].answers, &reply);

	ck_assert_msg(got == no_rows[_i].want, "%s: got %s", no_rows[_i].name, gba_err_name(got));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ue connection element");
	TCase *tc = fixture_tcase("connection");

	tcase_add_test(tc, a_session_with_what_the_client_element_gives);
	tcase_add_test(tc, another_token_when_the_application_wants_one);
	tcase_add_test(tc, no_token_is_asked_for_that_nobody_wants);
	tcase_add_loop_test(tc, runs_that_must_stop, 0, sizeof(no_rows) / sizeof(no_rows[0]));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
