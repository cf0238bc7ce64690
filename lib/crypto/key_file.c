/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_file.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/codec.h"
#include "core/secret.h"
#include "crypto/key_token.h"
#include "crypto/private_file.h"

#define TOKEN_START  "pkcs11:"
#define TOKEN_SEALED (KEY_FILE_LEN + KEY_TOKEN_OVERHEAD)

/* One line into a key. */
static enum gba_err read_line(TALLOC_CTX *ctx, struct bytes line, uint8_t key[KEY_FILE_LEN], const char **_why)
{
	uint8_t sealed[TOKEN_SEALED];
	const char *uri;
	struct bytes head, tail;

	if (line.n < sizeof(TOKEN_START) || memcmp(line.p, TOKEN_START, sizeof(TOKEN_START) - 1) != 0)
		return hex_decode(line, key, KEY_FILE_LEN);
	if (!bytes_split(line, ' ', &head, &tail) || hex_decode(tail, sealed, sizeof(sealed)) != GBA_OK)
		return GBA_E_SYNTAX;
	uri = talloc_strndup(ctx, (const char *)head.p, head.n);
	if (uri == NULL)
		return GBA_E_NOMEM;
	return key_token_decipher(ctx, uri, BYTES(sealed, sizeof(sealed)), key, _why);
}

/* @param _why  NULL: nobody asks. Else what a token said, below mem_ctx; otherwise NULL */
static enum gba_err read_lines(TALLOC_CTX *mem_ctx, struct bytes text, struct key_ring *_ring, const char **_why)
{
	TALLOC_CTX *ctx = talloc_new(NULL);
	enum gba_err err = ctx != NULL ? GBA_OK : GBA_E_NOMEM;
	const char *why = NULL;
	struct bytes line, rest;

	_ring->n = 0;
	while (err == GBA_OK && text.n > 0) {
		if (!bytes_split(text, '\n', &line, &rest)) {
			line = text;
			rest = BYTES_NONE;
		}
		text = rest;
		if (line.n == 0)
			err = GBA_E_SYNTAX;
		else if (_ring->n == KEY_FILE_KEYS)
			err = GBA_E_TOO_LONG;
		else
			err = read_line(ctx, line, _ring->keys[_ring->n++], &why);
	}
	if (err == GBA_OK && _ring->n == 0)
		err = GBA_E_SYNTAX;
	if (err != GBA_OK)
		SECRET_WIPE(*_ring);
	if (_why != NULL)
		*_why = err != GBA_OK && why != NULL ? talloc_asprintf(mem_ctx, "the key's PKCS#11 token: %s", why) : NULL;
	talloc_free(ctx);
	return err;
}

static enum gba_err read_file(TALLOC_CTX *mem_ctx, const char *path, struct key_ring *_ring, struct stat *_stamp, const char **_why)
{
	char text[KEY_FILE_MAX + 1];
	enum gba_err err;
	size_t n = 0;

	err = private_file_read(path, text, KEY_FILE_MAX, &n, _stamp);
	if (err == GBA_OK)
		err = read_lines(mem_ctx, BYTES(text, n), _ring, _why);
	SECRET_WIPE(text);
	return err == GBA_E_TOO_LONG ? GBA_E_SYNTAX : err;
}

/* A fresh key as a line. */
static enum gba_err new_line(TALLOC_CTX *ctx, const char *uri, char out[KEY_FILE_MAX], const char **_why)
{
	uint8_t key[KEY_FILE_LEN], sealed[TOKEN_SEALED];
	char hex[HEX_LEN(TOKEN_SEALED) + 1];
	enum gba_err err = GBA_OK;

	rand_bytes(key, sizeof(key));
	if (uri == NULL) {
		hex_encode(BYTES(key, sizeof(key)), hex);
		snprintf(out, KEY_FILE_MAX, "%s\n", hex);
	} else {
		err = key_token_encipher(ctx, uri, BYTES(key, sizeof(key)), sealed, _why);
		if (err == GBA_OK) {
			hex_encode(BYTES(sealed, sizeof(sealed)), hex);
			if (strpbrk(uri, " \n") != NULL || snprintf(out, KEY_FILE_MAX, "%s %s\n", uri, hex) >= KEY_FILE_MAX / 2)
				err = GBA_E_SYNTAX;
		}
	}
	SECRET_WIPE(key);
	SECRET_WIPE(hex);
	return err;
}

enum gba_err key_file_read_ring(TALLOC_CTX *mem_ctx, const char *path, bool create, struct key_ring *_ring, struct stat *_stamp,
				const char **_why)
{
	char line[KEY_FILE_MAX];
	const char *why;
	enum gba_err err;

	if (_why != NULL)
		*_why = NULL;
	err = read_file(mem_ctx, path, _ring, _stamp, _why);

	if (err != GBA_E_NOT_FOUND || !create)
		return err;
	err = new_line(NULL, NULL, line, &why);
	if (err == GBA_OK)
		err = private_file_write(path, bytes_of(line), false);
	SECRET_WIPE(line);
	return err == GBA_OK ? read_file(mem_ctx, path, _ring, _stamp, _why) : err;
}

enum gba_err key_file_read(const char *path, bool create, uint8_t key[KEY_FILE_LEN])
{
	struct key_ring ring;
	enum gba_err err = key_file_read_ring(NULL, path, create, &ring, NULL, NULL);

	if (err == GBA_OK)
		memcpy(key, ring.keys[0], KEY_FILE_LEN);
	SECRET_WIPE(ring);
	return err;
}

bool key_file_changed(const char *path, const struct stat *stamp)
{
	struct stat now;

	return stat(path, &now) == 0 &&
	       (now.st_ino != stamp->st_ino || now.st_dev != stamp->st_dev || now.st_mtim.tv_sec != stamp->st_mtim.tv_sec ||
		now.st_mtim.tv_nsec != stamp->st_mtim.tv_nsec);
}

enum gba_err key_file_rotate(TALLOC_CTX *mem_ctx, const char *path, const char *uri, const char **_why)
{
	char text[KEY_FILE_MAX + 1], old[KEY_FILE_MAX + 1] = "";
	struct key_ring ring = { .n = 0 };
	const char *why = NULL;
	enum gba_err err;
	size_t n = 0;

	*_why = path;
	err = private_file_read(path, old, KEY_FILE_MAX, &n, NULL);
	if (err == GBA_OK)
		err = read_lines(mem_ctx, BYTES(old, n), &ring, &why); /* what cannot be read must not be carried along */
	else if (err == GBA_E_NOT_FOUND)
		err = GBA_OK;
	if (err != GBA_OK && why != NULL)
		*_why = why;
	if (err == GBA_OK && ring.n == KEY_FILE_KEYS)
		err = GBA_E_BUSY;
	if (err == GBA_OK)
		err = new_line(mem_ctx, uri, text, _why);
	if (err == GBA_OK && strlen(text) + n > KEY_FILE_MAX)
		err = GBA_E_BUSY;
	if (err == GBA_OK) {
		memcpy(text + strlen(text), old, n + 1);
		err = private_file_write(path, bytes_of(text), true);
	}
	SECRET_WIPE(ring);
	SECRET_WIPE(text);
	SECRET_WIPE(old);
	return err;
}

enum gba_err key_file_retire(const char *path, size_t *_dropped)
{
	char text[KEY_FILE_MAX + 1];
	struct key_ring ring = { .n = 0 };
	enum gba_err err;
	size_t n = 0;

	*_dropped = 0;
	err = private_file_read(path, text, KEY_FILE_MAX, &n, NULL);
	if (err == GBA_OK)
		err = read_lines(NULL, BYTES(text, n), &ring, NULL);
	if (err == GBA_OK && ring.n > 1) {
		strchr(text, '\n')[1] = '\0';
		err = private_file_write(path, bytes_of(text), true);
		if (err == GBA_OK)
			*_dropped = ring.n - 1;
	}
	SECRET_WIPE(ring);
	SECRET_WIPE(text);
	return err;
}
