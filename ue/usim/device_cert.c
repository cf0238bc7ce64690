/* SPDX-License-Identifier: Apache-2.0 */
#include "ue/usim/device_cert.h"

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

enum gba_err device_cert_use(const struct soft_usim_data *data, void *ssl_ctx)
{
	const uint8_t *p = data->cert, *q = data->pkey;
	PKCS8_PRIV_KEY_INFO *info;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	bool good = false;

	if (data->cert_n == 0 || data->pkey_n == 0)
		return GBA_E_UNSUPPORTED;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &q, (long)data->pkey_n);
	if (info != NULL)
		key = EVP_PKCS82PKEY(info);
	cert = d2i_X509(NULL, &p, (long)data->cert_n);
	if (key != NULL && cert != NULL)
		good = SSL_CTX_use_certificate(ssl_ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ssl_ctx, key) == 1;
	PKCS8_PRIV_KEY_INFO_free(info);
	EVP_PKEY_free(key);
	X509_free(cert);
	ERR_clear_error();
	return good ? GBA_OK : GBA_E_CORRUPT;
}
