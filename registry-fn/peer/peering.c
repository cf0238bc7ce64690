/* SPDX-License-Identifier: Apache-2.0 */
#include "registry-fn/peer/peering.h"

#include "core/clock.h"
#include "core/codec.h"
#include "core/log.h"
#include "registry-fn/log/event_priv.h"
#include "registry-fn/log/wake.h"
#include "registry-fn/peer/peering_priv.h"

#define LOOK_ALL_MS 500  /* though nothing has been written */
#define ROWS_MS	    1000 /* between two writings of what gba-ctl shows */

const char *const link_state_names[] = { "away", "insecure", "connected", "greeted", NULL };

static struct peering *room; /* of the extension */

/* ---- the queue ---- */

bool peering_post(struct peering *peering, struct letter *letter)
{
	bool taken;

	pthread_mutex_lock(&peering->lock);
	taken = !peering->stopping && (letter->request == NULL || peering->waiting < PEERING_QUEUE_MAX);
	if (taken) {
		letter->next = NULL;
		*peering->last = letter;
		peering->last = &letter->next;
		peering->waiting++;
		pthread_cond_signal(&peering->wake);
	}
	pthread_mutex_unlock(&peering->lock);
	return taken;
}

/* There may be something new in the log: neighbours are told at once, not when the thread looks next. Any thread. */
static void on_commit(void)
{
	pthread_mutex_lock(&room->lock);
	room->woken = true;
	pthread_cond_signal(&room->wake);
	pthread_mutex_unlock(&room->lock);
}

/* All letters; waits a while when there are none. @return false: the end */
static bool letters_get(struct peering *peering, bool wait, struct letter **_letters)
{
	const struct timespec t = clock_mono_after(PEERING_LOOK_MS);
	bool go_on;

	pthread_mutex_lock(&peering->lock);
	if (wait && peering->first == NULL && !peering->stopping && !peering->woken)
		pthread_cond_timedwait(&peering->wake, &peering->lock, &t);
	*_letters = peering->first;
	peering->first = NULL;
	peering->last = &peering->first;
	peering->waiting = 0;
	peering->woken = false;
	go_on = !peering->stopping;
	pthread_mutex_unlock(&peering->lock);
	return go_on;
}

/* ---- neighbours ---- */

void peering_state(struct neighbour *neighbour, enum link_state state)
{
	if (neighbour->state == state)
		return;
	neighbour->state = state;
	neighbour->changed = true;
	log_event(state == LINK_INSECURE ? LOG_L_WARNING : LOG_L_INFO, "peering.link",
		  &(struct log_about){ .iface = "registry", .peer = bytes_of(neighbour->conf->host),
				       .id = bytes_of(neighbour->conf->reg_id), .clause = "Y.3059 9.1-v" },
		  "%s", link_state_names[state]);
}

void peering_lost(struct neighbour *neighbour)
{
	sync_lost(neighbour->sync);
	neighbour->generation++;
	neighbour->awaits = false;
	neighbour->retry_ms = 0;
}

bool peering_secured(const struct peering *peering, const struct neighbour *neighbour)
{
	if (!peering->registry->conf->peering.tls || neighbour->state >= LINK_CONNECTED)
		return true;
	return dia_tls_is_current() && dia_peer_secured(bytes_of(neighbour->conf->host));
}

static bool neighbour_run(struct peering *peering, struct neighbour *neighbour, uint64_t now_ms)
{
	if (dia_peer_of(bytes_of(neighbour->conf->host), reg_rsr_cmd.app) != DIA_PEER_ABLE) {
		if (neighbour->state != LINK_AWAY)
			peering_lost(neighbour);
		peering_state(neighbour, LINK_AWAY);
		return false;
	}
	if (!peering_secured(peering, neighbour)) {
		peering_lost(neighbour);
		peering_state(neighbour, LINK_INSECURE);
		return false;
	}
	if (neighbour->state < LINK_CONNECTED)
		peering_state(neighbour, LINK_CONNECTED);
	return peering_send(peering, neighbour, now_ms);
}

/* What gba-ctl shows: a row per neighbour, written when it has changed, and nobody's copy. */
static enum gba_err row_write(struct peering *peering, struct neighbour *neighbour)
{
	static const char sql[] =
		"INSERT INTO peering (reg_id, host, bond, state, heard, behind, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
		" ON CONFLICT (reg_id) DO UPDATE SET host = excluded.host, bond = excluded.bond, state = excluded.state,"
		" heard = excluded.heard, behind = excluded.behind, error = excluded.error";
	struct db_stmt *stmt;
	enum gba_err err = event_stmt(peering->log, sql, &stmt);

	if (err != GBA_OK)
		return err;
	db_bind_text(stmt, 1, bytes_of(neighbour->conf->reg_id));
	db_bind_text(stmt, 2, bytes_of(neighbour->conf->host));
	db_bind_int(stmt, 3, neighbour->conf->bond);
	db_bind_text(stmt, 4, bytes_of(link_state_names[neighbour->state]));
	db_bind_int(stmt, 5, neighbour->heard_at);
	db_bind_int(stmt, 6, neighbour->behind);
	db_bind_text(stmt, 7, bytes_of(neighbour->last_error != GBA_OK ? gba_strerror(neighbour->last_error) : ""));
	return db_run(stmt, NULL);
}

static void rows_write(struct peering *peering, uint64_t now_ms)
{
	enum gba_err err = GBA_OK;
	bool changed = false;
	int64_t behind;
	size_t i;

	if (now_ms < peering->rows_ms)
		return;
	peering->rows_ms = now_ms + ROWS_MS;
	for (i = 0; i < peering->n; i++) {
		struct neighbour *neighbour = &peering->neighbours[i];

		if (sync_behind(neighbour->sync, peering->log, &behind) == GBA_OK && behind != neighbour->behind) {
			neighbour->behind = behind;
			neighbour->changed = true;
		}
		metric_set(neighbour->m_behind, neighbour->behind);
		changed |= neighbour->changed;
	}
	if (!changed || db_begin(peering->db) != GBA_OK)
		return;
	for (i = 0; i < peering->n && err == GBA_OK; i++) {
		if (peering->neighbours[i].changed)
			err = row_write(peering, &peering->neighbours[i]);
	}
	if (err == GBA_OK)
		err = db_commit_quiet(peering->db);
	else
		db_rollback(peering->db);
	for (i = 0; i < peering->n && err == GBA_OK; i++)
		peering->neighbours[i].changed = false;
}

/* ---- the thread ---- */

static void letters_work(struct peering *peering, struct letter *letter)
{
	struct letter *next;

	for (; letter != NULL; letter = next) {
		next = letter->next;
		if (letter->request != NULL)
			peering_serve(peering, letter);
		else
			peering_heard(peering, letter);
		talloc_free(letter);
	}
}

/* Where something was revoked streams have become shorter: all is said anew of how far they are. */
static void revocations_look(struct peering *peering)
{
	int64_t number = 0;
	size_t i;

	if (event_revocations(peering->log, &number) != GBA_OK || number == peering->revocations)
		return;
	peering->revocations = number;
	for (i = 0; i < peering->n; i++)
		peering_lost(&peering->neighbours[i]);
}

/* Has anybody written, an answer come, or has it been a while (parked streams, failures)? Else no neighbour's place in the log need
 * be looked at. */
static void look_around(struct peering *peering, bool letters, uint64_t now_ms)
{
	int64_t version = db_data_version(peering->db);

	peering->look = letters || version < 0 || version != peering->version || now_ms >= peering->look_ms;
	if (!peering->look)
		return;
	peering->version = version;
	peering->look_ms = now_ms + LOOK_ALL_MS;
	revocations_look(peering);
}

static void *peering_main(void *arg)
{
	struct peering *peering = arg;
	struct letter *letters = NULL;
	bool wait = false;
	size_t i;

	(void)fd_core_waitstartcomplete();
	if (peering->registry->conf->peering.tls && !dia_tls_is_current())
		log_event(LOG_L_ERROR, "peering.tls", &(struct log_about){ .clause = "Y.3059 9.1-v, RFC 8996" },
			  "freeDiameter's TLS_Prio allows TLS before 1.2: no registry is peered with");
	while (letters_get(peering, wait, &letters)) {
		uint64_t now_ms = clock_mono_ms();

		bool some = letters != NULL;

		letters_work(peering, letters);
		look_around(peering, some, now_ms);
		wait = true;
		for (i = 0; i < peering->n; i++)
			(void)neighbour_run(peering, &peering->neighbours[i], now_ms);
		rows_write(peering, now_ms);
	}
	for (; letters != NULL; letters = letters->next) { /* freed with the process's end: few, and no time to lose */
		if (letters->request != NULL)
			dia_answer_send(&letters->request, GBA_E_BUSY, NULL, NULL, NULL);
	}
	return NULL;
}

/* ---- start and stop ---- */

static struct metric *counter(const struct neighbour_conf *conf, const char *direction)
{
	char labels[REGID_MAX + 64] = "";

	metric_label(labels, sizeof(labels), "registry", conf->reg_id);
	metric_label(labels, sizeof(labels), "direction", direction);
	return metric_get("gba_registry_peer_events_total", "Events exchanged with neighbours", METRIC_COUNTER, labels);
}

static enum gba_err neighbour_init(struct peering *peering, size_t i)
{
	const struct neighbour_conf *conf = (const struct neighbour_conf *)peering->registry->conf->peering.neighbours.v + i;
	struct neighbour *neighbour = &peering->neighbours[i];
	char labels[REGID_MAX + 32] = "";
	unsigned int send, accept;

	if (!peering_classes(&conf->send, &send) || !peering_classes(&conf->accept, &accept))
		return GBA_E_CONF;
	metric_label(labels, sizeof(labels), "registry", conf->reg_id);
	*neighbour = (struct neighbour){ .conf = conf, .changed = true };
	neighbour->m_sent = counter(conf, "sent");
	neighbour->m_received = counter(conf, "received");
	neighbour->m_refused = counter(conf, "refused");
	neighbour->m_behind = metric_get("gba_registry_peer_behind", "Events a neighbour lacks", METRIC_GAUGE, labels);
	neighbour->sync = sync_peer_new(peering, conf->reg_id, send, accept);
	return neighbour->sync != NULL ? GBA_OK : GBA_E_NOMEM;
}

/* Parents say who their children are; who is above a primary says who its own neighbours are. */
static enum gba_err neighbour_tell(struct peering *peering, const struct neighbour_conf *conf)
{
	struct event_registry as = { .type = (enum registry_type)conf->type };
	enum gba_err err;

	snprintf(as.reg_id, sizeof(as.reg_id), "%s", conf->reg_id);
	err = hex_decode(bytes_of(conf->key), as.key, sizeof(as.key));
	if (err == GBA_OK)
		err = event_registry_trust(peering->log, &as);
	if (err == GBA_OK && conf->bond == BOND_CHILD)
		return event_registry_assign(peering->log, &as, clock_now());
	if (err == GBA_OK && peering->registry->conf->reg_type != REGISTRY_PRIMARY)
		err = event_registry_introduce(peering->log, &as, clock_now());
	return err;
}

static enum gba_err neighbours_tell(struct peering *peering, const char **_why)
{
	enum gba_err err = db_begin(peering->db);
	size_t i;

	if (err != GBA_OK)
		return err;
	for (i = 0; i < peering->n && err == GBA_OK; i++) {
		err = neighbour_tell(peering, peering->neighbours[i].conf);
		if (err != GBA_OK)
			*_why = talloc_asprintf(peering, "neighbours: %s", peering->neighbours[i].conf->reg_id);
	}
	if (err == GBA_OK)
		return db_commit(peering->db);
	db_rollback(peering->db);
	return err;
}

static enum gba_err peering_open(struct peering *peering, const char **_why)
{
	const struct registry *registry = peering->registry;
	struct event_self self = { registry->conf->reg_id, (enum registry_type)registry->conf->reg_type, registry->key };
	enum gba_err err;
	size_t i;

	peering->n = registry->conf->peering.neighbours.n;
	peering->neighbours = talloc_zero_array(peering, struct neighbour, peering->n);
	if (peering->neighbours == NULL)
		return GBA_E_NOMEM;
	err = registry_store(peering, registry->conf, &peering->db, _why);
	if (err == GBA_OK)
		err = event_log_open(peering, peering->db, &self, &peering->log);
	for (i = 0; i < peering->n && err == GBA_OK; i++)
		err = neighbour_init(peering, i);
	return err == GBA_OK ? neighbours_tell(peering, _why) : err;
}

static enum gba_err thread_start(struct peering *peering)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&peering->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&peering->wake, &attr);
	pthread_condattr_destroy(&attr);
	peering->last = &peering->first;
	peering->runs = pthread_create(&peering->thread, NULL, peering_main, peering) == 0;
	return peering->runs ? GBA_OK : GBA_E_INTERNAL;
}

static void peering_stop(struct registry *registry)
{
	struct peering *peering = room;

	(void)registry;
	if (peering == NULL)
		return;
	wake_listen(NULL);
	if (peering->runs) {
		pthread_mutex_lock(&peering->lock);
		peering->stopping = true;
		pthread_cond_signal(&peering->wake);
		pthread_mutex_unlock(&peering->lock);
		pthread_join(peering->thread, NULL);
	}
	if (peering->service != NULL)
		dia_serve_stop(peering->service);
	dia_requests_stop();
	room = NULL;
	talloc_free(peering);
}

static enum gba_err peering_start(struct registry *registry, const char **_why)
{
	struct peering *peering;
	enum gba_err err;

	if (registry->conf->peering.neighbours.n == 0)
		return GBA_OK;
	*_why = "neighbours: another trust domain of this process has them";
	if (dia_app_shown(reg_rsr_cmd.app))
		return GBA_E_EXISTS;
	*_why = "neighbours: dict_y3056 is not loaded";
	err = reg_resolve();
	if (err != GBA_OK)
		return err;
	*_why = "neighbours";
	peering = talloc_zero(NULL, struct peering); /* of its own: its thread allocates below it */
	if (peering == NULL)
		return GBA_E_NOMEM;
	peering->registry = registry;
	err = peering_open(peering, _why);
	if (err == GBA_OK)
		err = thread_start(peering);
	room = peering;
	if (err == GBA_OK)
		wake_listen(on_commit);
	if (err == GBA_OK)
		err = dia_serve(registry, &reg_rsr_cmd, peering_on_request, peering, &peering->service);
	if (err == GBA_OK)
		dia_app_optional(reg_rsr_cmd.app);
	if (err == GBA_OK || *_why == NULL)
		return err;
	*_why = talloc_strdup(registry, *_why);
	peering_stop(registry);
	return err;
}

const struct registry_room peering_room = { "peering", peering_start, peering_stop };
