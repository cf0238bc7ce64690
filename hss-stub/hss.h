/* SPDX-License-Identifier: Apache-2.0 */
/** The authorization element without Diameter: configuration, key file and AuC put together, and who may ask for whom.
 */
#ifndef GBA_HSS_HSS_H
#define GBA_HSS_HSS_H

#include "hss-stub/auc.h"
#include "hss-stub/conf.h"
#include "hss-stub/sub_store.h"

#define HSS_DATABASE GBA_LOCALSTATEDIR "/hss.db"
#define HSS_KEK_FILE GBA_LOCALSTATEDIR "/hss.kek"

/** Open the key file; make it only while no subscriber is sealed with one that is missing.
 * @param _error  for the operator, below mem_ctx
 * @retval GBA_E_NOT_FOUND  missing, though there are subscribers  @retval GBA_E_DENIED, GBA_E_SYNTAX */
enum gba_err hss_kek_open(TALLOC_CTX *mem_ctx, struct sub_store *store, const char *path, struct kek **_kek,
			  const char **_error);
/** Open key file and AuC. @param _error  for the operator, below mem_ctx */
enum gba_err hss_open(TALLOC_CTX *mem_ctx, const struct hss_conf *conf, struct kek **_kek, struct auc **_auc, const char **_error);

/** May this node ask for this IMPI? Decided before the subscriber is looked for: nobody learns who exists elsewhere.
 * @param _ind  of the node's SQNs
 * @retval GBA_E_DENIED  not in the list, or not for this realm */
enum gba_err hss_admit(const struct hss_conf *conf, struct bytes origin_host, struct bytes impi, unsigned int *_ind);

#endif
