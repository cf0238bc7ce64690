/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a key on Zn, and who does not. Keys are those of the worked example, computed by another implementation.
 * The token management function alone: contexts are put into the store by hand, nobody bootstraps.
 * REQ: Y3056-7.5-6a, Y3056-8.4-6, Y3056-8.5-a, Y3056-9.1-1 */
#include <stdio.h>
#include <stdlib.h>

#include "bsf/grant.h"
#include "bsf/hss.h"
#include "bsf/uss_pack.h"
#include "unit/bsf_fake.h"

#define T0	1900000000
#define LIFE	3600
#define DIGEST	"\x01\x00\x00\x00\x02"
#define TLS_C02F "\x01\x00\x01\xc0\x2f"
#define TLS13	"\x01\x00\x00\x00\x07"
#define KS_NAF_DIGEST "7bbc1ad5fcd242e270d96906ca4491cdd5d849e407e63f7b124803d31402b3bf"
#define KS_NAF_TLS    "29be7e92cb9bfe0d3494e14043c16e20d61489dad944ea49a4839e4eb8a2312a"
#define KS_NAF_TLS13  "2f927025ce853bd51aa634c947da1afbe43c88b841712e79712fc1dd7da1adc3"
#define KS_INT_NAF    "e777b731dabc4c931b9c6fbf12a56c12fca455b1d4fe23ab5d17f7c3b0ac5152"

static const char *one_fqdns[] = { "naf1.example.com", "*.apps.example.com" }, *one_gsids[] = { "1000000", "1000001" };
static const char *two_fqdns[] = { "naf2.example.com" }, *two_protocols[] = { "0100000002", "010001*" }, *any_gsid[] = { "*" };
static const char *three_fqdns[] = { "naf3.example.com" };
static struct bsf_naf nafs[] = {
	{ .identity = "naf1.operator.example", .fqdns = { one_fqdns, 2 }, .naf_group = "", .gsids = { one_gsids, 2 }, .allow_2g = true },
	{ .identity = "naf2.operator.example", .fqdns = { two_fqdns, 1 }, .ua_protocols = { two_protocols, 2 }, .naf_group = "gold",
	  .gsids = { any_gsid, 1 }, .impi_allowed = true, .allow_2g = false },
	{ .identity = "naf3.operator.example", .fqdns = { three_fqdns, 1 }, .naf_group = "", .gsids = { one_gsids, 2 },
	  .uss_required = true, .allow_2g = true },
};
static struct bsf_conf conf = { .name = BSF, .nafs = { nafs, 3 } };
static struct fake_store store;

static const char guss_xml[] =
	"<guss id=\"" IMPI_A "\"><bsfInfo/><ussList>"
	"<uss id=\"1000000\" type=\"0\"><uids><uid>sip:a@x.example</uid></uids><flags><flag>1</flag></flags></uss>"
	"<uss id=\"1000000\" type=\"0\" nafGroup=\"gold\"><uids><uid>sip:gold@x.example</uid></uids><flags/></uss>"
	"<uss id=\"1000002\" type=\"0\"><uids><uid>sip:c@x.example</uid></uids><flags/></uss>"
	"</ussList></guss>";

static struct ctx *stored(enum ctx_type type, enum guss_uicc uicc, const char *xml)
{
	struct ctx ctx = { .type = type, .uicc = uicc, .created = T0, .expires = T0 + LIFE, .impi = bytes_of(IMPI_A) };
	struct guss *guss;

	fake_store_init(&store);
	memcpy(ctx.rand, fixture_hex(RAND_HEX).p, RAND_LEN);
	memcpy(ctx.ks, fixture_hex(CK_HEX IK_HEX).p, GBA_KS_LEN);
	ctx.uss = BYTES("", 0);
	if (xml != NULL) {
		ck_assert_err(guss_parse(test_ctx, bytes_of(xml), &guss), GBA_OK);
		ck_assert_err(uss_pack(test_ctx, guss, &ctx.uss), GBA_OK);
	}
	store.held[store.n++] = ctx_dup(test_ctx, &ctx);
	return store.held[0];
}

/* One row: what a NAF sends, what it gets. NAF-Id is fqdn and ua; naf_id overrides. */
struct zn_row {
	const char *name, *naf, *btid, *fqdn, *ua;
	struct bytes naf_id;
	const char *gsids[4];
	bool aware;
	time_t now;
	enum gba_err want;
	const char *key, *uss; /* uss: text that must be in the document; NULL: no document */
	bool impi;
};
#define NAF1 "naf1.operator.example"
#define NAF2 "naf2.operator.example"
#define NAF3 "naf3.operator.example"
#define RAW(s) { (const uint8_t *)(s), sizeof(s) - 1 }
#define OK_AT(row_name, naf, fqdn, ua, hex) { .name = row_name, naf, BTID, fqdn, ua, .now = T0, .want = GBA_OK, .key = hex }
#define NO(row_name, naf, btid, fqdn, ua, err) { .name = row_name, naf, btid, fqdn, ua, .now = T0, .want = err }
#define NO_ID(row_name, octets, err) { .name = row_name, NAF1, BTID, .naf_id = RAW(octets), .now = T0, .want = err }
#define DENIED GBA_E_NOT_AUTHORIZED

static const struct zn_row rows[] = {
	OK_AT("HTTP Digest key", NAF1, "naf1.example.com", DIGEST, KS_NAF_DIGEST),
	OK_AT("TLS 1.2 suite key", NAF1, "naf1.example.com", TLS_C02F, KS_NAF_TLS),
	OK_AT("TLS 1.3 key", NAF1, "naf1.example.com", TLS13, KS_NAF_TLS13),
	OK_AT("name in capitals derives as lower case", NAF1, "NAF1.Example.COM", DIGEST, KS_NAF_DIGEST),
	OK_AT("identity in capitals", "NAF1.Operator.Example", "naf1.example.com", DIGEST, KS_NAF_DIGEST),
	OK_AT("name below a wildcard", NAF1, "a.apps.example.com", DIGEST, NULL),
	{ .name = "last second", NAF1, BTID, "naf1.example.com", DIGEST, .now = T0 + LIFE - 1, .want = GBA_OK, .key = KS_NAF_DIGEST },
	{ .name = "expired exactly", NAF1, BTID, "naf1.example.com", DIGEST, .now = T0 + LIFE, .want = GBA_E_BTID_UNKNOWN },
	NO("B-TID never issued", NAF1, "AAAAvpY3qJ0hiuZNrke/NQ==@" BSF, "naf1.example.com", DIGEST, GBA_E_BTID_UNKNOWN),
	NO("B-TID of another BSF", NAF1, "I1U8vpY3qJ0hiuZNrke/NQ==@bsf.example", "naf1.example.com", DIGEST, GBA_E_BTID_UNKNOWN),
	NO("B-TID of a BSF whose name ends like ours", NAF1, "I1U8vpY3qJ0hiuZNrke/NQ==@x" BSF, "naf1.example.com", DIGEST, GBA_E_BTID_UNKNOWN),
	NO("B-TID in other case", NAF1, "i1U8vpY3qJ0hiuZNrke/NQ==@" BSF, "naf1.example.com", DIGEST, GBA_E_BTID_UNKNOWN),
	NO("B-TID without domain", NAF1, "I1U8vpY3qJ0hiuZNrke/NQ==", "naf1.example.com", DIGEST, GBA_E_BTID_SYNTAX),
	NO("B-TID empty", NAF1, "", "naf1.example.com", DIGEST, GBA_E_BTID_SYNTAX),
	NO("B-TID with blank", NAF1, " " BTID, "naf1.example.com", DIGEST, GBA_E_BTID_SYNTAX),
	NO("B-TID with a dot behind", NAF1, BTID ".", "naf1.example.com", DIGEST, GBA_E_BTID_SYNTAX),
	NO("B-TID twice", NAF1, BTID BTID, "naf1.example.com", DIGEST, GBA_E_BTID_SYNTAX),
	NO("TMPI as B-TID", NAF1, TMPI, "naf1.example.com", DIGEST, GBA_E_BTID_SYNTAX),
	NO("unknown NAF", "naf9.operator.example", BTID, "naf1.example.com", DIGEST, DENIED),
	NO("no Origin-Host", "", BTID, "naf1.example.com", DIGEST, DENIED),
	NO("name of another NAF", NAF1, BTID, "naf2.example.com", DIGEST, DENIED),
	NO("name of its Diameter identity", NAF1, BTID, NAF1, DIGEST, DENIED),
	NO("suffix trick", NAF1, BTID, "xnaf1.example.com", DIGEST, DENIED),
	NO("below its own name", NAF1, BTID, "a.naf1.example.com", DIGEST, DENIED),
	NO("its own name as prefix", NAF1, BTID, "naf1.example.com.evil.example", DIGEST, DENIED),
	NO("parent domain", NAF1, BTID, "example.com", DIGEST, DENIED),
	NO("the wildcard's own domain", NAF1, BTID, "apps.example.com", DIGEST, DENIED),
	NO("wildcard suffix trick", NAF1, BTID, "evilapps.example.com", DIGEST, DENIED),
	NO("protocol not allowed", NAF2, BTID, "naf2.example.com", TLS13, DENIED),
	NO("protocol of another organisation", NAF2, BTID, "naf2.example.com", "\x02\x00\x01\xc0\x2f", DENIED),
	NO("TMPI's protocol", NAF2, BTID, "naf2.example.com", "\x01\x00\x00\x01\x00", DENIED),
	NO_ID("NAF-Id empty", "", GBA_E_NAF_ID_SYNTAX),
	NO_ID("NAF-Id of the protocol alone", DIGEST, GBA_E_NAF_ID_SYNTAX),
	NO_ID("NAF-Id without protocol", "naf1.example.com", DENIED),
	NO_ID("short tail: reads as another name", "naf1.example.com\x01\x00\x00\x00", DENIED),
	NO_ID("trailing dot", "naf1.example.com." DIGEST, GBA_E_NAF_ID_SYNTAX),
	NO_ID("leading dot", ".naf1.example.com" DIGEST, GBA_E_NAF_ID_SYNTAX),
	NO_ID("NUL inside", "naf1.example.com\0evil" DIGEST, GBA_E_NAF_ID_SYNTAX),
	NO_ID("blank inside", "naf1.example.com " DIGEST, GBA_E_NAF_ID_SYNTAX),
	NO_ID("two names", "naf1.example.com,naf2.example.com" DIGEST, GBA_E_NAF_ID_SYNTAX),
	NO_ID("wildcard sent", "*.apps.example.com" DIGEST, GBA_E_NAF_ID_SYNTAX),
	NO_ID("UTF-8", "naf\xef\xbc\x91.example.com" DIGEST, GBA_E_NAF_ID_SYNTAX),
	{ .name = "USS for an allowed GSID", NAF1, BTID, "naf1.example.com", DIGEST, .gsids = { "1000000" }, .now = T0,
	  .want = GBA_OK, .key = KS_NAF_DIGEST, .uss = "sip:a@x.example" },
	{ .name = "GSID not allowed is left out", NAF1, BTID, "naf1.example.com", DIGEST, .gsids = { "1000002" }, .now = T0,
	  .want = GBA_OK, .key = KS_NAF_DIGEST },
	{ .name = "GSID nobody has", NAF1, BTID, "naf1.example.com", DIGEST, .gsids = { "1000001" }, .now = T0, .want = GBA_OK,
	  .key = KS_NAF_DIGEST },
	{ .name = "NAF group's USS and only that; IMPI allowed", NAF2, BTID, "naf2.example.com", DIGEST, .gsids = { "1000000" },
	  .now = T0, .want = GBA_OK, .uss = "sip:gold@x.example", .impi = true },
	{ .name = "no GSID asked, no USS", NAF2, BTID, "naf2.example.com", DIGEST, .now = T0, .want = GBA_OK, .impi = true },
	{ .name = "GSID no number", NAF1, BTID, "naf1.example.com", DIGEST, .gsids = { "1000000x" }, .now = T0, .want = GBA_E_RANGE },
	{ .name = "GSID empty", NAF1, BTID, "naf1.example.com", DIGEST, .gsids = { "" }, .now = T0, .want = GBA_E_RANGE },
	{ .name = "GSID negative", NAF1, BTID, "naf1.example.com", DIGEST, .gsids = { "-1" }, .now = T0, .want = GBA_E_RANGE },
	{ .name = "GSID too long", NAF1, BTID, "naf1.example.com", DIGEST, .gsids = { "4295967296" }, .now = T0, .want = GBA_E_RANGE },
	{ .name = "USS required and there", NAF3, BTID, "naf3.example.com", DIGEST, .gsids = { "1000000" }, .now = T0, .want = GBA_OK,
	  .uss = "sip:a@x.example" },
	{ .name = "USS required, none for the GSID", NAF3, BTID, "naf3.example.com", DIGEST, .gsids = { "1000001" }, .now = T0, .want = DENIED },
	{ .name = "USS required, no GSID asked", NAF3, BTID, "naf3.example.com", DIGEST, .now = T0, .want = DENIED },
	{ .name = "aware of GBA_U, but bootstrapped by GBA_ME", NAF1, BTID, "naf1.example.com", DIGEST, .aware = true, .now = T0,
	  .want = GBA_OK, .key = KS_NAF_DIGEST },
};

static enum gba_err ask(const struct zn_row *row, struct grant **_grant)
{
	struct grant_parts parts = { .conf = &conf, .store = &store.base };
	struct grant_request request = { .naf = bytes_of(row->naf), .btid = bytes_of(row->btid), .naf_id = row->naf_id,
					 .gba_u_aware = row->aware };
	struct bytes gsids[4];
	char corr[CORR_LEN + 1];

	if (request.naf_id.p == NULL) {
		char *octets = talloc_asprintf(test_ctx, "%s-----", row->fqdn);

		memcpy(octets + strlen(row->fqdn), row->ua, UA_ID_LEN);
		request.naf_id = BYTES(octets, strlen(row->fqdn) + UA_ID_LEN);
	}
	request.gsids = gsids;
	while (request.gsid_n < 4 && row->gsids[request.gsid_n] != NULL) {
		gsids[request.gsid_n] = bytes_of(row->gsids[request.gsid_n]);
		request.gsid_n++;
	}
	return grant_decide(test_ctx, &parts, &request, row->now, _grant, corr);
}

START_TEST(decision_is_as_the_row_says)
{
	const struct zn_row *row = &rows[_i];
	struct grant *grant = NULL;
	enum gba_err got;

	stored(CTX_3G_GBA, GUSS_UICC_GBA, guss_xml);
	got = ask(row, &grant);
	ck_assert_msg(got == row->want, "%s: got %s", row->name, gba_err_name(got));
	ck_assert_int_eq(grant != NULL, got == GBA_OK);
	if (grant == NULL)
		return;
	if (row->key != NULL)
		ck_assert_bytes(BYTES(grant->me_key, 32), fixture_hex(row->key), row->name);
	ck_assert_msg(!grant->has_uicc_key, "%s: UICC key of a GBA_ME run", row->name);
	ck_assert_int_eq(grant->expires, T0 + LIFE);
	ck_assert_int_eq(grant->created, T0);
	ck_assert_int_eq(grant->impi.p != NULL, row->impi);
	ck_assert_msg((grant->uss.p != NULL) == (row->uss != NULL), "%s: USS", row->name);
	if (row->uss != NULL) {
		const char *first = strstr((const char *)grant->uss.p, "<uid>");

		ck_assert_ptr_nonnull(strstr((const char *)grant->uss.p, row->uss));
		ck_assert_ptr_null(strstr(first + 1, "<uid>")); /* one USS, nothing beside it */
	}
}
END_TEST

static const struct {
	const char *name;
	enum ctx_type type;
	enum guss_uicc uicc;
	const char *naf, *fqdn;
	bool aware, uicc_key;
	enum gba_err want;
} kind_rows[] = {
	{ "GBA_U, aware", CTX_3G_GBA, GUSS_UICC_GBA_U, NAF1, "naf1.example.com", true, true, GBA_OK },
	{ "GBA_U, unaware", CTX_3G_GBA, GUSS_UICC_GBA_U, NAF1, "naf1.example.com", false, false, GBA_OK },
	{ "GBA_ME, aware", CTX_3G_GBA, GUSS_UICC_GBA, NAF1, "naf1.example.com", true, false, GBA_OK },
	{ "2G GBA allowed", CTX_2G_GBA, GUSS_UICC_GBA, NAF1, "naf1.example.com", true, false, GBA_OK },
	{ "2G GBA refused", CTX_2G_GBA, GUSS_UICC_GBA, NAF2, "naf2.example.com", false, false, GBA_E_NOT_AUTHORIZED },
};

START_TEST(kind_of_bootstrapping_decides_keys)
{
	struct zn_row row = { .naf = kind_rows[_i].naf, .btid = BTID, .fqdn = kind_rows[_i].fqdn, .ua = DIGEST,
			      .aware = kind_rows[_i].aware, .now = T0 };
	struct grant *grant = NULL;

	stored(kind_rows[_i].type, kind_rows[_i].uicc, NULL);
	ck_assert_err(ask(&row, &grant), kind_rows[_i].want);
	if (grant == NULL)
		return;
	ck_assert_int_eq(grant->has_uicc_key, kind_rows[_i].uicc_key);
	ck_assert_int_eq(grant->type, kind_rows[_i].type);
	ck_assert_bytes(BYTES(grant->me_key, 32), fixture_hex(KS_NAF_DIGEST), kind_rows[_i].name);
	if (grant->has_uicc_key)
		ck_assert_bytes(BYTES(grant->uicc_key, 32), fixture_hex(KS_INT_NAF), kind_rows[_i].name);
}
END_TEST

START_TEST(store_failure_is_no_ignorance)
{
	static const enum gba_err failures[] = { GBA_E_IO, GBA_E_NOMEM, GBA_E_BUSY, GBA_E_CORRUPT };
	struct zn_row row = { .naf = NAF1, .btid = BTID, .fqdn = "naf1.example.com", .ua = DIGEST, .now = T0 };
	struct grant *grant = NULL;

	stored(CTX_3G_GBA, GUSS_UICC_GBA, NULL);
	store.find_err = failures[_i];
	ck_assert_err(ask(&row, &grant), failures[_i]);
	ck_assert_str_ne(gba_err_diameter(failures[_i]), "DIAMETER_ERROR_TRANSACTION_IDENTIFIER_INVALID");
}
END_TEST

/* A NAF that may not use the name learns nothing about the B-TID. */
START_TEST(refusal_does_not_depend_on_the_btid)
{
	struct zn_row known = { .naf = NAF2, .btid = BTID, .fqdn = "naf1.example.com", .ua = DIGEST, .now = T0 }, unknown = known;
	struct grant *grant = NULL;

	unknown.btid = "AAAAvpY3qJ0hiuZNrke/NQ==@" BSF;
	stored(CTX_3G_GBA, GUSS_UICC_GBA, NULL);
	store.find_err = GBA_E_IO; /* it is not even asked */
	ck_assert_err(ask(&known, &grant), GBA_E_NOT_AUTHORIZED);
	ck_assert_err(ask(&unknown, &grant), GBA_E_NOT_AUTHORIZED);
}
END_TEST

static const struct {
	uint32_t vendor, code;
	bool resync;
	enum gba_err want;
	bool next;
} result_rows[] = {
	{ 0, 2001, false, GBA_OK, false },
	{ 0, 2002, true, GBA_OK, false },
	{ 10415, 5401, false, GBA_E_IMPI_UNKNOWN, false },
	{ 10415, 5001, false, GBA_E_IMPI_UNKNOWN, false },
	{ 0, 5001, false, GBA_E_PEER, false }, /* AVP unsupported */
	{ 0, 5401, false, GBA_E_PEER, false },
	{ 10415, 5402, false, GBA_E_NOT_AUTHORIZED, false },
	{ 10415, 5403, false, GBA_E_PEER, false },
	{ 10415, 2001, false, GBA_E_PEER, false },
	{ 0, 3002, false, GBA_E_UNREACHABLE, true },
	{ 0, 3003, false, GBA_E_UNREACHABLE, true },
	{ 0, 3004, false, GBA_E_BUSY, true },
	{ 0, 5012, false, GBA_E_PEER, false },
	{ 0, 5012, true, GBA_E_AUTS, false },
	{ 0, 5005, false, GBA_E_PEER, false },
	{ 0, 0, false, GBA_E_PEER, false },
};

START_TEST(hss_result_has_a_row)
{
	enum gba_err got = hss_result(result_rows[_i].vendor, result_rows[_i].code, result_rows[_i].resync);

	ck_assert_err(got, result_rows[_i].want);
	ck_assert_int_eq(hss_try_next(got), result_rows[_i].next);
}
END_TEST

static const struct {
	const char *impi, *realm;
} realm_rows[] = {
	{ IMPI_A, "mnc001.example" },
	{ "x@sub.ims.mnc001.mcc001.3gppnetwork.org", "mnc001.example" },
	{ "x@special.mnc001.mcc001.3gppnetwork.org", "special.example" },
	{ "x@SPECIAL.mnc001.mcc001.3gppnetwork.org", "special.example" },
	{ "x@evilmnc001.mcc001.3gppnetwork.org", NULL },
	{ "x@mnc002.mcc001.3gppnetwork.org", NULL },
	{ "nodomain", NULL },
};

START_TEST(impi_realm_finds_its_hss)
{
	struct bsf_hss hss[] = { { .impi_realm = "mnc001.mcc001.3gppnetwork.org", .realm = "mnc001.example" },
				 { .impi_realm = "special.mnc001.mcc001.3gppnetwork.org", .realm = "special.example" } };
	struct bsf_conf c = { .hss = { hss, 2 } };
	const struct bsf_hss *found = bsf_conf_hss(&c, bytes_of(realm_rows[_i].impi));

	ck_assert_int_eq(found != NULL, realm_rows[_i].realm != NULL);
	if (found != NULL)
		ck_assert_str_eq(found->realm, realm_rows[_i].realm);
}
END_TEST

/* A token is {B-TID, Ks_NAF}: each of its four sources, changed alone, makes another one. Keys computed by another implementation.
 * REQ: Y3056-7.1-9 */
#define OTHER_NETWORK "001010000000001@ims.mnc002.mcc001.3gppnetwork.org"
static const struct {
	const char *name, *impi, *fqdn, *btid, *node, *key;
} source_rows[] = {
	{ "as it is",	 IMPI_A, "naf1.example.com",   BTID, BSF, KS_NAF_DIGEST },
	{ "device",	 IMPI_B, "naf1.example.com",   BTID, BSF, "e9ca983030a75ce4632125502d5f01e9c2fcf7e09139dca43dcf382da54adce1" },
	{ "network",	 OTHER_NETWORK, "naf1.example.com", BTID, BSF,
	  "09bd1202ccca01d3993af4e63c91bc9f6a39090e4aaa5a498b5ebb8586e2f3f7" },
	{ "application", IMPI_A, "a.apps.example.com", BTID, BSF, "41da274d766bd612058a8cf7f9452211f3531d519a672fce7ccad0fe99739af3" },
	{ "node",	 IMPI_A, "naf1.example.com",   "I1U8vpY3qJ0hiuZNrke/NQ==@bsf2.example", "bsf2.example", KS_NAF_DIGEST },
};

START_TEST(each_source_changes_the_token)
{
	struct zn_row row = { .naf = NAF1, .fqdn = source_rows[_i].fqdn, .btid = source_rows[_i].btid, .ua = DIGEST, .now = T0 };
	struct ctx *ctx = stored(CTX_3G_GBA, GUSS_UICC_GBA, NULL);
	struct grant *grant = NULL;
	size_t i;

	ctx->impi = bytes_of(source_rows[_i].impi);
	conf.name = source_rows[_i].node;
	ck_assert_err(ask(&row, &grant), GBA_OK);
	ck_assert_bytes(BYTES(grant->me_key, 32), fixture_hex(source_rows[_i].key), source_rows[_i].name);
	for (i = 0; i < sizeof(source_rows) / sizeof(source_rows[0]); i++) {
		bool same_key = strcmp(source_rows[i].key, source_rows[_i].key) == 0;

		row.btid = source_rows[i].btid; /* nor does one node know the token of another */
		ck_assert_err(ask(&row, &grant), strcmp(source_rows[i].node, conf.name) == 0 ? GBA_OK : GBA_E_BTID_UNKNOWN);
		ck_assert(i == (size_t)_i || !same_key || strcmp(source_rows[i].btid, source_rows[_i].btid) != 0);
	}
	conf.name = BSF;
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("bsf_zn");
	TCase *tc = fixture_tcase("zn");

	tcase_add_loop_test(tc, decision_is_as_the_row_says, 0, ROWS(rows));
	tcase_add_loop_test(tc, kind_of_bootstrapping_decides_keys, 0, ROWS(kind_rows));
	tcase_add_loop_test(tc, store_failure_is_no_ignorance, 0, 4);
	tcase_add_test(tc, refusal_does_not_depend_on_the_btid);
	tcase_add_loop_test(tc, each_source_changes_the_token, 0, ROWS(source_rows));
	tcase_add_loop_test(tc, hss_result_has_a_row, 0, ROWS(result_rows));
	tcase_add_loop_test(tc, impi_realm_finds_its_hss, 0, ROWS(realm_rows));
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
