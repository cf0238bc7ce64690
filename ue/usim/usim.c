/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/usim.h"

#include <stdio.h>

#include "core/trace.h"

void usim_trace(enum usim_context context, const uint8_t rand[AKA_RAND_LEN], enum gba_err err)
{
	struct trace_step step = { .from = "ue", .to = "usim", .iface = "USIM", .clause = "Y.3056 10.4-2b" };
	char corr[CORR_LEN + 1], message[64];

	if (!trace_on())
		return;
	corr_from_rand(rand, corr);
	snprintf(message, sizeof(message), "AUTHENTICATE %s: %s", context == USIM_GBA ? "GBA" : "3G", gba_strerror(err));
	step.corr = corr;
	step.message = message;
	trace_step(&step);
}
