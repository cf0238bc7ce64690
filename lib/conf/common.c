/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"
#include "core/log.h"
#include "core/trace.h"

enum gba_err conf_wrong(struct conf_error *_error, const char *fmt, const char *what)
{
	snprintf(_error->text, sizeof(_error->text), fmt, what);
	return GBA_E_CONF;
}

enum gba_err conf_common_apply(const char *role, const struct conf_common *common, struct conf_error *_error)
{
	enum gba_err err = log_init(role, common->log_level, common->log_format, common->log_file);

	if (err != GBA_OK) {
		snprintf(_error->text, sizeof(_error->text), "log-file: %s: %s", common->log_file, gba_strerror(err));
		return err;
	}
	err = trace_open(common->trace_file);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "trace-file: %s: %s", common->trace_file, gba_strerror(err));
	return err;
}
