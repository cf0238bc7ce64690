/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, responses and chunked bodies: the verdict may not depend on how the octets are cut, and what is passed on must
 * parse again as the same message. */
#include <stdlib.h>

#include "naf-adapter/proxy/body.h"
#include "naf-adapter/proxy/described.h"
#include "naf-adapter/proxy/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_HEAD 4096

static enum h1_result parse(struct bytes in, size_t *scanned, bool request, struct h1_head *head)
{
	struct h1_fault fault;

	return request ? h1_request_parse(in, scanned, MAX_HEAD, head, &fault) :
			 h1_response_parse(in, scanned, MAX_HEAD, false, head, &fault);
}

/* What the application gets must hold one head, framed as we framed it. */
static void check_forwarded(const struct h1_head *head)
{
	const struct asserted who = { .list = bytes_of("\"a\""), .user = bytes_of("a") };
	const struct from from = { .address = "192.0.2.1", .tls = true };
	struct h1_head again;
	struct buf out = { 0 };
	size_t scanned = 0;

	if (!fields_put_request(&out, head, &who, &from, false))
		abort();
	if (head->authority.p != NULL && head->fields + 8 < H1_FIELDS_MAX) {
		struct h1_fault fault;

		if (h1_request_parse(buf_bytes(&out), &scanned, 2 * MAX_HEAD, &again, &fault) != H1_DONE || again.octets != out.n)
			abort();
		if (again.framing != head->framing || (again.framing == H1_BODY_LENGTH && again.length != head->length))
			abort();
		if (h1_field_count(&again, "x-3gpp-asserted-identity") != 1 || h1_field_count(&again, "authorization") != 0)
			abort();
	}
	buf_free(&out);
}

/* What a web server describes is read as a request is: one line, nothing that could be two. */
static void check_described(const struct h1_head *head)
{
	static struct h1_head described;
	struct described what;
	unsigned int how;
	size_t i;

	for (how = ASKS_ORIGINAL; how <= ASKS_ITSELF; how++) {
		TALLOC_CTX *ctx = talloc_new(NULL);

		described = *head;
		if (described_read(ctx, (enum asks)how, how == ASKS_ITSELF ? ASKS_TLS_SUITE : ASKS_TLS_NONE, &described, &what) == NULL) {
			if (described.host.p == NULL || described.method.n == 0 || described.target.n == 0)
				abort();
			for (i = 0; i < described.target.n; i++) {
				if (described.target.p[i] <= ' ')
					abort();
			}
		}
		talloc_free(ctx);
	}
}

static void check_head(struct bytes in, bool request)
{
	struct h1_head whole, cut;
	enum h1_result at_once, bit_by_bit = H1_MORE;
	size_t scanned = 0, n;

	at_once = parse(in, &scanned, request, &whole);
	scanned = 0;
	for (n = 1; n <= in.n && bit_by_bit == H1_MORE; n++)
		bit_by_bit = parse(BYTES(in.p, n), &scanned, request, &cut);
	if (in.n > 0 && at_once != bit_by_bit)
		abort();
	if (at_once == H1_DONE && whole.octets != cut.octets)
		abort();
	if (at_once == H1_DONE && request) {
		check_forwarded(&whole);
		check_described(&whole);
	}
}

static enum h1_result unchunk(struct bytes in, size_t step, struct buf *out, size_t *_used)
{
	struct h1_chunked chunked = { 0 };
	enum h1_result got = H1_MORE;
	struct bytes data;
	size_t n, used;

	for (*_used = 0; *_used < in.n && got == H1_MORE; *_used += used) {
		n = in.n - *_used < step ? in.n - *_used : step;
		got = h1_chunked_next(&chunked, BYTES(in.p + *_used, n), &used, &data);
		if (got == H1_BAD)
			return got;
		if (data.n > 0 && !buf_put(out, data))
			abort();
	}
	return got;
}

static void check_chunked(struct bytes in)
{
	struct buf whole = { 0 }, cut = { 0 };
	size_t used, used_cut;
	enum h1_result at_once = unchunk(in, in.n, &whole, &used), bit_by_bit = unchunk(in, 1, &cut, &used_cut);

	if (at_once != bit_by_bit || (at_once == H1_DONE && used != used_cut))
		abort();
	if (at_once != H1_BAD && !bytes_eq(buf_bytes(&whole), buf_bytes(&cut)))
		abort();
	buf_free(&whole);
	buf_free(&cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = BYTES(data, size);

	if (size > 2 * MAX_HEAD)
		return 0;
	check_head(in, true);
	check_head(in, false);
	check_chunked(in);
	return 0;
}
