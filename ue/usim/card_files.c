/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/card_files.h"

#include <stdio.h>

#define INS_SELECT	  0xa4
#define INS_READ_BINARY	  0xb0
#define INS_READ_RECORD	  0xb2
#define INS_UPDATE_BINARY 0xd6

/* The next BER-TLV with a tag of one octet and a short length; false: no more, or not one. */
static bool next_tlv(struct bytes *rest, uint8_t *_tag, struct bytes *_value)
{
	size_t head = 2, n;

	if (rest->n < 2 || rest->p[0] == 0xff)
		return false;
	n = rest->p[1];
	if (n == 0x81 && rest->n >= 3) {
		n = rest->p[2];
		head = 3;
	} else if (n >= 0x80) {
		return false;
	}
	if (n > rest->n - head)
		return false;
	*_tag = rest->p[0];
	*_value = BYTES(rest->p + head, n);
	rest->p += head + n;
	rest->n -= head + n;
	return true;
}

static struct bytes find_tlv(struct bytes in, uint8_t tag)
{
	struct bytes value;
	uint8_t t;

	while (next_tlv(&in, &t, &value)) {
		if (t == tag)
			return value;
	}
	return BYTES_NONE;
}

static size_t number(struct bytes octets)
{
	size_t i, value = 0;

	for (i = 0; i < octets.n && i < 3; i++)
		value = value << 8 | octets.p[i];
	return value;
}

/* PIN status template: a bit for each key reference, in order, says whether that PIN is switched on (TS 102 221 9.5.2). */
static uint8_t pin_of(struct bytes template)
{
	struct bytes status = BYTES_NONE, value;
	size_t at = 0;
	uint8_t tag;

	while (next_tlv(&template, &tag, &value)) {
		if (tag == 0x90)
			status = value;
		if (tag != 0x83 || value.n != 1)
			continue;
		if (at / 8 < status.n && (status.p[at / 8] & 0x80U >> at % 8) != 0 && (value.p[0] <= 8 || value.p[0] == 0x11))
			return value.p[0]; /* an application's PIN or the universal one: those a person knows */
		at++;
	}
	return 0;
}

void card_fcp_parse(struct bytes fcp, struct card_fcp *_fcp)
{
	struct bytes body = find_tlv(fcp, 0x62), descriptor = find_tlv(body, 0x82);

	memset(_fcp, 0, sizeof(*_fcp));
	_fcp->size = number(find_tlv(body, 0x80));
	if (descriptor.n >= 5) {
		_fcp->record_len = number(BYTES(descriptor.p + 2, 2));
		_fcp->records = descriptor.p[4];
	}
	_fcp->pin_reference = pin_of(find_tlv(body, 0xc6));
}

enum gba_err card_dir_record(struct bytes record, struct bytes *_aid)
{
	struct bytes aid = find_tlv(find_tlv(record, 0x61), 0x4f);

	if (aid.n < 5 || aid.n > AID_MAX)
		return GBA_E_SYNTAX;
	*_aid = aid;
	return GBA_OK;
}

/* TS 101 220 Annex E: 3GPP's RID and the application code. */
static bool aid_begins(struct bytes aid, uint8_t code)
{
	const uint8_t begin[] = { 0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, code };

	return aid.n >= sizeof(begin) && memcmp(aid.p, begin, sizeof(begin)) == 0;
}

bool card_aid_is_usim(struct bytes aid)
{
	return aid_begins(aid, 0x02);
}

bool card_aid_is_isim(struct bytes aid)
{
	return aid_begins(aid, 0x04);
}

enum gba_err card_imsi(struct bytes file, char *out)
{
	size_t i, n = 0;

	if (file.n < 2 || file.p[0] < 1 || file.p[0] > 8 || file.p[0] > file.n - 1)
		return GBA_E_SYNTAX;
	for (i = 1; i < 2 * (size_t)file.p[0]; i++) { /* the first nibble is parity and type */
		unsigned int digit = i % 2 == 0 ? file.p[1 + i / 2] & 0xfU : file.p[1 + i / 2] >> 4;

		if (digit == 0xf && i == 2 * (size_t)file.p[0] - 1)
			break;
		if (digit > 9)
			return GBA_E_SYNTAX;
		out[n++] = (char)('0' + digit);
	}
	out[n] = '\0';
	return imsi_valid(BYTES(out, n)) ? GBA_OK : GBA_E_SYNTAX;
}

unsigned int card_mnc_digits(struct bytes ad)
{
	return ad.n >= 4 && (ad.p[3] & 0xf) == 3 ? 3 : 2;
}

bool card_service(struct bytes table, unsigned int service)
{
	size_t at = (service - 1) / 8;

	return at < table.n && (table.p[at] & 1U << (service - 1) % 8) != 0;
}

enum gba_err card_impi(struct bytes file, char *out)
{
	struct bytes nai = find_tlv(file, 0x80);

	if (!impi_valid(nai))
		return GBA_E_IMPI_SYNTAX;
	snprintf(out, IMPI_MAX + 1, "%.*s", BYTES_FMT(nai));
	return GBA_OK;
}

struct bytes card_gbabp_rand(struct bytes file)
{
	return file.n > RAND_LEN && file.p[0] == RAND_LEN ? BYTES(file.p + 1, RAND_LEN) : BYTES_NONE;
}

bool card_gbabp_build(const uint8_t rand[RAND_LEN], struct bytes btid, struct bytes lifetime, uint8_t *out, size_t size)
{
	size_t n = 0;

	if (size < 1 + RAND_LEN + 2)
		return false;
	if (size < 1 + RAND_LEN + 1 + btid.n + 1 || btid.n > 0xff)
		btid.n = 0;
	if (size < 1 + RAND_LEN + 1 + btid.n + 1 + lifetime.n || lifetime.n > 0xff)
		lifetime.n = 0;
	memset(out, 0xff, size);
	out[n++] = RAND_LEN;
	memcpy(out + n, rand, RAND_LEN);
	n += RAND_LEN;
	out[n++] = (uint8_t)btid.n;
	if (btid.n > 0)
		memcpy(out + n, btid.p, btid.n);
	n += btid.n;
	out[n++] = (uint8_t)lifetime.n;
	if (lifetime.n > 0)
		memcpy(out + n, lifetime.p, lifetime.n);
	return true;
}

static enum gba_err select_by(const struct apdu_card *card, uint8_t p1, struct bytes name, struct card_fcp *_fcp, uint16_t *_sw,
			      const char *what, struct why *why)
{
	struct apdu command = { .ins = INS_SELECT, .p1 = p1, .p2 = 0x04, .data = name, .le = 0 };
	struct apdu_answer answer;
	enum gba_err err = apdu_exchange(card, &command, &answer, why);

	if (err != GBA_OK)
		return err;
	*_sw = answer.sw;
	if (!apdu_good(answer.sw))
		return apdu_refused(answer.sw, what, why);
	card_fcp_parse(BYTES(answer.data, answer.n), _fcp);
	return GBA_OK;
}

enum gba_err card_select_aid(const struct apdu_card *card, struct bytes aid, struct card_fcp *_fcp, struct why *why)
{
	uint16_t sw;

	return select_by(card, 0x04, aid, _fcp, &sw, "SELECT of the application", why);
}

enum gba_err card_select(const struct apdu_card *card, uint16_t fid, struct card_fcp *_fcp, uint16_t *_sw, struct why *why)
{
	const uint8_t name[] = { (uint8_t)(fid >> 8), (uint8_t)fid };
	char what[24];

	snprintf(what, sizeof(what), "SELECT %04X", fid);
	return select_by(card, 0x00, BYTES(name, sizeof(name)), _fcp, _sw, what, why);
}

enum gba_err card_read(const struct apdu_card *card, uint16_t fid, uint8_t *out, size_t *_n, uint16_t *_sw, struct why *why)
{
	struct apdu command = { .ins = INS_READ_BINARY };
	struct apdu_answer answer;
	struct card_fcp fcp;
	char what[24];
	enum gba_err err = card_select(card, fid, &fcp, _sw, why);

	if (err != GBA_OK)
		return err;
	command.le = fcp.size < CARD_FILE_MAX ? (int)fcp.size : CARD_FILE_MAX;
	snprintf(what, sizeof(what), "READ %04X", fid);
	err = apdu_exchange(card, &command, &answer, why);
	if (err != GBA_OK)
		return err;
	*_sw = answer.sw;
	if (!apdu_good(answer.sw))
		return apdu_refused(answer.sw, what, why);
	if (answer.n > CARD_FILE_MAX)
		return why_fail(why, GBA_E_PEER, "%s: more than was asked for", what);
	memcpy(out, answer.data, answer.n);
	*_n = answer.n;
	return GBA_OK;
}

enum gba_err card_read_record(const struct apdu_card *card, uint8_t record, size_t length, uint8_t *out, size_t *_n,
			      struct why *why)
{
	struct apdu command = { .ins = INS_READ_RECORD, .p1 = record, .p2 = 0x04, .le = (int)(length & 0xff) };
	struct apdu_answer answer;
	enum gba_err err = apdu_exchange(card, &command, &answer, why);

	if (err != GBA_OK)
		return err;
	if (!apdu_good(answer.sw))
		return apdu_refused(answer.sw, "READ RECORD", why);
	if (answer.n > CARD_FILE_MAX)
		return why_fail(why, GBA_E_PEER, "READ RECORD: more than was asked for");
	memcpy(out, answer.data, answer.n);
	*_n = answer.n;
	return GBA_OK;
}

enum gba_err card_update(const struct apdu_card *card, struct bytes content, uint16_t *_sw, struct why *why)
{
	struct apdu command = { .ins = INS_UPDATE_BINARY, .data = content, .le = APDU_NO_LE };
	struct apdu_answer answer;
	enum gba_err err = apdu_exchange(card, &command, &answer, why);

	if (err != GBA_OK)
		return err;
	*_sw = answer.sw;
	return apdu_good(answer.sw) ? GBA_OK : apdu_refused(answer.sw, "UPDATE", why);
}

static void keep_app(struct bytes aid, struct card_apps *apps)
{
	if (card_aid_is_usim(aid) && apps->usim_n == 0) {
		memcpy(apps->usim, aid.p, aid.n);
		apps->usim_n = aid.n;
	} else if (card_aid_is_isim(aid) && apps->isim_n == 0) {
		memcpy(apps->isim, aid.p, aid.n);
		apps->isim_n = aid.n;
	}
}

enum gba_err card_apps(const struct apdu_card *card, struct card_apps *_apps, struct why *why)
{
	static const uint8_t names[][7] = { { 0xa0, 0, 0, 0, 0x87, 0x10, 0x02 }, { 0xa0, 0, 0, 0, 0x87, 0x10, 0x04 } };
	struct card_fcp fcp;
	uint16_t sw;
	enum gba_err err;
	size_t i;

	memset(_apps, 0, sizeof(*_apps));
	err = card_select(card, FID_MF, &fcp, &sw, why);
	if (err == GBA_OK)
		err = card_select(card, FID_DIR, &fcp, &sw, why);
	for (i = 1; err == GBA_OK && i <= fcp.records; i++) {
		uint8_t record[CARD_FILE_MAX];
		struct bytes aid;
		size_t n;

		err = card_read_record(card, (uint8_t)i, fcp.record_len, record, &n, why);
		if (err == GBA_OK && card_dir_record(BYTES(record, n), &aid) == GBA_OK)
			keep_app(aid, _apps);
	}
	if (err != GBA_E_NOT_FOUND)
		return err;
	for (i = 0; i < 2; i++) {
		if (card_select_aid(card, BYTES(names[i], 7), &fcp, NULL) == GBA_OK)
			keep_app(BYTES(names[i], 7), _apps);
	}
	return GBA_OK;
}

enum gba_err card_iccid(const struct apdu_card *card, char *out, struct why *why)
{
	uint8_t file[CARD_FILE_MAX];
	struct card_fcp fcp;
	uint16_t sw;
	size_t i, n;
	enum gba_err err = card_select(card, FID_MF, &fcp, &sw, why);

	if (err == GBA_OK)
		err = card_read(card, FID_ICCID, file, &n, &sw, why);
	if (err != GBA_OK)
		return err;
	if (n < ICCID_LEN)
		return why_fail(why, GBA_E_PEER, "the card's ICCID has %zu octets", n);
	for (i = 0; i < 2 * ICCID_LEN; i++) { /* TS 102 221 13.2: nibbles swapped, F at the end */
		unsigned int digit = i % 2 == 0 ? file[i / 2] & 0xfU : file[i / 2] >> 4;

		if (digit > 9)
			break;
		out[i] = (char)('0' + digit);
	}
	out[i] = '\0';
	return i > 0 ? GBA_OK : why_fail(why, GBA_E_PEER, "the card has no ICCID");
}
