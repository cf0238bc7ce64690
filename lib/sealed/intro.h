/* SPDX-License-Identifier: Apache-2.0 */
/** The datagram by which a device says under which token its sealed ones come: a server has nothing but the kid of a frame, of
 * which no B-TID can be made. It proves nothing: what it leads to is the question for a key that only this device has, too.
 *
 *   introduction = CRC-32 (4 octets, big endian) of all that follows || [ index, "B-TID" ]      CBOR, deterministic
 */
#ifndef GBA_SEALED_INTRO_H
#define GBA_SEALED_INTRO_H

#include "sealed/sealed.h"

#define SEALED_INTRO_MAX (4 + 1 + 2 + 3 + SEALED_BTID_MAX)

/** @return octets in out, of which there are SEALED_INTRO_MAX; 0: no B-TID, or too long */
size_t sealed_intro_build(struct bytes btid, uint8_t index, uint8_t *out);
/** @param _btid  view @retval GBA_E_CORRUPT  checksum  @retval GBA_E_SYNTAX  no introduction; a frame, perhaps */
enum gba_err sealed_intro_parse(struct bytes octets, struct bytes *_btid, uint8_t *_index);

#endif
