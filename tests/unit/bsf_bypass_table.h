/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer on Ub can have wrong, with its status, and what is odd but allowed. Part of check_bsf_ub.c: it works on
 * the attempts made there. */

/* ---- what must not get in ---- */

static char edited[128];

static void edit_nonce(struct attempt *a, size_t at, char to)
{
	snprintf(edited, sizeof(edited), "%s", a->nonce);
	edited[at] = to;
	a->nonce = edited;
}

static void m_empty_response(struct attempt *a) { a->response = ""; }
static void m_absent_response(struct attempt *a) { a->response = NULL; a->nonce = NULL; }
static void m_other_nonce(struct attempt *a) { a->calc_nonce = "AAAAvpY3qJ0hiuZNrke/NaponGSDUQAAn4l+8uekxfg="; }
static void m_other_method(struct attempt *a) { a->calc_method = "POST"; }
static void m_other_uri_calc(struct attempt *a) { a->calc_uri = "/admin"; }
static void m_other_uri(struct attempt *a) { a->uri = "/admin"; }
static void m_absent_uri(struct attempt *a) { a->calc_uri = "/"; a->uri = NULL; }
static void m_other_realm_calc(struct attempt *a) { a->calc_realm = "bsf.example"; }
static void m_other_realm(struct attempt *a) { a->realm = "bsf.example"; }
static void m_realm_case(struct attempt *a) { a->realm = "BSF.mnc001.mcc001.pub.3gppnetwork.org"; }
static void m_short_res(struct attempt *a) { a->password.n = 7; }
static void m_long_res(struct attempt *a) { a->password = BYTES(RES_A "\0", 9); }
static void m_no_res(struct attempt *a) { a->password = BYTES("", 0); }
static void m_hex_res(struct attempt *a) { a->password = bytes_of(XRES_HEX); }
static void m_foreign_nonce(struct attempt *a) { a->nonce = "MTIzNDU2Nzg5MDEyMzQ1NmFiY2RlZmdoaWprbG1ub3A="; }
static void m_edited_nonce(struct attempt *a) { edit_nonce(a, 25, 'A'); }
static void m_nonce_case(struct attempt *a) { edit_nonce(a, 3, 'u'); }
static void m_nonce_longer(struct attempt *a) { a->nonce = NONCE "AAAA"; }
static void m_nonce_rand_only(struct attempt *a) { a->nonce = "I1U8vpY3qJ0hiuZNrke/NQ=="; }
static void m_expired_nonce(struct attempt *a) { (void)a; fake_ms += LIFE_MS; }
static void m_used_nonce(struct attempt *a) { struct attempt b = *a; ck_assert_uint_eq(send_attempt(&b)->status, 200); store.n = 0; }
static void m_burned_nonce(struct attempt *a) { struct attempt b = *a; m_short_res(&b); ck_assert_uint_eq(send_attempt(&b)->status, 401); }
static void m_nc_zero(struct attempt *a) { a->nc = "00000000"; }
static void m_nc_two(struct attempt *a) { a->nc = "00000002"; }
static void m_nc_wrapped(struct attempt *a) { a->nc = "100000001"; }
static void m_nc_short(struct attempt *a) { a->nc = "1"; }
static void m_nc_absent(struct attempt *a) { char r[DIGEST_HEX_MAX + 1]; compute(a, r); a->response = talloc_strdup(test_ctx, r); a->nc = NULL; }
static void m_qop_absent(struct attempt *a) { a->qop = NULL; }
static void m_qop_auth(struct attempt *a) { a->qop = "auth"; }
static void m_qop_unknown(struct attempt *a) { a->qop = "auth-conf"; }
static void m_cnonce_absent(struct attempt *a) { char r[DIGEST_HEX_MAX + 1]; compute(a, r); a->response = talloc_strdup(test_ctx, r); a->cnonce = NULL; }
static void m_body_added(struct attempt *a) { a->body = bytes_of("x=1"); }
static void m_algorithm_md5(struct attempt *a) { a->algorithm = "MD5"; }
static void m_algorithm_v2(struct attempt *a) { a->algorithm = "AKAv2-MD5"; }
static void m_algorithm_sess(struct attempt *a) { a->algorithm = "AKAv1-MD5-sess"; }
static void m_algorithm_unknown(struct attempt *a) { a->algorithm = "SHA-999"; }
static void m_two_usernames(struct attempt *a) { a->extra = ", username=\"" IMPI_B "\""; }
static void m_two_nonces(struct attempt *a) { a->extra = ", nonce=\"" NONCE "\""; }
static void m_two_responses(struct attempt *a) { a->extra = ", response=\"8d8d3ee5cd889b2db40664ff42f13a74\""; }
static void m_user_case(struct attempt *a) { a->username = "001010000000001@IMS.mnc001.mcc001.3gppnetwork.org"; }
static void m_user_percent(struct attempt *a) { a->username = "001010000000001%40ims.mnc001.mcc001.3gppnetwork.org"; }
static void m_user_utf8(struct attempt *a) { a->username = "00101000000000\xef\xbc\x91@ims.mnc001.mcc001.3gppnetwork.org"; }
static void m_user_quote(struct attempt *a) { a->username = "001010000000001\\\"@ims.mnc001.mcc001.3gppnetwork.org"; }
static void m_user_blank(struct attempt *a) { a->username = " " IMPI_A; }
static void m_user_dot(struct attempt *a) { a->username = IMPI_A "."; }
static void m_user_absent(struct attempt *a) { a->calc_username = IMPI_A; a->username = NULL; }
static void m_user_sip(struct attempt *a) { a->username = "sip:" IMPI_A; }
static void m_user_other(struct attempt *a) { a->username = IMPI_B; }
static void m_user_other_calc(struct attempt *a) { a->calc_username = IMPI_B; }
static void m_res_other(struct attempt *a) { a->password = BYTES("\xa6\x42\x11\xd5\xe3\xba\x50\xbf", 8); }
static void m_tmpi_unknown(struct attempt *a) { a->username = TMPI; }
static void m_tmpi_domain(struct attempt *a) { a->username = "7g8A0RHDuCXlCTm8IzQ29xYou4F13lIQ@tmpi.bsf.evil.example"; }
static void m_btid_user(struct attempt *a) { a->username = BTID; }
static void m_auts(struct attempt *a) { a->auts = AUTS_B64; a->password = BYTES("", 0); }
static void m_auts_refused(struct attempt *a) { hss.resync_err = GBA_E_AUTS; m_auts(a); }
static void m_auts_with_res(struct attempt *a) { a->auts = AUTS_B64; }
static void m_auts_short(struct attempt *a) { a->auts = "RR6L7LQ7BcVC+xeK+w=="; }
static void m_auts_no_base64(struct attempt *a) { a->auts = "!!!!"; }
static void m_auts_replayed(struct attempt *a) { struct attempt b; m_auts(a); b = *a; ck_assert_uint_eq(send_attempt(&b)->status, 401); }
static void m_basic(struct attempt *a) { a->raw = "Basic MDAxMDE6cGFzcw=="; }
static void m_bearer(struct attempt *a) { a->raw = "Bearer abc"; }
static void m_no_header(struct attempt *a) { a->raw = ""; }
static void m_digest_nothing(struct attempt *a) { a->raw = "Digest"; }
static void m_broken_quote(struct attempt *a) { a->extra = ", x=\"y"; }
static void m_opaque_absent_wrong(struct attempt *a) { a->opaque = NULL; m_res_other(a); }
static void m_nc_two_wrong(struct attempt *a) { a->nc = "00000002"; m_res_other(a); }
static void m_replay_counted_on(struct attempt *a) { m_used_nonce(a); a->nc = "00000002"; }
static void m_opaque_edited(struct attempt *a) { a->opaque = "00000000000000000000000000000000"; }
static void m_opaque_short(struct attempt *a) { a->opaque = "00"; }
static void m_rspauth(struct attempt *a) { a->rspauth_instead = true; }
static void m_response_short(struct attempt *a) { a->response = "8d8d3ee5cd889b2db40664ff42f13a7"; }
static void m_response_longer(struct attempt *a) { a->response = "8d8d3ee5cd889b2db40664ff42f13a7400"; }
static void m_post(struct attempt *a) { a->method = "POST"; }
static void m_head(struct attempt *a) { a->method = "HEAD"; }
static void m_other_path(struct attempt *a) { a->target = "/metrics"; }
static void m_query(struct attempt *a) { a->target = "/?x"; }
static void m_stopping(struct attempt *a) { (void)a; ub_stop(ub); }

/* stale: the 401 must say stale=true. */
static const struct bypass {
	const char *name;
	void (*spoil)(struct attempt *);
	unsigned int status;
	bool stale;
} bypasses[] = {
	{ "empty response", m_empty_response, 400, false },
	{ "nonce and response absent but the rest there", m_absent_response, 401, false },
	{ "right RES, another nonce hashed", m_other_nonce, 401, false },
	{ "right RES, another method hashed", m_other_method, 401, false },
	{ "right RES, another uri hashed", m_other_uri_calc, 401, false },
	{ "another uri", m_other_uri, 400, false },
	{ "no uri", m_absent_uri, 400, false },
	{ "right RES, another realm hashed", m_other_realm_calc, 401, false },
	{ "another realm", m_other_realm, 400, false },
	{ "realm in capitals", m_realm_case, 400, false },
	{ "RES truncated", m_short_res, 401, false },
	{ "RES with a NUL more", m_long_res, 401, false },
	{ "RES of no octets", m_no_res, 401, false },
	{ "RES as hex", m_hex_res, 401, false },
	{ "one bit of RES wrong", m_res_other, 401, false },
	{ "nonce never issued", m_foreign_nonce, 401, true },
	{ "nonce edited in AUTN", m_edited_nonce, 401, true },
	{ "nonce in other case", m_nonce_case, 401, true },
	{ "nonce longer", m_nonce_longer, 401, true },
	{ "nonce of RAND alone", m_nonce_rand_only, 401, true },
	{ "nonce expired", m_expired_nonce, 401, true },
	{ "nonce used before", m_used_nonce, 401, true },
	{ "nonce spoilt by a wrong answer", m_burned_nonce, 401, true },
	{ "nc 0", m_nc_zero, 400, false },
	{ "nc 2 on the first use", m_nc_two, 401, true },
	{ "nc 2 and RES wrong", m_nc_two_wrong, 401, false },
	{ "nonce used before, nc 2", m_replay_counted_on, 401, true },
	{ "nc wrapped", m_nc_wrapped, 400, false },
	{ "nc too short", m_nc_short, 400, false },
	{ "nc absent", m_nc_absent, 400, false },
	{ "qop absent", m_qop_absent, 400, false },
	{ "qop auth for auth-int", m_qop_auth, 400, false },
	{ "qop unknown", m_qop_unknown, 400, false },
	{ "cnonce absent", m_cnonce_absent, 400, false },
	{ "body added", m_body_added, 401, false },
	{ "algorithm MD5", m_algorithm_md5, 400, false },
	{ "algorithm AKAv2-MD5", m_algorithm_v2, 400, false },
	{ "algorithm AKAv1-MD5-sess", m_algorithm_sess, 400, false },
	{ "algorithm unknown", m_algorithm_unknown, 400, false },
	{ "two usernames", m_two_usernames, 400, false },
	{ "two nonces", m_two_nonces, 400, false },
	{ "two responses", m_two_responses, 400, false },
	{ "username in other case", m_user_case, 403, false },
	{ "username percent-encoded", m_user_percent, 400, false },
	{ "username with a full-width digit", m_user_utf8, 400, false },
	{ "username with an escaped quote", m_user_quote, 400, false },
	{ "username with a blank", m_user_blank, 400, false },
	{ "username with a dot at the end", m_user_dot, 400, false },
	{ "username absent", m_user_absent, 400, false },
	{ "username with sip:", m_user_sip, 403, false },
	{ "nonce and RES of A, username B", m_user_other, 403, false },
	{ "username B hashed", m_user_other_calc, 401, false },
	{ "TMPI unknown", m_tmpi_unknown, 404, false },
	{ "TMPI of a forged domain", m_tmpi_domain, 403, false },
	{ "B-TID as username", m_btid_user, 403, false },
	{ "auts that the HSS refuses", m_auts_refused, 403, false },
	{ "auts with the response of RES", m_auts_with_res, 401, false },
	{ "auts too short", m_auts_short, 400, false },
	{ "auts not base64", m_auts_no_base64, 400, false },
	{ "auts replayed", m_auts_replayed, 401, true },
	{ "auts proves nothing", m_auts, 401, false },
	{ "Basic", m_basic, 400, false },
	{ "Bearer", m_bearer, 400, false },
	{ "no Authorization", m_no_header, 400, false },
	{ "Digest and nothing else", m_digest_nothing, 400, false },
	{ "broken quoting", m_broken_quote, 400, false },
	{ "opaque absent and RES wrong", m_opaque_absent_wrong, 401, false },
	{ "opaque made up", m_opaque_edited, 400, false },
	{ "opaque short", m_opaque_short, 400, false },
	{ "rspauth as response", m_rspauth, 401, false },
	{ "response cut", m_response_short, 401, false },
	{ "response longer", m_response_longer, 401, false },
	{ "POST", m_post, 405, false },
	{ "HEAD", m_head, 405, false },
	{ "path not served", m_other_path, 404, false },
	{ "query added", m_query, 404, false },
	{ "node is stopping", m_stopping, 503, false },
};

/* Oddities that TS 24.109 and RFC 7616 allow or that clients are known for. */
static void m_opaque_absent(struct attempt *a) { a->opaque = NULL; }
static void m_opaque_empty(struct attempt *a) { a->opaque = ""; }
static void m_absolute(struct attempt *a) { a->target = "http://" BSF "/"; }
static void m_absolute_bare(struct attempt *a) { a->target = "http://" BSF; }
static void m_absolute_both(struct attempt *a) { a->target = "http://" BSF ":80/"; a->uri = "http://" BSF ":80/"; }

static const struct {
	const char *name;
	void (*change)(struct attempt *);
} oddities[] = {
	{ "opaque left out", m_opaque_absent },		 { "opaque empty", m_opaque_empty },
	{ "target in absolute-form", m_absolute },	 { "absolute-form without path", m_absolute_bare },
	{ "absolute-form in the header too", m_absolute_both },
};
