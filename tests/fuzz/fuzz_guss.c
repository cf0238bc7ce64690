/* SPDX-License-Identifier: Apache-2.0 */
/* GUSS and USS lists: what is accepted is written, read and written again to the same text. */
#include <stdlib.h>
#include <talloc.h>

#include "xml/guss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *write(TALLOC_CTX *ctx, const struct guss *guss)
{
	return guss->impi != NULL ? guss_build(ctx, guss) : uss_list_build(ctx, guss);
}

static void check_selection(TALLOC_CTX *ctx, const struct guss *guss)
{
	const uint32_t gsids[] = { 0, 1, 1, 999999 };
	struct guss selected;
	size_t i;

	if (guss_select(ctx, guss, gsids, 4, "a", &selected) != GBA_OK || selected.uss_count > guss->uss_count)
		abort();
	for (i = 0; i < selected.uss_count; i++) {
		if (selected.uss[i].naf_group != NULL && strcmp(selected.uss[i].naf_group, "a") != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	struct guss *first, *second;
	enum gba_err err;
	char *text;

	if (guss_parse(ctx, BYTES(data, size), &first) == GBA_OK) {
		check_selection(ctx, first);
		text = write(ctx, first);
		if (text == NULL)
			abort();
		err = guss_parse(ctx, bytes_of(text), &second);
		if (err != GBA_OK && err != GBA_E_TOO_LONG)
			abort();
		if (err == GBA_OK && strcmp(text, write(ctx, second)) != 0)
			abort();
	}
	talloc_free(ctx);
	return 0;
}
