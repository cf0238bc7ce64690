/* SPDX-License-Identifier: Apache-2.0 */
/* A card, or a reader, that says anything: files and answers. What is taken for good has to be good. */
#include <stdlib.h>

#include "core/secret.h"
#include "ue/usim/card_auth.h"
#include "ue/usim/card_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Answers are cut from the input: an octet of length, then that many, over and over. */
static enum gba_err say(void *arg, struct bytes command, uint8_t *answer, size_t *_n, struct why *why)
{
	struct bytes *rest = arg;
	size_t n;

	(void)why;
	if (command.n < 4 || command.n > APDU_COMMAND_MAX)
		abort();
	if (rest->n == 0)
		return GBA_E_IO;
	n = rest->p[0] < rest->n - 1 ? rest->p[0] : rest->n - 1;
	memcpy(answer, rest->p + 1, n);
	rest->p += 1 + n;
	rest->n -= 1 + n;
	*_n = n;
	return GBA_OK;
}

static void check_files(struct bytes in)
{
	char text[IMPI_MAX + 1];
	struct card_fcp fcp;
	struct bytes part;

	card_fcp_parse(in, &fcp);
	if (card_dir_record(in, &part) == GBA_OK && (part.p < in.p || part.p + part.n > in.p + in.n || part.n > AID_MAX))
		abort();
	if (card_imsi(in, text) == GBA_OK && !imsi_valid(bytes_of(text)))
		abort();
	if (card_impi(in, text) == GBA_OK && !impi_valid(bytes_of(text)))
		abort();
	part = card_gbabp_rand(in);
	if (part.p != NULL && part.p + part.n > in.p + in.n)
		abort();
	card_service(in, 68);
	card_mnc_digits(in);
}

static void check_talk(struct bytes in)
{
	struct bytes rest = in;
	struct apdu_card card = { &rest, in.n % 2 == 0, say };
	uint8_t file[CARD_FILE_MAX], key[GBA_KS_NAF_LEN], zero[16] = { 0 };
	struct usim_reply reply = { .res_len = 0 };
	char iccid[2 * ICCID_LEN + 1];
	struct card_apps apps;
	uint16_t sw;
	size_t n;

	card_apps(&card, &apps, NULL);
	card_iccid(&card, iccid, NULL);
	if (card_read(&card, FID_IMSI, file, &n, &sw, NULL) == GBA_OK && n > sizeof(file))
		abort();
	rest = in;
	if (card_authenticate(&card, USIM_3G, zero, zero, &reply, &sw, NULL) == GBA_OK && (reply.res_len < 4 || reply.res_len > AKA_RES_MAX))
		abort();
	rest = in;
	card_derive(&card, bytes_of("naf"), bytes_of("a@b"), key, &sw, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	secret_init();
	check_files(BYTES(data, size));
	check_talk(BYTES(data, size));
	return 0;
}
