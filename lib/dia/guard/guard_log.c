/* SPDX-License-Identifier: Apache-2.0 */
/* The framework's log through ours: one line per event, no AVP values. Its own handlers print whole messages, keys too, at
 * error level when a peer leaves while an answer is on its way. */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/life.h"
#include "core/log.h"
#include "dia/guard/guard.h"

#define LINE_CAP      GUARD_LINE
#define HEX_RUN       12 /* digits from which on a run is taken for a value */
#define BURST	      50 /* lines at once */
#define PER_SECOND    10
#define DIGITS_OCTETS 2

#define RULE_CAP      192
#define RULE_TEXT     "Conflicting rule: "

static struct fd_hook_hdl *loggers;
static _Thread_local char broken_rule[RULE_CAP]; /* the grammar rule that the message now being parsed breaks */
static uint32_t end_limit_ms;

/* A bucket of lines: what does not pass is counted and told with the next that does. */
bool guard_bucket_pass(struct guard_bucket *bucket, uint64_t *_left_out)
{
	uint64_t now;
	bool pass;

	pthread_mutex_lock(&bucket->lock);
	now = clock_mono_ms(); /* not before the lock: it must not be behind since_ms */
	if (bucket->since_ms == 0) {
		bucket->tokens = BURST * UINT64_C(1000);
		bucket->since_ms = now;
	}
	bucket->tokens += (now - bucket->since_ms) * PER_SECOND;
	if (bucket->tokens > BURST * UINT64_C(1000))
		bucket->tokens = BURST * UINT64_C(1000);
	bucket->since_ms = now;
	pass = bucket->tokens >= 1000;
	*_left_out = bucket->left_out;
	if (pass)
		bucket->tokens -= 1000;
	bucket->left_out = pass ? 0 : bucket->left_out + 1;
	pthread_mutex_unlock(&bucket->lock);
	return pass;
}

static bool is_value_char(char c)
{
	return isxdigit((unsigned char)c) != 0;
}

/* Cut what follows "val=" or "v: ", and long runs of hex digits (blanks between pairs too). */
void guard_mask(char *line)
{
	char *value = strstr(line, "val="), *typed = strstr(line, " v: "), *p, *out, *run;
	size_t digits;

	if (typed != NULL && (value == NULL || typed < value))
		value = typed;
	if (value != NULL)
		snprintf(value, LINE_CAP - (size_t)(value - line), "<masked>");
	for (p = out = line; *p != '\0';) {
		for (run = p, digits = 0; is_value_char(*run) || (*run == ' ' && digits >= DIGITS_OCTETS && is_value_char(run[1]));
		     run++)
			digits += *run != ' ';
		if (digits >= HEX_RUN) {
			memcpy(out, "<masked>", 8);
			out += 8;
			p = run;
			continue;
		}
		do
			*out++ = *p++;
		while (p < run);
	}
	*out = '\0';
}

static enum log_level level_of(int level)
{
	switch (level) {
	case FD_LOG_FATAL:
	case FD_LOG_ERROR: return LOG_L_ERROR;
	default: return LOG_L_DEBUG; /* its notices are for its developers */
	}
}

/* What a malformed message or a lost connection makes every function on the way up say; the event's own line tells it. */
static bool is_echo(const char *line)
{
	static const int faults_of_others[] = { EBADMSG, ENOTSUP, ENOTCONN };
	const char *text;
	size_t i, n = strlen(line);

	if (strncmp(line, RULE_TEXT, strlen(RULE_TEXT)) == 0) {
		snprintf(broken_rule, sizeof(broken_rule), "%.*s", RULE_CAP - 1, line + strlen(RULE_TEXT));
		return true;
	}
	for (i = 0; i < sizeof(faults_of_others) / sizeof(faults_of_others[0]); i++) {
		text = strerrordesc_np(faults_of_others[i]);
		if (strncmp(line, "ERROR: in '", 11) == 0 && n > strlen(text) && strcmp(line + n - strlen(text), text) == 0)
			return true;
	}
	return strstr(line, ": Improve...") != NULL; /* a note of its developers, at the level of fatal errors */
}

/* At its end the framework asserts that threads leave its queues within 20 ms; on a busy machine they do not. By then the peers
 * are gone, and what we have acknowledged is on disk: that is an end like any other. */
static void on_abort(int number)
{
	static const char text[] = "process.end: the framework aborted while it ended\n";

	(void)number;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_SUCCESS);
}

static void begin_end(void)
{
	struct sigaction abort_action = { .sa_handler = on_abort };

	(void)sigaction(SIGABRT, &abort_action, NULL);
	life_end(end_limit_ms);
}

/* Called under the framework's own log lock. */
static void on_line(int fd_level, const char *format, va_list args)
{
	static struct guard_bucket bucket = { .lock = PTHREAD_MUTEX_INITIALIZER };
	enum log_level level = level_of(fd_level);
	uint64_t left_out = 0;
	char line[LINE_CAP];

	if (strstr(format, "shutdown sequence") != NULL) { /* the framework tells it nowhere else */
		begin_end();
		level = LOG_L_INFO;
	}
	if (fd_level < FD_LOG_NOTICE)
		return;
	vsnprintf(line, sizeof(line), format, args);
	guard_mask(line);
	if (fd_level >= FD_LOG_ERROR && is_echo(line))
		level = LOG_L_DEBUG;
	if (!log_enabled(level))
		return;
	if (level == LOG_L_ERROR && fd_level != FD_LOG_FATAL && !guard_bucket_pass(&bucket, &left_out))
		return;
	if (left_out > 0)
		log_event(level, "diameter.stack", NULL, "%s (%llu lines left out)", line, (unsigned long long)left_out);
	else
		log_event(level, "diameter.stack", NULL, "%s", line);
}

static const char *event_of(enum fd_hook_type type)
{
	switch (type) {
	case HOOK_MESSAGE_DROPPED: return "diameter.dropped";
	case HOOK_MESSAGE_ROUTING_ERROR: return "diameter.routing";
	case HOOK_MESSAGE_PARSING_ERROR:
	case HOOK_MESSAGE_PARSING_ERROR2: return "diameter.parsing";
	case HOOK_PEER_CONNECT_FAILED: return "peer.down";
	case HOOK_MESSAGE_FAILOVER: return "diameter.failover";
	default: return "diameter.event";
	}
}

static struct bytes peer_of(struct msg *msg, struct peer_hdr *peer)
{
	DiamId_t source = NULL;
	size_t n = 0;

	if (peer != NULL)
		return BYTES(peer->info.pi_diamid, peer->info.pi_diamidlen);
	if (msg != NULL && fd_msg_source_get(msg, &source, &n) == 0 && source != NULL)
		return BYTES(source, n);
	return BYTES_NONE;
}

static void log_message(enum fd_hook_type type, struct msg *msg, struct bytes peer, const char *why)
{
	static struct guard_bucket bucket = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct log_about about = { .peer = peer };
	char text[LINE_CAP];
	struct msg_hdr *hdr;
	uint64_t left_out;

	if (!guard_bucket_pass(&bucket, &left_out))
		return;
	snprintf(text, sizeof(text), "%s", why);
	guard_mask(text);
	if (msg != NULL && fd_msg_hdr(msg, &hdr) == 0)
		log_event(LOG_L_WARNING, event_of(type), &about, "%s (command %u%s, application %u, end-to-end %08x)", text,
			  hdr->msg_code, hdr->msg_flags & CMD_FLAG_REQUEST ? " request" : " answer", hdr->msg_appl,
			  hdr->msg_eteid);
	else
		log_event(LOG_L_WARNING, event_of(type), &about, "%s", text);
	if (left_out > 0)
		log_event(LOG_L_WARNING, event_of(type), NULL, "%llu lines left out before", (unsigned long long)left_out);
}

static void on_event(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other, struct fd_hook_permsgdata *data,
		     void *regdata)
{
	char text[LINE_CAP];
	const char *why = other;

	(void)data, (void)regdata;
	if (type == HOOK_MESSAGE_PARSING_ERROR && msg == NULL)
		why = "octets that are no Diameter message"; /* other is those octets */
	if (type == HOOK_MESSAGE_PARSING_ERROR2) { /* the line before it has said why */
		guard_mend_failed_avp(msg);
		return;
	}
	if (type == HOOK_MESSAGE_PARSING_ERROR && broken_rule[0] != '\0' && why != NULL) {
		snprintf(text, sizeof(text), "%.80s: %s", why, broken_rule);
		why = text;
	}
	broken_rule[0] = '\0';
	metric_add(metric_get("gba_diameter_stack_errors_total", "Messages and connections that the framework gave up",
			      METRIC_COUNTER, ""), 1);
	log_message(type, msg, peer_of(msg, peer), why != NULL ? why : "no reason given");
}

enum gba_err guard_log_start(const struct guard_conf *conf)
{
	uint32_t mask = HOOK_MASK(HOOK_MESSAGE_DROPPED, HOOK_MESSAGE_ROUTING_ERROR, HOOK_MESSAGE_PARSING_ERROR,
				  HOOK_MESSAGE_PARSING_ERROR2, HOOK_PEER_CONNECT_FAILED, HOOK_MESSAGE_FAILOVER);

	end_limit_ms = conf->end_limit;
	if (fd_log_handler_register(on_line) != 0)
		log_event(LOG_L_WARNING, "guard.log", NULL, "another extension has the framework's log; it is not masked");
	return fd_hook_register(mask, on_event, NULL, NULL, &loggers) == 0 ? GBA_OK : GBA_E_NOMEM;
}

void guard_log_stop(void)
{
	if (loggers != NULL)
		(void)fd_hook_unregister(loggers);
	loggers = NULL;
	(void)fd_log_handler_unregister(); /* our code is about to be unmapped */
}
