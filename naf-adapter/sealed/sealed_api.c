/* SPDX-License-Identifier: Apache-2.0 */
#include "naf-adapter/sealed/gba-sealed.h"

#include <stdio.h>

#include "core/secret.h"
#include "sealed/intro.h"
#include "sealed/link.h"

_Static_assert(GBA_SEALED_KID_LEN == SEALED_KID_LEN && GBA_SEALED_PLAIN_MAX == SEALED_PLAIN_MAX &&
		       GBA_SEALED_FRAME_MAX == SEALED_FRAME_MAX && GBA_SEALED_KEY_LEN == GBA_KS_NAF_LEN,
	       "what the installed header says");

struct gba_sealed {
	struct sealed_link *link;
};

static const struct {
	enum gba_err err;
	enum gba_sealed_error error;
} errors[] = {
	{ GBA_OK, GBA_SEALED_OK },
	{ GBA_E_SYNTAX, GBA_SEALED_E_SYNTAX },
	{ GBA_E_NOT_FOUND, GBA_SEALED_E_KEY },
	{ GBA_E_REPLAY, GBA_SEALED_E_REPLAY },
	{ GBA_E_BUSY, GBA_SEALED_E_BUSY },
	{ GBA_E_RANGE, GBA_SEALED_E_USED_UP },
	{ GBA_E_TOO_LONG, GBA_SEALED_E_TOO_LONG },
	{ GBA_E_NOMEM, GBA_SEALED_E_NOMEM },
};

/* Two rows mean one thing of a datagram and another of a file. */
static enum gba_sealed_error error_of(enum gba_err err, enum gba_sealed_error corrupt, enum gba_sealed_error denied)
{
	size_t i;

	if (err == GBA_E_CORRUPT)
		return corrupt;
	if (err == GBA_E_DENIED)
		return denied;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].err == err)
			return errors[i].error;
	}
	return GBA_SEALED_E_SYSTEM;
}

const char *gba_sealed_strerror(enum gba_sealed_error error)
{
	switch (error) {
	case GBA_SEALED_OK: return "success";
	case GBA_SEALED_E_CHECKSUM: return "altered on the way";
	case GBA_SEALED_E_SYNTAX: return "not a sealed datagram";
	case GBA_SEALED_E_KEY: return "of another device or token";
	case GBA_SEALED_E_FORGED: return "not from the other end";
	case GBA_SEALED_E_REPLAY: return "had before, or too old";
	case GBA_SEALED_E_MEMORY: return "what was sent under these keys is not known";
	case GBA_SEALED_E_BUSY: return "in use by another program";
	case GBA_SEALED_E_USED_UP: return "no counter left";
	case GBA_SEALED_E_TOO_LONG: return "message too long";
	case GBA_SEALED_E_ARGUMENT: return "wrong argument";
	case GBA_SEALED_E_NOMEM: return "out of memory";
	case GBA_SEALED_E_SYSTEM: break;
	}
	return "system error";
}

enum gba_sealed_error gba_sealed_look(const uint8_t *datagram, size_t n, struct gba_sealed_look *_look)
{
	struct gba_sealed_look look = { .btid = NULL };
	struct bytes octets = BYTES(datagram, n), btid;
	struct sealed_frame frame;
	enum gba_err err = sealed_intro_parse(octets, &btid, &look.index);

	if (err == GBA_OK) {
		look.introduction = 1;
		look.btid = (const char *)btid.p;
		look.btid_len = btid.n;
		*_look = look;
		return gba_sealed_kid(look.btid, look.btid_len, look.index, _look->kid);
	}
	look.index = 0;
	if (err == GBA_E_SYNTAX)
		err = sealed_parse(octets, &frame);
	if (err != GBA_OK)
		return error_of(err, GBA_SEALED_E_CHECKSUM, GBA_SEALED_E_SYNTAX);
	memcpy(look.kid, frame.kid.p, SEALED_KID_LEN);
	*_look = look;
	return GBA_SEALED_OK;
}

enum gba_sealed_error gba_sealed_kid(const char *btid, size_t btid_len, uint8_t index, uint8_t kid[GBA_SEALED_KID_LEN])
{
	static const uint8_t zero[GBA_KS_NAF_LEN];
	struct sealed_keys keys;

	if (btid == NULL || sealed_keys_derive(zero, BYTES(btid, btid_len), index, &keys) != GBA_OK)
		return GBA_SEALED_E_ARGUMENT;
	memcpy(kid, keys.kid, SEALED_KID_LEN); /* the B-TID alone makes it */
	SECRET_WIPE(keys);
	return GBA_SEALED_OK;
}

static enum gba_sealed_error open_link(struct gba_sealed *sealed, const char *folder, enum gba_sealed_side side,
				       const struct sealed_keys *keys, bool create)
{
	char *path = talloc_asprintf(sealed, "%s/", folder);
	enum gba_err err;
	size_t i;

	for (i = 0; i < SEALED_KID_LEN; i++)
		path = talloc_asprintf_append(path, "%02x", keys->kid[i]);
	if (path == NULL)
		return GBA_SEALED_E_NOMEM;
	err = sealed_link_open(sealed, path, keys, side == GBA_SEALED_DEVICE ? SEALED_DEVICE : SEALED_SERVER, create,
			       &sealed->link);
	if (err == GBA_E_NOT_FOUND)
		return GBA_SEALED_E_MEMORY;
	return error_of(err, GBA_SEALED_E_MEMORY, GBA_SEALED_E_SYSTEM);
}

enum gba_sealed_error gba_sealed_open(const char *folder, enum gba_sealed_side side, const uint8_t key[GBA_SEALED_KEY_LEN],
				      const char *btid, size_t btid_len, unsigned int index_and_flags, struct gba_sealed **_sealed)
{
	enum gba_sealed_error error;
	struct gba_sealed *sealed;
	struct sealed_keys keys;

	if (folder == NULL || key == NULL || btid == NULL || index_and_flags >> 9 != 0 ||
	    (side != GBA_SEALED_DEVICE && side != GBA_SEALED_SERVER) ||
	    sealed_keys_derive(key, BYTES(btid, btid_len), (uint8_t)index_and_flags, &keys) != GBA_OK)
		return GBA_SEALED_E_ARGUMENT;
	sealed = talloc_zero(NULL, struct gba_sealed);
	error = sealed != NULL ? open_link(sealed, folder, side, &keys, (index_and_flags >> 8 & GBA_SEALED_NEW) != 0)
			       : GBA_SEALED_E_NOMEM;
	SECRET_WIPE(keys);
	if (error == GBA_SEALED_OK)
		*_sealed = sealed;
	else
		talloc_free(sealed);
	return error;
}

void gba_sealed_close(struct gba_sealed *sealed)
{
	talloc_free(sealed);
}

enum gba_sealed_error gba_sealed_send(struct gba_sealed *sealed, const uint8_t *message, size_t n, uint8_t *out, size_t *_n)
{
	enum gba_err err = sealed_link_send(sealed->link, BYTES(message, n), out, _n);

	return error_of(err, GBA_SEALED_E_SYSTEM, GBA_SEALED_E_SYSTEM);
}

enum gba_sealed_error gba_sealed_receive(struct gba_sealed *sealed, const uint8_t *datagram, size_t n, uint8_t *out, size_t *_n)
{
	enum gba_err err = sealed_link_receive(sealed->link, BYTES(datagram, n), out, _n);

	return error_of(err, GBA_SEALED_E_CHECKSUM, GBA_SEALED_E_FORGED);
}
