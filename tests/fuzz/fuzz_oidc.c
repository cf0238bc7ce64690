/* SPDX-License-Identifier: Apache-2.0 */
/* What clients and devices send to the provider: forms and queries, which are the same again once encoded, and signed tokens. */
#include <stdlib.h>

#include "core/secret.h"
#include "jose/jwt.h"
#include "naf-adapter/oidc/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void form(TALLOC_CTX *ctx, struct bytes in)
{
	struct params params, again;
	const char *name;
	char *text = talloc_strdup(ctx, "");
	size_t i;

	if (params_read(ctx, in, &params, &name) != GBA_OK)
		return;
	for (i = 0; i < params.n; i++)
		text = talloc_asprintf_append(text, "&%s=%s", param_encode(ctx, params.v[i].name), param_encode(ctx, params.v[i].value));
	if (params_read(ctx, bytes_of(text), &again, &name) != GBA_OK || again.n != params.n)
		abort();
	for (i = 0; i < params.n; i++) {
		if (strcmp(again.v[i].name, params.v[i].name) != 0 || strcmp(again.v[i].value, params.v[i].value) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct jwt_key *key;
	TALLOC_CTX *ctx = talloc_new(NULL);
	json_t *claims = NULL;

	if (key == NULL) {
		secret_init();
		if (jwt_key_new(NULL, JWT_ES256, &key) != GBA_OK)
			abort();
	}
	form(ctx, BYTES(data, size));
	if (jwt_open(BYTES(data, size), key, &claims) == GBA_OK)
		abort(); /* nobody else has the key */
	talloc_free(ctx);
	return 0;
}
