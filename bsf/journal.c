/* SPDX-License-Identifier: Apache-2.0 */
/* A file of lines: "+<id> <text>" is to be done, "-<id>" is done. */
#include "bsf/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX  (256u << 20) /* [octets] */
#define WASTE_MIN (1u << 20)   /* [octets] done, from which on the file is written anew */

struct item {
	struct item *next;
	uint64_t id;
	struct bytes line; /* as in the file, its newline included; below the item */
};

struct journal {
	char *path, *temp, *folder;
	pthread_mutex_t lock; /* of what follows */
	int fd;
	struct item *first, **end;
	uint64_t last;
	size_t live, size; /* [octets] */
};

static enum gba_err write_all(int fd, struct bytes octets)
{
	size_t n = 0;

	while (n < octets.n) {
		ssize_t done = write(fd, octets.p + n, octets.n - n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return gba_err_from_errno(errno);
		n += (size_t)done;
	}
	return GBA_OK;
}

static struct item *item_add(struct journal *journal, uint64_t id, struct bytes line)
{
	struct item *item = talloc_zero(journal, struct item);
	uint8_t *copy = item != NULL ? talloc_memdup(item, line.p, line.n) : NULL;

	if (copy == NULL) {
		talloc_free(item);
		return NULL;
	}
	item->id = id;
	item->line = BYTES(copy, line.n);
	*journal->end = item;
	journal->end = &item->next;
	journal->live += line.n;
	return item;
}

static bool item_drop(struct journal *journal, uint64_t id)
{
	struct item **at, *item;

	for (at = &journal->first; (item = *at) != NULL && item->id != id; at = &item->next)
		;
	if (item == NULL)
		return false;
	*at = item->next;
	if (journal->end == &item->next)
		journal->end = at;
	journal->live -= item->line.n;
	talloc_free(item);
	return true;
}

/* ---- reading ---- */

/* A whole line, without its newline, starts with a sign and a number. @return false: it does not */
static bool head_read(struct bytes line, char *_sign, uint64_t *_id, struct bytes *_text)
{
	size_t i;

	*_id = 0;
	for (i = 1; i < line.n && i < 20 && line.p[i] >= '0' && line.p[i] <= '9'; i++)
		*_id = *_id * 10 + (uint64_t)(line.p[i] - '0');
	if (i == 1 || (line.p[0] != '+' && line.p[0] != '-') || (line.p[0] == '+') != (i < line.n && line.p[i] == ' '))
		return false;
	*_sign = (char)line.p[0];
	*_text = i < line.n ? BYTES(line.p + i + 1, line.n - i - 1) : BYTES_NONE;
	return true;
}

static enum gba_err lines_read(struct journal *journal, struct bytes rest)
{
	const uint8_t *end;
	struct bytes text;
	uint64_t id;
	char sign;

	while ((end = rest.n > 0 ? memchr(rest.p, '\n', rest.n) : NULL) != NULL) {
		struct bytes line = BYTES(rest.p, (size_t)(end - rest.p));

		if (!head_read(line, &sign, &id, &text))
			return GBA_E_CORRUPT;
		if (sign == '-')
			(void)item_drop(journal, id);
		else if (item_add(journal, id, BYTES(line.p, line.n + 1)) == NULL)
			return GBA_E_NOMEM;
		if (id > journal->last)
			journal->last = id;
		rest = BYTES(end + 1, rest.n - line.n - 1);
	}
	return GBA_OK; /* what is left was never acknowledged */
}

static enum gba_err file_read(struct journal *journal)
{
	int fd = open(journal->path, O_RDONLY | O_CLOEXEC);
	enum gba_err err = GBA_E_NOMEM;
	struct stat st;
	uint8_t *octets;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? GBA_OK : gba_err_from_errno(errno);
	if (fstat(fd, &st) != 0 || st.st_size > (off_t)FILE_MAX) {
		close(fd);
		return GBA_E_IO;
	}
	octets = malloc((size_t)st.st_size + 1);
	n = octets != NULL ? read(fd, octets, (size_t)st.st_size) : -1;
	if (octets != NULL)
		err = n == st.st_size ? lines_read(journal, BYTES(octets, (size_t)n)) : GBA_E_IO;
	free(octets);
	close(fd);
	return err;
}

/* ---- writing ---- */

static enum gba_err folder_sync(const struct journal *journal)
{
	int fd = open(journal->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum gba_err err = fd >= 0 && fsync(fd) == 0 ? GBA_OK : gba_err_from_errno(errno);

	if (fd >= 0)
		close(fd);
	return err;
}

/* The file anew, with what is to be done only; the old one stays until the new one is on disk. */
static enum gba_err rewrite(struct journal *journal)
{
	int fd = open(journal->temp, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	const struct item *item;
	enum gba_err err = GBA_OK;

	if (fd < 0)
		return gba_err_from_errno(errno);
	for (item = journal->first; item != NULL && err == GBA_OK; item = item->next)
		err = write_all(fd, item->line);
	if (err == GBA_OK && (fdatasync(fd) != 0 || rename(journal->temp, journal->path) != 0))
		err = gba_err_from_errno(errno);
	if (err == GBA_OK)
		err = folder_sync(journal);
	if (err != GBA_OK) {
		close(fd);
		return err;
	}
	if (journal->fd >= 0)
		close(journal->fd);
	journal->fd = fd;
	journal->size = journal->live;
	return GBA_OK;
}

/* A line that did not get in whole is taken back, or the next one would be part of it. */
static enum gba_err append(struct journal *journal, struct bytes line)
{
	enum gba_err err = write_all(journal->fd, line);

	if (err != GBA_OK)
		(void)!ftruncate(journal->fd, (off_t)journal->size);
	else
		journal->size += line.n;
	return err;
}

uint64_t journal_add(struct journal *journal, struct bytes text)
{
	struct item *item = NULL;
	char *line;
	uint64_t id;
	int n;

	if (journal == NULL || text.n > JOURNAL_LINE_MAX)
		return 0;
	pthread_mutex_lock(&journal->lock);
	id = journal->last + 1;
	line = talloc_asprintf(journal, "+%" PRIu64 " %.*s\n", id, BYTES_FMT(text));
	n = line != NULL ? (int)strlen(line) : 0;
	if (line != NULL)
		item = item_add(journal, id, BYTES((const uint8_t *)line, (size_t)n));
	if (item != NULL && append(journal, item->line) != GBA_OK) {
		item_drop(journal, id);
		item = NULL;
	}
	if (item != NULL)
		journal->last = id;
	talloc_free(line);
	pthread_mutex_unlock(&journal->lock);
	return item != NULL ? id : 0;
}

void journal_done(struct journal *journal, uint64_t id)
{
	char line[32];
	int n;

	if (journal == NULL || id == 0)
		return;
	n = snprintf(line, sizeof(line), "-%" PRIu64 "\n", id);
	pthread_mutex_lock(&journal->lock);
	if (item_drop(journal, id))
		(void)append(journal, BYTES((const uint8_t *)line, (size_t)n)); /* lost: it is done once more after a restart */
	if (journal->size - journal->live > WASTE_MIN && journal->size > 4 * journal->live)
		(void)rewrite(journal);
	pthread_mutex_unlock(&journal->lock);
}

enum gba_err journal_sync(struct journal *journal)
{
	enum gba_err err;

	if (journal == NULL)
		return GBA_OK;
	pthread_mutex_lock(&journal->lock);
	err = fdatasync(journal->fd) == 0 ? GBA_OK : gba_err_from_errno(errno);
	pthread_mutex_unlock(&journal->lock);
	return err;
}

/* ---- life ---- */

static int journal_destroy(struct journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	pthread_mutex_destroy(&journal->lock);
	return 0;
}

static void hand_out(struct journal *journal, journal_each each, void *arg)
{
	struct item *item, *next;
	struct bytes text;
	uint64_t id;
	char sign;

	for (item = journal->first; item != NULL; item = next) {
		next = item->next;
		if (!head_read(BYTES(item->line.p, item->line.n - 1), &sign, &id, &text) || !each(arg, id, text))
			item_drop(journal, item->id);
	}
}

enum gba_err journal_open(TALLOC_CTX *mem_ctx, const char *path, journal_each each, void *arg, struct journal **_journal)
{
	struct journal *journal = talloc_zero(mem_ctx, struct journal);
	const char *slash;
	enum gba_err err;

	if (journal == NULL)
		return GBA_E_NOMEM;
	journal->fd = -1;
	journal->end = &journal->first;
	pthread_mutex_init(&journal->lock, NULL);
	talloc_set_destructor(journal, journal_destroy);
	journal->path = talloc_strdup(journal, path);
	journal->temp = talloc_asprintf(journal, "%s.new", path);
	slash = strrchr(path, '/');
	journal->folder = slash != NULL ? talloc_strndup(journal, path, (size_t)(slash - path) + 1) : talloc_strdup(journal, ".");
	err = journal->path != NULL && journal->temp != NULL && journal->folder != NULL ? file_read(journal) : GBA_E_NOMEM;
	if (err == GBA_OK) {
		hand_out(journal, each, arg);
		err = rewrite(journal);
	}
	if (err != GBA_OK) {
		talloc_free(journal);
		return err;
	}
	*_journal = journal;
	return GBA_OK;
}
