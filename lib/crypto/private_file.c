/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum gba_err last_error(void)
{
	return gba_err_from_errno(errno);
}

/* Nobody but us may have been able to read it: owner, mode, and a plain file (a pipe's mode says nothing). */
static enum gba_err check_owner(int fd, struct stat *_st)
{
	if (fstat(fd, _st) != 0)
		return last_error();
	if (!S_ISREG(_st->st_mode) || _st->st_uid != geteuid() || (_st->st_mode & 077) != 0)
		return GBA_E_DENIED;
	return GBA_OK;
}

static enum gba_err read_all(int fd, char *out, size_t cap, size_t *_n)
{
	size_t n = 0;

	while (n <= cap) {
		ssize_t got = read(fd, out + n, cap + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return last_error();
		if (got == 0)
			break;
		n += (size_t)got;
	}
	if (n > cap)
		return GBA_E_TOO_LONG;
	out[n] = '\0';
	*_n = n;
	return GBA_OK;
}

enum gba_err private_file_read(const char *path, char *out, size_t cap, size_t *_n, struct stat *_stamp)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum gba_err err;
	struct stat st;

	if (fd < 0)
		return last_error();
	err = check_owner(fd, &st);
	if (err == GBA_OK)
		err = read_all(fd, out, cap, _n);
	close(fd);
	if (err == GBA_OK && _stamp != NULL)
		*_stamp = st;
	return err;
}

static enum gba_err sync_folder(const char *path)
{
	char copy[PATH_MAX];
	enum gba_err err = GBA_OK;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return last_error();
	if (fsync(fd) != 0)
		err = last_error();
	close(fd);
	return err;
}

static enum gba_err put(int fd, struct bytes text)
{
	while (text.n > 0) {
		ssize_t done = write(fd, text.p, text.n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return last_error();
		if (done == 0)
			return GBA_E_NOSPACE;
		text = BYTES(text.p + done, text.n - (size_t)done);
	}
	return fsync(fd) == 0 ? GBA_OK : last_error();
}

enum gba_err private_file_write(const char *path, struct bytes text, bool replace)
{
	char temp[PATH_MAX];
	enum gba_err err;
	int fd;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
		return GBA_E_TOO_LONG;
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return last_error();
	err = put(fd, text);
	close(fd);
	if (err == GBA_OK && replace && rename(temp, path) != 0)
		err = last_error();
	else if (err == GBA_OK && !replace && link(temp, path) != 0 && errno != EEXIST)
		err = last_error();
	if (err != GBA_OK || !replace)
		unlink(temp);
	return err == GBA_OK ? sync_folder(path) : err;
}
