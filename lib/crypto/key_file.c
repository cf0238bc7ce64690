/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/secret.h"

#define TEXT_LEN HEX_LEN(KEY_FILE_LEN)

static enum gba_err last_error(void)
{
	return gba_err_from_errno(errno);
}

/* Nobody but us may have been able to read it: owner, mode, and a plain file (a pipe's mode says nothing). */
static enum gba_err check_owner(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return last_error();
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return GBA_E_DENIED;
	return GBA_OK;
}

/* Up to cap octets of a file. */
static ssize_t read_all(int fd, char *buf, size_t cap)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t got = read(fd, buf + n, cap - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* 64 digits and perhaps the end of a line. */
static enum gba_err read_text(int fd, uint8_t key[KEY_FILE_LEN])
{
	char text[TEXT_LEN + 2];
	ssize_t n = read_all(fd, text, sizeof(text));
	enum gba_err err;

	if (n < 0)
		return last_error();
	if (n == TEXT_LEN + 1 && text[TEXT_LEN] == '\n')
		n--;
	err = hex_decode(BYTES(text, n), key, KEY_FILE_LEN);
	SECRET_WIPE(text);
	return err;
}

static enum gba_err read_file(const char *path, uint8_t key[KEY_FILE_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum gba_err err;

	if (fd < 0)
		return last_error();
	err = check_owner(fd);
	if (err == GBA_OK)
		err = read_text(fd, key);
	close(fd);
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

static enum gba_err write_key(int fd)
{
	char text[TEXT_LEN + 2];
	uint8_t key[KEY_FILE_LEN];
	enum gba_err err = GBA_OK;
	ssize_t put;

	rand_bytes(key, sizeof(key));
	hex_encode(BYTES(key, sizeof(key)), text);
	SECRET_WIPE(key);
	text[TEXT_LEN] = '\n';
	put = write(fd, text, TEXT_LEN + 1);
	SECRET_WIPE(text);
	if (put < 0)
		err = last_error();
	else if (put != TEXT_LEN + 1)
		err = GBA_E_NOSPACE;
	else if (fsync(fd) != 0)
		err = last_error();
	return err;
}

/* Written whole under another name, then linked: nobody ever reads half a key, and of two makers the first wins. */
static enum gba_err make_file(const char *path)
{
	char temp[PATH_MAX];
	enum gba_err err;
	int fd;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= (int)sizeof(temp))
		return GBA_E_TOO_LONG;
	fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return last_error();
	err = write_key(fd);
	close(fd);
	if (err == GBA_OK && link(temp, path) != 0 && errno != EEXIST)
		err = last_error();
	unlink(temp);
	if (err != GBA_OK)
		return err;
	return sync_folder(path);
}

enum gba_err key_file_read(const char *path, bool create, uint8_t key[KEY_FILE_LEN])
{
	enum gba_err err = read_file(path, key);

	if (err != GBA_E_NOT_FOUND || !create)
		return err;
	err = make_file(path);
	if (err != GBA_OK)
		return err;
	return read_file(path, key);
}
