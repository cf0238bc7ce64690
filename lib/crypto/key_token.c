/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key_token.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/secret.h"
#include "crypto/private_file.h"

#define NONCE_LEN 12
#define TAG_LEN	  16
#define PIN_MAX	  128
#define SLOTS_MAX 64
#define KEY_TOKEN_MAX 256 /* [octets] */

struct token {
	TALLOC_CTX *mem_ctx;
	const char **why;
	P11KitUri *uri;
	CK_FUNCTION_LIST **modules; /* NULL-terminated; of p11-kit, or one of our own */
	CK_FUNCTION_LIST *own[2];
	CK_FUNCTION_LIST *module;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE object;
	bool open;
};

static enum gba_err fail(struct token *token, enum gba_err err, const char *what, CK_RV rv)
{
	const char *text = rv == CKR_OK ? what : talloc_asprintf(token->mem_ctx, "%s: %s", what, p11_kit_strerror(rv));

	*token->why = text != NULL ? text : what;
	return err;
}

static enum gba_err parse(struct token *token, const char *text)
{
	token->uri = p11_kit_uri_new();
	if (token->uri == NULL)
		return fail(token, GBA_E_NOMEM, "out of memory", CKR_OK);
	if (p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, token->uri) != P11_KIT_URI_OK)
		return fail(token, GBA_E_SYNTAX, "not a pkcs11: URI (RFC 7512)", CKR_OK);
	if (p11_kit_uri_get_pin_value(token->uri) != NULL)
		return fail(token, GBA_E_SYNTAX, "pin-value would stand in the open: name a file by pin-source", CKR_OK);
	return GBA_OK;
}

static enum gba_err load_modules(struct token *token)
{
	const char *path = p11_kit_uri_get_module_path(token->uri);
	CK_RV rv;

	if (path == NULL) {
		token->modules = p11_kit_modules_load_and_initialize(0);
		return token->modules != NULL ? GBA_OK : fail(token, GBA_E_UNREACHABLE, "no PKCS#11 module is configured", CKR_OK);
	}
	token->own[0] = p11_kit_module_load(path, 0);
	if (token->own[0] == NULL)
		return fail(token, GBA_E_UNREACHABLE, "the PKCS#11 module of module-path cannot be loaded", CKR_OK);
	rv = p11_kit_module_initialize(token->own[0]);
	if (rv != CKR_OK) {
		p11_kit_module_release(token->own[0]);
		token->own[0] = NULL;
		return fail(token, GBA_E_UNREACHABLE, "PKCS#11 module", rv);
	}
	token->modules = token->own;
	return GBA_OK;
}

/* The slot whose token fits the URI. */
static bool find_slot(struct token *token, CK_SLOT_ID *_slot)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_FUNCTION_LIST **module;
	CK_TOKEN_INFO info;
	CK_ULONG n, i;

	for (module = token->modules; *module != NULL; module++) {
		n = SLOTS_MAX;
		if ((*module)->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
			continue;
		for (i = 0; i < n; i++) {
			if ((*module)->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
			    p11_kit_uri_match_token_info(token->uri, &info)) {
				token->module = *module;
				*_slot = slots[i];
				return true;
			}
		}
	}
	return false;
}

static enum gba_err login(struct token *token)
{
	const char *source = p11_kit_uri_get_pin_source(token->uri);
	char pin[PIN_MAX + 1];
	size_t n = 0;
	enum gba_err err;
	CK_RV rv;

	if (source == NULL)
		return GBA_OK;
	if (strncmp(source, "file:", 5) == 0)
		source += 5;
	err = private_file_read(source, pin, PIN_MAX, &n, NULL);
	if (err != GBA_OK)
		return fail(token, err, "the PIN file of pin-source: it must be there, ours, and closed to others", CKR_OK);
	while (n > 0 && (pin[n - 1] == '\n' || pin[n - 1] == '\r'))
		n--;
	rv = token->module->C_Login(token->session, CKU_USER, (CK_UTF8CHAR *)pin, n);
	SECRET_WIPE(pin);
	return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? GBA_OK : fail(token, GBA_E_DENIED, "login", rv);
}

static enum gba_err find_object(struct token *token)
{
	CK_ATTRIBUTE *attrs, list[8];
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ULONG n = 0, found = 0;
	CK_OBJECT_HANDLE objects[2];
	CK_RV rv;

	attrs = p11_kit_uri_get_attributes(token->uri, &n);
	if (n == 0 || n >= sizeof(list) / sizeof(list[0]))
		return fail(token, GBA_E_SYNTAX, "the URI names no object", CKR_OK);
	memcpy(list, attrs, n * sizeof(list[0]));
	if (p11_kit_uri_get_attribute(token->uri, CKA_CLASS) == NULL)
		list[n++] = (CK_ATTRIBUTE){ CKA_CLASS, &class, sizeof(class) };
	rv = token->module->C_FindObjectsInit(token->session, list, n);
	if (rv == CKR_OK) {
		rv = token->module->C_FindObjects(token->session, objects, 2, &found);
		token->module->C_FindObjectsFinal(token->session);
	}
	if (rv != CKR_OK)
		return fail(token, GBA_E_UNREACHABLE, "looking for the key", rv);
	if (found != 1)
		return fail(token, GBA_E_UNREACHABLE, found == 0 ? "no such key on the token (is pin-source missing?)"
								 : "more than one key fits the URI",
			    CKR_OK);
	token->object = objects[0];
	return GBA_OK;
}

static void token_close(struct token *token)
{
	if (token->open)
		token->module->C_CloseSession(token->session);
	if (token->own[0] != NULL) {
		p11_kit_module_finalize(token->own[0]);
		p11_kit_module_release(token->own[0]);
	} else if (token->modules != NULL) {
		p11_kit_modules_finalize_and_release(token->modules);
	}
	p11_kit_uri_free(token->uri);
}

static enum gba_err token_open(TALLOC_CTX *mem_ctx, const char *uri, const char **_why, struct token *token)
{
	CK_SLOT_ID slot;
	enum gba_err err;
	CK_RV rv;

	*token = (struct token){ .mem_ctx = mem_ctx, .why = _why };
	err = parse(token, uri);
	if (err == GBA_OK)
		err = load_modules(token);
	if (err == GBA_OK && !find_slot(token, &slot))
		err = fail(token, GBA_E_UNREACHABLE, "no token that fits the URI", CKR_OK);
	if (err == GBA_OK) {
		rv = token->module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &token->session);
		token->open = rv == CKR_OK;
		err = rv == CKR_OK ? login(token) : fail(token, GBA_E_UNREACHABLE, "opening a session", rv);
	}
	if (err == GBA_OK)
		err = find_object(token);
	if (err != GBA_OK)
		token_close(token);
	return err;
}

static CK_GCM_PARAMS gcm_params(uint8_t nonce[NONCE_LEN])
{
	CK_GCM_PARAMS params = { 0 };

	params.iv_ptr = nonce;
	params.iv_len = NONCE_LEN;
	params.iv_bits = 8 * NONCE_LEN;
	params.tag_bits = 8 * TAG_LEN;
	return params;
}

enum gba_err key_token_encipher(TALLOC_CTX *mem_ctx, const char *uri, struct bytes plain, uint8_t *out, const char **_why)
{
	CK_GCM_PARAMS params = gcm_params(out);
	CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
	CK_ULONG n = plain.n + TAG_LEN;
	struct token token;
	enum gba_err err;
	CK_RV rv;

	err = token_open(mem_ctx, uri, _why, &token);
	if (err != GBA_OK)
		return err;
	rand_bytes(out, NONCE_LEN);
	rv = token.module->C_EncryptInit(token.session, &mechanism, token.object);
	if (rv == CKR_OK)
		rv = token.module->C_Encrypt(token.session, (CK_BYTE *)plain.p, plain.n, out + NONCE_LEN, &n);
	if (rv != CKR_OK)
		err = fail(&token, GBA_E_UNSUPPORTED, "AES-GCM by the token", rv);
	else if (n != plain.n + TAG_LEN)
		err = fail(&token, GBA_E_UNSUPPORTED, "AES-GCM by the token: a tag of 16 octets is expected", CKR_OK);
	token_close(&token);
	return err;
}

enum gba_err key_token_decipher(TALLOC_CTX *mem_ctx, const char *uri, struct bytes sealed, uint8_t *out, const char **_why)
{
	uint8_t nonce[NONCE_LEN], plain[KEY_TOKEN_MAX]; /* tokens ask for more room than they fill */
	CK_GCM_PARAMS params = gcm_params(nonce);
	CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof(params) };
	struct token token;
	enum gba_err err;
	CK_ULONG n;
	CK_RV rv;

	if (sealed.n < KEY_TOKEN_OVERHEAD || sealed.n > KEY_TOKEN_MAX)
		return GBA_E_CORRUPT;
	err = token_open(mem_ctx, uri, _why, &token);
	if (err != GBA_OK)
		return err;
	n = sizeof(plain);
	memcpy(nonce, sealed.p, NONCE_LEN);
	rv = token.module->C_DecryptInit(token.session, &mechanism, token.object);
	if (rv == CKR_OK)
		rv = token.module->C_Decrypt(token.session, (CK_BYTE *)sealed.p + NONCE_LEN, sealed.n - NONCE_LEN, plain, &n);
	if (rv != CKR_OK || n != sealed.n - KEY_TOKEN_OVERHEAD)
		err = fail(&token, GBA_E_CORRUPT, "the token's key does not open it", rv);
	else
		memcpy(out, plain, n);
	SECRET_WIPE(plain);
	token_close(&token);
	return err;
}
