/* SPDX-License-Identifier: Apache-2.0 */
#include "merkle/head.h"

#include "core/codec.h"
#include "jose/jws.h"

enum gba_err merkle_head_sign(TALLOC_CTX *mem_ctx, const struct sign_key *key, const struct merkle_head *head, char **_text)
{
	char root[HEX_LEN(MERKLE_LEN) + 1];
	enum gba_err err;
	json_t *payload;

	hex_encode(BYTES(head->root, MERKLE_LEN), root);
	payload = json_pack("{s:s, s:s, s:I, s:I}", "log", head->log, "root", root, "size", (json_int_t)head->size, "time",
			    (json_int_t)head->time);
	if (payload == NULL)
		return GBA_E_NOMEM;
	err = jws_sign_json(mem_ctx, key, MERKLE_HEAD_TYP, payload, _text);
	json_decref(payload);
	return err;
}

static enum gba_err read_members(json_t *payload, struct merkle_head *_head)
{
	const char *log, *root;
	json_int_t size, at;

	if (json_unpack_ex(payload, NULL, JSON_STRICT, "{s:s, s:s, s:I, s:I}", "log", &log, "root", &root, "size", &size, "time",
			   &at) != 0 ||
	    strlen(log) > MERKLE_LOG_MAX || size < 0 || at < 0 || hex_decode(bytes_of(root), _head->root, MERKLE_LEN) != GBA_OK)
		return GBA_E_SYNTAX;
	strcpy(_head->log, log);
	_head->size = (uint64_t)size;
	_head->time = (time_t)at;
	return GBA_OK;
}

enum gba_err merkle_head_read(struct bytes text, const uint8_t public[SIGN_PUBLIC_LEN], struct merkle_head *_head)
{
	struct merkle_head head;
	json_t *payload;
	enum gba_err err;

	err = jws_open_json(text, public, MERKLE_HEAD_TYP, &payload);
	if (err != GBA_OK)
		return err;
	err = read_members(payload, &head);
	json_decref(payload);
	if (err == GBA_OK)
		*_head = head;
	return err;
}
