/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"
#include "dia/guard/guard.h"
#include "http/server.h"

#define COMMAND_UNSUPPORTED 3001 /* RFC 6733 7.1.3 */
#define AVP_UNSUPPORTED	    5001

static struct {
	TALLOC_CTX *ctx;
	struct guard_conf conf;
	struct fd_hook_data_hdl *data;
	struct fd_hook_hdl *hooks[5];
	struct http_server *metrics;
} ext;

/* A hook type that nobody has taken makes the framework format the whole message to text under a global lock. */
static void on_nothing(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		       struct fd_hook_permsgdata *data, void *regdata)
{
	(void)type, (void)msg, (void)peer, (void)other, (void)data, (void)regdata;
}

/* In the connection's thread, before anybody has read the octets. */
static void on_octets(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		      struct fd_hook_permsgdata *data, void *regdata)
{
	struct fd_cnx_rcvdata *received = other;

	(void)type, (void)msg, (void)peer, (void)data, (void)regdata;
	(void)guard_raw_mend(received->buffer, received->length);
	guard_cer_mend(received->buffer, received->length);
}

/* In the peer's thread, which alone owns the message. peer is NULL for a CER. */
static void on_received(enum fd_hook_type type, struct msg *msg, struct peer_hdr *hdr, void *other,
			struct fd_hook_permsgdata *data, void *regdata)
{
	struct guard_peer *peer;
	struct msg_hdr *msg_hdr;

	(void)type, (void)other, (void)regdata;
	if (hdr == NULL || fd_msg_hdr(msg, &msg_hdr) != 0)
		return;
	peer = guard_peer_of(hdr);
	if (!(msg_hdr->msg_flags & CMD_FLAG_REQUEST)) {
		guard_peer_counted(peer, false, false);
		guard_answer(msg, peer);
	} else if (fd_msg_is_routable(msg)) {
		guard_peer_counted(peer, true, false);
		guard_request(msg, peer, data);
	}
}

/* RFC 6733 6.2: as in the request; the framework's own error answers never have it. */
static void copy_p_bit(struct msg *answer, struct msg_hdr *hdr)
{
	struct msg_hdr *request_hdr;
	struct msg *request = NULL;

	if (fd_msg_answ_getq(answer, &request) != 0 || request == NULL || fd_msg_hdr(request, &request_hdr) != 0)
		return;
	hdr->msg_flags = (uint8_t)((hdr->msg_flags & ~CMD_FLAG_PROXIABLE) | (request_hdr->msg_flags & CMD_FLAG_PROXIABLE));
}

/* A command of the dictionary that nobody here serves: the framework refuses it without a word. */
static void tell_unserved(struct msg *answer, struct peer_hdr *peer)
{
	struct dict_object *result_code = NULL, *model = NULL;
	struct msg *request = NULL;
	struct avp *avp = NULL;
	struct avp_hdr *hdr;
	uint32_t code = 268; /* Result-Code */

	if (peer == NULL || fd_msg_answ_getq(answer, &request) != 0 || request == NULL || fd_msg_model(request, &model) != 0 ||
	    model == NULL)
		return; /* not even known: told when it was parsed */
	if (fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_CODE, &code, &result_code, ENOENT) == 0 &&
	    fd_msg_search_avp(answer, result_code, &avp) == 0 && avp != NULL && fd_msg_avp_hdr(avp, &hdr) == 0 &&
	    hdr->avp_value != NULL && hdr->avp_value->u32 == COMMAND_UNSUPPORTED)
		guard_peer_refused(guard_peer_of(peer), COMMAND_UNSUPPORTED, "command not served", BYTES_NONE);
}

/* About to be sent, complete: keep the answer for retransmissions of its request. */
static void on_sending(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
		       struct fd_hook_permsgdata *data, void *regdata)
{
	struct fd_hook_permsgdata *request_data;
	struct msg_hdr *hdr;
	uint8_t *octets;
	size_t n;

	(void)type, (void)other, (void)data, (void)regdata;
	if (fd_msg_hdr(msg, &hdr) != 0)
		return;
	if (!(hdr->msg_flags & CMD_FLAG_REQUEST))
		copy_p_bit(msg, hdr);
	if (hdr->msg_appl == 0)
		return;
	if ((hdr->msg_flags & (CMD_FLAG_REQUEST | CMD_FLAG_ERROR)) == CMD_FLAG_ERROR)
		tell_unserved(msg, peer);
	guard_peer_counted(peer != NULL ? guard_peer_of(peer) : NULL, (hdr->msg_flags & CMD_FLAG_REQUEST) != 0, true);
	if (hdr->msg_flags & CMD_FLAG_REQUEST)
		return;
	request_data = fd_hook_get_request_pmd(ext.data, msg);
	if (request_data == NULL || request_data->entry == 0 || fd_msg_bufferize(msg, &octets, &n) != 0)
		return;
	if (guard_dup_answered(request_data->entry, octets, n))
		guard_watch_wake();
}

static void on_connected(enum fd_hook_type type, struct msg *msg, struct peer_hdr *peer, void *other,
			 struct fd_hook_permsgdata *data, void *regdata)
{
	struct log_about about = { .peer = BYTES_NONE };
	struct guard_socket socket;

	(void)type, (void)other, (void)data, (void)regdata;
	if (peer == NULL)
		return;
	about.peer = BYTES(peer->info.pi_diamid, peer->info.pi_diamidlen);
	if (!guard_peer_connected(peer)) {
		about.result = GBA_E_DENIED;
		about.clause = "RFC 6733 13.1";
		log_event_limited(1, LOG_L_ERROR, "peer.impostor", &about,
				  "the certificate does not name this peer: connection closed");
		guard_net_hang_up(peer);
		return;
	}
	socket = guard_net_connected(peer);
	guard_peer_socket(peer, &socket);
	if (guard_cer_refused(msg)) {
		guard_peer_leaves(guard_peer_of(peer));
		guard_peer_refused(guard_peer_of(peer), AVP_UNSUPPORTED, "unknown AVP with M bit in CER", BYTES_NONE);
		return;
	}
	log_event(LOG_L_INFO, "peer.up", &about, "connected");
}

static int register_hooks(void)
{
	const uint32_t told_nobody = HOOK_MASK(HOOK_MESSAGE_LOCAL, HOOK_MESSAGE_SENT, HOOK_MESSAGE_ROUTING_LOCAL,
					       HOOK_MESSAGE_ROUTING_FORWARD);
	int rc;

	rc = fd_hook_data_register(sizeof(struct fd_hook_permsgdata), NULL, NULL, &ext.data);
	if (rc == 0)
		rc = fd_hook_register(HOOK_MASK(HOOK_MESSAGE_RECEIVED), on_received, NULL, ext.data, &ext.hooks[0]);
	if (rc == 0)
		rc = fd_hook_register(HOOK_MASK(HOOK_MESSAGE_SENDING), on_sending, NULL, NULL, &ext.hooks[1]);
	if (rc == 0)
		rc = fd_hook_register(HOOK_MASK(HOOK_PEER_CONNECT_SUCCESS), on_connected, NULL, NULL, &ext.hooks[2]);
	if (rc == 0)
		rc = fd_hook_register(told_nobody, on_nothing, NULL, NULL, &ext.hooks[3]);
	if (rc == 0)
		rc = fd_hook_register(HOOK_MASK(HOOK_DATA_RECEIVED), on_octets, NULL, NULL, &ext.hooks[4]);
	return rc;
}

static enum gba_err start_metrics(void)
{
	const char *why = "";
	enum gba_err err;

	if (ext.conf.metrics_listen[0] == '\0')
		return GBA_OK;
	err = http_metrics_start(ext.ctx, ext.conf.metrics_listen, guard_peers_ready, NULL, &ext.metrics, &why);
	if (err != GBA_OK)
		log_event(LOG_L_ERROR, "guard.conf", &(struct log_about){ .result = err }, "metrics-listen: %s", why);
	return err;
}

static enum gba_err start(void)
{
	struct conf_error error;
	enum gba_err err;

	err = conf_common_apply("guard", &ext.conf.common, &error);
	if (err != GBA_OK)
		log_event(LOG_L_ERROR, "guard.conf", &(struct log_about){ .result = err }, "%s", error.text);
	if (err == GBA_OK)
		err = guard_log_start(&ext.conf);
	if (err == GBA_OK)
		err = guard_dup_start(&ext.conf);
	if (err == GBA_OK)
		err = guard_peers_start(&ext.conf);
	if (err == GBA_OK)
		err = guard_check_start(&ext.conf);
	if (err == GBA_OK)
		err = guard_refuse_start();
	if (err == GBA_OK)
		err = guard_net_start(&ext.conf);
	if (err == GBA_OK && register_hooks() != 0)
		err = GBA_E_NOMEM;
	if (err == GBA_OK)
		err = start_metrics();
	if (err == GBA_OK)
		err = guard_watch_start(&ext.conf);
	return err;
}

static void stop(void)
{
	size_t i;

	if (ext.metrics != NULL)
		http_server_stop(ext.metrics, 0);
	ext.metrics = NULL;
	guard_watch_stop();
	for (i = 0; i < sizeof(ext.hooks) / sizeof(ext.hooks[0]); i++) {
		if (ext.hooks[i] != NULL)
			(void)fd_hook_unregister(ext.hooks[i]);
		ext.hooks[i] = NULL;
	}
	guard_refuse_stop();
	guard_dup_stop();
	guard_log_stop();
	TALLOC_FREE(ext.ctx);
}

static int guard_entry(char *path)
{
	struct conf_error error;
	enum gba_err err;

	ext.ctx = talloc_named_const(NULL, 0, "guard");
	err = guard_conf_load(ext.ctx, path, &ext.conf, &error);
	if (err != GBA_OK) {
		log_event(LOG_L_ERROR, "guard.conf", &(struct log_about){ .result = err }, "%s", error.text);
	} else {
		err = start();
		if (err != GBA_OK)
			log_event(LOG_L_ERROR, "guard.start", &(struct log_about){ .result = err }, "cannot start");
	}
	if (err == GBA_OK)
		return 0;
	stop();
	return EINVAL;
}

EXTENSION_ENTRY("gba_guard", guard_entry);

void fd_ext_fini(void);
void fd_ext_fini(void)
{
	stop();
}
