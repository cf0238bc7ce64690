/* SPDX-License-Identifier: Apache-2.0 */
/* registry_fn.fdx: load and unload. */
#include <freeDiameter/extension.h>

#include "core/log.h"
#include "core/mask.h"
#include "core/secret.h"
#include "core/trace.h"
#include "http/server.h"
#include "registry-fn/device/door.h"
#include "registry-fn/api/api.h"
#include "registry-fn/holder.h"
#include "registry-fn/log/keeper.h"
#include "registry-fn/peer/peering.h"
#include "registry-fn/registry.h"
#include "registry-fn/tell/tell.h"
#include "registry-fn/warmer.h"

/* Started in this order, stopped in reverse. */
static const struct registry_room *const rooms[] = {
	&holder_room,
	&warmer_room,
	&keeper_room,
	&peering_room,
	&s13_room,
	&door_room,
	&api_room,
	&tell_room,
	&tell_stream_room,
	NULL
};

static struct {
	TALLOC_CTX *root;
	struct registry_conf *conf;
	struct registry *registry;
	struct http_server *metrics;
	size_t started; /* of rooms */
	bool ready;	/* all of them */
} ext;

static enum gba_err conf_read(const char *path, struct conf_error *_error)
{
	enum gba_err err;

	ext.conf = talloc_zero(ext.root, struct registry_conf);
	if (ext.conf == NULL)
		return GBA_E_NOMEM;
	err = conf_load(ext.root, registry_role.name, path, registry_conf_items, ext.conf, _error);
	if (err == GBA_OK)
		err = registry_conf_check(ext.conf, _error);
	return err == GBA_OK ? conf_common_apply("registry", &ext.conf->common, _error) : err;
}

static bool ready(void *arg, const char **_missing)
{
	(void)arg;
	*_missing = "start";
	return __atomic_load_n(&ext.ready, __ATOMIC_ACQUIRE) && holder_good(_missing);
}

static enum gba_err rooms_start(const char **_why)
{
	enum gba_err err = GBA_OK;

	while (err == GBA_OK && rooms[ext.started] != NULL) {
		*_why = rooms[ext.started]->name;
		err = rooms[ext.started]->start(ext.registry, _why);
		if (err == GBA_OK)
			ext.started++;
	}
	return err;
}

static enum gba_err start(const char *path, struct conf_error *_error)
{
	const char *why = "";
	enum gba_err err;

	err = conf_read(path, _error);
	if (err != GBA_OK)
		return err;
	err = registry_open(ext.root, ext.conf, &ext.registry, &why);
	if (err == GBA_OK && ext.conf->metrics_listen[0] != '\0')
		err = http_metrics_start(ext.root, ext.conf->metrics_listen, ready, NULL, &ext.metrics, &why);
	if (err == GBA_OK)
		err = rooms_start(&why);
	if (err != GBA_OK)
		snprintf(_error->text, sizeof(_error->text), "%s: %s", why, gba_strerror(err));
	__atomic_store_n(&ext.ready, err == GBA_OK, __ATOMIC_RELEASE);
	return err;
}

static void stop(void)
{
	if (ext.metrics != NULL)
		http_server_stop(ext.metrics, 1000);
	while (ext.started > 0)
		rooms[--ext.started]->stop(ext.registry);
	talloc_free(ext.root);
	memset(&ext, 0, sizeof(ext));
}

static int registry_entry(char *conf_file)
{
	struct conf_error error = { "out of memory" };
	enum gba_err err = GBA_E_CONF;
	char shown[MASK_MAX];

	secret_init();
	ext.root = talloc_named_const(NULL, 0, "registry");
	if (conf_file == NULL)
		snprintf(error.text, sizeof(error.text), "LoadExtension names no configuration file");
	else if (ext.root != NULL)
		err = start(conf_file, &error);
	if (err == GBA_OK) {
		log_event(LOG_L_INFO, "registry.start", NULL, "%s registry %s, records in %s",
			  registry_type_names[ext.conf->reg_type], ext.conf->reg_id, mask_password(ext.conf->database, shown));
		return 0;
	}
	log_event(LOG_L_ERROR, "registry.start", NULL, "%s", error.text);
	stop();
	return EINVAL;
}

EXTENSION_ENTRY("registry_fn", registry_entry, "dict_gba", "gba_guard");

void fd_ext_fini(void);
void fd_ext_fini(void)
{
	log_event(LOG_L_INFO, "registry.stop", NULL, "stopped");
	stop();
	trace_close();
	log_close();
}
