/* SPDX-License-Identifier: Apache-2.0 */
/** Between the files of this room. */
#ifndef GBA_HSS_MAPPING_PRIV_H
#define GBA_HSS_MAPPING_PRIV_H

#include "core/secret.h"
#include "hss-stub/mapping/grant.h"
#include "hss-stub/mapping/rules.h"
#include "record/rules.h"

enum { REALM_SECRET_PSEUDONYM };

/** What the mapping function has beside its records. */
struct mapping {
	struct sub_store *subs;
	char **dirty; /* IMPIs whose GUSS has to be made again; below itself */
	size_t dirty_count;
	time_t dirty_now;
};

static inline struct mapping *mapping_of(struct records *m)
{
	return records_role(m);
}

/** This client element's GUSS is made again before the commit. */
enum gba_err mapping_dirty(struct records *m, struct bytes impi, time_t now);
/** Make them now. */
enum gba_err mapping_flush(struct records *m);
/** Forget them: the transaction is over. */
void mapping_forget(struct records *m);
/** May the caller register an application under this identity and host name? @retval GBA_E_DENIED  an ASP may not
 * @retval GBA_E_STATE  they are another ASP's: only the operator is told */
enum gba_err application_names_check(struct records *m, struct record_call *call, struct record *now);
/** What an ASP gets for a name that is not its own, whatever the reason. @return GBA_E_DENIED */
enum gba_err application_name_refuse(struct record_call *call, const char *field);
/** May an ASP have these names? @retval GBA_E_STATE  another one has one of them, or an application under one */
enum gba_err asp_names_check(struct records *m, struct record_call *call, const struct record *old, const struct record *now);
/** NAF_Id of an application. */
enum gba_err application_derive(struct record *rec);

/** A notice for a user or an ASP; body is stolen. */
enum gba_err notice_add(struct records *m, struct record_call *call, int owner_type, int64_t owner, int event,
			const struct record *about, json_t *body);
/** Is the client element's device registered to a user in good standing (or need it not be)? @param _custodian  0: none */
enum gba_err device_registered(struct records *m, struct bytes impi, bool *_yes, int64_t *_custodian);

#endif
