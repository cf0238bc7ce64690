/* SPDX-License-Identifier: Apache-2.0 */
/** The device's end of sealed datagrams (Y.OBF Appendix I, doc/sealed.md) with one application. Keys come from a token, which is
 * bootstrapped if there is none; with an index they stay in the USIM, and the device itself checks nothing but the checksum. */
#ifndef GBA_UE_DATAGRAM_H
#define GBA_UE_DATAGRAM_H

#include "sealed/intro.h"
#include "ue/client.h"

struct datagram;

/** @param naf    host name of the application  @param index  0: Ks_(ext_)NAF; else which key in the USIM
 * @retval GBA_E_UNSUPPORTED  an index, and the USIM does not do GBA_U or has no such keys
 * @return and all of client_bootstrap(), sealed_state_open() */
enum gba_err datagram_open(TALLOC_CTX *mem_ctx, struct client *client, struct bytes naf, uint8_t index, struct datagram **_datagram,
			   struct why *why);
/** @param out  SEALED_FRAME_MAX octets @return all of sealed_link_send() */
enum gba_err datagram_seal(struct datagram *datagram, struct bytes plain, uint8_t *out, size_t *_n);
/** Taken only when authentic and new, and remembered before it is given out; a frame with a wrong checksum goes no further.
 * @param out  SEALED_PLAIN_MAX octets @return all of sealed_link_receive() */
enum gba_err datagram_unseal(struct datagram *datagram, struct bytes frame, uint8_t *out, size_t *_n);
/** What tells the application whose frames these are, if it has to be told yet: until it has proved itself once.
 * @return octets in out, of which there are SEALED_INTRO_MAX; 0: it knows */
size_t datagram_introduction(const struct datagram *datagram, uint8_t *out);
/** The token's. */
const char *datagram_btid(const struct datagram *datagram);
/** [s since epoch] nothing is sent or taken from then on: open another one. */
time_t datagram_expires(const struct datagram *datagram);

#endif
