/* SPDX-License-Identifier: Apache-2.0 */
/* Types of AVPs by their heads. The dictionary is searched one by one, too slow for every AVP of every message: what it knows
 * is kept here, in one word each, so that no reader waits for a writer. What it does not know may be defined later. */
#include <stdatomic.h>

#include "dia/guard/guard.h"

#define SLOTS	 1024 /* power of two; a dictionary of the suite has about 400 AVPs */
#define CODE_MAX 0xffffffu

static _Atomic uint64_t slots[SLOTS]; /* vendor, code (24 bits), type + 1; 0: free */

static bool search(const struct guard_avp_head *head, enum dict_avp_basetype *_type)
{
	struct dict_avp_request by = { .avp_vendor = head->vendor, .avp_code = head->code };
	struct dict_object *model = NULL;
	struct dict_avp_data data;

	if (fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_CODE_AND_VENDOR, &by, &model, 0) != 0 || model == NULL ||
	    fd_dict_getval(model, &data) != 0)
		return false;
	*_type = data.avp_basetype;
	return true;
}

static bool type_of(const struct guard_avp_head *head, enum dict_avp_basetype *_type)
{
	uint64_t key = (uint64_t)head->vendor << 32 | (uint64_t)head->code << 8, word;
	_Atomic uint64_t *slot = &slots[(head->code ^ head->vendor * 31u) & (SLOTS - 1)];

	if (head->code > CODE_MAX)
		return search(head, _type);
	word = atomic_load_explicit(slot, memory_order_relaxed);
	if ((word & 0xff) != 0 && (word & ~0xffull) == key) {
		*_type = (enum dict_avp_basetype)((word & 0xff) - 1);
		return true;
	}
	if (!search(head, _type))
		return false;
	atomic_store_explicit(slot, key | (uint64_t)(*_type + 1), memory_order_relaxed);
	return true;
}

bool guard_is_group(const struct guard_avp_head *head)
{
	enum dict_avp_basetype type;

	return type_of(head, &type) && type == AVP_TYPE_GROUPED;
}

bool guard_is_known(const struct guard_avp_head *head)
{
	enum dict_avp_basetype type;

	return type_of(head, &type);
}

size_t guard_least_value(const struct guard_avp_head *head)
{
	enum dict_avp_basetype type;

	if (!type_of(head, &type))
		return 0;
	switch (type) {
	case AVP_TYPE_INTEGER32:
	case AVP_TYPE_UNSIGNED32:
	case AVP_TYPE_FLOAT32: return 4;
	case AVP_TYPE_INTEGER64:
	case AVP_TYPE_UNSIGNED64:
	case AVP_TYPE_FLOAT64: return 8;
	default: return 0;
	}
}
