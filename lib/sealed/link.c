/* SPDX-License-Identifier: Apache-2.0 */
#include "sealed/link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/secret.h"
#include "crypto/private_file.h"

#define FILE_FORM "gba-sealed-1 %s %d %020" PRIu64 " %020" PRIu64 " %016" PRIx64 "\n"
#define FILE_LEN  (12 + 1 + 2 * SEALED_KID_LEN + 1 + 1 + 1 + 20 + 1 + 20 + 1 + 16 + 1)

struct sealed_link {
	struct sealed_keys keys;
	enum sealed_side self;
	char *path;
	int lock;
	uint64_t next, leased; /* counters: the next to use, the first that is not ours to use */
	struct sealed_window window;
};

static void text_of(const struct sealed_link *link, char out[FILE_LEN + 1])
{
	char kid[2 * SEALED_KID_LEN + 1];
	int i;

	for (i = 0; i < SEALED_KID_LEN; i++)
		snprintf(kid + 2 * i, 3, "%02x", link->keys.kid[i]);
	snprintf(out, FILE_LEN + 1, FILE_FORM, kid, (int)link->self, link->leased, link->window.next, link->window.seen);
}

static enum gba_err save(const struct sealed_link *link)
{
	char text[FILE_LEN + 1];

	text_of(link, text);
	return private_file_write(link->path, BYTES(text, FILE_LEN), true);
}

/* As we write it, or not at all: what was read is written again and compared. */
static enum gba_err load(struct sealed_link *link)
{
	char text[FILE_LEN + 1], again[FILE_LEN + 1];
	size_t n;
	enum gba_err err = private_file_read(link->path, text, FILE_LEN, &n, NULL);

	if (err == GBA_E_TOO_LONG)
		return GBA_E_CORRUPT;
	if (err != GBA_OK)
		return err;
	if (sscanf(text, "gba-sealed-1 %*s %*d %20" SCNu64 " %20" SCNu64 " %16" SCNx64, &link->leased, &link->window.next,
		   &link->window.seen) != 3)
		return GBA_E_CORRUPT;
	text_of(link, again);
	if (!bytes_eq(BYTES(text, n), BYTES(again, FILE_LEN)) || link->leased > SEALED_COUNTER_MAX + SEALED_LEASE)
		return GBA_E_CORRUPT;
	link->next = link->leased;
	return GBA_OK;
}

static int link_close(struct sealed_link *link)
{
	if (link->lock >= 0)
		close(link->lock);
	link->lock = -1;
	secret_wipe(&link->keys, sizeof(link->keys));
	return 0;
}

static enum gba_err take_lock(struct sealed_link *link)
{
	char *path = talloc_asprintf(link, "%s.lock", link->path);

	if (path == NULL)
		return GBA_E_NOMEM;
	link->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (link->lock < 0)
		return gba_err_from_errno(errno);
	if (flock(link->lock, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? GBA_E_BUSY : gba_err_from_errno(errno);
	return GBA_OK;
}

enum gba_err sealed_link_open(TALLOC_CTX *mem_ctx, const char *path, const struct sealed_keys *keys, enum sealed_side self,
			      bool create, struct sealed_link **_link)
{
	struct sealed_link *link = talloc_zero(mem_ctx, struct sealed_link);
	enum gba_err err;

	if (link == NULL)
		return GBA_E_NOMEM;
	link->lock = -1;
	link->keys = *keys;
	link->self = self;
	talloc_set_destructor(link, link_close);
	link->path = talloc_strdup(link, path);
	err = link->path != NULL ? take_lock(link) : GBA_E_NOMEM;
	if (err == GBA_OK)
		err = load(link);
	if (err == GBA_E_NOT_FOUND && create)
		err = save(link);
	if (err == GBA_OK)
		*_link = link;
	else
		talloc_free(link);
	return err;
}

static enum gba_err lease(struct sealed_link *link)
{
	enum gba_err err;

	link->leased += SEALED_LEASE;
	err = save(link);
	if (err != GBA_OK)
		link->leased -= SEALED_LEASE;
	return err;
}

enum gba_err sealed_link_send(struct sealed_link *link, struct bytes plain, uint8_t *out, size_t *_n)
{
	enum gba_err err;

	if (plain.n > SEALED_PLAIN_MAX)
		return GBA_E_TOO_LONG;
	if (link->next > SEALED_COUNTER_MAX)
		return GBA_E_RANGE;
	if (link->next >= link->leased) {
		err = lease(link);
		if (err != GBA_OK)
			return err;
	}
	return sealed_seal(&link->keys, link->self, link->next++, plain, out, _n);
}

enum gba_err sealed_link_receive(struct sealed_link *link, struct bytes frame, uint8_t *out, size_t *_n)
{
	const enum sealed_side other = link->self == SEALED_DEVICE ? SEALED_SERVER : SEALED_DEVICE;
	const struct sealed_window before = link->window;
	struct sealed_frame parsed;
	enum gba_err err;
	size_t n;

	err = sealed_parse(frame, &parsed);
	if (err != GBA_OK)
		return err;
	err = sealed_open(&link->keys, other, &parsed, out, &n);
	if (err != GBA_OK)
		return err;
	err = sealed_window_check(&link->window, parsed.counter);
	if (err == GBA_OK) {
		sealed_window_take(&link->window, parsed.counter);
		err = save(link);
	}
	if (err != GBA_OK) {
		link->window = before;
		secret_wipe(out, n);
		return err;
	}
	*_n = n;
	return GBA_OK;
}

bool sealed_link_heard(const struct sealed_link *link)
{
	return link->window.next > 0;
}
