/* SPDX-License-Identifier: Apache-2.0 */
/** One end of sealed datagrams, with what must not be forgotten in a file: counters this end may have used, and those it
 * had from the other. A sender that restarts never uses a nonce again: it leases counters in the file before it uses them,
 * and begins behind the lease. A receiver that restarts still knows what it had: the file has it before the content is out. */
#ifndef GBA_SEALED_LINK_H
#define GBA_SEALED_LINK_H

#include <stdbool.h>
#include <talloc.h>

#include "sealed/sealed.h"

#define SEALED_LEASE 64 /* counters per write of the file; a restart skips what was left of them */

/** One thread at a time. Wiped and unlocked when freed. */
struct sealed_link;

/** @param path    of this end's file for these keys, 0600; path.lock beside it keeps a second process away
 * @param self    who we are
 * @param create  true: the keys are fresh and nothing was ever sent under them. A file that is there is used as it is
 * @retval GBA_E_NOT_FOUND  no file and !create: the counters are lost, and these keys with them; bootstrap anew
 * @retval GBA_E_CORRUPT    the file is of other keys or another end, or damaged
 * @retval GBA_E_BUSY       another link has it
 * @retval GBA_E_DENIED     open to others, or not ours  @retval GBA_E_NOMEM, GBA_E_IO, GBA_E_NOSPACE */
enum gba_err sealed_link_open(TALLOC_CTX *mem_ctx, const char *path, const struct sealed_keys *keys, enum sealed_side self,
			      bool create, struct sealed_link **_link);
/** @param out  SEALED_FRAME_MAX octets  @retval as sealed_seal(); GBA_E_IO, GBA_E_NOSPACE: no counter could be leased */
enum gba_err sealed_link_send(struct sealed_link *link, struct bytes plain, uint8_t *out, size_t *_n);
/** Checksum, then form, then MAC, then freshness; what fails one reaches none behind it.
 * @param out  SEALED_PLAIN_MAX octets; written on GBA_OK, wiped otherwise
 * @retval GBA_E_CORRUPT    checksum  @retval GBA_E_SYNTAX  not a frame  @retval GBA_E_NOT_FOUND  of other keys
 * @retval GBA_E_DENIED     not made by the other end  @retval GBA_E_REPLAY  had before, or too old to know
 * @retval GBA_E_IO, GBA_E_NOSPACE  not taken: it could be had again after a restart */
enum gba_err sealed_link_receive(struct sealed_link *link, struct bytes frame, uint8_t *out, size_t *_n);
/** Has the other end ever proved itself under these keys? */
bool sealed_link_heard(const struct sealed_link *link);

#endif
