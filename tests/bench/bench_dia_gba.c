/* SPDX-License-Identifier: Apache-2.0 */
/* MAR, BIR and ECR as a BSF, a NAF and an MME send them, with the AVPs of dict_gba.fdx. */
#include <stdlib.h>
#include <string.h>

#include "bench_dia.h"

static struct dict_object *user_name, *transaction_id, *naf_id_avp;
static const struct bench_conf *conf;
static char **btids;
static size_t n_btids;
static uint8_t naf_id[BENCH_TEXT_MAX / 2];
static size_t naf_id_len;

static int mar_prepare(const struct bench_conf *c)
{
	conf = c;
	user_name = bench_model("User-Name");
	return user_name != NULL && strstr(c->impi, "%u") != NULL ? 0 : EINVAL;
}

/* A step that is coprime to most counts visits the users out of order. */
static int mar_fill(struct msg *msg, uint64_t i)
{
	char head[BENCH_TEXT_MAX], impi[2 * BENCH_TEXT_MAX];
	const char *mark = strstr(conf->impi, "%u");
	int n;

	snprintf(head, sizeof(head), "%.*s", (int)(mark - conf->impi), conf->impi);
	n = snprintf(impi, sizeof(impi), "%s%010u%s", head, (unsigned int)(i * 7919 % conf->users), mark + 2);
	return bench_add(msg, user_name, impi, (size_t)n);
}

static int read_btids(const char *path)
{
	FILE *in = fopen(path, "r");
	char line[512];

	if (in == NULL)
		return EINVAL;
	while (fgets(line, sizeof(line), in) != NULL) {
		char **grown = realloc(btids, (n_btids + 1) * sizeof(*btids));

		if (grown == NULL)
			break;
		btids = grown;
		line[strcspn(line, " \r\n")] = '\0';
		btids[n_btids] = strdup(line);
		n_btids += btids[n_btids] != NULL && line[0] != '\0';
	}
	fclose(in);
	return n_btids > 0 ? 0 : EINVAL;
}

static int bir_prepare(const struct bench_conf *c)
{
	unsigned int octet;

	transaction_id = bench_model("Transaction-Identifier");
	naf_id_avp = bench_model("NAF-Id");
	while (naf_id_len < sizeof(naf_id) && sscanf(c->naf + 2 * naf_id_len, "%2x", &octet) == 1)
		naf_id[naf_id_len++] = (uint8_t)octet;
	return transaction_id != NULL && naf_id_avp != NULL ? read_btids(c->btids) : EINVAL;
}

static int bir_fill(struct msg *msg, uint64_t i)
{
	const char *btid = btids[i * 7919 % n_btids];
	int rc = bench_add(msg, transaction_id, btid, strlen(btid));

	return rc != 0 ? rc : bench_add(msg, naf_id_avp, naf_id, naf_id_len);
}

static struct dict_object *terminal_information, *imei_avp;

static int ecr_prepare(const struct bench_conf *c)
{
	conf = c;
	terminal_information = bench_model("Terminal-Information");
	imei_avp = bench_model("IMEI");
	return terminal_information != NULL && imei_avp != NULL ? 0 : EINVAL;
}

static int ecr_fill(struct msg *msg, uint64_t i)
{
	union avp_value value;
	struct avp *group, *inner;
	char imei[24];
	int rc = fd_msg_avp_new(terminal_information, 0, &group);

	value.os.len = (size_t)snprintf(imei, sizeof(imei), "3500%010u", (unsigned int)(i * 7919 % conf->users));
	value.os.data = (uint8_t *)imei;
	rc = rc != 0 ? rc : fd_msg_avp_new(imei_avp, 0, &inner);
	rc = rc != 0 ? rc : fd_msg_avp_setvalue(inner, &value);
	rc = rc != 0 ? rc : fd_msg_avp_add(group, MSG_BRW_LAST_CHILD, inner);
	return rc != 0 ? rc : fd_msg_avp_add(msg, MSG_BRW_LAST_CHILD, group);
}

const struct bench_kind bench_ecr = { "ecr", 16777252, 10415, "ME-Identity-Check-Request", ecr_prepare, ecr_fill };
const struct bench_kind bench_mar = { "mar", 16777221, 10415, "3GPP-Multimedia-Auth-Request", mar_prepare, mar_fill };
const struct bench_kind bench_bir = { "bir", 16777220, 10415, "Bootstrapping-Info-Request", bir_prepare, bir_fill };
