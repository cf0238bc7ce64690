/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/oidc/ring.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_MAX 16

struct ring_key {
	time_t made;
	struct jwt_key *key;
};

struct ring {
	struct ring_conf conf;
	pthread_mutex_t lock; /* over keys */
	struct ring_key keys[KEYS_MAX]; /* oldest first */
	size_t n;
};

static int ring_destroy(struct ring *ring)
{
	pthread_mutex_destroy(&ring->lock);
	return 0;
}

static void insert(struct ring *ring, time_t made, struct jwt_key *key)
{
	size_t at = ring->n++;

	for (; at > 0 && ring->keys[at - 1].made > made; at--)
		ring->keys[at] = ring->keys[at - 1];
	ring->keys[at] = (struct ring_key){ made, key };
}

static char *path_of(TALLOC_CTX *mem_ctx, const struct ring *ring, time_t made)
{
	return talloc_asprintf(mem_ctx, "%s/%lld.pem", ring->conf.folder, (long long)made);
}

static bool made_read(const char *name, time_t *_made)
{
	char *end;

	if (name[0] < '1' || name[0] > '9' || strlen(name) > 20)
		return false;
	*_made = (time_t)strtoll(name, &end, 10);
	return strcmp(end, ".pem") == 0;
}

static enum gba_err read_one(struct ring *ring, time_t made, const char **_why)
{
	char *path = path_of(ring, ring, made);
	struct jwt_key *key;
	enum gba_err err = path != NULL ? jwt_key_read(ring, path, &key) : GBA_E_NOMEM;

	if (err == GBA_OK && ring->n == KEYS_MAX) {
		talloc_free(key);
		err = GBA_E_TOO_LONG;
	}
	if (err == GBA_OK)
		insert(ring, made, key);
	else
		*_why = talloc_asprintf(talloc_parent(ring), "keys: %s: %s", path, gba_strerror(err));
	talloc_free(path);
	return err;
}

static enum gba_err read_all(struct ring *ring, const char **_why)
{
	enum gba_err err = GBA_OK;
	struct dirent *entry;
	time_t made;
	DIR *folder;

	if (mkdir(ring->conf.folder, 0700) != 0 && errno != EEXIST)
		return gba_err_from_errno(errno);
	folder = opendir(ring->conf.folder);
	if (folder == NULL)
		return gba_err_from_errno(errno);
	while (err == GBA_OK && (entry = readdir(folder)) != NULL) {
		if (made_read(entry->d_name, &made))
			err = read_one(ring, made, _why);
	}
	closedir(folder);
	return err;
}

/* Of the algorithm in force: the newest; with `ready`, that clients know of by now. -1: none */
static ssize_t newest(const struct ring *ring, bool ready, time_t now)
{
	ssize_t i, oldest = -1;

	for (i = (ssize_t)ring->n - 1; i >= 0; i--) {
		if (jwt_key_alg(ring->keys[i].key) != ring->conf.alg)
			continue;
		oldest = i;
		if (!ready || ring->keys[i].made + (time_t)ring->conf.overlap <= now)
			break;
	}
	return oldest;
}

static enum gba_err make(struct ring *ring, time_t now)
{
	struct jwt_key *key;
	enum gba_err err;
	char *path;

	if (ring->n == KEYS_MAX)
		return GBA_E_NOSPACE;
	path = path_of(ring, ring, now);
	err = path != NULL ? jwt_key_new(ring, ring->conf.alg, &key) : GBA_E_NOMEM;
	if (err == GBA_OK) {
		err = jwt_key_write(key, path);
		if (err == GBA_OK)
			insert(ring, now, key);
		else
			talloc_free(key);
	}
	talloc_free(path);
	return err;
}

/* A key has been shown long enough when the next one of the algorithm has signed alone for the overlap. */
static void forget_old(struct ring *ring, time_t now)
{
	ssize_t signer = newest(ring, true, now);
	time_t since;
	char *path;

	if (signer <= 0)
		return;
	since = ring->keys[signer].made + (time_t)ring->conf.overlap;
	if (since + (time_t)ring->conf.overlap > now)
		return;
	while (signer-- > 0) {
		path = path_of(ring, ring, ring->keys[0].made);
		if (path != NULL)
			unlink(path);
		talloc_free(path);
		talloc_free(ring->keys[0].key);
		memmove(ring->keys, ring->keys + 1, --ring->n * sizeof(ring->keys[0]));
	}
}

enum gba_err ring_tick(struct ring *ring, time_t now)
{
	enum gba_err err = GBA_OK;
	ssize_t last;

	pthread_mutex_lock(&ring->lock);
	last = newest(ring, false, now);
	if (last < 0 || ring->keys[last].made + (time_t)ring->conf.rotation <= now)
		err = make(ring, now);
	forget_old(ring, now);
	pthread_mutex_unlock(&ring->lock);
	return err;
}

enum gba_err ring_open(TALLOC_CTX *mem_ctx, const struct ring_conf *conf, time_t now, struct ring **_ring, const char **_why)
{
	struct ring *ring = talloc_zero(mem_ctx, struct ring);
	enum gba_err err;

	if (ring == NULL)
		return GBA_E_NOMEM;
	ring->conf = *conf;
	pthread_mutex_init(&ring->lock, NULL);
	talloc_set_destructor(ring, ring_destroy);
	*_why = NULL;
	err = read_all(ring, _why);
	if (err == GBA_OK)
		err = ring_tick(ring, now);
	if (err == GBA_OK) {
		*_ring = ring;
		return GBA_OK;
	}
	if (*_why == NULL)
		*_why = talloc_asprintf(mem_ctx, "keys: %s: %s", conf->folder, gba_strerror(err));
	talloc_free(ring);
	return err;
}

enum gba_err ring_sign(struct ring *ring, TALLOC_CTX *mem_ctx, const json_t *claims, time_t now, char **_text)
{
	enum gba_err err = GBA_E_INTERNAL;
	ssize_t signer;

	pthread_mutex_lock(&ring->lock);
	signer = newest(ring, true, now);
	if (signer >= 0)
		err = jwt_sign(mem_ctx, ring->keys[signer].key, claims, _text);
	pthread_mutex_unlock(&ring->lock);
	return err;
}

enum gba_err ring_open_token(struct ring *ring, struct bytes text, json_t **_claims)
{
	enum gba_err err = GBA_E_NOT_FOUND;
	size_t i;

	pthread_mutex_lock(&ring->lock);
	for (i = 0; i < ring->n && err != GBA_OK; i++)
		err = jwt_open(text, ring->keys[i].key, _claims);
	pthread_mutex_unlock(&ring->lock);
	return err;
}

json_t *ring_jwks(struct ring *ring)
{
	json_t *keys = json_array(), *set;
	size_t i;

	pthread_mutex_lock(&ring->lock);
	for (i = 0; i < ring->n; i++)
		json_array_append_new(keys, jwt_key_jwk(ring->keys[i].key));
	pthread_mutex_unlock(&ring->lock);
	set = json_pack("{s:o}", "keys", keys);
	return set;
}
