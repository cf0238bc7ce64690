/* SPDX-License-Identifier: Apache-2.0 */
/* Events of other registries: 64 octets of signature, then a text. What is read is the canonical form of itself. */
#include <stdlib.h>

#include "registry-fn/log/event_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t previous[EVENT_DIGEST_LEN];
	struct event event = { 0 };
	json_t *root = NULL;
	char *again;

	if (event_read(BYTES(data, size), &event, previous, &root) != GBA_OK)
		return 0;
	again = event_text(&event, previous);
	if (again == NULL || !bytes_eq_str(BYTES(data + SIGN_LEN, size - SIGN_LEN), again))
		abort(); /* a second text for one event */
	for (int type = 0; type < REGISTRY_TYPES; type++)
		(void)event_rules(&event, (enum registry_type)type);
	free(again);
	json_decref(root);
	return 0;
}
