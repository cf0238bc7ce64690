/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/sealed_state.h"

#include <poll.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/codec.h"

#define LIST_FILE "sealed-used"
#define KEPT_MAX  256 /* pairs of keys remembered */
#define FILE_NAME_LEN (7 + 2 * SEALED_KID_LEN + 6)
#define POLL_MS	  20

static void file_name(const uint8_t kid[SEALED_KID_LEN], char out[FILE_NAME_LEN])
{
	char hex[2 * SEALED_KID_LEN + 1];

	hex_encode(BYTES(kid, SEALED_KID_LEN), hex);
	snprintf(out, FILE_NAME_LEN, "sealed-%s", hex);
}

static bool listed(struct bytes list, const uint8_t kid[SEALED_KID_LEN])
{
	size_t at;

	for (at = 0; at + SEALED_KID_LEN <= list.n; at += SEALED_KID_LEN) {
		if (memcmp(list.p + at, kid, SEALED_KID_LEN) == 0)
			return true;
	}
	return false;
}

static void forget(struct state *state, const uint8_t kid[SEALED_KID_LEN])
{
	char name[FILE_NAME_LEN];

	file_name(kid, name);
	state_remove(state, name);
	strcat(name, ".lock");
	state_remove(state, name);
}

/* At the end of the list; the oldest falls out. */
static enum gba_err note(struct state *state, struct bytes list, const uint8_t kid[SEALED_KID_LEN])
{
	uint8_t content[(KEPT_MAX + 1) * SEALED_KID_LEN];
	size_t n = list.n < KEPT_MAX * SEALED_KID_LEN ? list.n : KEPT_MAX * SEALED_KID_LEN;
	bool full = n == KEPT_MAX * SEALED_KID_LEN;

	if (n > 0)
		memcpy(content, list.p, n);
	memcpy(content + n, kid, SEALED_KID_LEN);
	n += SEALED_KID_LEN;
	if (full)
		forget(state, content);
	return state_write_sealed(state, LIST_FILE, BYTES(content + (full ? SEALED_KID_LEN : 0), n - (full ? SEALED_KID_LEN : 0)));
}

/* The link first, the list then: it is not used before it is in the list. */
static enum gba_err open_new(TALLOC_CTX *mem_ctx, struct state *state, const char *path, const struct sealed_keys *keys,
			     struct sealed_link **_link)
{
	struct bytes list = BYTES_NONE;
	enum gba_err err;
	int lock;

	err = state_lock(state, LIST_FILE, SEALED_STATE_WAIT_MS, &lock);
	if (err != GBA_OK)
		return err;
	err = state_read_sealed(mem_ctx, state, LIST_FILE, &list);
	if (err == GBA_E_NOT_FOUND)
		err = GBA_OK;
	if (err == GBA_OK && listed(list, keys->kid))
		err = GBA_E_NOT_FOUND;
	if (err == GBA_OK)
		err = sealed_link_open(mem_ctx, path, keys, SEALED_DEVICE, true, _link);
	if (err == GBA_OK) {
		err = note(state, list, keys->kid);
		if (err != GBA_OK)
			TALLOC_FREE(*_link);
	}
	talloc_free((void *)(uintptr_t)list.p);
	state_unlock(lock);
	return err;
}

enum gba_err sealed_state_open(TALLOC_CTX *mem_ctx, struct state *state, const struct sealed_keys *keys,
			       struct sealed_link **_link)
{
	uint64_t deadline = clock_mono_ms() + SEALED_STATE_WAIT_MS;
	char name[FILE_NAME_LEN];
	enum gba_err err;
	char *path;

	file_name(keys->kid, name);
	path = state_path(mem_ctx, state, name);
	if (path == NULL)
		return GBA_E_NOMEM;
	for (;;) {
		err = sealed_link_open(mem_ctx, path, keys, SEALED_DEVICE, false, _link);
		if (err == GBA_E_NOT_FOUND)
			err = open_new(mem_ctx, state, path, keys, _link);
		if (err != GBA_E_BUSY || clock_mono_ms() >= deadline)
			break;
		poll(NULL, 0, POLL_MS);
	}
	talloc_free(path);
	return err;
}
