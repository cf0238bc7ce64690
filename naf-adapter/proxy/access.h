/* SPDX-License-Identifier: Apache-2.0 */
/** The access log: a line per request, two per stream, with what an operator counts and bills by; and the same per host in the
 * metrics. Never a key, a query, a B-TID or an IMPI: a device is its pseudonym at this application and its B-TID's fingerprint. */
#ifndef GBA_PROXY_ACCESS_H
#define GBA_PROXY_ACCESS_H

#include "naf-adapter/proxy/exchange.h"

/** The answer is complete, or never will be. */
void access_request(const struct exchange *ex, enum request_outcome outcome);
/** A handshake is over. @param why  NULL: it succeeded */
void access_handshake(const struct conn *conn, enum handshake_outcome outcome, const char *why);
/** A stream, or a connection that switched protocols, was opened ("opened"), refused or has ended. @param why  NULL: not said */
void access_stream(const struct conn *conn, enum stream_outcome outcome, const char *why);
/** Of the site, or of none. */
const struct host_stats *access_host(const struct conn *conn, const struct site *site);
/** Something took too long. */
void access_timeout(const struct conn *conn, enum timeout_kind kind);

#endif
