/* SPDX-License-Identifier: Apache-2.0 */
/** libgba-sealed: single messages between an application and a bootstrapped device, protected without TLS and without a
 * connection, at most 39 octets longer than they are (Y.OBF Appendix I; doc/sealed.md has the format: COSE_Encrypt0). Over UDP, in
 * a short message, over anything that may lose, swap, repeat or alter them. Keys come from libgba-naf.
 *
 * Threads: a handle belongs to one thread at a time; different handles are independent. */
#ifndef GBA_SEALED_H
#define GBA_SEALED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GBA_SEALED_API __attribute__((visibility("default")))

#define GBA_SEALED_KEY_LEN   32	  /* [octets] Ks_NAF, Ks_int_NAF */
#define GBA_SEALED_KID_LEN   8	  /* [octets] */
#define GBA_SEALED_PLAIN_MAX 1024 /* [octets] of a message */
#define GBA_SEALED_FRAME_MAX 1063 /* [octets] of a datagram */

/** Ua security protocol identifier of the keys, for gba_naf_query.ua_id: ff 00 00 00 01. */
#define GBA_SEALED_UA_ID { 0xff, 0x00, 0x00, 0x00, 0x01 }

/** Values are stable. */
enum gba_sealed_error {
	GBA_SEALED_OK = 0,
	/* the datagram is dropped; its sender is told nothing */
	GBA_SEALED_E_CHECKSUM = 1, /* altered on the way; nothing else was looked at */
	GBA_SEALED_E_SYNTAX = 2,   /* no datagram of this kind */
	GBA_SEALED_E_KEY = 3,	   /* of another device or token */
	GBA_SEALED_E_FORGED = 4,   /* not made by the other end, or altered */
	GBA_SEALED_E_REPLAY = 5,   /* had before, or too old to know */
	/* this end */
	GBA_SEALED_E_MEMORY = 10,   /* no file of these keys, and GBA_SEALED_NEW was not said; or it is damaged: bootstrap anew */
	GBA_SEALED_E_BUSY = 11,	    /* another handle has these keys */
	GBA_SEALED_E_USED_UP = 12,  /* no counter left: bootstrap anew */
	GBA_SEALED_E_TOO_LONG = 13, /* the message */
	GBA_SEALED_E_ARGUMENT = 14,
	GBA_SEALED_E_NOMEM = 15,
	GBA_SEALED_E_SYSTEM = 16, /* errno tells, as a rule: the file cannot be written, and nothing was taken or sent */
};
/** English text, static, never NULL. */
GBA_SEALED_API const char *gba_sealed_strerror(enum gba_sealed_error error);

/** What a datagram says before it has proved anything. */
struct gba_sealed_look {
	int introduction;		 /* 1: btid and index; 0: a message, kid */
	uint8_t kid[GBA_SEALED_KID_LEN]; /* whose keys: gba_sealed_kid() */
	const char *btid;		 /* view into the datagram, no NUL: ask for its key, and open a handle */
	size_t btid_len;
	uint8_t index; /* 0: Ks_NAF (Ks_ext_NAF), else Ks_int_NAF */
};
/** @retval GBA_SEALED_E_CHECKSUM, GBA_SEALED_E_SYNTAX; nothing written then */
GBA_SEALED_API enum gba_sealed_error gba_sealed_look(const uint8_t *datagram, size_t n, struct gba_sealed_look *_look);
/** Name of the keys of a token. @retval GBA_SEALED_E_ARGUMENT */
GBA_SEALED_API enum gba_sealed_error gba_sealed_kid(const char *btid, size_t btid_len, uint8_t index,
						    uint8_t kid[GBA_SEALED_KID_LEN]);

struct gba_sealed;
enum gba_sealed_side { GBA_SEALED_DEVICE, GBA_SEALED_SERVER };
enum gba_sealed_flag {
	GBA_SEALED_NEW = 1, /* nothing was ever sent or taken under these keys: make the file. One that is there is used as it is */
};

/** One end of the messages with one device. Its memory is the file "<kid>" in folder, mode 0600: never restore it from a backup.
 * @param key    gba_naf_result_key(), or with an index gba_naf_result_int_key(); copied
 * @param side   who we are
 * @retval GBA_SEALED_E_MEMORY, GBA_SEALED_E_BUSY, GBA_SEALED_E_ARGUMENT, GBA_SEALED_E_NOMEM, GBA_SEALED_E_SYSTEM */
GBA_SEALED_API enum gba_sealed_error gba_sealed_open(const char *folder, enum gba_sealed_side side,
						     const uint8_t key[GBA_SEALED_KEY_LEN], const char *btid, size_t btid_len,
						     unsigned int index_and_flags, struct gba_sealed **_sealed);
/** index_and_flags: the index, and flags beside it. */
#define GBA_SEALED_INDEX(index, flags) ((unsigned int)(index) | (unsigned int)(flags) << 8)
/** Wipes the keys. NULL is accepted. */
GBA_SEALED_API void gba_sealed_close(struct gba_sealed *sealed);
/** A datagram of a message. @param out  GBA_SEALED_FRAME_MAX octets
 * @retval GBA_SEALED_E_TOO_LONG, GBA_SEALED_E_USED_UP, GBA_SEALED_E_NOMEM, GBA_SEALED_E_SYSTEM */
GBA_SEALED_API enum gba_sealed_error gba_sealed_send(struct gba_sealed *sealed, const uint8_t *message, size_t n, uint8_t *out,
						     size_t *_n);
/** The message of a datagram, given out when it is authentic and new, and after that is on disk.
 * @param out  GBA_SEALED_PLAIN_MAX octets; wiped on failure
 * @retval GBA_SEALED_E_CHECKSUM .. GBA_SEALED_E_REPLAY, GBA_SEALED_E_NOMEM, GBA_SEALED_E_SYSTEM */
GBA_SEALED_API enum gba_sealed_error gba_sealed_receive(struct gba_sealed *sealed, const uint8_t *datagram, size_t n, uint8_t *out,
							size_t *_n);

#ifdef __cplusplus
}
#endif
#endif
