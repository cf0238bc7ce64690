/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/gba-ctl/seen.h"

#include "crypto/hash.h"

struct mark {
	uint64_t digest[2], line; /* line 0: free */
};

struct seen {
	struct mark *mark;
	size_t room, count; /* room: a power of two */
};

struct seen *seen_new(TALLOC_CTX *ctx)
{
	struct seen *seen = talloc_zero(ctx, struct seen);

	if (seen == NULL)
		return NULL;
	seen->room = 4096;
	seen->mark = talloc_zero_array(seen, struct mark, seen->room);
	return seen->mark != NULL ? seen : NULL;
}

static struct mark *place_of(struct mark *mark, size_t room, const uint64_t digest[2])
{
	size_t at = digest[0] & (room - 1);

	while (mark[at].line != 0 && (mark[at].digest[0] != digest[0] || mark[at].digest[1] != digest[1]))
		at = (at + 1) & (room - 1);
	return &mark[at];
}

static bool grow(struct seen *seen)
{
	struct mark *mark = talloc_zero_array(seen, struct mark, seen->room * 2);
	size_t i;

	if (mark == NULL)
		return false;
	for (i = 0; i < seen->room; i++) {
		if (seen->mark[i].line != 0)
			*place_of(mark, seen->room * 2, seen->mark[i].digest) = seen->mark[i];
	}
	talloc_free(seen->mark);
	seen->mark = mark;
	seen->room *= 2;
	return true;
}

uint64_t seen_add(struct seen *seen, struct bytes text, uint64_t line)
{
	uint64_t digest[HASH_MAX / 8];
	struct mark *place;

	if (seen->count * 2 >= seen->room && !grow(seen))
		return UINT64_MAX;
	hash_pieces(HASH_SHA256, &text, 1, (uint8_t *)digest);
	place = place_of(seen->mark, seen->room, digest);
	if (place->line != 0)
		return place->line;
	*place = (struct mark){
		.digest = {digest[0], digest[1]},
                  .line = line
	};
	seen->count++;
	return 0;
}
