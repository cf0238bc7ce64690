/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the device's state folder after unsealing, soft USIM and tokens: what is accepted must survive a round trip.
 */
#include <stdlib.h>

#include "ue/token.h"
#include "ue/usim/soft_usim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_usim(TALLOC_CTX *ctx, struct bytes in)
{
	struct soft_usim_data *usim = talloc(ctx, struct soft_usim_data);
	uint8_t out[SOFT_USIM_RECORD_MAX];
	size_t n;

	if (usim == NULL || soft_usim_decode(in, usim) != GBA_OK)
		return;
	n = soft_usim_encode(usim, out, sizeof(out));
	if (!bytes_eq(in, BYTES(out, n)))
		abort();
}

static void check_tokens(TALLOC_CTX *ctx, struct bytes in)
{
	struct tokens *tokens;
	struct bytes again;
	bool changed = false;

	if (tokens_decode(ctx, in, &tokens) != GBA_OK)
		return;
	if (tokens_encode(ctx, tokens, &again) != GBA_OK || !bytes_eq(in, again))
		abort();
	if (tokens->realm_count > 0 && tokens->realms[0].btid[0] != '\0')
		tokens_bind(tokens, &tokens->realms[0], bytes_of("naf.example"), 1, &changed);
	tokens_retire_others(tokens, "a");
	tokens_expire(tokens, 1900000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *ctx = talloc_new(NULL);

	secret_init();
	check_usim(ctx, BYTES(data, size));
	check_tokens(ctx, BYTES(data, size));
	talloc_free(ctx);
	return 0;
}
