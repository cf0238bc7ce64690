/* SPDX-License-Identifier: Apache-2.0 */
/** What a realm's profile lets an application speak with devices (Y.3056 7.6, 8.3), in the words of the naf-adapter's files. */
#ifndef GBA_HSS_API_PACK_UA_H
#define GBA_HSS_API_PACK_UA_H

#include "hss-stub/api/pack.h"

/** The Ua security protocols (TS 33.220 Annex H) that both the realm's profile and the application's record name; a record that
 * names none means all. */
struct pack_ua {
	char **ids; /* ten hex digits each, the application's order; below mem_ctx */
	size_t n;
	bool any; /* neither names one: all are allowed */
	bool http_digest, tls_digest, psk12, psk13;
	bool tls12, tls13; /* one of the ways in TLS has this version */
};
/** @return false: out of memory */
bool pack_ua_read(TALLOC_CTX *mem_ctx, const struct record *app, const struct record *realm, struct pack_ua *_ua);
/** [s] The shorter of the realm's and the application's. */
long long pack_lifetime(const struct record *app, const struct record *realm);
/** Row of `applications` in naf.conf; "" when nothing is to be said. NULL: out of memory. */
char *pack_declaration(TALLOC_CTX *mem_ctx, const struct record *app, const struct pack_ua *ua);
/** proxy.conf. NULL: out of memory. */
char *pack_proxy(TALLOC_CTX *mem_ctx, const struct record *app, const struct record *realm, const struct pack_ua *ua);

#endif
