/* SPDX-License-Identifier: Apache-2.0 */
#include "merkle/receipt.h"

#include "core/codec.h"

static json_t *hashes(const struct merkle_proof *proof)
{
	char hex[HEX_LEN(MERKLE_LEN) + 1];
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < proof->count; i++) {
		hex_encode(BYTES(proof->hash[i], MERKLE_LEN), hex);
		json_array_append_new(list, json_string(hex));
	}
	if (json_array_size(list) == proof->count)
		return list;
	json_decref(list);
	return NULL;
}

json_t *merkle_receipt(const char *entry, uint64_t index, const char *head, const struct merkle_proof *path)
{
	return json_pack("{s:s, s:I, s:s, s:o}", "entry", entry, "index", (json_int_t)index, "head", head, "path", hashes(path));
}

json_t *merkle_receipt_growth(const char *first, const char *head, const struct merkle_proof *proof)
{
	return json_pack("{s:s, s:s, s:o}", "first", first, "head", head, "consistency", hashes(proof));
}

static bool take_hashes(const json_t *list, struct merkle_proof *proof)
{
	const char *hex;
	size_t i;

	proof->count = json_array_size(list);
	if (!json_is_array(list) || proof->count > MERKLE_PATH_MAX)
		return false;
	for (i = 0; i < proof->count; i++) {
		hex = json_string_value(json_array_get(list, i));
		if (hex == NULL || hex_decode(bytes_of(hex), proof->hash[i], MERKLE_LEN) != GBA_OK)
			return false;
	}
	return true;
}

static enum gba_err take_head(const json_t *receipt, const char *name, const uint8_t public[SIGN_PUBLIC_LEN],
			      struct merkle_head *head)
{
	const char *text = json_string_value(json_object_get(receipt, name));

	return text != NULL ? merkle_head_read(bytes_of(text), public, head) : GBA_E_SYNTAX;
}

static enum gba_err verify_growth(const json_t *receipt, const struct merkle_head *head, const uint8_t public[SIGN_PUBLIC_LEN])
{
	struct merkle_proof proof;
	struct merkle_head first;
	enum gba_err err;

	err = take_head(receipt, "first", public, &first);
	if (err != GBA_OK)
		return err;
	if (!take_hashes(json_object_get(receipt, "consistency"), &proof))
		return GBA_E_SYNTAX;
	if (strcmp(first.log, head->log) != 0)
		return GBA_E_CORRUPT;
	return merkle_verify_consistency(first.size, first.root, head->size, head->root, &proof);
}

enum gba_err merkle_receipt_verify(const json_t *receipt, const uint8_t public[SIGN_PUBLIC_LEN], struct merkle_head *_head)
{
	const json_t *entry = json_object_get(receipt, "entry"), *index = json_object_get(receipt, "index");
	struct merkle_proof path;
	struct merkle_head head;
	uint8_t leaf[MERKLE_LEN];
	enum gba_err err;

	err = take_head(receipt, "head", public, &head);
	if (err == GBA_OK && json_object_get(receipt, "consistency") != NULL) {
		err = verify_growth(receipt, &head, public);
	} else if (err == GBA_OK) {
		if (!json_is_string(entry) || !json_is_integer(index) || json_integer_value(index) < 0 ||
		    !take_hashes(json_object_get(receipt, "path"), &path))
			return GBA_E_SYNTAX;
		merkle_leaf(BYTES(json_string_value(entry), json_string_length(entry)), leaf);
		err = merkle_verify_inclusion(leaf, (uint64_t)json_integer_value(index), head.size, &path, head.root);
	}
	if (err == GBA_OK)
		*_head = head;
	return err;
}
