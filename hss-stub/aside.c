/* SPDX-License-Identifier: Apache-2.0 */
#include "hss-stub/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX	  "-leases"
#define SLOTS_MIN 1024
#define FILE_MAX  (1u << 30) /* [octets] */

struct claim {
	int64_t id; /* 0: none */
	uint64_t seq;
};

struct aside {
	char *path;
	int fd; /* from enter to leave; -1: not there */
	ino_t file; /* whose claims the table has, and up to where */
	off_t size;
	struct claim *slot; /* by id, at most half full */
	size_t slots, used;
	struct claim *fresh; /* of the lease under way, in their order */
	size_t fresh_n;
};

struct aside_hold {
	int fd;
};

/* ---- the file ---- */

static char *path_of(TALLOC_CTX *mem_ctx, const char *database)
{
	return talloc_asprintf(mem_ctx, "%s" SUFFIX, database);
}

static enum gba_err folder_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash != NULL ? talloc_strndup(NULL, path, (size_t)(slash - path) + 1) : talloc_strdup(NULL, ".");
	int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	enum gba_err err = fd >= 0 && fsync(fd) == 0 ? GBA_OK : gba_err_from_errno(errno);

	if (fd >= 0)
		close(fd);
	talloc_free(folder);
	return err;
}

enum { LONG_OCTET, WRITER_OCTET };

/* Locks of an open file: they hold between threads, too, and one of a process that ends is gone. */
static bool octet_lock(int fd, off_t octet, short type, bool wait)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = octet, .l_len = 1 };
	int rc;

	do
		rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
	while (rc != 0 && errno == EINTR);
	return rc == 0;
}

static bool octet_locked(int fd, off_t octet)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = octet, .l_len = 1 };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* "ID SEQ\n" in decimal. What follows the last newline was never acknowledged. */
static enum gba_err lines_read(char *text, enum gba_err (*each)(void *arg, int64_t id, uint64_t seq), void *arg)
{
	enum gba_err err = GBA_OK;
	char *line, *end, *after;

	for (line = text; err == GBA_OK && (end = strchr(line, '\n')) != NULL; line = end + 1) {
		int64_t id = strtoll(line, &after, 10);
		uint64_t seq = *after == ' ' ? strtoull(after + 1, &after, 10) : 0;

		if (after != end || id <= 0 || seq == 0)
			return GBA_E_CORRUPT;
		err = each(arg, id, seq);
	}
	return err;
}

static enum gba_err file_read(int fd, char **_text, size_t *_octets)
{
	struct stat st;
	char *text;
	ssize_t n;

	if (fstat(fd, &st) != 0 || st.st_size > (off_t)FILE_MAX)
		return GBA_E_IO;
	text = malloc((size_t)st.st_size + 1);
	if (text == NULL)
		return GBA_E_NOMEM;
	n = read(fd, text, (size_t)st.st_size);
	if (n != st.st_size) {
		free(text);
		return GBA_E_IO;
	}
	text[n] = '\0';
	*_text = text;
	*_octets = (size_t)n;
	return GBA_OK;
}

enum gba_err aside_read(const char *database, enum gba_err (*each)(void *arg, int64_t id, uint64_t seq), void *arg,
			size_t *_octets)
{
	char *path = path_of(NULL, database), *text = NULL;
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	enum gba_err err = path == NULL ? GBA_E_NOMEM : gba_err_from_errno(errno);

	*_octets = 0;
	if (fd >= 0) {
		err = octet_locked(fd, LONG_OCTET) ? GBA_E_BUSY : file_read(fd, &text, _octets);
		close(fd);
	} else if (path != NULL && errno == ENOENT) {
		err = GBA_OK;
	}
	if (text != NULL)
		err = lines_read(text, each, arg);
	free(text);
	talloc_free(path);
	return err;
}

bool aside_forget(const char *database, size_t octets)
{
	char *path = path_of(NULL, database);
	struct stat st;
	bool gone = path != NULL && stat(path, &st) == 0 && (size_t)st.st_size == octets && unlink(path) == 0 &&
		    folder_sync(path) == GBA_OK;

	talloc_free(path);
	return gone;
}

/* ---- what is claimed ---- */

static struct claim *slot_of(const struct aside *aside, int64_t id)
{
	size_t i = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 20 & (aside->slots - 1);

	while (aside->slot[i].id != 0 && aside->slot[i].id != id)
		i = (i + 1) & (aside->slots - 1);
	return &aside->slot[i];
}

static enum gba_err table_grow(struct aside *aside)
{
	struct claim *old = aside->slot;
	size_t n = aside->slots, i;
	struct claim *slot = talloc_zero_array(aside, struct claim, n > 0 ? 2 * n : SLOTS_MIN);

	if (slot == NULL)
		return GBA_E_NOMEM;
	aside->slot = slot;
	aside->slots = n > 0 ? 2 * n : SLOTS_MIN;
	for (i = 0; i < n; i++) {
		if (old[i].id != 0)
			*slot_of(aside, old[i].id) = old[i];
	}
	talloc_free(old);
	return GBA_OK;
}

static enum gba_err table_put(void *arg, int64_t id, uint64_t seq)
{
	struct aside *aside = arg;
	struct claim *claim;
	enum gba_err err = 2 * (aside->used + 1) > aside->slots ? table_grow(aside) : GBA_OK;

	if (err != GBA_OK)
		return err;
	claim = slot_of(aside, id);
	aside->used += claim->id == 0;
	if (claim->id == 0 || claim->seq < seq)
		*claim = (struct claim){ id, seq };
	return GBA_OK;
}

/* ---- the long transaction ---- */

static int hold_destroy(struct aside_hold *hold)
{
	if (hold->fd >= 0)
		close(hold->fd);
	return 0;
}

enum gba_err aside_open(TALLOC_CTX *mem_ctx, const char *database, struct aside_hold **_hold)
{
	struct aside_hold *hold = talloc_zero(mem_ctx, struct aside_hold);
	char *path = hold != NULL ? path_of(hold, database) : NULL;
	enum gba_err err = GBA_OK;

	if (path == NULL) {
		talloc_free(hold);
		return GBA_E_NOMEM;
	}
	hold->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	talloc_set_destructor(hold, hold_destroy);
	if (hold->fd < 0)
		err = gba_err_from_errno(errno);
	if (err == GBA_OK)
		err = folder_sync(path);
	if (err == GBA_OK && !octet_lock(hold->fd, LONG_OCTET, F_WRLCK, true)) /* of one that has just ended */
		err = gba_err_from_errno(errno);
	if (err != GBA_OK) {
		talloc_free(hold);
		return err;
	}
	*_hold = hold;
	return GBA_OK;
}

void aside_shut(struct aside_hold *hold)
{
	if (hold == NULL)
		return;
	(void)octet_lock(hold->fd, WRITER_OCTET, F_WRLCK, true); /* nobody is writing, and who comes now finds us gone */
	talloc_free(hold);
}

/* ---- who leases ---- */

/* A line cut off by a crash would become part of the next. */
static enum gba_err tail_cut(struct aside *aside)
{
	off_t end = aside->size;
	char last = '\0';

	while (end > 0 && pread(aside->fd, &last, 1, end - 1) == 1 && last != '\n')
		end--;
	if (end == aside->size)
		return GBA_OK;
	if (ftruncate(aside->fd, end) != 0)
		return gba_err_from_errno(errno);
	aside->size = end;
	return GBA_OK;
}

/* What others have written, or was there from the start. */
static enum gba_err table_read(struct aside *aside)
{
	char *text = NULL;
	struct stat st;
	size_t octets;
	enum gba_err err;

	if (fstat(aside->fd, &st) != 0 || st.st_nlink == 0)
		return GBA_E_IO;
	if (aside->file == st.st_ino && aside->size == st.st_size)
		return GBA_OK;
	memset(aside->slot, 0, aside->slots * sizeof(struct claim));
	aside->used = 0;
	aside->file = 0;
	aside->size = st.st_size;
	err = tail_cut(aside);
	if (err == GBA_OK)
		err = file_read(aside->fd, &text, &octets);
	if (err == GBA_OK)
		err = lines_read(text, table_put, aside);
	free(text);
	if (err == GBA_OK)
		aside->file = st.st_ino;
	return err;
}

static void file_close(struct aside *aside)
{
	if (aside->fd >= 0)
		close(aside->fd); /* and unlock */
	aside->fd = -1;
}

bool aside_enter(struct aside *aside)
{
	aside->fd = open(aside->path, O_RDWR | O_APPEND | O_CLOEXEC);
	if (aside->fd < 0)
		return false;
	if (octet_lock(aside->fd, WRITER_OCTET, F_WRLCK, false) && octet_locked(aside->fd, LONG_OCTET) &&
	    table_read(aside) == GBA_OK)
		return true;
	file_close(aside);
	return false;
}

uint64_t aside_seq(const struct aside *aside, int64_t id, uint64_t stored)
{
	const struct claim *claim = slot_of(aside, id);
	size_t i;

	for (i = aside->fresh_n; i > 0; i--) {
		if (aside->fresh[i - 1].id == id)
			return aside->fresh[i - 1].seq;
	}
	return claim->id != 0 && claim->seq > stored ? claim->seq : stored;
}

enum gba_err aside_claim(struct aside *aside, int64_t id, uint64_t seq)
{
	struct claim *fresh = talloc_realloc(aside, aside->fresh, struct claim, aside->fresh_n + 1);

	if (fresh == NULL)
		return GBA_E_NOMEM;
	aside->fresh = fresh;
	fresh[aside->fresh_n++] = (struct claim){ id, seq };
	return GBA_OK;
}

static enum gba_err text_write(struct aside *aside, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t done = write(aside->fd, text, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return gba_err_from_errno(errno);
		text += done;
		n -= (size_t)done;
	}
	return GBA_OK;
}

/* Of what did not get to the disk for sure nothing is used: this file is read anew before the next. */
static enum gba_err fresh_keep(struct aside *aside)
{
	char *text = talloc_strdup(aside, "");
	enum gba_err err;
	size_t i;

	for (i = 0; i < aside->fresh_n && text != NULL; i++)
		text = talloc_asprintf_append_buffer(text, "%" PRId64 " %" PRIu64 "\n", aside->fresh[i].id, aside->fresh[i].seq);
	err = text != NULL ? text_write(aside, text) : GBA_E_NOMEM;
	if (err == GBA_OK && fdatasync(aside->fd) != 0)
		err = gba_err_from_errno(errno);
	if (err == GBA_OK && !octet_locked(aside->fd, LONG_OCTET))
		err = GBA_E_BUSY; /* its process ended meanwhile: somebody may have leased the same in the database */
	if (err == GBA_OK)
		aside->size += (off_t)strlen(text);
	talloc_free(text);
	for (i = 0; i < aside->fresh_n && err == GBA_OK; i++)
		err = table_put(aside, aside->fresh[i].id, aside->fresh[i].seq);
	if (err != GBA_OK)
		aside->file = 0;
	return err;
}

enum gba_err aside_leave(struct aside *aside, bool keep)
{
	enum gba_err err = keep && aside->fresh_n > 0 ? fresh_keep(aside) : GBA_OK;

	aside->fresh_n = 0;
	file_close(aside);
	return err;
}

/* ---- life ---- */

static int aside_destroy(struct aside *aside)
{
	file_close(aside);
	return 0;
}

struct aside *aside_new(TALLOC_CTX *mem_ctx, const char *database)
{
	struct aside *aside = talloc_zero(mem_ctx, struct aside);

	if (aside == NULL)
		return NULL;
	aside->fd = -1;
	talloc_set_destructor(aside, aside_destroy);
	aside->path = path_of(aside, database);
	if (aside->path == NULL || table_grow(aside) != GBA_OK) {
		talloc_free(aside);
		return NULL;
	}
	return aside;
}
