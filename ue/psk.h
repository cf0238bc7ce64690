/* SPDX-License-Identifier: Apache-2.0 */
/** PSK-TLS with a GBA key, the device's side (TS 33.222 5.4, TS 24.109 5.3), on an SSL_CTX of OpenSSL 3: TLS 1.2 with
 * the key for the suite negotiated (01 00 01 yy zz), TLS 1.3 with 01 00 00 00 07, SHA-256 and psk_dhe_ke. A server that
 * shows a certificate instead of the key is refused. */
#ifndef GBA_UE_PSK_H
#define GBA_UE_PSK_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "ue/fetch.h"
#include "ue/token_source.h"

#define PSK_PREFIX            "3GPP-bootstrapping"
#define PSK_SEPARATOR_DEFAULT ";"
#define PSK_IDENTITY_MAX      255 /* [octets] what OpenSSL 3.0 takes as a client */

/** One attempt; outlives the handshake. Set the first members, read the last ones after it. */
struct psk {
	const struct token_source *source;
	const struct token_ref *token;
	struct bytes naf;      /* host name addressed */
	const char *separator; /* between PSK_PREFIX and the B-TID */
	enum fetch_tls tls;

	char identity[PSK_IDENTITY_MAX + 1];
	bool offered;     /* the key was given to OpenSSL */
	bool certificate; /* the server answered with a certificate */
	int alert;        /* fatal alert received; -1: none */
	enum gba_err err; /* why there was no key */
};

/** @retval GBA_E_TOO_LONG  the identity does not fit */
enum gba_err psk_prepare(struct psk *psk);
/** Install on ctx (an SSL_CTX); takes its application data. Signature of struct fetch_ask's tls_setup. */
void psk_setup(void *ssl_ctx, void *psk);
/** The handshake is done and the connection may outlive psk: nothing refers to that any more. As tls_done. */
void psk_release(void *ssl, void *psk);
/** The key of a suite of TLS 1.2 or DTLS 1.2, for a handshake that is not OpenSSL's own to ask. Sets offered, or err.
 * @param key  [GBA_KS_NAF_LEN] for the caller to wipe */
bool psk_key_12(struct psk *psk, uint16_t suite, uint8_t *key);
/** After a failed handshake: did the server not take this key, so that another one should be bootstrapped
 * (TS 24.109 5.3: renegotiation)? */
bool psk_refused(const struct psk *psk);
/** After a failed handshake: does the server not do PSK at all? */
bool psk_not_served(const struct psk *psk);

#endif
