/* SPDX-License-Identifier: Apache-2.0 */
/* Elements by TS 29.109 Annex A. keyChoice stands in the uss or in its Extension, as releases differ. */
#include "xml/guss.h"

#include "xml/reader.h"

enum { DOCUMENT, GUSS, BSF_INFO, UICC_TYPE, LIFE_TIME, LIST, USS, UIDS, UID, FLAGS, FLAG, EXTENSION, KEY_CHOICE };
static const struct xml_row rows[] = {
	[DOCUMENT] = { "", 0, false },
	[GUSS] = { "guss", XML_IN(DOCUMENT), false },
	[BSF_INFO] = { "bsfInfo", XML_IN(GUSS), false },
	[UICC_TYPE] = { "uiccType", XML_IN(BSF_INFO), true },
	[LIFE_TIME] = { "lifeTime", XML_IN(BSF_INFO), true },
	[LIST] = { "ussList", XML_IN(GUSS) | XML_IN(DOCUMENT), false },
	[USS] = { "uss", XML_IN(LIST), false },
	[UIDS] = { "uids", XML_IN(USS), false },
	[UID] = { "uid", XML_IN(UIDS), true },
	[FLAGS] = { "flags", XML_IN(USS), false },
	[FLAG] = { "flag", XML_IN(FLAGS), true },
	[EXTENSION] = { "Extension", XML_IN(USS), false },
	[KEY_CHOICE] = { "keyChoice", XML_IN(USS) | XML_IN(EXTENSION), true },
	{ NULL, 0, false },
};

struct reading {
	struct guss *guss; /* owner of all that is read */
	struct uss *uss;   /* the one we are in */
	size_t uss_cap, uid_cap, flag_cap;
};

static char *text_dup(struct reading *r, struct bytes text)
{
	return talloc_strndup(r->guss, (const char *)text.p, text.n);
}

/* Room for one more in *list. @return false: out of memory */
static bool grow(struct reading *r, void **list, size_t count, size_t *cap, size_t size)
{
	void *grown;

	if (count < *cap)
		return true;
	grown = talloc_realloc_size(r->guss, *list, (2 * *cap + 4) * size);
	if (grown == NULL)
		return false;
	*list = grown;
	*cap = 2 * *cap + 4;
	return true;
}

static enum gba_err open_uss(struct reading *r, const struct xml_attrs *attrs)
{
	struct bytes group = xml_attr(attrs, "nafGroup");
	struct guss *guss = r->guss;
	enum gba_err err;

	if (guss->uss_count == GUSS_USS_MAX)
		return GBA_E_TOO_LONG;
	if (!grow(r, (void **)&guss->uss, guss->uss_count, &r->uss_cap, sizeof(*guss->uss)))
		return GBA_E_NOMEM;
	r->uss = &guss->uss[guss->uss_count++];
	memset(r->uss, 0, sizeof(*r->uss));
	r->uid_cap = r->flag_cap = 0;
	err = xml_u32(xml_attr(attrs, "id"), &r->uss->gsid);
	if (err != GBA_OK)
		return err;
	err = xml_u32(xml_attr(attrs, "type"), &r->uss->type);
	if (err != GBA_OK || group.p == NULL)
		return err;
	r->uss->naf_group = text_dup(r, group);
	return r->uss->naf_group != NULL ? GBA_OK : GBA_E_NOMEM;
}

static enum gba_err on_open(void *arg, unsigned int row, const struct xml_attrs *attrs)
{
	struct reading *r = arg;
	struct bytes id;

	if (row == USS)
		return open_uss(r, attrs);
	if (row != GUSS)
		return GBA_OK;
	id = xml_attr(attrs, "id");
	if (id.n == 0)
		return GBA_E_XML;
	r->guss->impi = text_dup(r, id);
	return r->guss->impi != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* A value we do not know must not fall back to the weaker one. */
static enum gba_err uicc_of(struct bytes text, enum guss_uicc *_uicc)
{
	if (bytes_eq_str(text, "GBA"))
		*_uicc = GUSS_UICC_GBA;
	else if (bytes_eq_str(text, "GBA_U"))
		*_uicc = GUSS_UICC_GBA_U;
	else
		return GBA_E_XML;
	return GBA_OK;
}

static enum gba_err add_uid(struct reading *r, struct bytes text)
{
	struct uss *uss = r->uss;

	if (text.n == 0)
		return GBA_E_XML;
	if (!grow(r, (void **)&uss->uids, uss->uid_count, &r->uid_cap, sizeof(*uss->uids)))
		return GBA_E_NOMEM;
	uss->uids[uss->uid_count] = text_dup(r, text);
	if (uss->uids[uss->uid_count] == NULL)
		return GBA_E_NOMEM;
	uss->uid_count++;
	return GBA_OK;
}

static enum gba_err add_flag(struct reading *r, struct bytes text)
{
	struct uss *uss = r->uss;

	if (!grow(r, (void **)&uss->flags, uss->flag_count, &r->flag_cap, sizeof(*uss->flags)))
		return GBA_E_NOMEM;
	return xml_u32(text, &uss->flags[uss->flag_count++]);
}

static enum gba_err on_value(void *arg, unsigned int row, struct bytes text)
{
	struct reading *r = arg;

	switch (row) {
	case UICC_TYPE: return uicc_of(text, &r->guss->uicc);
	case LIFE_TIME: return xml_u32(text, &r->guss->life_time);
	case UID: return add_uid(r, text);
	case FLAG: return add_flag(r, text);
	case KEY_CHOICE: r->uss->key_choice = text_dup(r, text); return r->uss->key_choice != NULL ? GBA_OK : GBA_E_NOMEM;
	default: return GBA_OK;
	}
}

enum gba_err guss_parse(TALLOC_CTX *mem_ctx, struct bytes xml, struct guss **_guss)
{
	struct reading reading = { .guss = NULL };
	struct xml_walk walk = { rows, on_open, on_value, &reading };
	enum gba_err err;

	if (xml.n > GUSS_XML_MAX)
		return GBA_E_TOO_LONG;
	/* One block for a document of usual size: texts are shorter than their markup, talloc adds some 100 octets each. */
	reading.guss = talloc_pooled_object(mem_ctx, struct guss, 16, 2 * xml.n);
	if (reading.guss == NULL)
		return GBA_E_NOMEM;
	*reading.guss = (struct guss){ .uicc = GUSS_UICC_GBA };
	err = xml_walk(&walk, xml);
	if (err != GBA_OK) {
		talloc_free(reading.guss);
		return err;
	}
	*_guss = reading.guss;
	return GBA_OK;
}

static void put_element(struct xml_text *t, const char *name, const char *value)
{
	xml_put(t, "<");
	xml_put(t, name);
	xml_put(t, ">");
	xml_put_value(t, value);
	xml_put(t, "</");
	xml_put(t, name);
	xml_put(t, ">");
}

static void put_u32(struct xml_text *t, const char *before, uint32_t value, const char *after)
{
	xml_put(t, before);
	xml_put_u32(t, value);
	xml_put(t, after);
}

static void put_uss(struct xml_text *t, const struct uss *uss)
{
	size_t i;

	put_u32(t, "<uss id=\"", uss->gsid, "\" ");
	put_u32(t, "type=\"", uss->type, "\"");
	if (uss->naf_group != NULL) {
		xml_put(t, " nafGroup=\"");
		xml_put_value(t, uss->naf_group);
		xml_put(t, "\"");
	}
	xml_put(t, "><uids>");
	for (i = 0; i < uss->uid_count; i++)
		put_element(t, "uid", uss->uids[i]);
	xml_put(t, "</uids><flags>");
	for (i = 0; i < uss->flag_count; i++)
		put_u32(t, "<flag>", uss->flags[i], "</flag>");
	xml_put(t, "</flags>");
	if (uss->key_choice != NULL)
		put_element(t, "keyChoice", uss->key_choice);
	xml_put(t, "</uss>");
}

static void put_list(struct xml_text *t, const struct guss *guss)
{
	size_t i;

	xml_put(t, "<ussList>");
	for (i = 0; i < guss->uss_count; i++)
		put_uss(t, &guss->uss[i]);
	xml_put(t, "</ussList>");
}

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

char *guss_build(TALLOC_CTX *mem_ctx, const struct guss *guss)
{
	struct xml_text t;

	if (guss->impi == NULL)
		return NULL;
	xml_text_open(&t, mem_ctx);
	xml_put(&t, DECLARATION "<guss id=\"");
	xml_put_value(&t, guss->impi);
	xml_put(&t, "\"><bsfInfo><uiccType>");
	xml_put(&t, guss->uicc == GUSS_UICC_GBA_U ? "GBA_U" : "GBA");
	xml_put(&t, "</uiccType>");
	if (guss->life_time > 0)
		put_u32(&t, "<lifeTime>", guss->life_time, "</lifeTime>");
	xml_put(&t, "</bsfInfo>");
	put_list(&t, guss);
	xml_put(&t, "</guss>\n");
	return xml_text_close(&t);
}

char *uss_list_build(TALLOC_CTX *mem_ctx, const struct guss *guss)
{
	struct xml_text t;

	xml_text_open(&t, mem_ctx);
	xml_put(&t, DECLARATION);
	put_list(&t, guss);
	xml_put(&t, "\n");
	return xml_text_close(&t);
}

static bool in_group(const struct uss *uss, const char *naf_group)
{
	if (uss->naf_group == NULL || naf_group == NULL)
		return uss->naf_group == naf_group;
	return strcmp(uss->naf_group, naf_group) == 0;
}

static size_t add_group(const struct guss *guss, uint32_t gsid, const char *naf_group, struct guss *selected)
{
	size_t i, before = selected->uss_count;

	for (i = 0; i < guss->uss_count; i++) {
		if (guss->uss[i].gsid == gsid && in_group(&guss->uss[i], naf_group))
			selected->uss[selected->uss_count++] = guss->uss[i];
	}
	return selected->uss_count - before;
}

enum gba_err guss_select(TALLOC_CTX *mem_ctx, const struct guss *guss, const uint32_t *gsids, size_t count,
			 const char *naf_group, struct guss *_selected)
{
	struct guss selected = { .uicc = guss->uicc, .life_time = guss->life_time };
	size_t i;

	selected.uss = talloc_array(mem_ctx, struct uss, guss->uss_count + 1);
	if (selected.uss == NULL)
		return GBA_E_NOMEM;
	for (i = 0; i < count; i++) {
		if (guss_find(&selected, gsids[i]) != NULL)
			continue; /* asked for twice */
		if (add_group(guss, gsids[i], naf_group, &selected) == 0 && naf_group != NULL)
			add_group(guss, gsids[i], NULL, &selected);
	}
	*_selected = selected;
	return GBA_OK;
}

const struct uss *guss_find(const struct guss *guss, uint32_t gsid)
{
	size_t i;

	for (i = 0; i < guss->uss_count; i++) {
		if (guss->uss[i].gsid == gsid)
			return &guss->uss[i];
	}
	return NULL;
}
