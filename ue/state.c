/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/secret.h"
#include "crypto/seal.h"

#define LOCK_POLL_MS 10
#define NAMES_MAX    256

struct state {
	int dir_fd;
	char *dir;
	struct kek *kek;
};

static int state_close(struct state *state)
{
	if (state->dir_fd >= 0)
		close(state->dir_fd);
	return 0;
}

/* mkdir -p of a folder that only its owner may enter. */
static enum gba_err make_folder(const char *dir)
{
	char path[1024];
	char *p;

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return GBA_E_TOO_LONG;
	for (p = path + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			return gba_err_from_errno(errno);
		*p = '/';
	}
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return gba_err_from_errno(errno);
	return GBA_OK;
}

static enum gba_err check_folder(int fd, const char *dir, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return why_fail(why, gba_err_from_errno(errno), "%s: cannot be examined", dir);
	if (st.st_uid != geteuid())
		return why_fail(why, GBA_E_DENIED, "%s: belongs to another user", dir);
	if ((st.st_mode & 077) != 0)
		return why_fail(why, GBA_E_DENIED, "%s: open to others (mode %03o, must be 700)", dir,
			       (unsigned int)st.st_mode & 0777);
	return GBA_OK;
}

static enum gba_err open_kek(struct state *state, const char *dir, bool create, struct why *why)
{
	char *path = talloc_asprintf(state, "%s/kek", dir);
	enum gba_err err;

	if (path == NULL)
		return GBA_E_NOMEM;
	err = kek_open(state, path, create, &state->kek);
	if (err != GBA_OK)
		why_fail(why, err, "%s: %s", path, gba_strerror(err));
	talloc_free(path);
	return err;
}

enum gba_err state_open(TALLOC_CTX *mem_ctx, const char *dir, bool create, struct state **_state, struct why *why)
{
	struct state *state = talloc_zero(mem_ctx, struct state);
	enum gba_err err = GBA_OK;

	if (state == NULL)
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	state->dir_fd = -1;
	state->dir = talloc_strdup(state, dir);
	if (state->dir == NULL) {
		talloc_free(state);
		return why_fail(why, GBA_E_NOMEM, "out of memory");
	}
	talloc_set_destructor(state, state_close);
	if (create)
		err = make_folder(dir);
	if (err == GBA_OK) {
		state->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = state->dir_fd >= 0 ? GBA_OK : gba_err_from_errno(errno);
	}
	if (err != GBA_OK) {
		why_fail(why, err, "%s: %s", dir, gba_strerror(err));
		goto fail;
	}
	err = check_folder(state->dir_fd, dir, why);
	if (err != GBA_OK)
		goto fail;
	err = open_kek(state, dir, create, why);
	if (err != GBA_OK)
		goto fail;
	*_state = state;
	return GBA_OK;
fail:
	talloc_free(state);
	return err;
}

char *state_path(TALLOC_CTX *mem_ctx, const struct state *state, const char *name)
{
	return talloc_asprintf(mem_ctx, "%s/%s", state->dir, name);
}

enum gba_err state_lock(struct state *state, const char *name, unsigned int wait_ms, int *_fd)
{
	uint64_t deadline = clock_mono_ms() + wait_ms;
	char file[STATE_NAME_MAX + 16];
	int fd;

	snprintf(file, sizeof(file), ".%.*s.lock", STATE_NAME_MAX + 8, name);
	fd = openat(state->dir_fd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return gba_err_from_errno(errno);
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) || clock_mono_ms() >= deadline) {
			close(fd);
			return errno == EWOULDBLOCK || errno == EINTR ? GBA_E_TIMEOUT : GBA_E_IO;
		}
		poll(NULL, 0, LOCK_POLL_MS);
	}
	*_fd = fd;
	return GBA_OK;
}

void state_unlock(int fd)
{
	close(fd);
}

/* Octets up to the end of file; false: errno tells. */
static bool read_all(int fd, uint8_t *out, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, out, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got == 0 ? EIO : errno;
			return false;
		}
		out += got;
		n -= (size_t)got;
	}
	return true;
}

static enum gba_err read_fd(TALLOC_CTX *mem_ctx, int fd, struct bytes *_content)
{
	struct stat st;
	uint8_t *p;

	if (fstat(fd, &st) != 0)
		return gba_err_from_errno(errno);
	if (st.st_size > STATE_FILE_MAX)
		return GBA_E_TOO_LONG;
	p = talloc_size(mem_ctx, (size_t)st.st_size + 1);
	if (p == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(p);
	if (!read_all(fd, p, (size_t)st.st_size)) {
		talloc_free(p);
		return GBA_E_IO;
	}
	p[st.st_size] = '\0';
	*_content = BYTES(p, (size_t)st.st_size);
	return GBA_OK;
}

enum gba_err state_read(TALLOC_CTX *mem_ctx, struct state *state, const char *name, struct bytes *_content)
{
	int fd = openat(state->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum gba_err err;

	if (fd < 0)
		return gba_err_from_errno(errno);
	err = read_fd(mem_ctx, fd, _content);
	close(fd);
	return err;
}

static bool write_all(int fd, struct bytes content)
{
	while (content.n > 0) {
		ssize_t put = write(fd, content.p, content.n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		content.p += put;
		content.n -= (size_t)put;
	}
	return true;
}

/* Content into a synced temporary file of its own; a leftover of a crashed writer is overwritten. */
static enum gba_err write_temp(struct state *state, const char *temp, struct bytes content)
{
	int fd = openat(state->dir_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum gba_err err = GBA_OK;

	if (fd < 0)
		return gba_err_from_errno(errno);
	if (!write_all(fd, content) || fsync(fd) != 0)
		err = gba_err_from_errno(errno);
	if (close(fd) != 0 && err == GBA_OK)
		err = gba_err_from_errno(errno);
	return err;
}

enum gba_err state_write(struct state *state, const char *name, struct bytes content)
{
	char temp[STATE_NAME_MAX + 32];
	enum gba_err err;

	if (snprintf(temp, sizeof(temp), ".%s.tmp", name) >= (int)sizeof(temp))
		return GBA_E_TOO_LONG;
	err = write_temp(state, temp, content);
	if (err != GBA_OK)
		goto fail;
	if (renameat(state->dir_fd, temp, state->dir_fd, name) != 0) {
		err = gba_err_from_errno(errno);
		goto fail;
	}
	return fsync(state->dir_fd) == 0 ? GBA_OK : gba_err_from_errno(errno);
fail:
	unlinkat(state->dir_fd, temp, 0);
	return err;
}

enum gba_err state_read_sealed(TALLOC_CTX *mem_ctx, struct state *state, const char *name, struct bytes *_plain)
{
	struct bytes sealed;
	enum gba_err err;
	uint8_t *plain;

	err = state_read(mem_ctx, state, name, &sealed);
	if (err != GBA_OK)
		return err;
	if (sealed.n < SEAL_OVERHEAD) {
		talloc_free((void *)sealed.p);
		return GBA_E_CORRUPT;
	}
	plain = talloc_size(mem_ctx, sealed.n - SEAL_OVERHEAD + 1);
	if (plain == NULL) {
		talloc_free((void *)sealed.p);
		return GBA_E_NOMEM;
	}
	secret_guard_chunk(plain);
	err = unseal(state->kek, bytes_of(name), sealed, plain);
	if (err == GBA_OK)
		*_plain = BYTES(plain, sealed.n - SEAL_OVERHEAD);
	else
		talloc_free(plain);
	talloc_free((void *)sealed.p);
	return err;
}

enum gba_err state_write_sealed(struct state *state, const char *name, struct bytes plain)
{
	uint8_t *sealed = talloc_size(NULL, plain.n + SEAL_OVERHEAD);
	enum gba_err err;

	if (sealed == NULL)
		return GBA_E_NOMEM;
	err = seal(state->kek, bytes_of(name), plain, sealed);
	if (err == GBA_OK)
		err = state_write(state, name, BYTES(sealed, plain.n + SEAL_OVERHEAD));
	talloc_free(sealed);
	return err;
}

enum gba_err state_remove(struct state *state, const char *name)
{
	if (unlinkat(state->dir_fd, name, 0) != 0)
		return gba_err_from_errno(errno);
	return fsync(state->dir_fd) == 0 ? GBA_OK : gba_err_from_errno(errno);
}

bool state_has(struct state *state, const char *name)
{
	struct stat st;

	return fstatat(state->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* The x of "<prefix><x><suffix>"; n == 0: another file. */
static struct bytes middle(const char *file, const char *prefix, const char *suffix)
{
	size_t n = strlen(file), head = strlen(prefix), tail = strlen(suffix);

	if (n <= head + tail || memcmp(file, prefix, head) != 0 || memcmp(file + n - tail, suffix, tail) != 0)
		return BYTES_NONE;
	return BYTES(file + head, n - head - tail);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum gba_err state_list(TALLOC_CTX *mem_ctx, struct state *state, const char *prefix, const char *suffix,
			char ***_names, size_t *_count)
{
	char **names = talloc_zero_array(mem_ctx, char *, NAMES_MAX);
	int fd = openat(state->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t count = 0;

	if (names == NULL || dir == NULL) {
		if (dir != NULL)
			closedir(dir);
		else if (fd >= 0)
			close(fd);
		talloc_free(names);
		return names == NULL ? GBA_E_NOMEM : GBA_E_IO;
	}
	while (count < NAMES_MAX && (entry = readdir(dir)) != NULL) {
		struct bytes name = middle(entry->d_name, prefix, suffix);

		if (!state_name_valid(name))
			continue;
		names[count] = talloc_strndup(names, (const char *)name.p, name.n);
		if (names[count] == NULL)
			break;
		count++;
	}
	closedir(dir);
	qsort(names, count, sizeof(*names), by_text);
	*_names = names;
	*_count = count;
	return GBA_OK;
}

bool state_name_valid(struct bytes name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t i;

	if (name.n == 0 || name.n > STATE_NAME_MAX || name.p[0] == '.')
		return false;
	for (i = 0; i < name.n; i++) {
		if (name.p[i] == '\0' || strchr(allowed, name.p[i]) == NULL)
			return false;
	}
	return true;
}
