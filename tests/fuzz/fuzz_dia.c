/* SPDX-License-Identifier: Apache-2.0 */
/* A Diameter message as it comes from the network, through freeDiameter's parser and lib/dia's decoder; and the answer
 * lib/dia would give, which must be readable again. */
#include <stdlib.h>

#include "dia/dia_internal.h"
#include "dia/guard/guard.h"
#include "dia/opchange.h"
#include "dia/y3056.h"
#include "dia/zh.h"
#include "dia/zn.h"
#include "dict/dict_gba.h"
#include "dict/dict_y3056.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void start(void)
{
	static bool started;

	if (started)
		return;
	started = true;
	fd_g_debug_lvl = FD_LOG_FATAL + 1; /* malformed input is the point here */
	must(fd_core_initialize() == 0);
	fd_g_config->cnf_diamid = strdup("us.lab.test");
	fd_g_config->cnf_diamid_len = strlen(fd_g_config->cnf_diamid);
	fd_g_config->cnf_diamrlm = strdup("lab.test");
	fd_g_config->cnf_diamrlm_len = strlen(fd_g_config->cnf_diamrlm);
	must(dict_gba_load(fd_g_config->cnf_dict) == 0);
	must(dict_y3056_load(fd_g_config->cnf_dict, NULL) == 0 && rpa_resolve() == GBA_OK && rpb_resolve() == GBA_OK);
	must(opc_resolve() == GBA_OK);
	must(zh_resolve() == GBA_OK && zn_resolve() == GBA_OK);
}

static const struct {
	struct dia_field *fields;
	const struct dia_cmd *cmd;
	bool request;
} decoders[] = {
	{ zh_mar_fields, &zh_mar_cmd, true },
	{ zh_maa_fields, &zh_mar_cmd, false },
	{ zn_bir_fields, &zn_bir_cmd, true },
	{ zn_bia_fields, &zn_bir_cmd, false },
	{ rpa_tpr_fields, &rpa_tpr_cmd, true },
	{ rpa_rnr_fields, &rpa_rnr_cmd, true },
	{ rpb_pqr_fields, &rpb_pqr_cmd, true },
	{ rpb_pqa_fields, &rpb_pqr_cmd, false },
	{ rpb_pnr_fields, &rpb_pnr_cmd, true },
	{ rpb_cqr_fields, &rpb_cqr_cmd, true },
	{ rpb_cqa_fields, &rpb_cqr_cmd, false },
	{ rpb_trr_fields, &rpb_trr_cmd, true },
	{ opc_ocr_fields, &opc_ocr_cmd, true },
	{ opc_oca_fields, &opc_ocr_cmd, false },
};

static void answer(struct msg *request, enum gba_err err, const struct dia_failed *failed)
{
	struct dia_outcome outcome = { err, failed, NULL, NULL };
	struct msg *msg = request, *again = NULL;
	uint8_t *octets = NULL;
	size_t n;

	must(dia_answer_build(&msg, &outcome) == GBA_OK);
	must(fd_msg_bufferize(msg, &octets, &n) == 0);
	must(fd_msg_parse_buffer(&octets, n, &again) == 0);
	must(fd_msg_parse_dict(again, fd_g_config->cnf_dict, NULL) == 0);
	fd_msg_free(again);
	fd_msg_free(msg);
}

/* True: the message has become part of an answer. */
static bool decode(struct msg *msg, const struct msg_hdr *hdr)
{
	union {
		struct zh_mar mar;
		struct zh_maa maa;
		struct zn_bir bir;
		struct zn_bia bia;
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
	} out;
	TALLOC_CTX *ctx = talloc_new(NULL);
	bool request = (hdr->msg_flags & CMD_FLAG_REQUEST) != 0;
	struct dia_result result;
	struct dia_failed failed;
	enum gba_err err;
	size_t i;

	for (i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++) {
		if (decoders[i].cmd->code != hdr->msg_code || decoders[i].request != request)
			continue;
		err = dia_decode(ctx, msg, decoders[i].fields, &out, &failed);
		if (request)
			answer(msg, err, &failed);
		else
			(void)dia_answer_result(msg, &result);
		talloc_free(ctx);
		return request;
	}
	talloc_free(ctx);
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t digest[2];
	struct msg_hdr *hdr;
	struct msg *msg = NULL;
	uint8_t *copy;

	start();
	(void)guard_digest(BYTES(data, size), digest);
	if (size < DIA_HEADER_LEN)
		return 0;
	copy = malloc(size);
	must(copy != NULL);
	memcpy(copy, data, size);
	if (fd_msg_parse_buffer(&copy, size, &msg) != 0) {
		free(copy);
		return 0;
	}
	must(fd_msg_hdr(msg, &hdr) == 0);
	/* What does not parse, or breaks its grammar, the framework answers; roles see the rest. */
	if (fd_msg_parse_dict(msg, fd_g_config->cnf_dict, NULL) == 0 && decode(msg, hdr))
		return 0;
	fd_msg_free(msg);
	return 0;
}
