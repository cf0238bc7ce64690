/* SPDX-License-Identifier: Apache-2.0 */
/** Sealed datagrams: one message of a device or to a device, protected without TLS under a key from Ks_NAF (ITU-T
 * Y.3056 Appendix I asks for it; the appendix names no format: this one is COSE). doc/sealed.md has the format.
 *
 *   frame = CRC-32 (4 octets, big endian) of all that follows || COSE_Encrypt0_Tagged (RFC 9052 5.2, 5.3)
 *   protected: { 1 (alg): 10 (AES-CCM-16-64-128), 4 (kid): 8 octets, 6 (Partial IV): 1 .. 5 octets }; unprotected: {}
 *
 * In the deterministic encoding of RFC 8949 4.2.1, and in no other: a frame has one form. Pure functions, any thread. */
#ifndef GBA_SEALED_SEALED_H
#define GBA_SEALED_SEALED_H

#include "core/bytes.h"
#include "core/err.h"
#include "crypto/ccm.h"
#include "crypto/gba_keys.h"

#define SEALED_KID_LEN	   8 /* [octets] */
#define SEALED_COUNTER_MAX ((UINT64_C(1) << 40) - 1)
#define SEALED_PLAIN_MAX   1024
#define SEALED_OVERHEAD	   39 /* at most: 4 less for a young counter, 2 less for a message of up to 15 octets */
#define SEALED_FRAME_MAX   (SEALED_PLAIN_MAX + SEALED_OVERHEAD)
#define SEALED_BTID_MAX	   512

/** Who sends. Each has a key of its own: nothing comes back as if the other had sent it. */
enum sealed_side { SEALED_DEVICE, SEALED_SERVER, SEALED_SIDES };

/** Keys of one device with one application. Wipe it. */
struct sealed_keys {
	uint8_t kid[SEALED_KID_LEN];
	struct {
		uint8_t key[CCM_KEY_LEN], iv[CCM_NONCE_LEN];
	} of[SEALED_SIDES];
};

/** kid = SHA-256("gba sealed kid" 00 index B-TID), the first 8 octets; key || iv = HKDF-SHA-256, no salt, from Ks_NAF,
 * info = "gba sealed device" or "gba sealed server", 00 index B-TID.
 * @param index  which key it is where one B-TID has several: 0 Ks_(ext_)NAF, above: by agreement (Ks_int_NAF)
 * @retval GBA_E_RANGE  no B-TID, or one above SEALED_BTID_MAX octets */
enum gba_err sealed_keys_derive(const uint8_t ks_naf[GBA_KS_NAF_LEN], struct bytes btid, uint8_t index, struct sealed_keys *_keys);

/** @param counter  of this sender under these keys, never twice: the nonce is made of it (sealed/link.h sees to that)
 * @param out       SEALED_FRAME_MAX octets
 * @retval GBA_E_TOO_LONG  plain
 * @retval GBA_E_RANGE     counter: bootstrap anew  @retval GBA_E_NOMEM, GBA_E_INTERNAL */
enum gba_err sealed_seal(const struct sealed_keys *keys, enum sealed_side sender, uint64_t counter, struct bytes plain,
			 uint8_t *out, size_t *_n);

/** What a frame says before it has proved anything; views. */
struct sealed_frame {
	struct bytes kid, protected_octets, sealed;
	uint64_t counter;
};
/** @retval GBA_E_CORRUPT  the checksum is wrong: altered on the way; nothing else was looked at
 * @retval GBA_E_SYNTAX   not a frame */
enum gba_err sealed_parse(struct bytes octets, struct sealed_frame *_frame);

/** Proves sender and content; that it is new is the window's to say.
 * @param out  SEALED_PLAIN_MAX octets
 * @retval GBA_E_NOT_FOUND  of another key
 * @retval GBA_E_DENIED     not made by this side under these keys, or altered; out is wiped */
enum gba_err sealed_open(const struct sealed_keys *keys, enum sealed_side sender, const struct sealed_frame *frame, uint8_t *out,
			 size_t *_n);

/** Counters had from a sender: frames may overtake each other by less than 64, and none is taken twice. */
struct sealed_window {
	uint64_t next; /* above the highest had; 0: none yet */
	uint64_t seen; /* bit i: next - 1 - i was had */
};
/** @retval GBA_E_REPLAY  had before, or too old to know */
enum gba_err sealed_window_check(const struct sealed_window *window, uint64_t counter);
/** After the check, and after the frame has proved itself. */
void sealed_window_take(struct sealed_window *window, uint64_t counter);

#endif
