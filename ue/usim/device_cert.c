/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/device_cert.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static X509 *read_certificate(const char *path)
{
	FILE *in = path != NULL ? fopen(path, "re") : NULL;
	X509 *cert = in != NULL ? PEM_read_X509(in, NULL, NULL, NULL) : NULL;

	if (in != NULL)
		fclose(in);
	return cert;
}

static int no_password(char *out, int cap, int writing, void *arg)
{
	(void)out, (void)cap, (void)writing, (void)arg;
	return -1; /* never ask the terminal */
}

static EVP_PKEY *read_private_key(const char *path)
{
	FILE *in = path != NULL ? fopen(path, "re") : NULL;
	EVP_PKEY *key;

	if (in == NULL)
		return NULL;
	setvbuf(in, NULL, _IONBF, 0); /* no copy of it in a buffer of stdio */
	key = PEM_read_PrivateKey(in, NULL, no_password, NULL);
	fclose(in);
	return key;
}

static enum gba_err store(X509 *cert, EVP_PKEY *key, struct soft_usim_data *data)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	uint8_t *p = data->cert, *q = data->pkey;
	int cert_n = i2d_X509(cert, NULL), pkey_n = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1;
	enum gba_err err = GBA_E_TOO_LONG;

	if (cert_n > 0 && cert_n <= SOFT_USIM_CERT_MAX && pkey_n > 0 && pkey_n <= SOFT_USIM_PKEY_MAX) {
		data->cert_n = (size_t)i2d_X509(cert, &p);
		data->pkey_n = (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &q);
		err = GBA_OK;
	}
	PKCS8_PRIV_KEY_INFO_free(info);
	return err;
}

enum gba_err device_cert_read(const char *certificate, const char *private_key, struct soft_usim_data *data,
			      struct why *why)
{
	X509 *cert = read_certificate(certificate);
	EVP_PKEY *key = read_private_key(private_key);
	enum gba_err err;

	if (cert == NULL)
		err = why_fail(why, GBA_E_SYNTAX, "--certificate: not a certificate (PEM)");
	else if (key == NULL)
		err = why_fail(why, GBA_E_SYNTAX, "--private-key: not a key without password (PEM)");
	else if (X509_check_private_key(cert, key) != 1)
		err = why_fail(why, GBA_E_SYNTAX, "--certificate and --private-key do not belong together");
	else if ((err = store(cert, key, data)) != GBA_OK)
		why_fail(why, err, "certificate or key too long for the card");
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return err;
}

static EVP_PKEY *key_of(const struct soft_usim_data *data)
{
	const uint8_t *p = data->pkey;
	PKCS8_PRIV_KEY_INFO *info = data->pkey_n > 0 ? d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)data->pkey_n) : NULL;
	EVP_PKEY *key = info != NULL ? EVP_PKCS82PKEY(info) : NULL;

	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

enum gba_err device_key_make(struct soft_usim_data *data)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	PKCS8_PRIV_KEY_INFO *info = key != NULL ? EVP_PKEY2PKCS8(key) : NULL;
	int n = info != NULL ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : -1;
	enum gba_err err = GBA_E_INTERNAL;
	uint8_t *p = data->pkey;

	if (n > 0 && n <= SOFT_USIM_PKEY_MAX) {
		data->pkey_n = (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &p);
		data->cert_n = 0;
		err = GBA_OK;
	}
	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return err;
}

static bool request_fill(X509_REQ *request, EVP_PKEY *key, const char *impi)
{
	X509_NAME *name = X509_NAME_new();
	/* RFC 5280 bounds a common name; whose certificate it is the operator's records say */
	int n = (int)strnlen(impi, 64);
	bool good = name != NULL &&
		    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)impi, n, -1, 0) == 1 &&
		    X509_REQ_set_subject_name(request, name) == 1 && X509_REQ_set_pubkey(request, key) == 1 &&
		    X509_REQ_sign(request, key, EVP_sha256()) > 0;

	X509_NAME_free(name);
	return good;
}

enum gba_err device_csr(TALLOC_CTX *mem_ctx, const struct soft_usim_data *data, char **_pem)
{
	EVP_PKEY *key = key_of(data);
	X509_REQ *request = X509_REQ_new();
	BIO *out = BIO_new(BIO_s_mem());
	enum gba_err err = GBA_E_INTERNAL;
	char *text;
	long n;

	if (key == NULL)
		err = data->pkey_n == 0 ? GBA_E_UNSUPPORTED : GBA_E_CORRUPT;
	else if (request != NULL && out != NULL && request_fill(request, key, data->active.identity.impi) &&
		 PEM_write_bio_X509_REQ(out, request) == 1 && (n = BIO_get_mem_data(out, &text)) > 0) {
		*_pem = talloc_strndup(mem_ctx, text, (size_t)n);
		err = *_pem != NULL ? GBA_OK : GBA_E_NOMEM;
	}
	BIO_free(out);
	X509_REQ_free(request);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return err;
}

/* PEM or DER; NULL: neither. */
static X509 *parse_certificate(struct bytes text)
{
	const uint8_t *p = text.p;
	X509 *cert = NULL;
	BIO *in;

	if (text.n == 0 || text.n > INT_MAX)
		return NULL;
	if (text.p[0] == 0x30) {
		cert = d2i_X509(NULL, &p, (long)text.n);
		if (cert == NULL || p == text.p + text.n)
			return cert;
		X509_free(cert); /* something follows it */
		return NULL;
	}
	in = BIO_new_mem_buf(text.p, (int)text.n);
	cert = in != NULL ? PEM_read_bio_X509(in, NULL, no_password, NULL) : NULL;
	BIO_free(in);
	return cert;
}

enum gba_err device_cert_install(struct soft_usim_data *data, struct bytes text)
{
	EVP_PKEY *key = key_of(data);
	X509 *cert = parse_certificate(text);
	enum gba_err err = GBA_OK;
	uint8_t *p = data->cert;
	int n = cert != NULL ? i2d_X509(cert, NULL) : -1;

	if (key == NULL)
		err = data->pkey_n == 0 ? GBA_E_UNSUPPORTED : GBA_E_CORRUPT;
	else if (n <= 0)
		err = GBA_E_SYNTAX;
	else if (X509_check_private_key(cert, key) != 1)
		err = GBA_E_CERTIFICATE;
	else if (n > SOFT_USIM_CERT_MAX)
		err = GBA_E_TOO_LONG;
	else
		data->cert_n = (size_t)i2d_X509(cert, &p);
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return err;
}

enum gba_err device_cert_use(const struct soft_usim_data *data, struct bytes impi, void *ssl_ctx)
{
	bool before = data->has_previous && data->previous.cert_n > 0 && bytes_eq_nocase(impi, bytes_of(data->previous.impi));
	const uint8_t *p = before ? data->previous.cert : data->cert;
	size_t n = before ? data->previous.cert_n : data->cert_n;
	EVP_PKEY *key;
	X509 *cert;
	bool good = false;

	if (n == 0 || data->pkey_n == 0)
		return GBA_E_UNSUPPORTED;
	key = key_of(data);
	cert = d2i_X509(NULL, &p, (long)n);
	if (key != NULL && cert != NULL)
		good = SSL_CTX_use_certificate(ssl_ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ssl_ctx, key) == 1;
	EVP_PKEY_free(key);
	X509_free(cert);
	ERR_clear_error();
	return good ? GBA_OK : GBA_E_CORRUPT;
}
