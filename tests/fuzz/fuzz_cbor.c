/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of constrained devices: any octets; what is taken becomes JSON, goes back to CBOR, and is the same JSON again. */
#include <stdlib.h>

#include "coap/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = NULL, *again = NULL;
	struct bytes octets = BYTES_NONE;

	if (cbor_to_json(BYTES(data, size), &json) != GBA_OK)
		return 0;
	if (cbor_from_json(json, &octets) != GBA_OK)
		abort();
	if (octets.n > CBOR_BODY_MAX) { /* names may be longer than their numbers */
		free((void *)(uintptr_t)octets.p);
		json_decref(json);
		return 0;
	}
	if (cbor_to_json(octets, &again) != GBA_OK || !json_equal(json, again))
		abort();
	free((void *)(uintptr_t)octets.p);
	json_decref(json);
	json_decref(again);
	return 0;
}
