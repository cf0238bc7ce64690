/* SPDX-License-Identifier: Apache-2.0 */
/** PROXY protocol, version 2 (haproxy's proxy-protocol.txt, section 2.2): who the client of a connection really is. We write
 * it towards the application in stream mode, and read it from a load balancer in front. Pure functions. */
#ifndef GBA_PROXY_PROXY_HEADER_H
#define GBA_PROXY_PROXY_HEADER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "core/bytes.h"

#define PX_SIGNATURE_LEN 12
#define PX_FIXED_LEN	 16	   /* [octets] signature, version and command, family, length */
#define PX_HEADER_MAX	 (16 + 4096) /* [octets] longer ones are refused */

/* Types of TLVs; 0xE0..0xEF are for applications. */
enum px_type {
	PX_TYPE_AUTHORITY = 0x02,
	PX_TYPE_CRC32C = 0x03,
	PX_TYPE_SSL = 0x20,
	PX_SUBTYPE_SSL_VERSION = 0x21,
	PX_SUBTYPE_SSL_CN = 0x22,
	PX_SUBTYPE_SSL_CIPHER = 0x23,
	PX_TYPE_GBA_IDENTITIES = 0xE0, /* value of X-3GPP-Asserted-Identity, TS 24.109 7 */
	PX_TYPE_GBA_BTID = 0xE1,       /* B-TID of the session */
};
#define PX_CLIENT_SSL 0x01 /* first octet of PX_TYPE_SSL: the client connected over TLS */

enum px_result { PX_MORE, PX_DONE, PX_BAD };

struct px_header {
	size_t octets;	  /* of the whole header */
	bool known;	  /* src and dst are set: PROXY command with TCP over IPv4 or IPv6 */
	struct sockaddr_storage src, dst;
	struct bytes authority; /* view into the input; absent when not sent */
};
/** Read a header at the start of `in`. LOCAL and unknown families leave known unset. A checksum that is there must be right;
 * every TLV must fit.
 * @param header  written on PX_DONE */
enum px_result px_parse(struct bytes in, struct px_header *header);

/** Octets to read before px_parse() can tell more: never one beyond the header that begins with `in`. */
size_t px_wanted(struct bytes in);

/** What goes into a header of ours; absent parts are left out. */
struct px_out {
	const struct sockaddr_storage *src, *dst; /* same family, else the addresses are left out */
	struct bytes authority;	  /* FQDN the device addressed */
	struct bytes tls_version; /* "TLSv1.3"; absent: no PX_TYPE_SSL */
	struct bytes cipher, identity; /* within PX_TYPE_SSL: cipher, and as common name the first identity */
	struct bytes identities, btid;
};
/** @return octets written; 0 when cap is too small */
size_t px_build(const struct px_out *px, uint8_t *out, size_t cap);

#endif
