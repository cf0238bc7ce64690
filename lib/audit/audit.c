/* SPDX-License-Identifier: Apache-2.0 */
/* Each line goes to the kernel before audit_note() returns; disk and signature follow in the caller (durable) or within a
 * second in a thread. A lock on the file keeps processes apart: whoever finds the file longer than it left it reads its end.
 * While lines come fast, the lock is kept from one to the next, for milliseconds. */
#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_priv.h"
#include "core/clock.h"
#include "core/codec.h"

#define FAST_US 1000 /* lines that follow each other sooner than this share the lock */
#define KEEP_US 5000 /* for so long: who else wants it waits no longer than twice that */
#define REST_US 500  /* and then it is theirs to take, between any two lines, for so long */

struct audit {
	char *path, *head_path, *node;
	uint64_t rotate_at;
	struct sign_key *key;
	pthread_mutex_t lock; /* all below; the file's lock is taken inside it */
	pthread_cond_t wake; /* of the thread */
	int fd, head_fd;
	dev_t device; /* of fd */
	ino_t inode;
	off_t size;
	struct audit_end end;
	bool kept;		    /* the file's lock, from one line to the next */
	uint64_t taken_us, last_us; /* [monotonic] the lock that is kept; the last line */
	uint64_t rest_us;	    /* [monotonic] not kept again before */
	bool watched;		    /* the thread looks every KEEP_US */
	pthread_mutex_t sync_lock; /* one sync at a time; taken before lock */
	uint64_t synced;	   /* last line on disk and signed by this process */
	pthread_t thread;
	bool has_thread, syncing, closing;
	bool stale; /* end was written long ago */
};

static enum gba_err write_at(int fd, const char *p, size_t n, off_t at)
{
	while (n > 0) {
		ssize_t done = pwrite(fd, p, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return gba_err_from_errno(errno);
		if (done == 0)
			return GBA_E_NOSPACE;
		p += done;
		n -= (size_t)done;
		at += done;
	}
	return GBA_OK;
}

/* The last complete line among the last octets of the file, without its newline; what stands behind it is *_torn octets. */
static enum gba_err last_line(int fd, off_t size, char *buf, struct bytes *_line, size_t *_torn)
{
	size_t n = size < AUDIT_LINE_MAX * 2 ? (size_t)size : AUDIT_LINE_MAX * 2, end, start;

	if (pread(fd, buf, n, size - (off_t)n) != (ssize_t)n)
		return GBA_E_IO;
	for (end = n; end > 0 && buf[end - 1] != '\n'; end--)
		;
	*_torn = n - end;
	if (end == 0) {
		*_line = BYTES_NONE;
		return (off_t)n == size ? GBA_OK : GBA_E_CORRUPT; /* no line is as long as this */
	}
	for (start = end - 1; start > 0 && buf[start - 1] != '\n'; start--)
		;
	*_line = BYTES(buf + start, end - 1 - start);
	return GBA_OK;
}

/* Read where the file stands. A torn line can only be a crash's: it was never acknowledged. */
static enum gba_err read_end(struct audit *audit, size_t *_torn)
{
	char *buf = malloc(AUDIT_LINE_MAX * 2);
	struct bytes line, body;
	struct stat st;
	enum gba_err err;

	if (buf == NULL)
		return GBA_E_NOMEM;
	err = fstat(audit->fd, &st) == 0 ? last_line(audit->fd, st.st_size, buf, &line, _torn) : GBA_E_IO;
	if (err == GBA_OK) {
		audit->end = (struct audit_end){ 0 };
		audit->size = st.st_size - (off_t)*_torn;
		if (line.p != NULL && audit_line_read(line, &audit->end, &body) != GBA_OK)
			err = GBA_E_CORRUPT;
		audit->stale = line.p != NULL && audit_line_old(line);
	}
	free(buf);
	return err;
}

static enum gba_err add(struct audit *audit, const struct audit_entry *entry)
{
	struct audit_end end = audit->end;
	char line[AUDIT_LINE_MAX];
	size_t n = audit_line_write(entry, audit->node, &end, line);
	enum gba_err err;

	err = write_at(audit->fd, line, n, audit->size);
	if (err != GBA_OK) {
		if (ftruncate(audit->fd, audit->size) != 0)
			err = GBA_E_IO; /* a torn line stays; the next writer cuts it off */
		return err;
	}
	audit->end = end;
	audit->size += (off_t)n;
	return GBA_OK;
}

/* Lines that a crash has left without a signature get one with the next; that they had none stays to be seen. */
static enum gba_err note_unsigned(struct audit *audit, uint64_t lines)
{
	char text[64];
	struct audit_entry entry = { .act = "audit.unsigned", .role = "system", .result = GBA_OK };

	snprintf(text, sizeof(text), "%llu before this had no signature", (unsigned long long)lines);
	entry.why = bytes_of(text);
	return add(audit, &entry);
}

static enum gba_err drop_torn(struct audit *audit, size_t torn)
{
	char text[64];
	struct audit_entry entry = { .act = "audit.recovered", .role = "system", .result = GBA_OK };

	if (ftruncate(audit->fd, audit->size) != 0)
		return gba_err_from_errno(errno);
	snprintf(text, sizeof(text), "%zu octets of an unfinished line dropped", torn);
	entry.why = bytes_of(text);
	return add(audit, &entry);
}

/* Where the newest of the files rotated away ends. */
static enum gba_err read_forerunner(struct audit *audit, char **_name)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	char **files = NULL, *buf = talloc_size(ctx, AUDIT_LINE_MAX * 2);
	struct bytes line, body;
	enum gba_err err = GBA_E_NOMEM;
	struct stat st;
	size_t n = 0, torn = 0;
	int fd = -1;

	if (buf != NULL)
		err = audit_files(ctx, audit->path, &files, &n);
	*_name = NULL;
	if (err == GBA_OK && n > 1) {
		*_name = talloc_strdup(audit, files[n - 2]);
		fd = open(files[n - 2], O_RDONLY | O_CLOEXEC);
		err = fd >= 0 && fstat(fd, &st) == 0 ? last_line(fd, st.st_size, buf, &line, &torn) : GBA_E_IO;
		if (err == GBA_OK && (torn > 0 || audit_line_read(line, &audit->end, &body) != GBA_OK))
			err = GBA_E_CORRUPT;
	}
	if (fd >= 0)
		close(fd);
	talloc_free(ctx);
	return err;
}

/* An empty file: the log's first, or one that goes on with the chain of what was rotated away. */
static enum gba_err begin_file(struct audit *audit)
{
	struct audit_entry entry = { .act = AUDIT_CONTINUES, .role = "system" };
	char hash[AUDIT_HASH_HEX + 1], *name;
	enum gba_err err;

	err = read_forerunner(audit, &name);
	if (err == GBA_OK && name != NULL) {
		hex_encode(BYTES(audit->end.hash, AUDIT_HASH_LEN), hash);
		entry.object = bytes_of(strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name);
		entry.subject = bytes_of(hash);
		err = add(audit, &entry);
	}
	talloc_free(name);
	return err;
}

/* The file is locked and not as we left it. */
static enum gba_err catch_up(struct audit *audit)
{
	size_t torn = 0;
	enum gba_err err = read_end(audit, &torn);

	if (err == GBA_OK && audit->size == 0)
		err = begin_file(audit);
	if (err == GBA_OK && torn > 0)
		err = drop_torn(audit, torn);
	return err;
}

static enum gba_err read_head(const struct audit *audit, struct audit_end *_end)
{
	char text[AUDIT_HEAD_LEN + 1];
	ssize_t n = pread(audit->head_fd, text, sizeof(text), 0);

	if (n < 0)
		return gba_err_from_errno(errno);
	if (n == 0) {
		*_end = (struct audit_end){ 0 };
		return GBA_OK;
	}
	return audit_head_read(BYTES(text, n), sign_key_public(audit->key), _end) == GBA_OK ? GBA_OK : GBA_E_CORRUPT;
}

/* Under both locks: sign the end, unless another process has signed a later one. */
static enum gba_err sign_end(struct audit *audit, const struct audit_end *end)
{
	char text[AUDIT_HEAD_LEN + 1];
	struct audit_end before;
	enum gba_err err;

	err = read_head(audit, &before);
	if (err != GBA_OK || before.seq >= end->seq)
		return err;
	err = audit_head_write(audit->key, end, text);
	if (err == GBA_OK)
		err = write_at(audit->head_fd, text, AUDIT_HEAD_LEN, 0);
	if (err == GBA_OK && fdatasync(audit->head_fd) != 0)
		err = gba_err_from_errno(errno);
	return err;
}

static enum gba_err open_file(struct audit *audit)
{
	int fd = open(audit->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	struct stat st;

	if (fd < 0)
		return gba_err_from_errno(errno);
	if (fstat(fd, &st) != 0) {
		close(fd);
		return GBA_E_IO;
	}
	if (audit->fd >= 0)
		close(audit->fd);
	audit->fd = fd;
	audit->device = st.st_dev;
	audit->inode = st.st_ino;
	audit->size = -1; /* unknown */
	return GBA_OK;
}

/* Lock the file that has the name now: another process may have put a new one in its place. */
static enum gba_err lock_file(struct audit *audit)
{
	struct stat now;
	enum gba_err err;

	if (audit->kept)
		return GBA_OK;
	for (;;) {
		while (flock(audit->fd, LOCK_EX) != 0) {
			if (errno != EINTR)
				return gba_err_from_errno(errno);
		}
		if (stat(audit->path, &now) == 0 && now.st_ino == audit->inode && now.st_dev == audit->device)
			break;
		flock(audit->fd, LOCK_UN);
		err = open_file(audit);
		if (err != GBA_OK)
			return err;
	}
	if (now.st_size == audit->size)
		return GBA_OK;
	err = catch_up(audit);
	if (err != GBA_OK)
		flock(audit->fd, LOCK_UN);
	return err;
}

static void unlock_file(struct audit *audit)
{
	if (!audit->kept)
		flock(audit->fd, LOCK_UN);
}

static void give_up(struct audit *audit)
{
	audit->kept = false;
	audit->rest_us = clock_mono_us() + REST_US;
	flock(audit->fd, LOCK_UN);
}

/* To take the lock and look whether the file has been replaced costs twice what the line does. The thread sees to it that the
 * lock is given up when no more lines come; while it syncs, it cannot. */
static void unlock_or_keep(struct audit *audit)
{
	uint64_t now = clock_mono_us();
	bool fast = now - audit->last_us < FAST_US;

	audit->last_us = now;
	if (audit->kept && now - audit->taken_us >= KEEP_US) {
		give_up(audit);
	} else if (!audit->kept && fast && audit->has_thread && !audit->syncing && now >= audit->rest_us) {
		audit->kept = true;
		audit->taken_us = now;
		if (!audit->watched)
			pthread_cond_signal(&audit->wake);
	}
	unlock_file(audit);
}

/* Under both locks: the file's end onto disk and signed, the file out of the way, a new one begun. */
static enum gba_err rotate(struct audit *audit)
{
	char old[PATH_MAX];
	enum gba_err err;

	if (snprintf(old, sizeof(old), "%s.%020llu", audit->path, (unsigned long long)audit->end.seq) >= (int)sizeof(old))
		return GBA_E_TOO_LONG;
	if (fdatasync(audit->fd) != 0)
		return gba_err_from_errno(errno);
	err = sign_end(audit, &audit->end);
	if (err == GBA_OK && rename(audit->path, old) != 0)
		err = gba_err_from_errno(errno);
	if (err != GBA_OK)
		return err;
	audit->kept = false;
	flock(audit->fd, LOCK_UN); /* who waits for it looks for the name again */
	err = open_file(audit);
	return err == GBA_OK ? lock_file(audit) : err;
}

/* Everything noted so far onto disk and signed. Callers that come while one syncs share the next sync. */
static enum gba_err sync_to(struct audit *audit, uint64_t seq)
{
	struct audit_end end;
	enum gba_err err;
	int fd;

	pthread_mutex_lock(&audit->sync_lock);
	if (audit->synced >= seq) {
		pthread_mutex_unlock(&audit->sync_lock);
		return GBA_OK;
	}
	pthread_mutex_lock(&audit->lock);
	end = audit->end;
	fd = fcntl(audit->fd, F_DUPFD_CLOEXEC, 0); /* a rotation may close ours meanwhile; it syncs the old file itself */
	pthread_mutex_unlock(&audit->lock);
	err = fd >= 0 && fdatasync(fd) == 0 ? GBA_OK : gba_err_from_errno(errno);
	if (fd >= 0)
		close(fd);
	if (err == GBA_OK) {
		pthread_mutex_lock(&audit->lock);
		err = lock_file(audit);
		if (err == GBA_OK) {
			err = sign_end(audit, &end);
			unlock_file(audit);
		}
		pthread_mutex_unlock(&audit->lock);
	}
	if (err == GBA_OK)
		audit->synced = end.seq;
	pthread_mutex_unlock(&audit->sync_lock);
	return err;
}

/* Until it is time to sync, or to end. The lock is held. */
static void wait_sync(struct audit *audit)
{
	uint64_t now = clock_mono_us(), end_us = now + 1000000, until_us;
	struct timespec until;

	while (!audit->closing && now < end_us) {
		audit->watched = audit->kept || now - audit->last_us < KEEP_US;
		until_us = audit->watched && now + KEEP_US < end_us ? now + KEEP_US : end_us;
		until = (struct timespec){ (time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000 };
		pthread_cond_timedwait(&audit->wake, &audit->lock, &until);
		now = clock_mono_us();
		if (audit->kept && now - audit->taken_us >= KEEP_US)
			give_up(audit);
	}
	audit->watched = false;
}

static void *sync_thread(void *arg)
{
	struct audit *audit = arg;
	uint64_t seq;

	pthread_mutex_lock(&audit->lock);
	while (!audit->closing) {
		wait_sync(audit);
		if (audit->kept)
			give_up(audit);
		audit->syncing = true;
		seq = audit->end.seq;
		pthread_mutex_unlock(&audit->lock);
		(void)sync_to(audit, seq); /* fails: tried again in a second, and every durable note tells its caller */
		pthread_mutex_lock(&audit->lock);
		audit->syncing = false;
	}
	pthread_mutex_unlock(&audit->lock);
	return NULL;
}

static enum gba_err note_locked(struct audit *audit, const struct audit_entry *entry, uint64_t *_seq)
{
	enum gba_err err = lock_file(audit);

	if (err != GBA_OK)
		return err;
	if (audit->rotate_at > 0 && (uint64_t)audit->size >= audit->rotate_at)
		err = rotate(audit);
	if (err == GBA_OK)
		err = add(audit, entry);
	*_seq = audit->end.seq;
	if (err == GBA_OK)
		unlock_or_keep(audit);
	else
		give_up(audit);
	if (err == GBA_OK && !entry->durable && !audit->has_thread)
		audit->has_thread = pthread_create(&audit->thread, NULL, sync_thread, audit) == 0;
	return err;
}

enum gba_err audit_note(struct audit *audit, const struct audit_entry *entry)
{
	uint64_t seq = 0;
	enum gba_err err;
	int cancel;

	if (audit == NULL)
		return GBA_OK;
	/* freeDiameter cancels its threads when a peer goes: not while we hold the locks. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&audit->lock);
	err = note_locked(audit, entry, &seq);
	pthread_mutex_unlock(&audit->lock);
	if (err == GBA_OK && entry->durable)
		err = sync_to(audit, seq);
	pthread_setcancelstate(cancel, NULL);
	return err;
}

enum gba_err audit_sync(struct audit *audit)
{
	enum gba_err err;
	uint64_t seq;
	int cancel;

	if (audit == NULL)
		return GBA_OK;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	pthread_mutex_lock(&audit->lock);
	seq = audit->end.seq;
	pthread_mutex_unlock(&audit->lock);
	err = sync_to(audit, seq);
	pthread_setcancelstate(cancel, NULL);
	return err;
}

static int audit_destroy(struct audit *audit)
{
	if (audit->fd >= 0)
		close(audit->fd);
	if (audit->head_fd >= 0)
		close(audit->head_fd);
	pthread_cond_destroy(&audit->wake);
	pthread_mutex_destroy(&audit->sync_lock);
	pthread_mutex_destroy(&audit->lock);
	return 0;
}

static struct audit *audit_new(TALLOC_CTX *mem_ctx, const struct audit_conf *conf)
{
	struct audit *audit = talloc_zero(mem_ctx, struct audit);
	pthread_condattr_t attr;

	if (audit == NULL)
		return NULL;
	audit->fd = audit->head_fd = -1;
	pthread_mutex_init(&audit->lock, NULL);
	pthread_mutex_init(&audit->sync_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&audit->wake, &attr);
	pthread_condattr_destroy(&attr);
	talloc_set_destructor(audit, audit_destroy);
	audit->path = talloc_strdup(audit, conf->path);
	audit->head_path = talloc_asprintf(audit, "%s.head", conf->path);
	audit->node = talloc_strdup(audit, conf->node);
	audit->rotate_at = conf->rotate_at;
	if (audit->path == NULL || audit->head_path == NULL || audit->node == NULL)
		TALLOC_FREE(audit);
	return audit;
}

/* The public key beside the log, for auditors. */
static enum gba_err publish_key(const struct audit *audit)
{
	char path[PATH_MAX], text[2 * SIGN_PUBLIC_LEN + 2];
	enum gba_err err = GBA_OK;
	int fd;

	if (snprintf(path, sizeof(path), "%s.pub", audit->path) >= (int)sizeof(path))
		return GBA_E_TOO_LONG;
	hex_encode(BYTES(sign_key_public(audit->key), SIGN_PUBLIC_LEN), text);
	text[2 * SIGN_PUBLIC_LEN] = '\n';
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EEXIST ? GBA_OK : gba_err_from_errno(errno);
	err = write_at(fd, text, sizeof(text) - 1, 0);
	if (err == GBA_OK && fsync(fd) != 0)
		err = gba_err_from_errno(errno);
	close(fd);
	return err;
}

/* The signed line must be the file's last, or stand before it; where exactly it stands audit_verify() finds out. */
static enum gba_err check_end(struct audit *audit)
{
	struct audit_end head;
	enum gba_err err = read_head(audit, &head);

	if (err != GBA_OK)
		return err;
	if (head.seq > audit->end.seq || (head.seq == audit->end.seq && memcmp(head.hash, audit->end.hash, AUDIT_HASH_LEN) != 0))
		return GBA_E_CORRUPT;
	return head.seq < audit->end.seq && audit->stale ? note_unsigned(audit, audit->end.seq - head.seq) : GBA_OK;
}

static enum gba_err open_all(struct audit *audit)
{
	struct audit_end none = { 0 };
	enum gba_err err;

	err = publish_key(audit);
	if (err == GBA_OK)
		err = open_file(audit);
	if (err != GBA_OK)
		return err;
	audit->head_fd = open(audit->head_path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (audit->head_fd < 0)
		return gba_err_from_errno(errno);
	audit->end = none;
	err = lock_file(audit);
	if (err != GBA_OK)
		return err;
	err = check_end(audit);
	flock(audit->fd, LOCK_UN);
	return err;
}

enum gba_err audit_open(TALLOC_CTX *mem_ctx, const struct audit_conf *conf, struct audit **_audit, const char **_error)
{
	struct audit *audit = audit_new(mem_ctx, conf);
	const char *about = conf->path, *hint = "";
	enum gba_err err;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (audit == NULL)
		return GBA_E_NOMEM;
	err = sign_key_open(audit, conf->key_file, true, &audit->key);
	if (err != GBA_OK)
		about = conf->key_file;
	else
		err = open_all(audit);
	if (err == GBA_OK) {
		*_audit = audit;
		return GBA_OK;
	}
	if (err == GBA_E_CORRUPT)
		hint = ": its end is not the one that was signed: see gba-ctl audit verify";
	*_error = talloc_asprintf(mem_ctx, "%s: %s%s", about, gba_strerror(err), hint);
	talloc_free(audit);
	return err;
}

void audit_close(struct audit *audit)
{
	if (audit == NULL)
		return;
	pthread_mutex_lock(&audit->lock);
	audit->closing = true;
	pthread_cond_signal(&audit->wake);
	pthread_mutex_unlock(&audit->lock);
	if (audit->has_thread)
		pthread_join(audit->thread, NULL);
	(void)sync_to(audit, audit->end.seq);
	talloc_free(audit);
}
