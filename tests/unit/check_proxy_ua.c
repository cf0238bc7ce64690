/* SPDX-License-Identifier: Apache-2.0 */
/* What the proxy makes of heads, identities, nonces and Digest claims; PROXY headers octet by octet. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "common/fixture.h"
#include "core/clock.h"
#include "naf-adapter/proxy/conf.h"
#include "naf-adapter/proxy/fields.h"
#include "naf-adapter/proxy/proxy_header.h"
#include "naf-adapter/proxy/source.h"
#include "naf-adapter/proxy/ua_digest.h"
#include "naf-adapter/shared/release.h"

#define ROWS(rows) (int)(sizeof(rows) / sizeof((rows)[0]))
#define T0	   UINT64_C(1700000000000)

/* ---- headers that only the proxy sets */

static const struct { const char *name; bool reserved; } reserved_rows[] = {
	{ "X-3GPP-Asserted-Identity", true },	 { "x-3gpp-asserted-identity", true },
	{ "X_3GPP_Asserted_Identity", true },	 { "X-3GPP_ASSERTED-identity", true },
	{ "X.3GPP.Asserted.Identity", true },	 { "X-3GPP-Asserted-Identity-2", true },
	{ "X-3GPP-Authorization-Flags", true },	 { "x_3gpp_authorization_flags", true },
	{ "Forwarded", true },			 { "FORWARDED", true },
	{ "X-Forwarded-For", true },		 { "X-Forwarded-User", true },
	{ "X_Forwarded_User", true },		 { "x-forwarded-proto", true },
	{ "X-Forwarded", true },		 { "X-Forwarded-Email", true },
	{ "X-Real-IP", true },			 { "X_Real_IP", true },
	{ "True-Client-IP", true },		 { "X-Original-URL", true },
	{ "X-Rewrite-URL", true },		 { "Remote-User", true },
	{ "X-Remote-User", true },		 { "X-HTTP-Method-Override", true },
	{ "X-Method-Override", true },		 { "X-HTTP-Method", true },
	{ "Proxy", true },			 { "X-3GPP-Intended-Identity", false },
	{ "X-Forward", false },			 { "Forwarded-By", false },
	{ "Accept", false },			 { "X-3GPP", false },
	{ "Cookie", false },			 { "X-Request-Id", false },
	{ "Proxied", false },
};

START_TEST(headers_of_the_proxy)
{
	ck_assert_msg(fields_reserved(bytes_of(reserved_rows[_i].name)) == reserved_rows[_i].reserved, "%s",
		      reserved_rows[_i].name);
}
END_TEST

static const struct h1_head *parsed(const char *text)
{
	struct h1_head *head = talloc(test_ctx, struct h1_head);
	struct h1_fault fault = { 0 };
	size_t scanned = 0;

	ck_assert_msg(h1_request_parse(bytes_of(text), &scanned, 32768, head, &fault) == H1_DONE, "%s: %s", text, fault.why);
	return head;
}

#define WHO "X-3GPP-Asserted-Identity: \"sip:a@b\", \"tel:+1\"\r\nX-Forwarded-User: sip:a@b\r\n"
#define FROM "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: n.example\r\nVia: 1.1 gba-naf-proxy\r\n"
static const struct { const char *name, *in, *out; bool drop; } request_rows[] = {
	{ "plain", "GET /a?b HTTP/1.1\r\nHost: n.example\r\nAccept: */*\r\n\r\n",
	  "GET /a?b HTTP/1.1\r\nHost: n.example\r\nAccept: */*\r\n" WHO FROM "\r\n", false },
	{ "absolute form becomes origin form", "GET http://n.example/a HTTP/1.1\r\nHost: n.example\r\n\r\n",
	  "GET /a HTTP/1.1\r\nHost: n.example\r\n" WHO FROM "\r\n", false },
	{ "credentials stay here", "GET / HTTP/1.1\r\nHost: n.example\r\nAuthorization: Digest x\r\nProxy-Authorization: y\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: n.example\r\n" WHO FROM "\r\n", false },
	{ "identities of the device's own making",
	  "GET / HTTP/1.1\r\nHost: n.example\r\nx_3gpp_asserted_identity: \"root\"\r\nForwarded: for=::1\r\n"
	  "X-Forwarded-User: root\r\nX-FORWARDED-FOR: 127.0.0.1\r\nX-3GPP-Authorization-Flags: \"1\"\r\nA: b\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: n.example\r\nA: b\r\n" WHO FROM "\r\n", false },
	{ "hop-by-hop ends here",
	  "GET / HTTP/1.1\r\nHost: n.example\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: deflate\r\n"
	  "Trailer: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nA: b\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: n.example\r\nA: b\r\n" WHO FROM "\r\n", false },
	{ "a device that takes trailers", "GET / HTTP/1.1\r\nHost: n.example\r\nConnection: TE\r\nTE: deflate;q=1, Trailers\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: n.example\r\n" WHO FROM "TE: trailers\r\nConnection: TE\r\n\r\n", false },
	{ "Connection cannot take our headers away",
	  "GET / HTTP/1.1\r\nHost: n.example\r\nConnection: X-3GPP-Asserted-Identity, Host, Content-Length\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: n.example\r\n" WHO FROM "\r\n", false },
	{ "length is written by us", "POST / HTTP/1.1\r\nHost: n.example\r\nContent-Length: 007\r\nContent_Length: 9\r\n\r\n",
	  "POST / HTTP/1.1\r\nHost: n.example\r\nContent-Length: 7\r\n" WHO FROM "\r\n", false },
	{ "chunks", "POST / HTTP/1.1\r\nHost: n.example\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
	  "POST / HTTP/1.1\r\nHost: n.example\r\nTransfer-Encoding: chunked\r\n" WHO FROM "\r\n", false },
	{ "transfer coding in CGI spelling",
	  "POST / HTTP/1.1\r\nHost: n.example\r\nTransfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
	  "POST / HTTP/1.1\r\nHost: n.example\r\nContent-Length: 3\r\n" WHO FROM "\r\n", false },
	{ "intended identity passes", "GET / HTTP/1.1\r\nHost: n.example\r\nX-3GPP-Intended-Identity: \"tel:+1\"\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: n.example\r\nX-3GPP-Intended-Identity: \"tel:+1\"\r\n" WHO FROM "\r\n", false },
	{ "intended identity is left out", "GET / HTTP/1.1\r\nHost: n.example\r\nX-3GPP-Intended-Identity: \"tel:+2\"\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: n.example\r\n" WHO FROM "\r\n", true },
	{ "upgrade",
	  "GET / HTTP/1.1\r\nHost: n.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
	  "GET / HTTP/1.1\r\nHost: n.example\r\nSec-WebSocket-Key: x\r\n" WHO FROM
	  "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", false },
};

START_TEST(request_heads_are_rewritten)
{
	const struct asserted who = { .list = bytes_of("\"sip:a@b\", \"tel:+1\""), .user = bytes_of("sip:a@b") };
	const struct from from = { .address = "192.0.2.1", .tls = true };
	struct buf out = { 0 };

	ck_assert(fields_put_request(&out, parsed(request_rows[_i].in), &who, &from, request_rows[_i].drop));
	ck_assert_msg(bytes_eq_str(buf_bytes(&out), request_rows[_i].out), "%s: got\n%.*s", request_rows[_i].name,
		      BYTES_FMT(buf_bytes(&out)));
	buf_free(&out);
}
END_TEST

static const struct { const char *name, *in; struct response_plan plan; const char *out; } response_rows[] = {
	{ "plain", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\n", { .minor = 1 },
	  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\n" },
	{ "rechunked", "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: close\r\n\r\n", { .minor = 1, .chunked = true },
	  "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n" },
	{ "to HTTP/1.0", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", { .minor = 0 },
	  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n" },
	{ "close", "HTTP/1.0 404 Not Found\r\nContent-Length: 5\r\n\r\n", { .minor = 1, .close = true },
	  "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\n" },
	{ "our Authentication-Info", "HTTP/1.1 200 OK\r\nAuthentication-Info: theirs\r\nContent-Length: 0\r\n\r\n",
	  { .minor = 1, .authentication_info = "ours" },
	  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAuthentication-Info: ours\r\n\r\n" },
	{ "hop-by-hop", "HTTP/1.1 200 OK\r\nConnection: X-A\r\nX-A: 1\r\nKeep-Alive: 3\r\nTrailer: a\r\nContent-Length: 0\r\n\r\n",
	  { .minor = 1 }, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" },
};

START_TEST(response_heads_are_rewritten)
{
	struct h1_fault fault = { 0 };
	struct buf out = { 0 };
	struct h1_head head;
	size_t scanned = 0;

	ck_assert_int_eq(h1_response_parse(bytes_of(response_rows[_i].in), &scanned, 32768, false, &head, &fault), H1_DONE);
	ck_assert(fields_put_response(&out, &head, &response_rows[_i].plan));
	ck_assert_msg(bytes_eq_str(buf_bytes(&out), response_rows[_i].out), "%s: got\n%.*s", response_rows[_i].name,
		      BYTES_FMT(buf_bytes(&out)));
	buf_free(&out);
}
END_TEST

START_TEST(identities_are_quoted_or_left_out)
{
	static const char *const given[] = { "sip:a@b", "tel:+491234", "a\"b", "a\\b", "a\r\nX: y", "a b", "", "sip:a@b" };
	char *text = talloc_strdup(test_ctx, "");
	struct bytes list;
	size_t i;

	for (i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		ck_assert_int_eq(release_put(&text, given[i]), GBA_OK);
	list = bytes_of(text);
	ck_assert_bytes(list, bytes_of("\"sip:a@b\", \"tel:+491234\""), "list");
	ck_assert(release_among(bytes_of("sip:a@b"), list));
	ck_assert(release_among(bytes_of("\"tel:+491234\""), list));
	ck_assert(!release_among(bytes_of("\"sip:a\""), list));
	ck_assert(!release_among(bytes_of("SIP:A@B"), list));
	ck_assert(!release_among(bytes_of(", "), list));
	ck_assert(!release_among(bytes_of("\", \""), list));
	ck_assert(!release_among(bytes_of(""), list));
	ck_assert(!release_among(bytes_of("\""), list));
}
END_TEST

/* ---- nonces */

static const uint8_t secret[NONCE_SECRET_LEN] = { 1, 2, 3 };

START_TEST(nonces_are_ours_for_their_host_and_time)
{
	struct nonces *nonces = nonces_new(test_ctx, secret, 300000, 64);
	struct nonces *same = nonces_new(test_ctx, secret, 300000, 64);
	struct nonces *other = nonces_new(test_ctx, (const uint8_t[NONCE_SECRET_LEN]){ 9 }, 300000, 64);
	char nonce[NONCE_CHARS + 1], edited[NONCE_CHARS + 1];
	struct bytes host = bytes_of("naf1.example.com");
	size_t i;

	nonce_make(nonces, host, T0, nonce);
	ck_assert_int_eq(nonce_check(nonces, host, bytes_of(nonce), T0), NONCE_GOOD);
	ck_assert_int_eq(nonce_check(same, bytes_of("NAF1.example.COM"), bytes_of(nonce), T0 + 299999), NONCE_GOOD);
	ck_assert_int_eq(nonce_check(nonces, host, bytes_of(nonce), T0 + 300000), NONCE_OLD);
	ck_assert_int_eq(nonce_check(nonces, host, bytes_of(nonce), T0 - 60000), NONCE_GOOD);
	ck_assert_int_eq(nonce_check(nonces, host, bytes_of(nonce), T0 - 60001), NONCE_OLD);
	ck_assert_int_eq(nonce_check(nonces, bytes_of("naf2.example.com"), bytes_of(nonce), T0), NONCE_FOREIGN);
	ck_assert_int_eq(nonce_check(other, host, bytes_of(nonce), T0), NONCE_FOREIGN);
	ck_assert_int_eq(nonce_check(nonces, host, bytes_of(""), T0), NONCE_FOREIGN);
	ck_assert_int_eq(nonce_check(nonces, host, BYTES(nonce, NONCE_CHARS - 1), T0), NONCE_FOREIGN);
	for (i = 0; i < NONCE_CHARS; i++) {
		strcpy(edited, nonce);
		edited[i] = edited[i] == 'A' ? 'B' : 'A';
		ck_assert_msg(nonce_check(nonces, host, bytes_of(edited), T0) == NONCE_FOREIGN, "character %zu", i);
	}
	talloc_free(nonces);
	talloc_free(same);
	talloc_free(other);
}
END_TEST

static const struct { uint32_t nc; bool fresh; } nc_rows[] = {
	{ 0, false }, { 1, true },    { 1, false },   { 2, true },    { 4, true },    { 3, true },	   { 3, false },
	{ 2, false }, { 100, true }, { 36, false }, { 37, true }, { 37, false }, { 0xffffffff, true }, { 0xffffffff, false },
	{ 101, false },
};

START_TEST(nonce_counts_pass_once)
{
	struct nonces *nonces = nonces_new(test_ctx, secret, 300000, 64);
	char nonce[NONCE_CHARS + 1];
	int i;

	nonce_make(nonces, bytes_of("a"), T0, nonce);
	for (i = 0; i < ROWS(nc_rows); i++)
		ck_assert_msg(nonce_use(nonces, bytes_of(nonce), nc_rows[i].nc, T0) == nc_rows[i].fresh, "row %d: nc %u", i,
			      nc_rows[i].nc);
	talloc_free(nonces);
}
END_TEST

/* Many more nonces than places: what is forgotten is not accepted again, and no count ever passes twice. */
START_TEST(forgotten_nonces_are_not_replayed)
{
	struct nonces *nonces = nonces_new(test_ctx, secret, 300000, 8);
	char nonce[200][NONCE_CHARS + 1];
	int i, again = 0, good = 0;

	for (i = 0; i < 200; i++) {
		nonce_make(nonces, bytes_of("a"), T0 + (uint64_t)i, nonce[i]);
		good += nonce_use(nonces, bytes_of(nonce[i]), 1, T0 + (uint64_t)i);
	}
	ck_assert_int_eq(good, 200);
	for (i = 0; i < 200; i++)
		again += nonce_use(nonces, bytes_of(nonce[i]), 1, T0 + 200);
	ck_assert_int_eq(again, 0);
	talloc_free(nonces);
}
END_TEST

/* ---- challenges and claims */

static const struct { const char *agent; bool gba, uicc; } agent_rows[] = {
	{ "3gpp-gba", true, false },
	{ "phone/1.0 3gpp-gba", true, false },
	{ "phone/1.0 (x) 3gpp-gba-uicc", true, true },
	{ "3GPP-GBA-UICC/1", true, true },
	{ "3gpp-gba/2 rest", true, false },
	{ "3gpp-gba-tmpi", false, false },
	{ "not3gpp-gba", false, false },
	{ "3gpp-gbax", false, false },
	{ "", false, false },
	{ NULL, false, false },
};

START_TEST(user_agents)
{
	ck_assert(ua_agent_knows_gba(bytes_of(agent_rows[_i].agent)) == agent_rows[_i].gba);
	ck_assert(ua_agent_knows_uicc(bytes_of(agent_rows[_i].agent)) == agent_rows[_i].uicc);
}
END_TEST

static struct ua_policy policy_of(enum ua_keys keys)
{
	return (struct ua_policy){ .fqdn = bytes_of("naf1.example.com"), .keys = keys, .md5 = true, .sha256 = true,
				   .qop_auth = true, .qop_auth_int = true, .nonces = nonces_new(test_ctx, secret, 300000, 64) };
}

static const struct { enum ua_keys keys; const char *agent, *realm; } realm_rows[] = {
	{ UA_KEYS_ME, "3gpp-gba", "realm=\"3GPP-bootstrapping@naf1.example.com\"" },
	{ UA_KEYS_ME, "3gpp-gba-uicc", "realm=\"3GPP-bootstrapping@naf1.example.com\"" },
	{ UA_KEYS_UICC, "3gpp-gba", "realm=\"3GPP-bootstrapping-uicc@naf1.example.com\"" },
	{ UA_KEYS_BOTH, "3gpp-gba", "realm=\"3GPP-bootstrapping@naf1.example.com\"" },
	{ UA_KEYS_BOTH, "3gpp-gba-uicc", "realm=\"3GPP-bootstrapping-uicc@naf1.example.com;3GPP-bootstrapping@naf1.example.com\"" },
};

START_TEST(challenges_name_the_realm)
{
	struct ua_policy policy = policy_of(realm_rows[_i].keys);
	struct buf out = { 0 };
	char *text;

	ck_assert(ua_challenge_put(test_ctx, &policy, bytes_of(realm_rows[_i].agent), false, T0, &out));
	text = talloc_strndup(test_ctx, (const char *)buf_bytes(&out).p, out.n);
	ck_assert_msg(strstr(text, realm_rows[_i].realm) != NULL, "%s", text);
	ck_assert(strstr(text, "algorithm=SHA-256") < strstr(text, "algorithm=MD5"));
	ck_assert_ptr_null(strstr(text, "stale"));
	buf_free(&out);
}
END_TEST

/* The example of the vectors' worked run (ub-ua-http.md 7), computed outside: MD5, qop auth, uri /resource. */
START_TEST(worked_example)
{
	static const char key_hex[] = "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf";
	struct ua_claim claim = { .auth = {
		.username = bytes_of("I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org"),
		.realm = bytes_of("3GPP-bootstrapping@naf1.example.com"), .nonce = bytes_of("bmFmLW5vbmNlLTAwMDE="),
		.uri = bytes_of("/resource"), .response = bytes_of("873b488a26c0a0de8bffdbb579823256"),
		.cnonce = bytes_of("0a4f113b9c2d7e60"), .nc_text = bytes_of("00000001"), .nc = 1, .qop = DIGEST_QOP_AUTH,
		.algorithm = DIGEST_MD5 } };
	struct bytes key = fixture_hex(key_hex);
	uint8_t other[UA_KEY_LEN] = { 0 };

	ck_assert(ua_claim_proved(&claim, bytes_of("GET"), BYTES_NONE, key.p));
	ck_assert(!ua_claim_proved(&claim, bytes_of("POST"), BYTES_NONE, key.p));
	ck_assert(!ua_claim_proved(&claim, bytes_of("GET"), BYTES_NONE, other));
}
END_TEST

#define BTID "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.example"
#define GOOD "qop=auth, nc=00000001, cnonce=\"c\""
#define R "3GPP-bootstrapping@naf1.example.com"
#define R_U "3GPP-bootstrapping-uicc@naf1.example.com"
static const struct { const char *name, *user, *realm, *uri, *more; enum ua_keys keys; enum ua_step step; } claim_rows[] = {
	{ "good", BTID, R, "/x", GOOD, UA_KEYS_ME, UA_GO_ON },
	{ "realm in other case of host", BTID, "3GPP-bootstrapping@NAF1.Example.com", "/x", GOOD, UA_KEYS_ME, UA_GO_ON },
	{ "uicc", BTID, R_U, "/x", GOOD, UA_KEYS_UICC, UA_GO_ON },
	{ "joined", BTID, R_U ";" R, "/x", GOOD, UA_KEYS_BOTH, UA_GO_ON },
	{ "joined the other way", BTID, R ";" R_U, "/x", GOOD, UA_KEYS_BOTH, UA_CHALLENGE },
	{ "joined, not offered", BTID, R_U ";" R, "/x", GOOD, UA_KEYS_UICC, UA_CHALLENGE },
	{ "joined and a foreign one", BTID, R_U ";3GPP-bootstrapping@evil", "/x", GOOD, UA_KEYS_BOTH, UA_CHALLENGE },
	{ "realm and semicolon", BTID, R ";", "/x", GOOD, UA_KEYS_ME, UA_CHALLENGE },
	{ "downgrade to ME", BTID, R, "/x", GOOD, UA_KEYS_UICC, UA_CHALLENGE },
	{ "uicc on ME", BTID, R_U, "/x", GOOD, UA_KEYS_ME, UA_CHALLENGE },
	{ "realm longer", BTID, R "m", "/x", GOOD, UA_KEYS_ME, UA_CHALLENGE },
	{ "realm in upper case", BTID, "3GPP-BOOTSTRAPPING@naf1.example.com", "/x", GOOD, UA_KEYS_ME, UA_CHALLENGE },
	{ "other uri", BTID, R, "/y", GOOD, UA_KEYS_ME, UA_BAD },
	{ "absolute uri for origin form", BTID, R, "http://naf1.example.com/x", GOOD, UA_KEYS_ME, UA_BAD },
	{ "no qop", BTID, R, "/x", "", UA_KEYS_ME, UA_CHALLENGE },
	{ "no cnonce", BTID, R, "/x", "qop=auth, nc=00000001", UA_KEYS_ME, UA_BAD },
	{ "no nc", BTID, R, "/x", "qop=auth, cnonce=\"c\"", UA_KEYS_ME, UA_BAD },
	{ "unknown algorithm", BTID, R, "/x", GOOD ", algorithm=SHA-512-256", UA_KEYS_ME, UA_CHALLENGE },
	{ "AKA algorithm", BTID, R, "/x", GOOD ", algorithm=AKAv1-MD5", UA_KEYS_ME, UA_CHALLENGE },
	{ "session algorithm", BTID, R, "/x", GOOD ", algorithm=MD5-sess", UA_KEYS_ME, UA_CHALLENGE },
	{ "foreign opaque", BTID, R, "/x", GOOD ", opaque=\"ab\"", UA_KEYS_ME, UA_CHALLENGE },
	{ "B-TID without host", "I1U8vpY3qJ0hiuZNrke/NQ==", R, "/x", GOOD, UA_KEYS_ME, UA_CHALLENGE },
	{ "IMPI as B-TID", "001010000000001@ims.example", R, "/x", GOOD, UA_KEYS_ME, UA_CHALLENGE },
	{ "parameter twice", BTID, R, "/x", GOOD ", realm=\"x\"", UA_KEYS_ME, UA_BAD },
};

START_TEST(claims_are_judged_before_any_key_is_asked_for)
{
	struct ua_policy policy = policy_of(claim_rows[_i].keys);
	char nonce[NONCE_CHARS + 1];
	struct ua_claim claim;
	enum gba_err err;
	enum ua_step step;
	char *text;

	nonce_make(policy.nonces, policy.fqdn, T0, nonce);
	text = talloc_asprintf(test_ctx,
			       "GET /x HTTP/1.1\r\nHost: naf1.example.com\r\nAuthorization: Digest username=\"%s\", realm=\"%s\", "
			       "nonce=\"%s\", uri=\"%s\", response=\"00\"%s%s\r\n\r\n",
			       claim_rows[_i].user, claim_rows[_i].realm, nonce, claim_rows[_i].uri,
			       claim_rows[_i].more[0] != '\0' ? ", " : "", claim_rows[_i].more);
	step = ua_claim_read(test_ctx, &policy, parsed(text), T0, &claim, &err);
	ck_assert_msg(step == claim_rows[_i].step, "%s: got %d (%s)", claim_rows[_i].name, step, gba_err_name(err));
	if (step == UA_GO_ON)
		ck_assert_bytes(claim.auth.username, bytes_of(claim_rows[_i].user), "username");
	step = ua_claim_read(test_ctx, &policy, parsed(text), T0 + 300000, &claim, &err);
	if (claim_rows[_i].step == UA_GO_ON)
		ck_assert(step == UA_GO_ON && claim.old_nonce);
}
END_TEST

/* ---- PROXY protocol version 2: octets as in section 2.2 of its text */

#define SIG "0d0a0d0a000d0a515549540a"
static const struct {
	const char *name, *hex;
	enum px_result result;
	size_t octets;
	const char *src;
	unsigned int port;
} px_rows[] = {
	{ "IPv4", SIG "21 11 000c c0000201 c6336402 1f90 01bb", PX_DONE, 28, "192.0.2.1", 8080 },
	{ "IPv4, octets follow", SIG "21 11 000c c0000201 c6336402 1f90 01bb 474554", PX_DONE, 28, "192.0.2.1", 8080 },
	{ "IPv6", SIG "21 21 0024 20010db8000000000000000000000001"
	  "20010db8000000000000000000000002 1f90 01bb", PX_DONE, 52, "2001:db8::1", 8080 },
	{ "LOCAL", SIG "20 00 0000", PX_DONE, 16, NULL, 0 },
	{ "LOCAL with addresses to ignore", SIG "20 11 000c c0000201 c6336402 1f90 01bb", PX_DONE, 28, NULL, 0 },
	{ "unspecified", SIG "21 00 0003 aabbcc", PX_DONE, 19, NULL, 0 },
	{ "UNIX", SIG "21 31 0000", PX_BAD, 0, NULL, 0 },
	{ "UDP", SIG "21 12 000c c0000201 c6336402 1f90 01bb", PX_DONE, 28, NULL, 0 },
	{ "authority", SIG "21 11 0010 c0000201 c6336402 1f90 01bb 02 0001 61", PX_DONE, 32, "192.0.2.1", 8080 },
	{ "padding", SIG "21 11 0011 c0000201 c6336402 1f90 01bb 04 0002 0000", PX_DONE, 33, "192.0.2.1", 8080 },
	{ "good checksum", SIG "21 11 0013 c0000201 c6336402 1f90 01bb 03 0004 CRC", PX_DONE, 35, "192.0.2.1", 8080 },
	{ "bad checksum", SIG "21 11 0013 c0000201 c6336402 1f90 01bb 03 0004 00000000", PX_BAD, 0, NULL, 0 },
	{ "checksum of two octets", SIG "21 11 0011 c0000201 c6336402 1f90 01bb 03 0002 0000", PX_BAD, 0, NULL, 0 },
	{ "TLV longer than the header", SIG "21 11 0010 c0000201 c6336402 1f90 01bb 02 0002 61", PX_BAD, 0, NULL, 0 },
	{ "half a TLV", SIG "21 11 000e c0000201 c6336402 1f90 01bb 02 00", PX_BAD, 0, NULL, 0 },
	{ "length too short for IPv4", SIG "21 11 000b c0000201 c6336402 1f90 01", PX_BAD, 0, NULL, 0 },
	{ "length too short for IPv6", SIG "21 21 000c c0000201 c6336402 1f90 01bb", PX_BAD, 0, NULL, 0 },
	{ "version 1", "50524f58592054435034", PX_BAD, 0, NULL, 0 },
	{ "version 3", SIG "31 11 000c c0000201 c6336402 1f90 01bb", PX_BAD, 0, NULL, 0 },
	{ "unknown command", SIG "22 11 000c c0000201 c6336402 1f90 01bb", PX_BAD, 0, NULL, 0 },
	{ "wrong signature", "0d0a0d0a000d0a515549540b 21 11 000c", PX_BAD, 0, NULL, 0 },
	{ "longer than we take", SIG "21 11 1001 c0000201 c6336402 1f90 01bb", PX_BAD, 0, NULL, 0 },
	{ "nothing", "", PX_MORE, 0, NULL, 0 },
	{ "part of the signature", "0d0a0d0a00", PX_MORE, 0, NULL, 0 },
	{ "no length yet", SIG "21 11 00", PX_MORE, 0, NULL, 0 },
	{ "no addresses yet", SIG "21 11 000c c0000201", PX_MORE, 0, NULL, 0 },
	{ "ClientHello", "160301", PX_BAD, 0, NULL, 0 },
};

/* CRC-32C of the header with the checksum's place zero, computed by a table-driven one
 * in Python that gives the published check value. */
#define CRC_OF_GOOD_ROW "dca6b6bb"

static struct bytes px_octets(const char *hex)
{
	char text[512];
	const char *crc = strstr(hex, "CRC");

	if (crc == NULL)
		return fixture_hex(hex);
	snprintf(text, sizeof(text), "%.*s%s", (int)(crc - hex), hex, CRC_OF_GOOD_ROW);
	return fixture_hex(text);
}

START_TEST(proxy_headers_are_read)
{
	struct bytes in = px_octets(px_rows[_i].hex);
	struct px_header header;
	char text[INET6_ADDRSTRLEN] = "";
	enum px_result got = px_parse(in, &header);

	ck_assert_msg(got == px_rows[_i].result, "%s: got %d", px_rows[_i].name, got);
	if (got != PX_DONE)
		return;
	ck_assert_uint_eq(header.octets, px_rows[_i].octets);
	ck_assert_msg(header.known == (px_rows[_i].src != NULL), "%s", px_rows[_i].name);
	if (!header.known)
		return;
	if (header.src.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&header.src)->sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&header.src)->sin6_addr, text, sizeof(text));
	ck_assert_str_eq(text, px_rows[_i].src);
	ck_assert_uint_eq(ntohs(((struct sockaddr_in *)&header.src)->sin_port), px_rows[_i].port);
}
END_TEST

/* However it is cut, nothing is decided too early, and never more is asked for than the header has. */
START_TEST(proxy_headers_octet_by_octet)
{
	struct bytes in = px_octets(px_rows[_i].hex);
	enum px_result got = PX_MORE;
	struct px_header header;
	size_t n;

	for (n = 0; n <= in.n && got == PX_MORE; n++) {
		got = px_parse(BYTES(in.p, n), &header);
		if (got == PX_MORE && px_rows[_i].result == PX_DONE)
			ck_assert_uint_le(px_wanted(BYTES(in.p, n)), px_rows[_i].octets);
	}
	ck_assert_msg(got == px_rows[_i].result, "%s: got %d", px_rows[_i].name, got);
}
END_TEST

START_TEST(proxy_headers_are_written)
{
	struct sockaddr_storage src = { .ss_family = AF_INET }, dst = { .ss_family = AF_INET };
	struct px_out px = { .src = &src, .dst = &dst, .authority = bytes_of("n.x"), .tls_version = bytes_of("TLSv1.2"),
			     .cipher = bytes_of("C"), .identity = bytes_of("a@b"), .identities = bytes_of("\"a@b\""),
			     .btid = bytes_of("T") };
	struct bytes want = fixture_hex(SIG "21 11 003a c0000201 c6336402 1f90 01bb"
					"02 0003 6e2e78"
					"20 0019 01 00000000 21 0007 544c5376312e32 23 0001 43 22 0003 614062"
					"e0 0005 2261406222"
					"e1 0001 54");
	uint8_t out[256];
	size_t n;

	inet_pton(AF_INET, "192.0.2.1", &((struct sockaddr_in *)&src)->sin_addr);
	inet_pton(AF_INET, "198.51.100.2", &((struct sockaddr_in *)&dst)->sin_addr);
	((struct sockaddr_in *)&src)->sin_port = htons(8080);
	((struct sockaddr_in *)&dst)->sin_port = htons(443);
	n = px_build(&px, out, sizeof(out));
	ck_assert_bytes(BYTES(out, n), want, "header");
	for (n = 0; n < want.n; n++)
		ck_assert_uint_eq(px_build(&px, out, n), 0);
}
END_TEST

/* ---- caps, configuration */

START_TEST(sources_are_capped)
{
	struct sources *sources = sources_new(test_ctx, 5, 2);
	struct sockaddr_storage a = { .ss_family = AF_INET }, mapped = { .ss_family = AF_INET6 }, b = { .ss_family = AF_INET6 },
				c = { .ss_family = AF_INET6 }, d = { .ss_family = AF_INET6 };

	inet_pton(AF_INET, "192.0.2.1", &((struct sockaddr_in *)&a)->sin_addr);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &((struct sockaddr_in6 *)&mapped)->sin6_addr);
	inet_pton(AF_INET6, "2001:db8::1", &((struct sockaddr_in6 *)&b)->sin6_addr);
	inet_pton(AF_INET6, "2001:db8::ffff:2", &((struct sockaddr_in6 *)&c)->sin6_addr);
	inet_pton(AF_INET6, "2001:db8:0:1::1", &((struct sockaddr_in6 *)&d)->sin6_addr);
	ck_assert(sources_enter(sources, &a));
	ck_assert(sources_enter(sources, &mapped));
	ck_assert(!sources_enter(sources, &a));
	ck_assert(sources_enter(sources, &b));
	ck_assert(sources_enter(sources, &c));
	ck_assert(!sources_enter(sources, &b)); /* the same /64 */
	ck_assert(sources_enter(sources, &d));
	ck_assert(!sources_enter(sources, &d)); /* five in all */
	sources_leave(sources, &a);
	ck_assert(sources_enter(sources, &mapped));
	ck_assert_uint_eq(sources_count(sources), 5);
	talloc_free(sources);
}
END_TEST

static const struct { const char *text; bool good; } address_rows[] = {
	{ "127.0.0.1:80", true },  { "[::1]:443", true },	{ "app.example:8080", true }, { "unix:/run/app.sock", true },
	{ "127.0.0.1", false },	   { "::1:80", false },		{ "[::1:80", false },	      { "a:65536", false },
	{ "a:", false },	   { ":80", false },		{ "a:8x", false },	      { "unix:app.sock", false },
	{ "a:-1", false },	   { "[]:80", false },
};

START_TEST(addresses_of_the_configuration)
{
	ck_assert_msg(address_valid(bytes_of(address_rows[_i].text)) == address_rows[_i].good, "%s", address_rows[_i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy ua");
	TCase *tc = fixture_tcase("ua");

	tcase_add_loop_test(tc, headers_of_the_proxy, 0, ROWS(reserved_rows));
	tcase_add_loop_test(tc, request_heads_are_rewritten, 0, ROWS(request_rows));
	tcase_add_loop_test(tc, response_heads_are_rewritten, 0, ROWS(response_rows));
	tcase_add_test(tc, identities_are_quoted_or_left_out);
	tcase_add_test(tc, nonces_are_ours_for_their_host_and_time);
	tcase_add_test(tc, nonce_counts_pass_once);
	tcase_add_test(tc, forgotten_nonces_are_not_replayed);
	tcase_add_loop_test(tc, user_agents, 0, ROWS(agent_rows));
	tcase_add_loop_test(tc, challenges_name_the_realm, 0, ROWS(realm_rows));
	tcase_add_test(tc, worked_example);
	tcase_add_loop_test(tc, claims_are_judged_before_any_key_is_asked_for, 0, ROWS(claim_rows));
	tcase_add_loop_test(tc, proxy_headers_are_read, 0, ROWS(px_rows));
	tcase_add_loop_test(tc, proxy_headers_octet_by_octet, 0, ROWS(px_rows));
	tcase_add_test(tc, proxy_headers_are_written);
	tcase_add_test(tc, sources_are_capped);
	tcase_add_loop_test(tc, addresses_of_the_configuration, 0, ROWS(address_rows));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
