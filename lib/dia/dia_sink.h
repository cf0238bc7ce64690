/* SPDX-License-Identifier: Apache-2.0 */
/** Where encoded rows go: AVPs of a freeDiameter message (requests), or octets (answers: several times cheaper than AVP
 * objects, and an answer is complete when it is made). One walk over the rows serves both. */
#ifndef GBA_DIA_SINK_H
#define GBA_DIA_SINK_H

#include "dia/dia.h"

struct dia_sink;
struct dia_sink_ops {
	enum gba_err (*octets)(struct dia_sink *sink, const struct dia_field *row, struct bytes octets);
	enum gba_err (*number)(struct dia_sink *sink, const struct dia_field *row, uint32_t number); /* both signs */
	enum gba_err (*open)(struct dia_sink *sink, const struct dia_field *row);
	void (*close)(struct dia_sink *sink);
};
struct dia_sink {
	const struct dia_sink_ops *ops;
};

/** Write the members that are present, in the order of the rows.
 * @retval GBA_E_TOO_LONG, GBA_E_RANGE, GBA_E_AVP_MISSING  in is not what the rows allow */
enum gba_err dia_rows_write(struct dia_sink *sink, const struct dia_field *fields, const void *in);

/** Octets of a message under construction: header first, then AVPs. */
struct dia_writer {
	struct dia_sink sink;
	uint8_t *p; /* malloc()ed: freeDiameter takes it over */
	size_t n, cap;
	size_t group[8]; /* where the open groups' AVPs start */
	unsigned int depth;
	bool failed; /* out of memory: what follows is not written */
};
/** Starts with room for a header; dia_writer_finish fills it. */
void dia_writer_start(struct dia_writer *w);
void dia_writer_avp(struct dia_writer *w, uint32_t code, uint32_t vendor, uint8_t flags, struct bytes octets);
void dia_writer_u32(struct dia_writer *w, uint32_t code, uint8_t flags, uint32_t number);
void dia_writer_open(struct dia_writer *w, uint32_t code, uint32_t vendor, uint8_t flags);
void dia_writer_close(struct dia_writer *w);
/** AVPs as they are. */
void dia_writer_raw(struct dia_writer *w, struct bytes avps);
/** An AVP that the framework has parsed, with everything below it; false: it holds what the dictionary does not know. */
bool dia_writer_copy(struct dia_writer *w, struct avp *avp);
/** Drop everything written. */
void dia_writer_reset(struct dia_writer *w);
void dia_writer_free(struct dia_writer *w);
/** The message; w is empty afterwards. @retval GBA_E_NOMEM */
enum gba_err dia_writer_finish(struct dia_writer *w, const struct msg_hdr *hdr, struct msg **_msg);

#endif
