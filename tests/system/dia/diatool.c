/* SPDX-License-Identifier: Apache-2.0 */
/* lib/dia without a daemon, for tests that stand outside: "diatool encode" (for dict_y3056: "diatool y3056 [numbers]") writes
 * messages with every AVP as "name hex" lines; "diatool decode" reads such lines and says what lib/dia makes of each, and how it would answer. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/codec.h"
#include "dia/dia_internal.h"
#include "dia/opchange.h"
#include "dia/registry.h"
#include "dia/s13.h"
#include "dia/y3056.h"
#include "dia/zh.h"
#include "dia/zn.h"
#include "dict/dict_gba.h"
#include "dict/dict_y3056.h"

#define LINE_MAX_CHARS 262144

/* Zpn, TS 29.109 5.4: no role speaks it yet, the dictionary does. */
struct gpr {
	struct bytes ue_id, app_label, naf_id, naf_sa, features;
	int32_t ue_id_type, uicc_me, private_identity, gba_u_aware;
	time_t lifetime;
	struct dia_list gsids;
	struct zh_auth_item auth;
};

struct gpa {
	struct bytes user_name, me_key, uicc_key, uss, push_info, features;
	time_t expires, created;
	int32_t gba_type;
};

static struct dia_field auth_fields[] = {
	DIA_OCTETS("SIP-Authenticate", DIA_OPTIONAL, struct zh_auth_item, authenticate, ZH_AUTH_MAX),
	DIA_OCTETS("SIP-Authorization", DIA_OPTIONAL, struct zh_auth_item, authorization, ZH_AUTH_MAX),
	DIA_END
};
static struct dia_field gpr_fields[] = {
	DIA_OCTETS("UE-Id",                     DIA_REQUIRED, struct gpr, ue_id,     255),
	DIA_ENUM  ("UE-Id-Type",                DIA_REQUIRED, struct gpr, ue_id_type),
	DIA_OCTETS("UICC-App-Label",            DIA_REQUIRED, struct gpr, app_label, 255),
	DIA_OCTETS("NAF-Id",                    DIA_REQUIRED, struct gpr, naf_id,    NAF_ID_MAX),
	DIA_OCTETS("NAF-SA-Identifier",         DIA_REQUIRED, struct gpr, naf_sa,    255),
	DIA_ENUM  ("UICC-ME",                   DIA_REQUIRED, struct gpr, uicc_me),
	DIA_TIME  ("Requested-Key-Lifetime",    DIA_REQUIRED, struct gpr, lifetime),
	DIA_ENUM  ("Private-Identity-Request",  DIA_OPTIONAL, struct gpr, private_identity),
	DIA_ENUM  ("GBA_U-Awareness-Indicator", DIA_OPTIONAL, struct gpr, gba_u_aware),
	DIA_LIST  ("GAA-Service-Identifier",    DIA_OPTIONAL, struct gpr, gsids,     8),
	DIA_OCTETS("Security-Feature-Request",  DIA_OPTIONAL, struct gpr, features,  255),
	DIA_GROUP ("SIP-Auth-Data-Item",        DIA_OPTIONAL, struct gpr, auth,      auth_fields),
	DIA_END
};
static struct dia_field gpa_fields[] = {
	DIA_OCTETS("User-Name",                 DIA_OPTIONAL, struct gpa, user_name, IMPI_MAX),
	DIA_OCTETS("ME-Key-Material",           DIA_OPTIONAL, struct gpa, me_key,    ZN_KEY_LEN),
	DIA_OCTETS("UICC-Key-Material",         DIA_OPTIONAL, struct gpa, uicc_key,  ZN_KEY_LEN),
	DIA_TIME  ("Key-ExpiryTime",            DIA_OPTIONAL, struct gpa, expires),
	DIA_TIME  ("BootstrapInfoCreationTime", DIA_OPTIONAL, struct gpa, created),
	DIA_OCTETS("GBA-UserSecSettings",       DIA_OPTIONAL, struct gpa, uss,       ZN_USS_MAX),
	DIA_ENUM  ("GBA-Type",                  DIA_OPTIONAL, struct gpa, gba_type),
	DIA_OCTETS("GBA-Push-Info",             DIA_OPTIONAL, struct gpa, push_info, 1024),
	DIA_OCTETS("Security-Feature-Response", DIA_OPTIONAL, struct gpa, features,  255),
	DIA_END
};
static struct dia_cmd gpr_cmd = { "GBAPush-Info-Request", 312, DIA_APP_ZPN, NULL, NULL };

/* Values: TS 35.208 set 1's RAND for what has one, else octets that a reader recognises. The test knows them by heart. */
static struct bytes gsid_values[] = { { (const uint8_t *)"1", 1 }, { (const uint8_t *)"1000001", 7 } };
#define NAF_ID	BYTES("naf.lab.test\x01\x00\x00\x00\x02", 17)
#define KEY_A	BYTES("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 32)
#define KEY_B	BYTES("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", 32)
#define T_2031	((time_t)1924948800) /* 2030-12-31T12:00:00Z */
#define T_2040	((time_t)2208988801) /* 2040-01-01T00:00:01Z: the era after 2036 */

#define NO_PERMISSION  (struct y3056_permission){ .present = false }
#define NO_DECLARATION (struct y3056_declaration){ .present = false }

static struct zh_mar mar;
static struct zh_maa maa;
static struct zn_bir bir;
static struct zn_bia bia;
static struct gpr gpr;
static struct gpa gpa;
static struct s13_ecr ecr;
static struct s13_eca eca;

static void set_values(void)
{
	struct zh_digest digest = { true, bytes_of("lab.test"), bytes_of("MD5"), bytes_of("auth"), bytes_of("0123456789abcdef") };
	struct zh_auth_item resync = { .present = true, .item_number = DIA_NO_U32, .scheme = bytes_of(ZH_SCHEME_AKAV1),
				       .authorization = BYTES("RRRRRRRRRRRRRRRRaaaaaaaaaaaaaa", 30) };
	struct zh_auth_item vector = { .present = true, .item_number = 1, .scheme = bytes_of(ZH_SCHEME_AKAV1),
				       .authenticate = BYTES("RRRRRRRRRRRRRRRRNNNNNNNNNNNNNNNN", 32),
				       .authorization = BYTES("XXXXXXXX", 8), .ck = BYTES("CCCCCCCCCCCCCCCC", 16),
				       .ik = BYTES("IIIIIIIIIIIIIIII", 16), .digest = digest };

	mar = (struct zh_mar){ bytes_of("user@lab.test"), bytes_of("sip:user@lab.test"), resync, T_2031, BYTES_NONE };
	maa = (struct zh_maa){ bytes_of("user@lab.test"), bytes_of("sip:user@lab.test"), vector, bytes_of("<guss id=\"x\"/>"),
			       NO_PERMISSION };
	bir = (struct zn_bir){ { gsid_values, 2 }, bytes_of("I1U8vpY3qJ0hiuZNrke/NQ==@bsf.lab.test"), NAF_ID,
			       ZN_GBA_U_AWARE, bytes_of("feature"), NO_DECLARATION };
	bia = (struct zn_bia){ bytes_of("user@lab.test"), KEY_A, KEY_B, T_2040, T_2031, bytes_of("<ussList/>"),
			       ZN_TYPE_2G_GBA, bytes_of("feature"), NO_DECLARATION };
	gpr = (struct gpr){ bytes_of("user@lab.test"), bytes_of("label"), NAF_ID, bytes_of("P-TID"), bytes_of("feature"), 1, 1,
			    1, 0, T_2031, { gsid_values, 2 }, resync };
	gpa = (struct gpa){ bytes_of("user@lab.test"), KEY_A, KEY_B, bytes_of("<ussList/>"), BYTES("\x00GPI", 4),
			    bytes_of("feature"), T_2040, T_2031, 2 };
	ecr = (struct s13_ecr){ { true, bytes_of("49015420323751"), BYTES("\xA1\0\0\0\0\1\2", 7), bytes_of("03") },
				bytes_of("001010000000001") };
	eca = (struct s13_eca){ S13_BLACKLISTED };
}

static struct zh_mar named_mar;
static struct zh_maa named_maa;
static struct zn_bir declared_bir;
static struct zn_bia declared_bia;
static struct rpa_tpr tpr;
static struct rpa_rnr rnr;
static struct rpb_pqr pqr;
static struct rpb_pqa pqa;
static struct rpb_cqr cqr;
static struct rpb_cqa cqa;
static struct rpb_trr trr;
static struct rpb_pnr pnr;
static struct opc_ocr ocr;
static struct opc_oca oca;
static struct reg_rsr rsr;
static struct reg_rsa rsa;
static uint8_t nothing;

static void set_y3056_values(void)
{
	static struct bytes digests[] = { { (const uint8_t *)"dddddddddddddddddddddddddddddddd", Y3056_DIGEST_LEN },
					  { (const uint8_t *)"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", Y3056_DIGEST_LEN } };
	static struct bytes haves[] = { { (const uint8_t *)"IN status 17", 12 }, { (const uint8_t *)"IN4F list 0", 11 } };
	static struct bytes classes[] = { { (const uint8_t *)"status", 6 } };
	static struct bytes entries[] = { { (const uint8_t *)"first entry", 11 }, { (const uint8_t *)"second entry", 12 } };
	static struct bytes names[] = { { (const uint8_t *)"naf.lab.test", 12 } };
	struct y3056_permission permission = { true, Y3056_SET, 1000001, T_2031, T_2040, 3, 600, Y3056_SINGLE,
					       bytes_of("agent.lab.test"), BYTES("\x01\x00\x00\x00\x02\x01\x00\x00\x00\x07", 10) };
	struct y3056_declaration declaration = { true, Y3056_SINGLE, Y3056_CLEARED, BYTES("\x01\x00\x00\x00\x07", 5),
						 bytes_of("192.0.2.1:443"), bytes_of("psk-tls") };
	struct bytes user = bytes_of("user@lab.test"), btid = bytes_of("I1U8vpY3qJ0hiuZNrke/NQ==@bsf.lab.test");

	named_mar = (struct zh_mar){ .user_name = user, .guss_timestamp = T_2031, .application = names[0] };
	named_maa = (struct zh_maa){ .user_name = user, .permission = permission };
	declared_bir = (struct zn_bir){ .btid = btid, .naf_id = NAF_ID, .gba_u_aware = DIA_NO_ENUM, .declaration = declaration };
	declared_bia = (struct zn_bia){ .me_key = KEY_A, .gba_type = DIA_NO_ENUM, .declaration = declaration };
	tpr = (struct rpa_tpr){ user, NAF_ID, btid, KEY_A, KEY_B, T_2040, T_2031, ZN_TYPE_2G_GBA, bytes_of("<ussList/>"),
				{ gsid_values, 2 }, Y3056_SINGLE };
	rnr = (struct rpa_rnr){ { digests, 2 }, { names, 1 }, Y3056_DEVICE_REMOVED };
	pqr = (struct rpb_pqr){ user, names[0], T_2031 };
	pqa = (struct rpb_pqa){ user, permission, bytes_of("<guss id=\"x\"/>") };
	cqr = (struct rpb_cqr){ user, bytes_of("certificate"), names[0], T_2031 };
	cqa = (struct rpb_cqa){ permission, bytes_of("<guss id=\"x\"/>"), OPC_TOKEN, bytes_of("certificate") };
	trr = (struct rpb_trr){ { entries, 2 } };
	ocr = (struct opc_ocr){ OPC_KEYS, user, BYTES("iiiiiiiiiiiiiiii", 16), KEY_UPDATE_SYMMETRIC,
				BYTES("KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK", 64),
				bytes_of("user@new.test"), bytes_of("bsf.new.test"),
				BYTES("DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD", 32),
				BYTES("SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS", 64) };
	oca = (struct opc_oca){ bytes_of("wrapped"), BYTES("\0\0\0\0\0\0\0\7", 8), bytes_of("update"), bytes_of("certificate") };
	rsr = (struct reg_rsr){ bytes_of("IN4F"), REG_HELLO, { haves, 2 }, { classes, 1 }, { digests, 2 } };
	rsa = (struct reg_rsa){ bytes_of("IN"), { haves, 1 }, { classes, 1 } };
	pnr = (struct rpb_pnr){ user, Y3056_OPERATOR_CHANGED, names[0], bytes_of("<guss id=\"x\"/>") };
}

static const struct command {
	const char *request, *answer;
	struct dia_cmd *cmd;
	struct dia_field *request_fields, *answer_fields;
	void *request_in, *answer_in;
} commands[] = {
	{ "mar", "maa", &zh_mar_cmd, zh_mar_fields, zh_maa_fields, &mar, &maa },
	{ "bir", "bia", &zn_bir_cmd, zn_bir_fields, zn_bia_fields, &bir, &bia },
	{ "gpr", "gpa", &gpr_cmd, gpr_fields, gpa_fields, &gpr, &gpa },
	{ "ecr", "eca", &s13_ecr_cmd, s13_ecr_fields, s13_eca_fields, &ecr, &eca },
	{ "named_mar", "named_maa", &zh_mar_cmd, zh_mar_fields, zh_maa_fields, &named_mar, &named_maa },
	{ "declared_bir", "declared_bia", &zn_bir_cmd, zn_bir_fields, zn_bia_fields, &declared_bir, &declared_bia },
	{ "tpr", "tpa", &rpa_tpr_cmd, rpa_tpr_fields, y3056_no_fields, &tpr, &nothing },
	{ "rnr", "rna", &rpa_rnr_cmd, rpa_rnr_fields, y3056_no_fields, &rnr, &nothing },
	{ "pqr", "pqa", &rpb_pqr_cmd, rpb_pqr_fields, rpb_pqa_fields, &pqr, &pqa },
	{ "cqr", "cqa", &rpb_cqr_cmd, rpb_cqr_fields, rpb_cqa_fields, &cqr, &cqa },
	{ "trr", "tra", &rpb_trr_cmd, rpb_trr_fields, y3056_no_fields, &trr, &nothing },
	{ "pnr", "pna", &rpb_pnr_cmd, rpb_pnr_fields, y3056_no_fields, &pnr, &nothing },
	{ "ocr", "oca", &opc_ocr_cmd, opc_ocr_fields, opc_oca_fields, &ocr, &oca },
	{ "rsr", "rsa", &reg_rsr_cmd, reg_rsr_fields, reg_rsa_fields, &rsr, &rsa },
};
#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))
#define COMMANDS_3GPP	4

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "diatool: %s failed\n", what);
	exit(1);
}

static void print_message(const char *name, struct msg *msg)
{
	uint8_t *octets;
	size_t n, i;

	must(fd_msg_bufferize(msg, &octets, &n) == 0, "bufferize");
	printf("%s ", name);
	for (i = 0; i < n; i++)
		printf("%02x", octets[i]);
	printf("\n");
	free(octets);
}

static void print_answer(const char *name, struct msg *request, const struct dia_outcome *outcome)
{
	struct msg *msg = request;

	must(dia_answer_build(&msg, outcome) == GBA_OK, "answer");
	print_message(name, msg);
	fd_msg_free(msg);
}

/* [first, last) of the table. */
static void encode_all(size_t first, size_t last)
{
	const struct command *c;
	struct msg *msg;

	set_values();
	set_y3056_values();
	for (c = commands + first; c < commands + last; c++) {
		struct dia_outcome outcome = { GBA_OK, NULL, c->answer_fields, c->answer_in };

		must(dia_request_new(c->cmd, bytes_of("lab.test"), bytes_of("peer.lab.test"), &msg) == GBA_OK, c->request);
		must(dia_encode(msg, c->request_fields, c->request_in) == GBA_OK, c->request);
		print_message(c->request, msg);
		print_answer(c->answer, msg, &outcome);
	}
}

/* An answer for each row of the error space, to one request. */
static void encode_errors(void)
{
	struct msg *msg;
	int err;

	for (err = 0; err < GBA_ERR_COUNT; err++) {
		struct dia_outcome outcome = { err, NULL, NULL, NULL };

		must(dia_request_new(&zn_bir_cmd, bytes_of("lab.test"), BYTES_NONE, &msg) == GBA_OK, "request");
		print_answer(gba_err_name(err), msg, &outcome);
	}
}

static void decode_line(const char *name, struct bytes octets)
{
	union {
		struct zh_mar mar;
		struct zh_maa maa;
		struct zn_bir bir;
		struct zn_bia bia;
		struct gpr gpr;
		struct gpa gpa;
		struct rpa_tpr tpr;
		struct rpa_rnr rnr;
		struct rpb_pqr pqr;
		struct rpb_pqa pqa;
		struct rpb_pnr pnr;
		struct rpb_cqr cqr;
		struct rpb_cqa cqa;
		struct rpb_trr trr;
		struct opc_ocr ocr;
		struct opc_oca oca;
		struct s13_ecr ecr;
		struct s13_eca eca;
		struct reg_rsr rsr;
		struct reg_rsa rsa;
	} out;
	TALLOC_CTX *ctx = talloc_new(NULL);
	uint8_t *copy = malloc(octets.n);
	struct dia_failed failed;
	const struct command *c;
	struct msg *msg = NULL;
	enum gba_err err;

	memcpy(copy, octets.p, octets.n);
	must(fd_msg_parse_buffer(&copy, octets.n, &msg) == 0, "parse_buffer");
	must(fd_msg_parse_dict(msg, fd_g_config->cnf_dict, NULL) == 0, "parse_dict");
	for (c = commands; c < commands + COMMANDS; c++) {
		bool request = strcmp(c->request, name) == 0;

		if (!request && strcmp(c->answer, name) != 0)
			continue;
		err = dia_decode(ctx, msg, request ? c->request_fields : c->answer_fields, &out, &failed);
		printf("%s %s\n", name, gba_err_name(err));
		if (request) {
			struct dia_outcome outcome = { err, &failed, NULL, NULL };

			print_answer("answer", msg, &outcome);
			msg = NULL;
			break;
		}
		/* What was read must come out the same when written again. */
		must(err != GBA_OK || dia_encode(msg, c->answer_fields, &out) == GBA_OK, "encode of what was decoded");
	}
	if (msg != NULL)
		fd_msg_free(msg);
	talloc_free(ctx);
}

static void decode_all(void)
{
	static char line[LINE_MAX_CHARS], name[32], hex[LINE_MAX_CHARS];
	static uint8_t octets[LINE_MAX_CHARS / 2];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "%31s %262143s", name, hex) != 2)
			continue;
		must(hex_decode(bytes_of(hex), octets, strlen(hex) / 2) == GBA_OK, "hex");
		decode_line(name, BYTES(octets, strlen(hex) / 2));
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	must(argc == 2 || argc == 3, "usage: diatool encode|y3056|errors|decode [numbers]");
	fd_g_debug_lvl = FD_LOG_FATAL; /* the library logs to standard output */
	must(fd_core_initialize() == 0, "initialize");
	fd_g_config->cnf_diamid = strdup("us.lab.test");
	fd_g_config->cnf_diamid_len = strlen(fd_g_config->cnf_diamid);
	fd_g_config->cnf_diamrlm = strdup("lab.test");
	fd_g_config->cnf_diamrlm_len = strlen(fd_g_config->cnf_diamrlm);
	must(dict_gba_load(fd_g_config->cnf_dict) == 0, "dictionary");
	if (strcmp(argv[1], "encode") != 0) /* without: what a plain node is like */
		must(dict_y3056_load(fd_g_config->cnf_dict, argv[2]) == 0 && rpa_resolve() == GBA_OK &&
		     rpb_resolve() == GBA_OK && opc_resolve() == GBA_OK && reg_resolve() == GBA_OK, "dictionary of Y.3056");
	must(zh_resolve() == GBA_OK && zn_resolve() == GBA_OK && s13_resolve() == GBA_OK, "resolve");
	must(dia_cmd_resolve(&gpr_cmd) == GBA_OK && dia_fields_resolve(gpr_fields) == GBA_OK &&
	     dia_fields_resolve(gpa_fields) == GBA_OK, "resolve Zpn");
	if (strcmp(argv[1], "encode") == 0)
		encode_all(0, COMMANDS_3GPP);
	else if (strcmp(argv[1], "y3056") == 0)
		encode_all(COMMANDS_3GPP, COMMANDS);
	else if (strcmp(argv[1], "errors") == 0)
		encode_errors();
	else
		decode_all();
	fflush(stdout);
	_exit(0); /* the library's threads are not worth waiting for */
}
