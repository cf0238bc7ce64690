/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/psk.h"

#include <stdio.h>

#include "core/secret.h"

/* Suites with a PSK and no certificate, forward secrecy first; RFC 8442's are not in OpenSSL 3.0. */
#define SUITES_12                                                                                                      \
	"ECDHE-PSK-CHACHA20-POLY1305:DHE-PSK-AES128-GCM-SHA256:DHE-PSK-AES256-GCM-SHA384:"                             \
	"PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384"
/* The PSK is bound to SHA-256 (TS 33.222 5.4, RFC 8446 4.2.11): suites of that hash only. */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"

enum gba_err psk_prepare(struct psk *psk)
{
	int n = snprintf(psk->identity, sizeof(psk->identity), PSK_PREFIX "%s%s", psk->separator, psk->token->btid);

	psk->offered = psk->certificate = false;
	psk->alert = -1;
	psk->err = GBA_OK;
	return n > 0 && n <= PSK_IDENTITY_MAX ? GBA_OK : GBA_E_TOO_LONG;
}

static struct psk *psk_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static bool derive(struct psk *psk, const uint8_t ua_id[UA_ID_LEN], uint8_t key[GBA_KS_NAF_LEN])
{
	uint8_t naf_id[NAF_ID_MAX];
	size_t n = naf_id_build(psk->naf, ua_id, naf_id);

	psk->err = n == 0 ? GBA_E_NAF_ID_SYNTAX : psk->source->key(psk->source->arg, psk->token, BYTES(naf_id, n), key);
	psk->offered = psk->err == GBA_OK;
	return psk->offered;
}

bool psk_key_12(struct psk *psk, uint16_t suite, uint8_t *key)
{
	uint8_t ua_id[UA_ID_LEN];

	ua_id_tls12(suite, ua_id);
	return derive(psk, ua_id, key);
}

/* TLS 1.2: ServerHello has been read, so the suite, and with it the key's name, is known. */
static unsigned int on_psk_12(SSL *ssl, const char *hint, char *identity, unsigned int identity_cap, unsigned char *key,
			      unsigned int key_cap)
{
	const SSL_CIPHER *suite = SSL_get_pending_cipher(ssl);
	struct psk *psk = psk_of(ssl);

	(void)hint; /* the prefix is the one form of key we have, whatever the server lists */
	if (suite == NULL || key_cap < GBA_KS_NAF_LEN || identity_cap <= strlen(psk->identity))
		return 0;
	if (!psk_key_12(psk, SSL_CIPHER_get_protocol_id(suite), key))
		return 0;
	memcpy(identity, psk->identity, strlen(psk->identity) + 1);
	return GBA_KS_NAF_LEN;
}

static SSL_SESSION *session_13(SSL *ssl, const uint8_t key[GBA_KS_NAF_LEN])
{
	static const unsigned char aes_128_gcm_sha256[2] = { 0x13, 0x01 };
	SSL_SESSION *session = SSL_SESSION_new();
	const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, aes_128_gcm_sha256);

	if (session == NULL || suite == NULL || SSL_SESSION_set1_master_key(session, key, GBA_KS_NAF_LEN) != 1 ||
	    SSL_SESSION_set_cipher(session, suite) != 1 ||
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
		SSL_SESSION_free(session);
		return NULL;
	}
	return session;
}

/* TLS 1.3: asked before ClientHello; md is set when a HelloRetryRequest has fixed the hash. */
static int on_psk_13(SSL *ssl, const EVP_MD *md, const unsigned char **_id, size_t *_id_len, SSL_SESSION **_session)
{
	struct psk *psk = psk_of(ssl);
	uint8_t key[GBA_KS_NAF_LEN];

	*_id = NULL;
	*_id_len = 0;
	*_session = NULL;
	if (psk->tls == FETCH_TLS_12 || (md != NULL && EVP_MD_get_type(md) != NID_sha256))
		return 1;
	if (!derive(psk, UA_ID_TLS13_PSK, key))
		return 0;
	*_session = session_13(ssl, key);
	SECRET_WIPE(key);
	if (*_session == NULL)
		return 0;
	*_id = (const unsigned char *)psk->identity;
	*_id_len = strlen(psk->identity);
	return 1;
}

/* A certificate proves nothing about Ks_NAF: refuse all. */
static int on_certificate(X509_STORE_CTX *store, void *arg)
{
	struct psk *psk = arg;

	psk->certificate = true;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

static void on_info(const SSL *ssl, int where, int ret)
{
	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && ret >> 8 == SSL3_AL_FATAL)
		psk_of(ssl)->alert = ret & 0xff;
}

void psk_setup(void *ssl_ctx, void *arg)
{
	static const int least[] = {
		[FETCH_TLS_ANY] = TLS1_2_VERSION, [FETCH_TLS_12] = TLS1_2_VERSION, [FETCH_TLS_13] = TLS1_3_VERSION
	};
	SSL_CTX *ctx = ssl_ctx;
	struct psk *psk = arg;

	SSL_CTX_set_app_data(ctx, psk);
	SSL_CTX_set_min_proto_version(ctx, least[psk->tls]);
	SSL_CTX_set_max_proto_version(ctx, psk->tls == FETCH_TLS_12 ? TLS1_2_VERSION : TLS1_3_VERSION);
	SSL_CTX_set_cipher_list(ctx, SUITES_12);
	SSL_CTX_set_ciphersuites(ctx, SUITES_13);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_psk_client_callback(ctx, on_psk_12);
	SSL_CTX_set_psk_use_session_callback(ctx, on_psk_13);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, on_certificate, psk);
	SSL_CTX_set_info_callback(ctx, on_info);
}

void psk_release(void *ssl, void *psk)
{
	SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);

	(void)psk;
	SSL_CTX_set_info_callback(ctx, NULL);
	SSL_CTX_set_psk_client_callback(ctx, NULL); /* there is no second handshake: renegotiation is off */
	SSL_CTX_set_psk_use_session_callback(ctx, NULL);
	SSL_CTX_set_app_data(ctx, NULL);
}

/* What servers say to a key they do not know or that is not theirs: RFC 4279 2 (115, 51), the Finished of TLS 1.2 that
 * does not decrypt (20), a binder that does not verify (51; OpenSSL says 47), no other way in TLS 1.3 (40). */
bool psk_refused(const struct psk *psk)
{
	if (!psk->offered)
		return false;
	switch (psk->alert) {
	case SSL_AD_UNKNOWN_PSK_IDENTITY:
	case SSL_AD_DECRYPT_ERROR:
	case SSL_AD_BAD_RECORD_MAC:
	case SSL_AD_ILLEGAL_PARAMETER: return true;
	case SSL_AD_HANDSHAKE_FAILURE: return psk->tls != FETCH_TLS_12;
	default: return psk->certificate;
	}
}

bool psk_not_served(const struct psk *psk)
{
	return psk->certificate || psk->alert == SSL_AD_HANDSHAKE_FAILURE ||
	       psk->alert == SSL_AD_INSUFFICIENT_SECURITY || psk->alert == SSL_AD_PROTOCOL_VERSION;
}
