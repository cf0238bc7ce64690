/* SPDX-License-Identifier: Apache-2.0 */
/** bench_dia.fdx: both ends of a Diameter measurement, on freeDiameter's own functions only. Set up by the text behind
 * LoadExtension, "key=value" words:
 *   role=serve port=N                          answer the stand-in command, on 127.0.0.1
 *   role=ask what=floor|mar|bir|ecr peer=IDENTITY realm=REALM window=W seconds=S out=FILE
 *     what=floor: request=N answer=N           [octets] size of the messages
 *     what=mar:   impi=FORMAT users=N          %u stands for ten digits, 0 .. N-1
 *     what=ecr:   users=N                      IMEIs 3500, then ten digits, 0 .. N-1
 *     what=bir:   btids=FILE naf=HEX           the first word of each line is a B-TID */
#ifndef GBA_BENCH_DIA_H
#define GBA_BENCH_DIA_H

#include <freeDiameter/extension.h>
#include <stdint.h>

#include "stats.h"

#define BENCH_VENDOR	 99999
#define BENCH_APP	 16777999
#define BENCH_CMD	 0xfffffe /* RFC 6733 11.3: experimental */
#define BENCH_WINDOW_MAX 4096
#define BENCH_TEXT_MAX	 256

struct bench_conf {
	char role[8], what[8], peer[BENCH_TEXT_MAX], realm[BENCH_TEXT_MAX], out[BENCH_TEXT_MAX], impi[BENCH_TEXT_MAX];
	char btids[BENCH_TEXT_MAX], naf[BENCH_TEXT_MAX];
	unsigned int port, window, seconds, request, answer, users;
};

/** What is asked: how to fill in a request that has its header and routing AVPs already. */
struct bench_kind {
	const char *name;
	uint32_t app, vendor;
	const char *command; /* name in the dictionary */
	int (*prepare)(const struct bench_conf *conf); /* once; 0 or errno */
	int (*fill)(struct msg *msg, uint64_t i);
};
extern const struct bench_kind bench_floor, bench_mar, bench_bir, bench_ecr;

int bench_dict_load(void);
int bench_serve_start(const struct bench_conf *conf);
/** Pad msg with the stand-in AVP to this many octets. */
int bench_pad(struct msg *msg, size_t octets);
int bench_ask_start(const struct bench_conf *conf);
/** [octets] from the header. */
size_t bench_size(struct msg *msg);
/** Add a value by its dictionary name; resolve the name once with bench_model(). */
struct dict_object *bench_model(const char *avp);
int bench_add(struct msg *msg, struct dict_object *model, const void *octets, size_t n);
int bench_add_u32(msg_or_avp *parent, struct dict_object *model, uint32_t value);

#endif
