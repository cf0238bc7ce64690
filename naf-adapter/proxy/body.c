/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/proxy/body.h"

#include "naf-adapter/proxy/fields.h"

void body_start(struct body *body, const struct h1_head *head)
{
	*body = (struct body){ .framing = head->framing, .left = head->length, .done = head->framing == H1_BODY_NONE };
}

static bool put_data(struct buf *out, struct bytes data, bool rechunk)
{
	if (data.n == 0)
		return true;
	if (!rechunk)
		return buf_put(out, data);
	return buf_printf(out, "%zx\r\n", data.n) && buf_put(out, data) && buf_put(out, bytes_of("\r\n"));
}

/* The next piece, at most `want` octets of input looked at. */
static enum h1_result next_piece(struct body *body, struct bytes in, size_t *_used, struct bytes *_data)
{
	switch (body->framing) {
	case H1_BODY_CHUNKED: return h1_chunked_next(&body->chunked, in, _used, _data);
	case H1_BODY_LENGTH:
		*_used = in.n < body->left ? in.n : (size_t)body->left;
		*_data = BYTES(in.p, *_used);
		body->left -= *_used;
		return body->left == 0 ? H1_DONE : H1_MORE;
	case H1_BODY_CLOSE:
		*_used = in.n;
		*_data = in;
		return H1_MORE;
	default:
		*_used = 0;
		*_data = BYTES_NONE;
		return H1_DONE;
	}
}

static bool trailers_keep(struct body *body, struct bytes piece, size_t used)
{
	size_t n = body->framing == H1_BODY_CHUNKED && body->trailers != NULL ? h1_chunked_trailer(&body->chunked, used) : 0;

	return n == 0 || buf_put(body->trailers, BYTES(piece.p + used - n, n));
}

static bool put_end(const struct body *body, struct buf *out)
{
	return buf_put(out, bytes_of("0\r\n")) &&
	       (body->trailers == NULL || fields_put_trailers(out, buf_bytes(body->trailers))) && buf_put(out, bytes_of("\r\n"));
}

enum h1_result body_move(struct body *body, struct buf *in, struct buf *out, const struct body_limits *limits,
			 bool *_too_large)
{
	enum h1_result result = H1_MORE;
	struct bytes data, piece;
	size_t used;

	*_too_large = false;
	while (!body->done && in->n > 0 && out->n < limits->high) {
		piece = buf_bytes(in);
		if (piece.n > limits->high - out->n)
			piece.n = limits->high - out->n;
		result = next_piece(body, piece, &used, &data);
		if (result == H1_BAD)
			return H1_BAD;
		body->octets += data.n;
		*_too_large = limits->max != 0 && body->octets > limits->max;
		if (*_too_large || !put_data(out, data, limits->rechunk) || !trailers_keep(body, piece, used))
			return H1_BAD;
		buf_drop(in, used);
		body->done = result == H1_DONE;
	}
	if (!body->done)
		return H1_MORE;
	if (result == H1_DONE && limits->rechunk && !put_end(body, out))
		return H1_BAD;
	return H1_DONE;
}

bool body_end(struct body *body, struct buf *out, bool rechunk)
{
	if (body->done)
		return true;
	if (body->framing != H1_BODY_CLOSE)
		return false;
	body->done = true;
	return !rechunk || buf_put(out, bytes_of("0\r\n\r\n"));
}
