/* SPDX-License-Identifier: Apache-2.0 */
/* A card with a certificate: its file, whose certificate goes into it, and what an asymmetric change of operator leaves behind, final or
 * given up (Y.3056 10.4-5, 10.6.2-3). Certificates are made here with OpenSSL. */
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "core/codec.h"
#include "ue/usim/device_cert.h"
#include "unit/ue_fixture.h"

#define OLD_IMPI "meter@old.example"
#define NEW_IMPI "meter@new.example"

static struct soft_usim_data *new_data(void)
{
	struct soft_usim_data *data = soft_usim_data_new(test_ctx, NULL);

	ck_assert_ptr_nonnull(data);
	data->certificate_only = data->active.identity.certificate_only = true;
	strcpy(data->active.identity.impi, OLD_IMPI);
	strcpy(data->active.operator, "old.example");
	data->has_anchor = true;
	memset(data->anchor, 'o', sizeof(data->anchor));
	return data;
}

/* A certificate with this serial number for the key of a request. */
static struct bytes certify(const char *csr, long serial)
{
	BIO *in = BIO_new_mem_buf(csr, -1);
	X509_REQ *request = PEM_read_bio_X509_REQ(in, NULL, NULL, NULL);
	EVP_PKEY *ca = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	uint8_t *der = NULL;
	struct bytes out;
	int n;

	ck_assert_ptr_nonnull(request);
	ck_assert_int_eq(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_subject_name(cert, X509_REQ_get_subject_name(request));
	X509_set_pubkey(cert, X509_REQ_get0_pubkey(request));
	X509_sign(cert, ca, EVP_sha256());
	n = i2d_X509(cert, &der);
	ck_assert_int_gt(n, 0);
	out = BYTES(talloc_memdup(test_ctx, der, (size_t)n), (size_t)n);
	OPENSSL_free(der);
	X509_free(cert);
	EVP_PKEY_free(ca);
	X509_REQ_free(request);
	BIO_free(in);
	return out;
}

static struct bytes own_certificate(struct soft_usim_data *data, long serial)
{
	char *csr;

	ck_assert_err(device_csr(test_ctx, data, &csr), GBA_OK);
	return certify(csr, serial);
}

/* REQ: Y3056-10.4-5 */
START_TEST(only_a_certificate_of_its_key_goes_into_a_card)
{
	struct soft_usim_data *data = new_data(), *other = new_data();
	struct bytes own, longer;
	uint8_t *octets;
	char *csr;

	ck_assert_err(device_csr(test_ctx, data, &csr), GBA_E_UNSUPPORTED);
	ck_assert_err(device_key_make(data), GBA_OK);
	ck_assert_err(device_key_make(other), GBA_OK);
	own = own_certificate(data, 1);
	ck_assert_err(device_cert_install(data, own_certificate(other, 2)), GBA_E_CERTIFICATE);
	ck_assert_err(device_cert_install(data, bytes_of("")), GBA_E_SYNTAX);
	ck_assert_err(device_cert_install(data, BYTES(own.p, own.n - 1)), GBA_E_SYNTAX);
	octets = talloc_zero_size(test_ctx, own.n + 1);
	memcpy(octets, own.p, own.n);
	longer = BYTES(octets, own.n + 1);
	ck_assert_err(device_cert_install(data, longer), GBA_E_SYNTAX);
	ck_assert_uint_eq(data->cert_n, 0);
	ck_assert_err(device_cert_install(data, own), GBA_OK);
	ck_assert(bytes_eq(BYTES(data->cert, data->cert_n), own));
	ck_assert_err(device_key_make(data), GBA_OK);
	ck_assert_uint_eq(data->cert_n, 0);
}
END_TEST

/* Every octet of the file matters or is refused; nothing of it crashes. */
START_TEST(the_file_goes_round)
{
	struct soft_usim_data *data = new_data(), *again = soft_usim_data_new(test_ctx, NULL);
	uint8_t record[SOFT_USIM_RECORD_MAX], out[SOFT_USIM_RECORD_MAX];
	size_t n, i;

	ck_assert_err(device_key_make(data), GBA_OK);
	ck_assert_err(device_cert_install(data, own_certificate(data, 1)), GBA_OK);
	data->has_previous = _i == 1;
	strcpy(data->previous.operator, _i == 1 ? "older.example" : "");
	strcpy(data->previous.impi, _i == 1 ? "a@older.example" : "");
	strcpy(data->pending_bsf, _i == 1 ? "bsf.old.example" : "");
	n = soft_usim_encode(data, record, sizeof(record));
	ck_assert_err(soft_usim_decode(BYTES(record, n), again), GBA_OK);
	ck_assert(again->certificate_only && again->active.identity.certificate_only && again->has_previous == data->has_previous);
	ck_assert_str_eq(again->previous.impi, data->previous.impi);
	for (i = 0; i < n; i++) {
		record[i] ^= 1;
		if (soft_usim_decode(BYTES(record, n), again) == GBA_OK)
			ck_assert(bytes_eq(BYTES(out, soft_usim_encode(again, out, sizeof(out))), BYTES(record, n)));
		record[i] ^= 1;
		ck_assert_err(soft_usim_decode(BYTES(record, i), again), GBA_E_CORRUPT);
	}
}
END_TEST

static X509 *certificate_for(struct usim usim, const char *impi)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509 *cert;

	ck_assert_err(usim.ops->tls_client(usim.card, bytes_of(impi), ctx), GBA_OK);
	cert = X509_dup(SSL_CTX_get0_certificate(ctx));
	SSL_CTX_free(ctx);
	return cert;
}

static long serial_for(struct usim usim, const char *impi)
{
	X509 *cert = certificate_for(usim, impi);
	long serial = ASN1_INTEGER_get(X509_get0_serialNumber(cert));

	X509_free(cert);
	return serial;
}

static enum gba_err begin_change(struct soft_usim_data *data, void *arg)
{
	(void)arg;
	strcpy(data->previous.operator, data->active.operator);
	strcpy(data->previous.impi, data->active.identity.impi);
	memcpy(data->previous.anchor, data->anchor, sizeof(data->anchor));
	strcpy(data->active.operator, "new.example");
	strcpy(data->active.identity.impi, NEW_IMPI);
	strcpy(data->pending_bsf, "bsf.new.example");
	memset(data->anchor, 'n', sizeof(data->anchor));
	data->has_previous = true;
	return GBA_OK;
}

/* While its operator changes, a card has a certificate for each; in the end it has one. REQ: Y3056-10.6.2-3 */
START_TEST(a_change_ends_with_one_operator)
{
	bool changed = _i == 1;
	struct state *state = ue_fixture_state();
	struct soft_usim_data *data = new_data();
	struct usim_identity identity;
	struct usim_pending pending;
	struct bytes first, second;
	struct usim usim;

	ck_assert_err(device_key_make(data), GBA_OK);
	first = own_certificate(data, 1);
	second = own_certificate(data, 2);
	ck_assert_err(device_cert_install(data, first), GBA_OK);
	ck_assert_err(soft_usim_create(state, "default", data), GBA_OK);
	ck_assert_err(soft_usim_open(test_ctx, state, "default", &usim), GBA_OK);
	ck_assert_err(usim.ops->pending(usim.card, &pending), GBA_E_NOT_FOUND);
	ck_assert_err(soft_usim_edit(state, "default", begin_change, NULL), GBA_OK);
	ck_assert_err(usim.ops->pending(usim.card, &pending), GBA_OK);
	ck_assert(pending.asymmetric);
	ck_assert_str_eq(pending.impi, NEW_IMPI);
	ck_assert_str_eq(pending.old_impi, OLD_IMPI);
	ck_assert_int_eq(serial_for(usim, NEW_IMPI), 1);
	ck_assert_err(usim.ops->certificate_set(usim.card, second), GBA_OK);
	ck_assert_int_eq(serial_for(usim, NEW_IMPI), 2);
	ck_assert_int_eq(serial_for(usim, OLD_IMPI), 1);
	ck_assert_err(usim.ops->change_end(usim.card, changed), GBA_OK);
	ck_assert_err(usim.ops->pending(usim.card, &pending), GBA_E_NOT_FOUND);
	ck_assert_err(usim.ops->identity(usim.card, &identity), GBA_OK);
	ck_assert_str_eq(identity.impi, changed ? NEW_IMPI : OLD_IMPI);
	ck_assert_int_eq(serial_for(usim, identity.impi), changed ? 2 : 1);
	ck_assert_err(soft_usim_load(test_ctx, state, "default", &data), GBA_OK);
	ck_assert_uint_eq(data->anchor[0], changed ? 'n' : 'o');
	ck_assert_str_eq(data->active.operator, changed ? "new.example" : "old.example");
}
END_TEST

/* REQ: OBF-10.1.3-2 */
START_TEST(no_aka_is_no_aka)
{
	struct state *state = ue_fixture_state();
	uint8_t zero[AKA_RAND_LEN] = { 0 };
	struct usim_reply reply;
	struct usim usim;

	ck_assert_err(soft_usim_create(state, "default", new_data()), GBA_OK);
	ck_assert_err(soft_usim_open(test_ctx, state, "default", &usim), GBA_OK);
	ck_assert_err(usim.ops->authenticate(usim.card, USIM_3G, zero, zero, &reply), GBA_E_UNSUPPORTED);
	ck_assert_err(usim.ops->authenticate(usim.card, USIM_GBA, zero, zero, &reply), GBA_E_UNSUPPORTED);
	ck_assert_err(usim.ops->tls_client(usim.card, bytes_of(OLD_IMPI), NULL), GBA_E_UNSUPPORTED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ue certificate");
	TCase *tc = fixture_tcase("card");

	tcase_add_test(tc, only_a_certificate_of_its_key_goes_into_a_card);
	tcase_add_loop_test(tc, the_file_goes_round, 0, 2);
	tcase_add_loop_test(tc, a_change_ends_with_one_operator, 0, 2);
	tcase_add_test(tc, no_aka_is_no_aka);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
