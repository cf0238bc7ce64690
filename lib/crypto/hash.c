/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <stdlib.h>

#include "crypto/handles.h"

static const size_t lens[] = { [HASH_MD5] = 16, [HASH_SHA1] = 20, [HASH_SHA256] = 32 };

size_t hash_len(enum hash_alg alg)
{
	return lens[alg];
}

static void run(gcry_md_hd_t md, const struct bytes *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].n > 0)
			gcry_md_write(md, pieces[i].p, pieces[i].n);
	}
}

void hash_pieces(enum hash_alg alg, const struct bytes *pieces, size_t count, uint8_t *out)
{
	gcry_md_hd_t md = handle_md(alg, false);

	run(md, pieces, count);
	memcpy(out, gcry_md_read(md, 0), lens[alg]);
	gcry_md_reset(md);
}

void hmac_pieces(enum hash_alg alg, struct bytes key, const struct bytes *pieces, size_t count, uint8_t *out)
{
	static const uint8_t nobody[1];
	gcry_md_hd_t md = handle_md(alg, true);

	if (gcry_md_setkey(md, key.n > 0 ? key.p : nobody, key.n) != 0)
		abort();
	run(md, pieces, count);
	memcpy(out, gcry_md_read(md, 0), lens[alg]);
	gcry_md_setkey(md, nobody, sizeof(nobody));
}
