/* SPDX-License-Identifier: Apache-2.0 */
/* S13 (TS 29.272 6.2.1, ME-Identity-Check): what is known is answered in the dispatch thread from the cache; the rest goes to a
 * thread that may wait for the database. That thread also looks whether events have come, and then the cache forgets. */
#include "dia/s13.h"

#include <pthread.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/trace.h"
#include "registry-fn/id/regdevid.h"
#include "registry-fn/peer/equipment.h"
#include "registry-fn/peer/peering.h"

#define QUEUE_MAX 4096
#define PATIENCE_MS 700 /* with a PostgreSQL that does not answer: an MME waits for us */
#define LOOK_MS	  20 /* for events: so long an answer may be out of date */

/* A question that waits for the database. */
struct question {
	struct question *next;
	struct msg *msg;
	uint64_t key;
};

static struct {
	const struct registry *registry;
	struct equipment_cache *cache;
	TALLOC_CTX *ctx; /* the thread's */
	struct db *db;
	struct event_log *log;
	struct db_stmt *hidden; /* the thread's; NULL: not needed yet */
	struct dia_service *service;
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	bool stopping;
	struct question *first, **last;
	size_t waiting;
	int64_t version, seen; /* the thread's: of the database; last event */
	struct metric *m[EQUIPMENT_UNKNOWN + 1], *m_refused, *m_cached;
} s13 = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- answers ---- */

static void note(struct msg *msg, enum gba_err err, const struct s13_eca *eca)
{
	struct log_about about = { .iface = "S13", .peer = dia_origin_host(msg), .result = err, .clause = "TS 29.272 7.2.19" };
	struct trace_step step = { .from = "mme", .to = "registry-fn", .iface = "S13", .clause = "TS 29.272 7.2.19",
				   .message = "ECR" };

	if (log_enabled(LOG_L_INFO)) /* no IMEI: it is personal where the log goes */
		log_event(LOG_L_INFO, "s13.check", &about, "%s",
			  err == GBA_OK ? equipment_names[eca->status] : gba_strerror(err));
	if (!trace_on())
		return;
	trace_step(&step);
	step.from = "registry-fn";
	step.to = "mme";
	step.clause = "TS 29.272 7.2.20";
	step.message = err == GBA_OK ? equipment_names[eca->status] : "ECA unknown or refused";
	trace_step(&step);
}

_Static_assert((int)EQUIPMENT_WHITE == (int)S13_WHITELISTED && (int)EQUIPMENT_BLACK == (int)S13_BLACKLISTED &&
	       (int)EQUIPMENT_GREY == (int)S13_GREYLISTED, "the words' places are the values on the wire");

static void answer(struct msg *msg, enum equipment what)
{
	enum gba_err err = what == EQUIPMENT_UNKNOWN ? GBA_E_EQUIPMENT_UNKNOWN : GBA_OK;
	struct s13_eca eca = { (int32_t)what };

	metric_add(s13.m[what], 1);
	note(msg, err, &eca);
	dia_answer_send(&msg, err, NULL, s13_eca_fields, &eca);
}

static void refuse(struct msg *msg, enum gba_err err, const struct dia_failed *failed)
{
	struct s13_eca eca = { DIA_NO_ENUM };

	metric_add(s13.m_refused, 1);
	note(msg, err, &eca);
	dia_answer_send(&msg, err, failed, s13_eca_fields, &eca);
}

/* ---- dispatch thread ---- */

static bool is_admitted(struct bytes host)
{
	const struct conf_strlist *peers = &s13.registry->conf->peering.s13_peers;
	size_t i;

	for (i = 0; i < peers->n; i++) {
		if (bytes_eq_nocase(host, bytes_of(peers->v[i])))
			return true;
	}
	return false;
}

/* @param _key  0: there is no IMEI; what it is known by here */
static enum gba_err key_read(struct msg *msg, uint64_t *_key, struct dia_failed *_failed)
{
	TALLOC_CTX *tmp = talloc_new(NULL);
	struct avp *terminal;
	struct s13_ecr ecr;
	enum gba_err err;

	if (tmp == NULL)
		return GBA_E_NOMEM;
	*_key = 0;
	err = dia_decode(tmp, msg, s13_ecr_fields, &ecr, _failed);
	if (err == GBA_OK && !is_admitted(dia_origin_host(msg)))
		err = GBA_E_NOT_AUTHORIZED;
	else if (err == GBA_OK && ecr.terminal.imei.p != NULL && imei_key(ecr.terminal.imei, _key) != GBA_OK) {
		terminal = dia_avp_of(msg, s13_ecr_fields, offsetof(struct s13_ecr, terminal));
		_failed->avp = dia_avp_within(terminal, ecr.terminal.imei);
		err = GBA_E_AVP_VALUE;
	}
	talloc_free(tmp);
	return err;
}

static bool post(struct msg *msg, uint64_t key)
{
	struct question *question = talloc(NULL, struct question);
	bool taken;

	if (question == NULL)
		return false;
	*question = (struct question){ NULL, msg, key };
	pthread_mutex_lock(&s13.lock);
	taken = !s13.stopping && s13.waiting < QUEUE_MAX;
	if (taken) {
		*s13.last = question;
		s13.last = &question->next;
		s13.waiting++;
		pthread_cond_signal(&s13.wake);
	}
	pthread_mutex_unlock(&s13.lock);
	if (!taken)
		talloc_free(question);
	return taken;
}

static void on_ecr(struct msg *msg, void *arg)
{
	struct dia_failed failed = { NULL, NULL, NULL };
	enum equipment what;
	uint64_t key;
	enum gba_err err;

	(void)arg;
	err = key_read(msg, &key, &failed);
	if (err != GBA_OK) {
		refuse(msg, err, &failed);
	} else if (key == 0) {
		answer(msg, (enum equipment)s13.registry->conf->peering.s13_unknown);
	} else if (equipment_cache_get(s13.cache, key, &what)) {
		metric_add(s13.m_cached, 1);
		answer(msg, what);
	} else if (!post(msg, key)) {
		refuse(msg, GBA_E_BUSY, NULL);
	}
}

/* ---- the thread ---- */

/* With hide-identity no event holds an IMEI: the registry finds its own devices by their records. */
static enum gba_err hidden_view(struct bytes digits, struct event_view *view)
{
	const struct scheme *scheme = scheme_by_word(bytes_of("imei"));
	char imei[IDENTIFIER_MAX + 1], subject[REGDEVID_MAX + 1] = "";
	const char *why;
	bool row = false;
	enum gba_err err;

	if (scheme_canonical(scheme, digits, imei, &why) != GBA_OK)
		return GBA_OK;
	if (s13.hidden == NULL) {
		err = db_prepare(s13.db, "SELECT regdevid FROM device WHERE scheme = ?1 AND identity = ?2 UNION ALL"
				 " SELECT d.regdevid FROM device_identity AS i JOIN device AS d ON d.id = i.device"
				 " WHERE i.value = ?2 AND i.scheme = ?1", &s13.hidden);
		if (err != GBA_OK)
			return err;
	}
	db_bind_int(s13.hidden, 1, scheme - schemes);
	db_bind_text(s13.hidden, 2, bytes_of(imei));
	err = db_step(s13.hidden, &row);
	if (err == GBA_OK && row)
		snprintf(subject, sizeof(subject), "%.*s", BYTES_FMT(db_col_text(s13.hidden, 0)));
	db_reset(s13.hidden);
	if (err == GBA_OK && subject[0] != '\0')
		err = event_view_subject(s13.log, subject, EVENT_NOW, view);
	if (view->removed)
		view->known = false;
	return err;
}

static enum gba_err look_up(uint64_t key, enum equipment *_what)
{
	char digits[IMEI_KEY_LEN + 8];
	struct event_view view;
	enum gba_err err;

	snprintf(digits, sizeof(digits), "%014llu", (unsigned long long)(key - 1));
	err = event_view_identity(s13.log, "imei", bytes_of(digits), EVENT_NOW, &view);
	if (err == GBA_OK && !view.known && s13.registry->conf->hide_identity)
		err = hidden_view(bytes_of(digits), &view);
	if (err == GBA_OK)
		*_what = equipment_of(&s13.registry->conf->peering, &view);
	return err;
}

static void question_work(struct question *question)
{
	unsigned int age = equipment_cache_age(s13.cache);
	enum equipment what = EQUIPMENT_UNKNOWN;
	enum gba_err err = look_up(question->key, &what);

	if (err != GBA_OK) {
		refuse(question->msg, err, NULL);
	} else {
		equipment_cache_put(s13.cache, question->key, what, age);
		answer(question->msg, what);
	}
	talloc_free(question);
}

/* Has an event come? What else is written does not matter. */
static void look_around(void)
{
	int64_t version = db_data_version(s13.db), last;

	if (version >= 0 && version == s13.version)
		return;
	if (event_last(s13.log, &last) != GBA_OK) {
		equipment_cache_forget(s13.cache);
		return;
	}
	s13.version = version;
	if (last != s13.seen)
		equipment_cache_forget(s13.cache);
	s13.seen = last;
}

static bool questions_get(struct question **_questions)
{
	const struct timespec t = clock_mono_after(LOOK_MS);
	bool go_on;

	pthread_mutex_lock(&s13.lock);
	if (s13.first == NULL && !s13.stopping)
		pthread_cond_timedwait(&s13.wake, &s13.lock, &t);
	*_questions = s13.first;
	s13.first = NULL;
	s13.last = &s13.first;
	s13.waiting = 0;
	go_on = !s13.stopping;
	pthread_mutex_unlock(&s13.lock);
	return go_on;
}

static void *s13_main(void *arg)
{
	struct question *question = NULL, *next;
	uint64_t looked_ms = 0;
	bool go_on;

	(void)arg;
	do {
		go_on = questions_get(&question);
		for (; question != NULL; question = next) {
			next = question->next;
			if (clock_mono_ms() >= looked_ms + LOOK_MS) {
				look_around();
				looked_ms = clock_mono_ms();
			}
			question_work(question);
		}
		if (clock_mono_ms() >= looked_ms + LOOK_MS) {
			look_around();
			looked_ms = clock_mono_ms();
		}
	} while (go_on);
	return NULL;
}

/* ---- start and stop ---- */

static void metrics_make(void)
{
	static const char name[] = "gba_registry_s13_checks_total", help[] = "ME-Identity-Checks by answer";
	char labels[64];
	size_t i;

	for (i = 0; i <= EQUIPMENT_UNKNOWN; i++) {
		labels[0] = '\0';
		metric_label(labels, sizeof(labels), "answer", equipment_names[i]);
		s13.m[i] = metric_get(name, help, METRIC_COUNTER, labels);
	}
	s13.m_refused = metric_get(name, help, METRIC_COUNTER, "answer=\"refused\"");
	s13.m_cached = metric_get("gba_registry_s13_cached_total", "ME-Identity-Checks answered without the database",
				  METRIC_COUNTER, "");
}

static enum gba_err thread_start(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s13.wake, &attr);
	pthread_condattr_destroy(&attr);
	s13.last = &s13.first;
	s13.stopping = false;
	s13.version = -1;
	s13.runs = pthread_create(&s13.thread, NULL, s13_main, NULL) == 0;
	return s13.runs ? GBA_OK : GBA_E_INTERNAL;
}

static void s13_stop(struct registry *registry)
{
	(void)registry;
	if (s13.service != NULL)
		dia_serve_stop(s13.service);
	s13.service = NULL;
	if (s13.runs) {
		pthread_mutex_lock(&s13.lock);
		s13.stopping = true;
		pthread_cond_signal(&s13.wake);
		pthread_mutex_unlock(&s13.lock);
		pthread_join(s13.thread, NULL);
	}
	s13.runs = false;
	talloc_free(s13.ctx);
	s13.ctx = NULL;
	s13.hidden = NULL;
}

static enum gba_err s13_start(struct registry *registry, const char **_why)
{
	struct event_self self = { registry->conf->reg_id, (enum registry_type)registry->conf->reg_type, registry->key };
	enum gba_err err;

	if (registry->conf->peering.s13_peers.n == 0)
		return GBA_OK;
	*_why = "s13-peers: another trust domain of this process has them";
	if (dia_app_shown(s13_ecr_cmd.app))
		return GBA_E_EXISTS;
	s13.registry = registry;
	s13.ctx = talloc_named_const(NULL, 0, "s13");
	if (s13.ctx == NULL)
		return GBA_E_NOMEM;
	metrics_make();
	err = s13_resolve();
	if (err == GBA_OK)
		err = equipment_cache_new(s13.ctx, &s13.cache);
	if (err == GBA_OK)
		err = registry_store(s13.ctx, registry->conf, &s13.db, _why);
	if (err == GBA_OK && registry->conf->store_ms > PATIENCE_MS)
		db_patience(s13.db, PATIENCE_MS);
	if (err == GBA_OK)
		err = event_log_open(s13.ctx, s13.db, &self, &s13.log);
	if (err == GBA_OK)
		err = thread_start();
	if (err == GBA_OK)
		err = dia_serve(registry, &s13_ecr_cmd, on_ecr, NULL, &s13.service);
	if (err != GBA_OK) {
		*_why = talloc_strdup(registry, *_why);
		s13_stop(registry);
	}
	return err;
}

const struct registry_room s13_room = { "s13", s13_start, s13_stop };
