/* SPDX-License-Identifier: Apache-2.0 */
#include "core/life.h"
#include "dia/dia_internal.h"
#include "dia/dia_pending.h"

#define FRAMEWORK_GRACE_MS 500 /* our own deadline comes first; the framework's only frees what it holds */

/* A locally made answer (no peer, or all lost) has no source (freeDiameter's routing threads make it). */
static bool is_local(struct msg *answer)
{
	DiamId_t source = NULL;

	return fd_msg_source_get(answer, &source, NULL) != 0 || source == NULL;
}

static enum gba_err judge(struct msg *answer)
{
	struct dia_result result;
	struct bytes own;
	enum gba_err err;

	if (is_local(answer))
		return GBA_E_UNREACHABLE;
	err = dia_answer_result(answer, &result);
	if (err != GBA_OK)
		return err;
	/* What the framework could not have handed over, the guard has replaced by an error of our own. */
	own = BYTES(fd_g_config->cnf_diamid, fd_g_config->cnf_diamid_len);
	return result.origin_host.n > 0 && !bytes_eq_nocase(result.origin_host, own) ? GBA_OK : GBA_E_PEER;
}

static void on_answer(void *data, struct msg **msg)
{
	struct msg *answer = *msg;
	enum gba_err err;
	dia_done done;
	void *arg;

	*msg = NULL; /* left set, freeDiameter would dispatch it as a request */
	if (dia_pending_take((uint64_t)(uintptr_t)data, &done, &arg)) {
		err = judge(answer);
		done(arg, err, err == GBA_OK ? answer : NULL);
	}
	fd_msg_free(answer);
}

static void on_expire(void *data, DiamId_t peer, size_t peer_len, struct msg **msg)
{
	dia_done done;
	void *arg;

	(void)peer, (void)peer_len;
	if (dia_pending_take((uint64_t)(uintptr_t)data, &done, &arg))
		done(arg, GBA_E_TIMEOUT, NULL);
	fd_msg_free(*msg);
	*msg = NULL;
}

static void framework_deadline(unsigned int timeout_ms, struct timespec *_at)
{
	clock_gettime(CLOCK_REALTIME, _at);
	timeout_ms += FRAMEWORK_GRACE_MS;
	_at->tv_sec += timeout_ms / 1000;
	_at->tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (_at->tv_nsec >= 1000000000) {
		_at->tv_nsec -= 1000000000;
		_at->tv_sec++;
	}
}

enum gba_err dia_request_send(struct msg **msg, unsigned int timeout_ms, dia_done done, void *arg)
{
	struct msg *request = *msg;
	struct timespec at;
	enum gba_err err;
	uint64_t id;

	*msg = NULL;
	err = life_ending() ? GBA_E_UNREACHABLE : dia_pending_add(timeout_ms, done, arg, &id); /* nobody will be there to answer */
	if (err != GBA_OK) {
		fd_msg_free(request);
		return err;
	}
	framework_deadline(timeout_ms, &at);
	if (fd_msg_send_timeout(&request, on_answer, (void *)(uintptr_t)id, on_expire, &at) == 0)
		return GBA_OK;
	if (request != NULL)
		fd_msg_free(request);
	return dia_pending_take(id, &done, &arg) ? GBA_E_UNREACHABLE : GBA_OK; /* else done has been called meanwhile */
}

void dia_requests_stop(void)
{
	dia_pending_stop(GBA_E_UNREACHABLE);
}
