/* SPDX-License-Identifier: Apache-2.0 */
/** TLS handshake of a device's connection (TS 33.222 5.3, 5.4). */
#ifndef GBA_PROXY_HANDSHAKE_H
#define GBA_PROXY_HANDSHAKE_H

#include "naf-adapter/proxy/conn.h"

enum run handshake_start(struct conn *conn);
/** Ends in HTTP, in a tunnel, or in RUN_CLOSE after the alert went out. */
enum run handshake_run(struct conn *conn);
enum run handshake_timeout(struct conn *conn);
/** Before the connection is freed. */
void handshake_abort(struct conn *conn);
/** Ua security protocol identifier for Digest in this connection (TS 33.220 H.3). */
void handshake_ua_id(const struct conn *conn, uint8_t ua_id[GBA_NAF_UA_ID_LEN]);
/** Number of a cipher suite by its name of OpenSSL ("ECDHE-RSA-AES128-GCM-SHA256") or IANA. */
bool handshake_suite(struct bytes name, uint16_t *_number);

#endif
