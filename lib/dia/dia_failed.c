/* SPDX-License-Identifier: Apache-2.0 */
#include "dia/dia_internal.h"

/* Code, flags and length of an AVP that the dictionary does not have; its octets are not kept, zeros stand for them. */
static struct avp *copy_of_unknown(struct avp *avp, const struct avp_hdr *hdr)
{
	uint32_t header = hdr->avp_flags & AVP_FLAG_VENDOR ? 12 : 8; /* [octets] RFC 6733 4.1 */
	struct avp *copy = avp; /* AVPFL_SET_RAWDATA_FROM_AVP reads the length from here */
	struct avp_hdr *copy_hdr;

	if (hdr->avp_len <= header) /* freeDiameter cannot write an unknown AVP without value */
		return NULL;
	if (fd_msg_avp_new(NULL, AVPFL_SET_BLANK_VALUE | AVPFL_SET_RAWDATA_FROM_AVP, &copy) != 0)
		return NULL;
	copy_hdr = dia_hdr(copy);
	copy_hdr->avp_code = hdr->avp_code;
	copy_hdr->avp_flags = hdr->avp_flags;
	copy_hdr->avp_len = hdr->avp_len;
	copy_hdr->avp_vendor = hdr->avp_vendor;
	return copy;
}

/* A copy that keeps what was received, as far as the framework understood it. */
static struct avp *copy_of(struct avp *avp)
{
	struct avp_hdr *hdr = dia_hdr(avp);
	struct dict_object *model = NULL;
	struct avp *copy;

	if (hdr == NULL || fd_msg_model(avp, &model) != 0)
		return NULL;
	if (model == NULL)
		return copy_of_unknown(avp, hdr);
	if (fd_msg_avp_new(model, 0, &copy) != 0)
		return NULL;
	dia_hdr(copy)->avp_flags = hdr->avp_flags;
	if (hdr->avp_value != NULL && fd_msg_avp_setvalue(copy, hdr->avp_value) != 0) { /* groups are left empty */
		fd_msg_free(copy);
		return NULL;
	}
	return copy;
}

/* "An example of the missing AVP", value zero of the least length its type allows (RFC 6733 7.1.5, 7.5). */
static struct avp *example_of(struct dict_object *model)
{
	uint8_t zero[4] = { 0 };
	union avp_value value = { .u64 = 0 };
	struct dict_object *type = NULL;
	struct dict_type_data type_data;
	struct dict_avp_data data;
	struct avp *avp;

	if (fd_dict_getval(model, &data) != 0 || fd_msg_avp_new(model, 0, &avp) != 0)
		return NULL;
	if (data.avp_basetype == AVP_TYPE_GROUPED)
		return avp;
	if (data.avp_basetype == AVP_TYPE_OCTETSTRING) {
		value.os.data = zero;
		value.os.len = 1;
		if (fd_dict_search(fd_g_config->cnf_dict, DICT_TYPE, TYPE_OF_AVP, model, &type, 0) == 0 && type != NULL &&
		    fd_dict_getval(type, &type_data) == 0 && strcmp(type_data.type_name, "Time") == 0)
			value.os.len = sizeof(zero);
	}
	if (fd_msg_avp_setvalue(avp, &value) != 0) {
		fd_msg_free(avp);
		return NULL;
	}
	return avp;
}

/* The grouped AVP that avp stands in; NULL when that is the message. */
static struct avp *parent_group(struct avp *avp)
{
	msg_or_avp *parent = NULL, *grandparent = NULL;

	if (fd_msg_browse(avp, MSG_BRW_PARENT, &parent, NULL) != 0 || parent == NULL)
		return NULL;
	if (fd_msg_browse(parent, MSG_BRW_PARENT, &grandparent, NULL) != 0 || grandparent == NULL)
		return NULL;
	return parent;
}

/* Put avp into empty copies of the groups it came from, outermost first. */
static struct avp *wrap(struct avp *avp, struct avp *group)
{
	struct dict_object *model;
	struct avp *outer;

	while (avp != NULL && group != NULL && fd_msg_model(group, &model) == 0 && model != NULL) {
		if (fd_msg_avp_new(model, 0, &outer) != 0)
			return avp;
		if (fd_msg_avp_add(outer, MSG_BRW_LAST_CHILD, avp) != 0) {
			fd_msg_free(outer);
			return avp;
		}
		avp = outer;
		group = parent_group(group);
	}
	return avp;
}

enum gba_err dia_add_failed(struct msg *answer, const struct dia_failed *failed)
{
	struct avp *avp = NULL, *failed_avp;
	enum gba_err err;

	if (failed->avp != NULL)
		avp = wrap(copy_of(failed->avp), parent_group(failed->avp));
	else if (failed->model != NULL)
		avp = wrap(example_of(failed->model), failed->group);
	else
		return GBA_OK;
	if (avp == NULL) /* an answer without Failed-AVP is better than none */
		return GBA_OK;
	err = dia_add_group(answer, dia_base.failed_avp, &failed_avp);
	if (err == GBA_OK && fd_msg_avp_add(failed_avp, MSG_BRW_LAST_CHILD, avp) == 0)
		return GBA_OK;
	fd_msg_free(avp);
	return GBA_E_NOMEM;
}
