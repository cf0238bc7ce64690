/* SPDX-License-Identifier: Apache-2.0 */
#include "bsf/opc.h"

#include <pthread.h>
#include <time.h>

#include "bsf/glue.h"
#include "core/log.h"
#include "dia/opchange.h"

#define NOTES_MAX      256 /* devices that change at once; more is no loss: the next bootstrapping says it again */
#define OPC_TRIES      600
#define OPC_TIMEOUT_MS 5000

enum note_state { NOTE_FREE, NOTE_WAITING, NOTE_SENT };

struct note {
	enum note_state state;
	unsigned int tries;
	struct bsf_opc *opc;
	uint8_t impi_n, impi[IMPI_MAX];
};

struct bsf_opc {
	const struct bsf_conf *conf;
	struct hss *hss;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	struct note notes[NOTES_MAX];
};

static struct bsf_opc *the_opc; /* struct hss has no room for it: one HSS client per process */

static struct bytes impi_of(const struct note *note)
{
	return BYTES(note->impi, note->impi_n);
}

/* From ub, in a thread that must not wait: note it, the thread here sends it. */
static void made(struct hss *hss, struct bytes impi)
{
	struct note *place = NULL;
	size_t i;

	(void)hss;
	if (impi.n > IMPI_MAX)
		return;
	pthread_mutex_lock(&the_opc->lock);
	for (i = 0; i < NOTES_MAX; i++) {
		struct note *note = &the_opc->notes[i];

		if (note->state != NOTE_FREE && bytes_eq(impi_of(note), impi))
			break;
		if (note->state == NOTE_FREE && place == NULL)
			place = note;
	}
	if (i == NOTES_MAX && place != NULL) {
		memcpy(place->impi, impi.p, impi.n);
		place->impi_n = (uint8_t)impi.n;
		place->tries = 0;
		place->state = NOTE_WAITING;
		pthread_cond_signal(&the_opc->wake);
	}
	pthread_mutex_unlock(&the_opc->lock);
}

static void on_answer(void *arg, enum gba_err err, struct msg *msg)
{
	struct note *note = arg;
	struct bsf_opc *opc = note->opc;
	struct dia_result result;

	if (err == GBA_OK)
		err = dia_answer_result(msg, &result);
	if (err == GBA_OK && !dia_result_ok(&result))
		err = result.vendor == 0 && result.code < 5000 ? GBA_E_BUSY : GBA_E_PEER;
	pthread_mutex_lock(&opc->lock);
	note->state = err == GBA_OK || err == GBA_E_PEER || note->tries >= OPC_TRIES ? NOTE_FREE : NOTE_WAITING;
	pthread_mutex_unlock(&opc->lock);
}

static enum gba_err send_note(const struct bsf_opc *opc, struct note *note)
{
	struct opc_ocr ocr = { .step = OPC_TOKEN, .kind = DIA_NO_ENUM, .user_name = impi_of(note) };
	const struct bsf_hss *row = bsf_conf_hss(opc->conf, ocr.user_name);
	struct msg *msg;
	enum gba_err err;

	if (row == NULL)
		return GBA_E_IMPI_UNKNOWN;
	err = dia_request_new(&opc_ocr_cmd, bytes_of(row->realm), row->hosts.n > 0 ? bytes_of(row->hosts.v[0]) : BYTES_NONE, &msg);
	if (err != GBA_OK)
		return err;
	err = dia_encode(msg, opc_ocr_fields, &ocr);
	if (err != GBA_OK) {
		fd_msg_free(msg);
		return err;
	}
	return dia_request_send(&msg, OPC_TIMEOUT_MS, on_answer, note);
}

/* Without the lock while it is sent: done may be called before dia_request_send returns. */
static void send_waiting(struct bsf_opc *opc)
{
	enum gba_err err;
	size_t i;

	for (i = 0; i < NOTES_MAX && !opc->stopping; i++) {
		struct note *note = &opc->notes[i];

		if (note->state != NOTE_WAITING)
			continue;
		note->state = NOTE_SENT;
		note->tries++;
		pthread_mutex_unlock(&opc->lock);
		err = send_note(opc, note);
		pthread_mutex_lock(&opc->lock);
		if (err != GBA_OK)
			note->state = note->tries < OPC_TRIES ? NOTE_WAITING : NOTE_FREE;
	}
}

static bool any_waiting(const struct bsf_opc *opc, unsigned int tried)
{
	size_t i;

	for (i = 0; i < NOTES_MAX; i++) {
		if (opc->notes[i].state == NOTE_WAITING && opc->notes[i].tries <= tried)
			return true;
	}
	return false;
}

static void *opc_main(void *arg)
{
	struct bsf_opc *opc = arg;
	struct timespec t;

	pthread_mutex_lock(&opc->lock);
	while (!opc->stopping) {
		send_waiting(opc);
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_sec++;
		if (!opc->stopping && !any_waiting(opc, 0))
			pthread_cond_timedwait(&opc->wake, &opc->lock, &t);
	}
	pthread_mutex_unlock(&opc->lock);
	return NULL;
}

enum gba_err bsf_opc_start(TALLOC_CTX *mem_ctx, const struct bsf_conf *conf, struct hss *hss, struct bsf_opc **_opc)
{
	struct bsf_opc *opc;
	pthread_condattr_t attr;
	size_t i;

	*_opc = NULL;
	if (opc_resolve() != GBA_OK)
		return GBA_OK; /* dict_y3056 is not loaded */
	dia_app_optional(opc_ocr_cmd.app);
	opc = talloc_zero(mem_ctx, struct bsf_opc);
	if (opc == NULL)
		return GBA_E_NOMEM;
	opc->conf = conf;
	opc->hss = hss;
	for (i = 0; i < NOTES_MAX; i++)
		opc->notes[i].opc = opc;
	pthread_mutex_init(&opc->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&opc->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&opc->thread, NULL, opc_main, opc) != 0)
		return GBA_E_NOMEM;
	the_opc = opc;
	hss->made = made;
	*_opc = opc;
	return GBA_OK;
}

void bsf_opc_stop(struct bsf_opc *opc)
{
	if (opc == NULL)
		return;
	opc->hss->made = NULL;
	pthread_mutex_lock(&opc->lock);
	opc->stopping = true;
	pthread_cond_signal(&opc->wake);
	pthread_mutex_unlock(&opc->lock);
	pthread_join(opc->thread, NULL);
}
