/* SPDX-License-Identifier: Apache-2.0 */
/* One line: {"seq":1,...,"hash":"64 digits"}. The hash is SHA-256 of the hash before and of all octets up to its own member. */
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include "audit/audit_priv.h"
#include "core/clock.h"
#include "core/codec.h"
#include "core/line.h"
#include "crypto/hash.h"

#define SEQ_START  "{\"seq\":"
#define HASH_START ",\"hash\":\""
#define HASH_END   "\"}"
#define TAIL_LEN   (sizeof(HASH_START) - 1 + AUDIT_HASH_HEX + sizeof(HASH_END) - 1)

static void put_name(struct line *line, const char *name)
{
	line_str(line, ",\"");
	line_str(line, name);
	line_str(line, "\":\"");
}

static void put(struct line *line, const char *name, struct bytes value)
{
	if (value.p == NULL)
		return;
	put_name(line, name);
	line_escaped(line, BYTES(value.p, value.n > AUDIT_VALUE_MAX ? AUDIT_VALUE_MAX - 3 : value.n));
	line_str(line, value.n > AUDIT_VALUE_MAX ? "...\"" : "\"");
}

static void put_start(struct line *line, uint64_t seq)
{
	char text[64];
	struct timeval tv;
	struct tm tm;
	size_t n;

	snprintf(text, sizeof(text), SEQ_START "%llu", (unsigned long long)seq);
	line_str(line, text);
	gettimeofday(&tv, NULL);
	gmtime_r(&tv.tv_sec, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(tv.tv_usec / 1000));
	put(line, "time", bytes_of(text));
}

static void chain(const uint8_t before[AUDIT_HASH_LEN], struct bytes body, uint8_t out[AUDIT_HASH_LEN])
{
	const struct bytes pieces[] = { BYTES(before, AUDIT_HASH_LEN), body };

	hash_pieces(HASH_SHA256, pieces, 2, out);
}

size_t audit_line_write(const struct audit_entry *entry, const char *node, struct audit_end *end, char out[AUDIT_LINE_MAX])
{
	struct line line = { .text = out, .cap = AUDIT_LINE_MAX };
	char hex[AUDIT_HASH_HEX + 1];

	put_start(&line, end->seq + 1);
	put(&line, "node", bytes_of(node));
	put(&line, "act", bytes_of(entry->act));
	put(&line, "role", bytes_of(entry->role));
	put(&line, "who", entry->who);
	put(&line, "object", entry->object);
	put(&line, "subject", entry->subject);
	put(&line, "why", entry->why);
	put(&line, "corr", bytes_of(entry->corr));
	put(&line, "result", bytes_of(entry->result == GBA_OK ? "ok" : gba_err_name(entry->result)));
	chain(end->hash, BYTES(out, line.n), end->hash);
	end->seq++;
	hex_encode(BYTES(end->hash, AUDIT_HASH_LEN), hex);
	line_str(&line, HASH_START);
	line_str(&line, hex);
	line_str(&line, HASH_END "\n");
	return line.n;
}

static bool starts_with(struct bytes text, const char *start)
{
	size_t n = strlen(start);

	return text.n >= n && memcmp(text.p, start, n) == 0;
}

/* Decimal digits without leading zero, up to the comma. */
static bool read_seq(struct bytes text, uint64_t *_seq)
{
	uint64_t seq = 0;
	size_t i;

	for (i = 0; i < text.n && i < 19 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		seq = seq * 10 + (uint64_t)(text.p[i] - '0');
	if (i == 0 || i == text.n || text.p[i] != ',' || text.p[0] == '0')
		return false;
	*_seq = seq;
	return true;
}

/* Capital digits would be another text for the same hash. */
static bool lower_hex(struct bytes text)
{
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] >= 'A' && text.p[i] <= 'F')
			return false;
	}
	return true;
}

enum gba_err audit_line_read(struct bytes line, struct audit_end *_end, struct bytes *_body)
{
	struct bytes tail, hex;
	struct audit_end end;

	if (line.n < sizeof(SEQ_START) - 1 + TAIL_LEN || !starts_with(line, SEQ_START))
		return GBA_E_SYNTAX;
	tail = BYTES(line.p + line.n - TAIL_LEN, TAIL_LEN);
	hex = BYTES(tail.p + sizeof(HASH_START) - 1, AUDIT_HASH_HEX);
	if (!starts_with(tail, HASH_START) || memcmp(hex.p + hex.n, HASH_END, sizeof(HASH_END) - 1) != 0 || !lower_hex(hex) ||
	    hex_decode(hex, end.hash, AUDIT_HASH_LEN) != GBA_OK)
		return GBA_E_SYNTAX;
	*_body = BYTES(line.p, line.n - TAIL_LEN);
	if (!read_seq(BYTES(line.p + sizeof(SEQ_START) - 1, _body->n - (sizeof(SEQ_START) - 1)), &end.seq))
		return GBA_E_SYNTAX;
	*_end = end;
	return GBA_OK;
}

enum gba_err audit_line_check(struct bytes line, struct audit_end *end)
{
	uint8_t hash[AUDIT_HASH_LEN];
	struct audit_end read;
	struct bytes body;
	enum gba_err err;

	err = audit_line_read(line, &read, &body);
	if (err != GBA_OK)
		return err;
	if (read.seq != end->seq + 1)
		return GBA_E_RANGE;
	chain(end->hash, body, hash);
	if (memcmp(hash, read.hash, AUDIT_HASH_LEN) != 0)
		return GBA_E_CORRUPT;
	*end = read;
	return GBA_OK;
}

enum gba_err audit_line_before(struct bytes line, struct audit_end *_before)
{
	static const char name[] = ",\"subject\":\"";
	struct audit_end read, before = { 0 };
	const uint8_t *at;
	struct bytes body;
	enum gba_err err;

	err = audit_line_read(line, &read, &body);
	if (err != GBA_OK)
		return err;
	if (read.seq == 1) {
		*_before = before;
		return GBA_OK;
	}
	at = memmem(body.p, body.n, name, sizeof(name) - 1);
	if (at == NULL || memmem(body.p, body.n, AUDIT_CONTINUES, sizeof(AUDIT_CONTINUES) - 1) == NULL)
		return GBA_E_SYNTAX;
	at += sizeof(name) - 1;
	if ((size_t)(body.p + body.n - at) < AUDIT_HASH_HEX ||
	    hex_decode(BYTES(at, AUDIT_HASH_HEX), before.hash, AUDIT_HASH_LEN) != GBA_OK)
		return GBA_E_SYNTAX;
	before.seq = read.seq - 1;
	*_before = before;
	return GBA_OK;
}

bool audit_line_old(struct bytes line)
{
	static const char mark[] = "\"time\":\"";
	const uint8_t *at = memmem(line.p, line.n, mark, sizeof(mark) - 1);
	struct bytes text, rest;
	time_t when;

	if (at == NULL)
		return true;
	text = BYTES(at + sizeof(mark) - 1, (size_t)(line.p + line.n - at) - (sizeof(mark) - 1));
	return !bytes_split(text, '"', &text, &rest) || time_parse(text, &when) != GBA_OK ||
	       when + AUDIT_UNSIGNED_S < time(NULL);
}
