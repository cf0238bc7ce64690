/* SPDX-License-Identifier: Apache-2.0 */
/* Expected values: RFC 2617 3.5, RFC 7616 3.9.1, the worked example of Ub and Ua (computed by another implementation), and
 * rows marked "computed" from Python's hashlib. */
#include <stdio.h>
#include <stdlib.h>

#include "common/fixture.h"
#include "http/digest.h"

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

#define IMPI   "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define BSF    "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define NONCE  "I1U8vpY3qJ0hiuZNrke/NaponGSDUQAAn4l+8uekxfg="
#define CNONCE "0a4f113b9c2d7e60"
#define OPAQUE "5ccc069c403ebaf9f0171e9517f30e41"
#define BTID   "I1U8vpY3qJ0hiuZNrke/NQ==@" BSF
#define NAF    "3GPP-bootstrapping@naf1.example.com"
#define UA_NONCE "bmFmLW5vbmNlLTAwMDE="

static const char ub_body[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BootstrappingInfo xmlns=\"uri:3gpp-gba\">\n"
			      "  <btid>" BTID "</btid>\n  <lifetime>2031-01-01T12:00:00Z</lifetime>\n</BootstrappingInfo>\n";

enum which { RESPONSE, RSPAUTH };

#define UA_PASSWORD "e7wa1fzSQuJw2WkGykSRzdXYSeQH5j97EkgD0xQCs78="
static const struct {
	const char *name;
	enum which which;
	enum digest_alg algorithm;
	enum digest_qop qop;
	const char *username, *realm;
	struct bytes password;
	const char *nonce, *cnonce, *nc, *method, *uri;
	struct bytes body;
	const char *want;
} calc_rows[] = {
#define TEXT(s) { (const uint8_t *)(s), sizeof(s) - 1 }
	{ "RFC 2617 3.5", RESPONSE, DIGEST_MD5, DIGEST_QOP_AUTH, "Mufasa", "testrealm@host.com", TEXT("Circle Of Life"),
	  "dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", "00000001", "GET", "/dir/index.html", TEXT(""),
	  "6629fae49393a05397450978507c4ef1" },
	{ "RFC 2069 2.4, errata: no qop", RESPONSE, DIGEST_MD5, DIGEST_QOP_NONE, "Mufasa", "testrealm@host.com",
	  TEXT("CircleOfLife"), "dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "", "GET", "/dir/index.html", TEXT(""),
	  "1949323746fe6a43ef61f9606e7febea" },
#define RFC7616(alg, want)                                                                                             \
	{ "RFC 7616 3.9.1", RESPONSE, alg, DIGEST_QOP_AUTH, "Mufasa", "http-auth@example.org", TEXT("Circle of Life"), \
	  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "00000001",   \
	  "GET", "/dir/index.html", TEXT(""), want }
	RFC7616(DIGEST_MD5, "8ca523f5e9506fed4657c9700eebdbec"),
	RFC7616(DIGEST_SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
#define UB(name, which, alg, password, body, want)                                                                     \
	{ name, which, alg, DIGEST_QOP_AUTH_INT, IMPI, BSF, password, NONCE, CNONCE, "00000001", "GET", "/", body, want }
	UB("Ub response", RESPONSE, DIGEST_AKAV1_MD5, TEXT("\xa5\x42\x11\xd5\xe3\xba\x50\xbf"), TEXT(""),
	   "8d8d3ee5cd889b2db40664ff42f13a74"),
	UB("Ub rspauth", RSPAUTH, DIGEST_AKAV1_MD5, TEXT("\xa5\x42\x11\xd5\xe3\xba\x50\xbf"), TEXT(ub_body),
	   "7eb98648f105ed66871d6aa1c3e345ad"),
	UB("Ub resync: empty password", RESPONSE, DIGEST_AKAV1_MD5, TEXT(""), TEXT(""), "19c406e61adde879196774cca4b043ca"),
	UB("RES with NUL, colon, CR LF (computed)", RESPONSE, DIGEST_AKAV1_MD5, TEXT("\x00:\x00\xff:\x00\n\r"), TEXT(""),
	   "780091bd447c4ace48c1db2e39b2fe72"),
	UB("RES all zero (computed)", RESPONSE, DIGEST_AKAV1_MD5, TEXT("\0\0\0\0\0\0\0\0"), TEXT(""),
	   "3a6eb03af7a610f023670cf1068d734e"),
	UB("AKAv1-MD5-sess (computed)", RESPONSE, DIGEST_AKAV1_MD5_SESS, TEXT("\xa5\x42\x11\xd5\xe3\xba\x50\xbf"), TEXT(""),
	   "53851b8d0972057493b6ea557a430ef3"),
	UB("AKAv2", RESPONSE, DIGEST_AKAV2_MD5, TEXT("shzt3q8CWaZnCAWqs3WmEQ=="), TEXT(""),
	   "2f899e8013ddba7ae6d5e22161ed6e5e"),
#define UA(name, which, alg, qop, nc, method, body, want)                                                              \
	{ name, which, alg, qop, BTID, NAF, TEXT(UA_PASSWORD), UA_NONCE, CNONCE, nc, method, "/resource", body, want }
	UA("Ua MD5 auth", RESPONSE, DIGEST_MD5, DIGEST_QOP_AUTH, "00000001", "GET", TEXT(""), "873b488a26c0a0de8bffdbb579823256"),
	UA("Ua MD5 auth-int", RESPONSE, DIGEST_MD5, DIGEST_QOP_AUTH_INT, "00000001", "GET", TEXT(""),
	   "0275a27c3c13144cd7588c80971319e8"),
	UA("Ua SHA-256 auth", RESPONSE, DIGEST_SHA256, DIGEST_QOP_AUTH, "00000001", "GET", TEXT(""),
	   "d572ae07134e3b421a91e8cf1e015f3a715b978bea41255f380f8882e1160312"),
	UA("Ua SHA-256 auth-int", RESPONSE, DIGEST_SHA256, DIGEST_QOP_AUTH_INT, "00000001", "GET", TEXT(""),
	   "a3e568b818e1a3d6251f87e03c1a7ca7f6524c01104a07c92d93749373d93d11"),
	UA("Ua MD5-sess auth-int", RESPONSE, DIGEST_MD5_SESS, DIGEST_QOP_AUTH_INT, "00000001", "GET", TEXT(""),
	   "6a3c015e400310b7f443a563a685adfc"),
	UA("MD5-sess auth (computed)", RESPONSE, DIGEST_MD5_SESS, DIGEST_QOP_AUTH, "00000001", "GET", TEXT(""),
	   "92452447c9a848a3a80b6d86a3b601af"),
	UA("SHA-256-sess auth (computed)", RESPONSE, DIGEST_SHA256_SESS, DIGEST_QOP_AUTH, "00000001", "GET", TEXT(""),
	   "4871fd0de35cb0fc08ed8b3b1c538b204cc376feda51f45a5cfd30862e651d3b"),
	UA("SHA-256-sess auth-int (computed)", RESPONSE, DIGEST_SHA256_SESS, DIGEST_QOP_AUTH_INT, "00000001", "GET", TEXT(""),
	   "4c5646f702bc152537c071e66e6114b5f20ea8a8168e537f964ec17aadd1bc31"),
	UA("POST, NUL in the body, nc as sent (computed)", RESPONSE, DIGEST_MD5, DIGEST_QOP_AUTH_INT, "0000000A", "POST",
	   TEXT("a\0b\r\n"), "e86af800e5dfa487f903a5df8fc4a517"),
	UA("rspauth MD5 auth (computed)", RSPAUTH, DIGEST_MD5, DIGEST_QOP_AUTH, "00000001", "GET", TEXT("not counted"),
	   "31baf07ed505676e06eead8c45d10aa9"),
	UA("rspauth SHA-256 auth (computed)", RSPAUTH, DIGEST_SHA256, DIGEST_QOP_AUTH, "00000001", "GET", TEXT(""),
	   "b1c9a902a14efcfea4a9b3f22faad317cbdbbc792eaf44005e1a0564cbc2e217"),
};

static struct digest_calc calc_of(int i)
{
	return (struct digest_calc){ .algorithm = calc_rows[i].algorithm,
				     .qop = calc_rows[i].qop,
				     .username = bytes_of(calc_rows[i].username),
				     .realm = bytes_of(calc_rows[i].realm),
				     .password = calc_rows[i].password,
				     .nonce = bytes_of(calc_rows[i].nonce),
				     .cnonce = bytes_of(calc_rows[i].cnonce),
				     .nc_text = bytes_of(calc_rows[i].nc),
				     .method = bytes_of(calc_rows[i].method),
				     .uri = bytes_of(calc_rows[i].uri),
				     .body = calc_rows[i].body };
}

START_TEST(responses_are_those_of_the_specifications)
{
	struct digest_calc calc = calc_of(_i);
	char out[DIGEST_HEX_MAX + 1];

	if (calc_rows[_i].which == RSPAUTH)
		digest_rspauth(&calc, out);
	else
		digest_response(&calc, out);
	ck_assert_msg(strcmp(out, calc_rows[_i].want) == 0, "%s: got %s", calc_rows[_i].name, out);
}
END_TEST

/* Every row again: the right response passes in either case of hex, each changed, cut or lengthened one does not. */
START_TEST(only_the_right_response_matches)
{
	struct digest_calc calc = calc_of(_i);
	char text[DIGEST_HEX_MAX + 2];
	size_t n = strlen(calc_rows[_i].want), at;

	if (calc_rows[_i].which == RSPAUTH)
		return;
	ck_assert(digest_response_matches(&calc, bytes_of(calc_rows[_i].want)));
	for (at = 0; at < n; at++)
		text[at] = (char)(calc_rows[_i].want[at] >= 'a' ? calc_rows[_i].want[at] - 'a' + 'A' : calc_rows[_i].want[at]);
	ck_assert(digest_response_matches(&calc, BYTES(text, n)));
	for (at = 0; at < n; at++) {
		memcpy(text, calc_rows[_i].want, n);
		text[at] = text[at] == '0' ? '1' : '0';
		ck_assert(!digest_response_matches(&calc, BYTES(text, n)));
	}
	memcpy(text, calc_rows[_i].want, n + 1);
	text[n] = '0';
	ck_assert(!digest_response_matches(&calc, BYTES(text, n + 1)));
	ck_assert(!digest_response_matches(&calc, BYTES(text, n - 1)));
	ck_assert(!digest_response_matches(&calc, BYTES(text, 0)));
	ck_assert(!digest_response_matches(&calc, BYTES_NONE));
}
END_TEST

static char long_header[5000];

/* in: what a parser got; the members checked where not NULL */
static const struct {
	const char *name;
	struct bytes in;
	enum gba_err want;
	const char *username, *nonce, *uri, *cnonce, *opaque;
	enum digest_qop qop;
	uint32_t nc;
	enum digest_alg algorithm;
	bool algorithm_given;
} auth_rows[] = {
	{ "Ub step 1", TEXT("Digest username=\"" IMPI "\", realm=\"" BSF "\", nonce=\"\", uri=\"/\", response=\"\""), GBA_OK,
	  IMPI, "", "/", NULL, NULL, DIGEST_QOP_NONE, 0, DIGEST_MD5, false },
	{ "Ub step 3",
	  TEXT("Digest username=\"" IMPI "\", realm=\"" BSF "\", nonce=\"" NONCE "\", uri=\"/\", qop=auth-int, nc=00000001, "
	       "cnonce=\"" CNONCE "\", response=\"8d8d3ee5cd889b2db40664ff42f13a74\", opaque=\"" OPAQUE "\", algorithm=AKAv1-MD5"),
	  GBA_OK, IMPI, NONCE, "/", CNONCE, OPAQUE, DIGEST_QOP_AUTH_INT, 1, DIGEST_AKAV1_MD5, true },
	{ "no blanks, quotes reversed, other order, case",
	  TEXT("dIGEST ALGORITHM=\"akav1-md5\",Nc=\"0000000a\",QOP=\"AUTH-INT\",cnonce=abc,URI=/x?a=b&c,nonce=" NONCE
	       ",username=" IMPI ",realm=r,response=00"),
	  GBA_OK, IMPI, NONCE, "/x?a=b&c", "abc", NULL, DIGEST_QOP_AUTH_INT, 10, DIGEST_AKAV1_MD5, true },
	{ "blanks and tabs everywhere, empty elements",
	  TEXT("  Digest\t , ,username = \"u\" ,, nonce\t=\t\"n\"  , uri=\"/\",  "), GBA_OK, "u", "n", "/", NULL, NULL,
	  DIGEST_QOP_NONE, 0, DIGEST_MD5, false },
	{ "escaped quote and backslash", TEXT("Digest username=\"a\\\"b\\\\c\\d\", nonce=\"n\""), GBA_OK, "a\"b\\cd", "n", NULL,
	  NULL, NULL, DIGEST_QOP_NONE, 0, DIGEST_MD5, false },
	{ "comma and equals inside quotes", TEXT("Digest username=\"a, nonce=\\\"x\\\"\", nonce=\"n\""), GBA_OK,
	  "a, nonce=\"x\"", "n", NULL, NULL, NULL, DIGEST_QOP_NONE, 0, DIGEST_MD5, false },
	{ "unknown parameters", TEXT("Digest foo=bar, username=\"u\", x-y=\"1\", nonce=\"n\""), GBA_OK, "u", "n", NULL, NULL,
	  NULL, DIGEST_QOP_NONE, 0, DIGEST_MD5, false },
	{ "UTF-8 user", TEXT("Digest username=\"J\xc3\xa4s\xc3\xb8n\", nonce=\"n\""), GBA_OK, "J\xc3\xa4s\xc3\xb8n", "n", NULL,
	  NULL, NULL, DIGEST_QOP_NONE, 0, DIGEST_MD5, false },
	{ "nc highest", TEXT("Digest nonce=\"n\", nc=FFFFFFFF"), GBA_OK, NULL, "n", NULL, NULL, NULL, DIGEST_QOP_NONE,
	  UINT32_MAX, DIGEST_MD5, false },
#define BAD(name, text, want) { name, TEXT(text), want, NULL, NULL, NULL, NULL, NULL, DIGEST_QOP_NONE, 0, DIGEST_MD5, false }
	BAD("empty", "", GBA_E_DIGEST_SYNTAX),
	BAD("scheme only", "Digest", GBA_E_DIGEST_SYNTAX),
	BAD("scheme and blank only", "Digest ", GBA_E_DIGEST_SYNTAX),
	BAD("commas only", "Digest ,,,", GBA_E_DIGEST_SYNTAX),
	BAD("Basic", "Basic dXNlcjpwYXNz", GBA_E_DIGEST_SYNTAX),
	BAD("scheme glued", "Digestusername=\"u\"", GBA_E_DIGEST_SYNTAX),
	BAD("scheme longer", "Digestx username=\"u\"", GBA_E_DIGEST_SYNTAX),
	BAD("two headers joined", "Digest username=\"u\", nonce=\"n\", Digest username=\"v\"", GBA_E_DIGEST_SYNTAX),
	BAD("username twice", "Digest username=\"u\", nonce=\"n\", username=\"v\"", GBA_E_DIGEST_SYNTAX),
	BAD("username twice, same value", "Digest username=\"u\", username=\"u\"", GBA_E_DIGEST_SYNTAX),
	BAD("username twice, case", "Digest username=\"u\", USERNAME=\"v\"", GBA_E_DIGEST_SYNTAX),
	BAD("unknown parameter twice", "Digest username=\"u\", foo=1, foo=2", GBA_E_DIGEST_SYNTAX),
	BAD("unterminated quote", "Digest username=\"u, nonce=\"n", GBA_E_DIGEST_SYNTAX),
	BAD("unterminated last", "Digest nonce=\"n\", username=\"u", GBA_E_DIGEST_SYNTAX),
	BAD("backslash at the end", "Digest username=\"u\\", GBA_E_DIGEST_SYNTAX),
	BAD("escaped closing quote", "Digest username=\"u\\\"", GBA_E_DIGEST_SYNTAX),
	BAD("octets after closing quote", "Digest username=\"u\"x, nonce=\"n\"", GBA_E_DIGEST_SYNTAX),
	BAD("quote inside a plain value", "Digest username=a\"b\"", GBA_E_DIGEST_SYNTAX),
	BAD("single quotes do not quote", "Digest username='a b'", GBA_E_DIGEST_SYNTAX),
	BAD("no equals sign", "Digest username, nonce=\"n\"", GBA_E_DIGEST_SYNTAX),
	BAD("no name", "Digest =\"u\"", GBA_E_DIGEST_SYNTAX),
	BAD("no value", "Digest username=, nonce=\"n\"", GBA_E_DIGEST_SYNTAX),
	BAD("semicolons", "Digest username=\"u\"; nonce=\"n\"", GBA_E_DIGEST_SYNTAX),
	BAD("NUL in value", "Digest username=\"u\0v\"", GBA_E_DIGEST_SYNTAX),
	BAD("NUL at the end", "Digest username=\"u\"\0", GBA_E_DIGEST_SYNTAX),
	BAD("CR LF in value", "Digest username=\"u\r\nX: y\"", GBA_E_DIGEST_SYNTAX),
	BAD("DEL", "Digest username=\"u\x7f\"", GBA_E_DIGEST_SYNTAX),
	BAD("escaped tab", "Digest username=\"u\\\tv\"", GBA_E_DIGEST_SYNTAX),
	BAD("tab in value", "Digest username=\"u\tv\"", GBA_E_DIGEST_SYNTAX),
	BAD("raw 8-bit plain", "Digest username=\xc3\xa4", GBA_E_DIGEST_SYNTAX),
	BAD("nc overflow", "Digest nc=100000001", GBA_E_DIGEST_SYNTAX),
	BAD("nc short", "Digest nc=1", GBA_E_DIGEST_SYNTAX),
	BAD("nc sign", "Digest nc=+0000001", GBA_E_DIGEST_SYNTAX),
	BAD("nc 0x", "Digest nc=0x000001", GBA_E_DIGEST_SYNTAX),
	BAD("nc empty", "Digest nc=\"\"", GBA_E_DIGEST_SYNTAX),
	BAD("two qop values", "Digest qop=\"auth,auth-int\"", GBA_E_DIGEST_SYNTAX),
	BAD("unknown qop", "Digest qop=auth-conf", GBA_E_DIGEST_SYNTAX),
	BAD("auts not base64", "Digest auts=\"!!!!\"", GBA_E_DIGEST_SYNTAX),
	BAD("auts of 13 octets", "Digest auts=\"RR6L7LQ7BcVC+xeK+w==\"", GBA_E_DIGEST_SYNTAX),
	BAD("auts of 15 octets", "Digest auts=\"RR6L7LQ7BcVC+xeK+y0A\"", GBA_E_DIGEST_SYNTAX),
	BAD("auts empty", "Digest auts=\"\"", GBA_E_DIGEST_SYNTAX),
	BAD("unknown algorithm", "Digest username=\"u\", algorithm=SHA-512-256", GBA_E_AUTH_SCHEME),
	BAD("AKAv3", "Digest username=\"u\", algorithm=AKAv3-MD5", GBA_E_AUTH_SCHEME),
	BAD("algorithm cut", "Digest username=\"u\", algorithm=AKAv1-M", GBA_E_AUTH_SCHEME),
	BAD("33 parameters", "Digest a1=1,a2=1,a3=1,a4=1,a5=1,a6=1,a7=1,a8=1,a9=1,b1=1,b2=1,b3=1,b4=1,b5=1,b6=1,b7=1,b8=1,b9=1,"
	    "c1=1,c2=1,c3=1,c4=1,c5=1,c6=1,c7=1,c8=1,c9=1,d1=1,d2=1,d3=1,d4=1,d5=1,d6=1", GBA_E_DIGEST_SYNTAX),
	{ "5000 octets", { (const uint8_t *)long_header, sizeof(long_header) }, GBA_E_TOO_LONG, NULL, NULL, NULL, NULL, NULL,
	  DIGEST_QOP_NONE, 0, DIGEST_MD5, false },
};

static void check_text(const char *row, const char *member, struct bytes got, const char *want)
{
	if (want != NULL)
		ck_assert_msg(got.p != NULL && bytes_eq_str(got, want), "%s: %s is \"%.*s\"", row, member, BYTES_FMT(got));
}

START_TEST(authorization_is_read_liberally_and_refused_when_ambiguous)
{
	const char *name = auth_rows[_i].name;
	struct digest_auth auth = { .nc = 77 };
	enum gba_err got = digest_auth_parse(test_ctx, auth_rows[_i].in, &auth);

	ck_assert_msg(got == auth_rows[_i].want, "%s: got %s", name, gba_err_name(got));
	if (got != GBA_OK) {
		ck_assert_uint_eq(auth.nc, 77); /* nothing written on failure, nothing left behind */
		ck_assert_uint_eq(talloc_total_blocks(test_ctx), 1);
		return;
	}
	check_text(name, "username", auth.username, auth_rows[_i].username);
	check_text(name, "nonce", auth.nonce, auth_rows[_i].nonce);
	check_text(name, "uri", auth.uri, auth_rows[_i].uri);
	check_text(name, "cnonce", auth.cnonce, auth_rows[_i].cnonce);
	check_text(name, "opaque", auth.opaque, auth_rows[_i].opaque);
	ck_assert_int_eq(auth.opaque.p != NULL, auth_rows[_i].opaque != NULL);
	ck_assert_int_eq(auth.qop, auth_rows[_i].qop);
	ck_assert_uint_eq(auth.nc, auth_rows[_i].nc);
	ck_assert_int_eq(auth.algorithm, auth_rows[_i].algorithm);
	ck_assert_int_eq(auth.algorithm_given, auth_rows[_i].algorithm_given);
}
END_TEST

START_TEST(auts_is_decoded)
{
	struct digest_auth auth;

	ck_assert_err(digest_auth_parse(test_ctx, bytes_of("Digest username=\"u\", auts=\"RR6L7LQ7BcVC+xeK+y0=\""), &auth),
		      GBA_OK);
	ck_assert_bytes(auth.auts, fixture_hex("451e8becb43b05c542fb178afb2d"), "AUTS");
}
END_TEST

START_TEST(authorization_header_at_the_limit)
{
	char *text = talloc_array(test_ctx, char, DIGEST_HEADER_MAX + 1);
	struct digest_auth auth;

	memset(text, 'a', DIGEST_HEADER_MAX + 1);
	memcpy(text, "Digest username=\"", 17);
	text[DIGEST_HEADER_MAX - 1] = '"';
	ck_assert_err(digest_auth_parse(test_ctx, BYTES(text, DIGEST_HEADER_MAX), &auth), GBA_OK);
	ck_assert_uint_eq(auth.username.n, DIGEST_HEADER_MAX - 18);
	ck_assert_err(digest_auth_parse(test_ctx, BYTES(text, DIGEST_HEADER_MAX + 1), &auth), GBA_E_TOO_LONG);
}
END_TEST

/* Exactly the headers of TS 24.109 A.3 and A.4. */
START_TEST(headers_are_built_as_the_example_shows)
{
	struct digest_auth first = { .username = bytes_of(IMPI), .realm = bytes_of(BSF), .nonce = bytes_of(""),
				     .uri = bytes_of("/"), .response = bytes_of("") };
	struct digest_auth second = { .username = bytes_of(IMPI), .realm = bytes_of(BSF), .nonce = bytes_of(NONCE),
				      .uri = bytes_of("/"), .qop = DIGEST_QOP_AUTH_INT, .nc = 1, .cnonce = bytes_of(CNONCE),
				      .response = bytes_of("8d8d3ee5cd889b2db40664ff42f13a74"), .opaque = bytes_of(OPAQUE),
				      .algorithm_given = true, .algorithm = DIGEST_AKAV1_MD5 };
	struct digest_challenge challenge = { .realm = bytes_of(BSF), .nonce = bytes_of(NONCE), .opaque = bytes_of(OPAQUE),
					      .algorithm = DIGEST_AKAV1_MD5, .qop_auth_int = true };
	struct digest_info info = { .qop = DIGEST_QOP_AUTH_INT, .rspauth = bytes_of("7eb98648f105ed66871d6aa1c3e345ad"),
				    .cnonce = bytes_of(CNONCE), .nc_text = bytes_of("00000001") };

	ck_assert_str_eq(digest_auth_build(test_ctx, &first),
			 "Digest username=\"" IMPI "\", realm=\"" BSF "\", nonce=\"\", uri=\"/\", response=\"\"");
	ck_assert_str_eq(digest_auth_build(test_ctx, &second),
			 "Digest username=\"" IMPI "\", realm=\"" BSF "\", nonce=\"" NONCE "\", uri=\"/\", qop=auth-int, "
			 "nc=00000001, cnonce=\"" CNONCE "\", response=\"8d8d3ee5cd889b2db40664ff42f13a74\", opaque=\"" OPAQUE
			 "\", algorithm=AKAv1-MD5");
	second.auts = fixture_hex("451e8becb43b05c542fb178afb2d");
	ck_assert_ptr_nonnull(strstr(digest_auth_build(test_ctx, &second), ", auts=\"RR6L7LQ7BcVC+xeK+y0=\""));
	ck_assert_str_eq(digest_challenge_build(test_ctx, &challenge),
			 "Digest realm=\"" BSF "\", nonce=\"" NONCE "\", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"" OPAQUE
			 "\"");
	challenge.stale = challenge.qop_auth = true;
	ck_assert_str_eq(digest_challenge_build(test_ctx, &challenge),
			 "Digest realm=\"" BSF "\", nonce=\"" NONCE
			 "\", algorithm=AKAv1-MD5, qop=\"auth,auth-int\", opaque=\"" OPAQUE "\", stale=true");
	ck_assert_str_eq(digest_info_build(test_ctx, &info), "qop=auth-int, rspauth=\"7eb98648f105ed66871d6aa1c3e345ad\", "
							     "cnonce=\"" CNONCE "\", nc=00000001");
	info.nextnonce = bytes_of("abc");
	ck_assert_ptr_nonnull(strstr(digest_info_build(test_ctx, &info), ", nc=00000001, nextnonce=\"abc\""));
}
END_TEST

/* A value may not end its header and begin another one. */
static const struct {
	const char *name;
	struct bytes value;
	const char *want; /* NULL: refused */
} quoting_rows[] = {
	{ "quote", TEXT("a\"b"), "Digest username=\"a\\\"b\"" },
	{ "backslash", TEXT("a\\"), "Digest username=\"a\\\\\"" },
	{ "CR LF", TEXT("a\r\nX: y"), NULL },
	{ "NUL", TEXT("a\0b"), NULL },
	{ "DEL", TEXT("a\x7f"), NULL },
	{ "empty", TEXT(""), "Digest username=\"\"" },
};

START_TEST(values_are_quoted_or_refused)
{
	struct digest_auth auth = { .username = quoting_rows[_i].value }, back;
	char *text = digest_auth_build(test_ctx, &auth);

	if (quoting_rows[_i].want == NULL) {
		ck_assert_ptr_null(text);
		return;
	}
	ck_assert_str_eq(text, quoting_rows[_i].want);
	ck_assert_err(digest_auth_parse(test_ctx, bytes_of(text), &back), GBA_OK);
	ck_assert_bytes(back.username, quoting_rows[_i].value, "read back");
}
END_TEST

START_TEST(nc_text_that_is_no_number_is_refused)
{
	struct digest_auth auth = { .qop = DIGEST_QOP_AUTH, .nc_text = bytes_of("1, x=\"y\"") };
	struct digest_info info = { .nc_text = bytes_of("1") };

	ck_assert_ptr_null(digest_auth_build(test_ctx, &auth));
	ck_assert_ptr_null(digest_info_build(test_ctx, &info));
}
END_TEST

static const struct {
	const char *name;
	struct bytes in;
	enum gba_err want;
	const char *realm, *nonce;
	enum digest_alg algorithm;
	bool qop_auth, qop_auth_int, stale;
} challenge_rows[] = {
	{ "Ub step 2",
	  TEXT("Digest realm=\"" BSF "\", nonce=\"" NONCE "\", algorithm=AKAv1-MD5, qop=\"auth-int\", opaque=\"" OPAQUE "\""),
	  GBA_OK, BSF, NONCE, DIGEST_AKAV1_MD5, false, true, false },
	{ "quoted algorithm, plain qop, stale", TEXT("digest realm=\"r\",nonce=n,algorithm=\"SHA-256\",qop=auth,stale=TRUE"),
	  GBA_OK, "r", "n", DIGEST_SHA256, true, false, true },
	{ "both qop, one unknown", TEXT("Digest realm=\"r\", nonce=\"n\", qop=\" auth-conf , auth-int,auth\", stale=\"false\""),
	  GBA_OK, "r", "n", DIGEST_MD5, true, true, false },
	{ "no qop", TEXT("Digest realm=\"r\", nonce=\"n\""), GBA_OK, "r", "n", DIGEST_MD5, false, false, false },
	{ "after Basic", TEXT("Basic realm=\"b\", Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess"), GBA_OK, "r", "n",
	  DIGEST_MD5_SESS, false, false, false },
	{ "before Basic", TEXT("Digest realm=\"r\", nonce=\"n\", Basic realm=\"b\""), GBA_OK, "r", "n", DIGEST_MD5, false, false,
	  false },
	{ "after Negotiate with token68", TEXT("Negotiate YII+/a==, Digest realm=\"r\", nonce=\"n\""), GBA_OK, "r", "n",
	  DIGEST_MD5, false, false, false },
	{ "after a bare scheme", TEXT("NTLM,Digest nonce=\"n\",realm=\"r\""), GBA_OK, "r", "n", DIGEST_MD5, false, false, false },
	{ "unknown algorithm first", TEXT("Digest realm=\"a\", nonce=\"1\", algorithm=SHA-512-256, "
					  "Digest realm=\"r\", nonce=\"n\", "
					  "algorithm=SHA-256, Digest realm=\"z\", nonce=\"9\""),
	  GBA_OK, "r", "n", DIGEST_SHA256, false, false, false },
	{ "scheme name inside quotes", TEXT("Basic realm=\"x, Digest realm=y\", Digest realm=\"r\", nonce=\"n\""), GBA_OK, "r", "n",
	  DIGEST_MD5, false, false, false },
	{ "several realms in one", TEXT("Digest realm=\"3GPP-bootstrapping-uicc@n;3GPP-bootstrapping@n\", nonce=\"n\""), GBA_OK,
	  "3GPP-bootstrapping-uicc@n;3GPP-bootstrapping@n", "n", DIGEST_MD5, false, false, false },
#define NO(name, text, want) { name, TEXT(text), want, NULL, NULL, DIGEST_MD5, false, false, false }
	NO("Basic only", "Basic realm=\"b\"", GBA_E_AUTH_SCHEME),
	NO("unknown algorithm only", "Digest realm=\"r\", nonce=\"n\", algorithm=SHA3", GBA_E_AUTH_SCHEME),
	NO("empty", "", GBA_E_DIGEST_SYNTAX),
	NO("parameters without scheme", "realm=\"r\", nonce=\"n\"", GBA_E_DIGEST_SYNTAX),
	NO("no nonce", "Digest realm=\"r\"", GBA_E_DIGEST_SYNTAX),
	NO("no realm", "Digest nonce=\"n\"", GBA_E_DIGEST_SYNTAX),
	NO("nonce twice", "Digest realm=\"r\", nonce=\"n\", nonce=\"m\"", GBA_E_DIGEST_SYNTAX),
	NO("unterminated", "Digest realm=\"r\", nonce=\"n", GBA_E_DIGEST_SYNTAX),
	NO("NUL", "Digest realm=\"r\0\", nonce=\"n\"", GBA_E_DIGEST_SYNTAX),
	{ "5000 octets", { (const uint8_t *)long_header, sizeof(long_header) }, GBA_E_TOO_LONG, NULL, NULL, DIGEST_MD5, false,
	  false, false },
};

START_TEST(challenges_are_found_and_read)
{
	const char *name = challenge_rows[_i].name;
	struct digest_challenge challenge;
	enum gba_err got = digest_challenge_parse(test_ctx, challenge_rows[_i].in, &challenge);

	ck_assert_msg(got == challenge_rows[_i].want, "%s: got %s", name, gba_err_name(got));
	if (got != GBA_OK) {
		ck_assert_uint_eq(talloc_total_blocks(test_ctx), 1);
		return;
	}
	check_text(name, "realm", challenge.realm, challenge_rows[_i].realm);
	check_text(name, "nonce", challenge.nonce, challenge_rows[_i].nonce);
	ck_assert_int_eq(challenge.algorithm, challenge_rows[_i].algorithm);
	ck_assert_msg(challenge.qop_auth == challenge_rows[_i].qop_auth, "%s: qop auth", name);
	ck_assert_msg(challenge.qop_auth_int == challenge_rows[_i].qop_auth_int, "%s: qop auth-int", name);
	ck_assert_msg(challenge.stale == challenge_rows[_i].stale, "%s: stale", name);
}
END_TEST

static const struct {
	const char *name;
	struct bytes in;
	enum gba_err want;
	const char *rspauth, *cnonce, *nc, *nextnonce;
	enum digest_qop qop;
} info_rows[] = {
	{ "Ub step 4",
	  TEXT("qop=auth-int, rspauth=\"7eb98648f105ed66871d6aa1c3e345ad\", cnonce=\"" CNONCE "\", nc=00000001"), GBA_OK,
	  "7eb98648f105ed66871d6aa1c3e345ad", CNONCE, "00000001", NULL, DIGEST_QOP_AUTH_INT },
	{ "liberal", TEXT("nextnonce=abc=,qop=\"auth\" ,rspauth=00"), GBA_OK, "00", NULL, NULL, "abc=", DIGEST_QOP_AUTH },
	{ "with a scheme", TEXT("Digest qop=auth"), GBA_E_DIGEST_SYNTAX, NULL, NULL, NULL, NULL, DIGEST_QOP_NONE },
	{ "rspauth twice", TEXT("rspauth=\"0\", rspauth=\"1\""), GBA_E_DIGEST_SYNTAX, NULL, NULL, NULL, NULL, DIGEST_QOP_NONE },
	{ "nc overflow", TEXT("nc=ffffffffff"), GBA_E_DIGEST_SYNTAX, NULL, NULL, NULL, NULL, DIGEST_QOP_NONE },
	{ "unterminated", TEXT("rspauth=\""), GBA_E_DIGEST_SYNTAX, NULL, NULL, NULL, NULL, DIGEST_QOP_NONE },
	{ "5000 octets", { (const uint8_t *)long_header, sizeof(long_header) }, GBA_E_TOO_LONG, NULL, NULL, NULL, NULL,
	  DIGEST_QOP_NONE },
};

START_TEST(authentication_info_is_read)
{
	struct digest_info info;
	enum gba_err got = digest_info_parse(test_ctx, info_rows[_i].in, &info);

	ck_assert_msg(got == info_rows[_i].want, "%s: got %s", info_rows[_i].name, gba_err_name(got));
	if (got != GBA_OK)
		return;
	check_text(info_rows[_i].name, "rspauth", info.rspauth, info_rows[_i].rspauth);
	check_text(info_rows[_i].name, "cnonce", info.cnonce, info_rows[_i].cnonce);
	check_text(info_rows[_i].name, "nc", info.nc_text, info_rows[_i].nc);
	check_text(info_rows[_i].name, "nextnonce", info.nextnonce, info_rows[_i].nextnonce);
	ck_assert_int_eq(info.qop, info_rows[_i].qop);
}
END_TEST

/* One window, used in this order. */
static const struct {
	uint32_t nc;
	bool want;
} nc_rows[] = {
	{ 0, false },	{ 1, true },	{ 1, false },  { 2, true },		{ 5, true },		{ 3, true },
	{ 3, false },	{ 4, true },	{ 5, false },  { 68, true },		{ 5, false },		{ 4, false },
	{ 6, true },	{ 6, false },	{ 69, true },  { 67, true },		{ 132, true },		{ 69, false },
	{ 70, true },	{ 68, false },	{ 1000, true }, { 936, false },		{ 937, true },		{ 1000, false },
	{ 0, false },	{ UINT32_MAX, true }, { UINT32_MAX, false }, { UINT32_MAX - 63, true }, { UINT32_MAX - 64, false },
	{ 1, false },
};

START_TEST(nc_values_pass_once)
{
	struct digest_nc_window window = { 0, 0 };
	int i;

	for (i = 0; i < ROWS(nc_rows); i++)
		ck_assert_msg(digest_nc_use(&window, nc_rows[i].nc) == nc_rows[i].want, "row %d: nc %u", i, nc_rows[i].nc);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("digest");
	TCase *tc = fixture_tcase("digest");

	memset(long_header, 'a', sizeof(long_header));
	memcpy(long_header, "Digest username=", 16);
	tcase_add_loop_test(tc, responses_are_those_of_the_specifications, 0, ROWS(calc_rows));
	tcase_add_loop_test(tc, only_the_right_response_matches, 0, ROWS(calc_rows));
	tcase_add_loop_test(tc, authorization_is_read_liberally_and_refused_when_ambiguous, 0, ROWS(auth_rows));
	tcase_add_test(tc, auts_is_decoded);
	tcase_add_test(tc, authorization_header_at_the_limit);
	tcase_add_test(tc, headers_are_built_as_the_example_shows);
	tcase_add_loop_test(tc, values_are_quoted_or_refused, 0, ROWS(quoting_rows));
	tcase_add_test(tc, nc_text_that_is_no_number_is_refused);
	tcase_add_loop_test(tc, challenges_are_found_and_read, 0, ROWS(challenge_rows));
	tcase_add_loop_test(tc, authentication_info_is_read, 0, ROWS(info_rows));
	tcase_add_test(tc, nc_values_pass_once);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
