/* SPDX-License-Identifier: Apache-2.0 */
/* Requests before the routing threads see them. What those would refuse themselves is refused here, on a path that does
 * not end the daemon when the peer has gone; what would end a dispatch thread is taken out. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "core/clock.h"
#include "dia/guard/guard.h"

enum {
	USER_NAME = 1,
	SESSION_ID = 263,
	ORIGIN_HOST = 264,
	AUTH_SESSION_STATE = 277,
	ROUTE_RECORD = 282,
	PROXY_INFO = 284,
	DESTINATION_REALM = 283,
	DESTINATION_HOST = 293,
};
/* RFC 6733 7.1 */
enum {
	UNABLE_TO_DELIVER = 3002,
	REALM_NOT_SERVED = 3003,
	TOO_BUSY = 3004,
	LOOP_DETECTED = 3005,
	APPLICATION_UNSUPPORTED = 3007,
	INVALID_HDR_BITS = 3008,
	AUTHORIZATION_REJECTED = 5003,
	INVALID_AVP_VALUE = 5004,
	MISSING_AVP = 5005,
	INVALID_AVP_LENGTH = 5014,
};

static struct {
	const struct guard_conf *conf;
	struct dict_object *destination_realm;
} check;

/* What the routing AVPs of a request say. */
struct routing {
	struct avp *realm_avp;
	struct bytes realm, host, origin_host, session_id, user_name;
	uint8_t session_state[4];
	struct guard_broken broken; /* the AVP whose length does not fit */
	bool own_record, has_session_id, bad_session_id, bad_session_state, bad_proxy_info, has_origin_host, is_broken;
};

/* What its octets tell. */
struct whole {
	uint64_t digest[2];
	struct guard_broken broken; /* in a group: at the top is what guard_raw_mend() has found */
	bool has_digest, is_broken;
};

enum gba_err guard_check_start(const struct guard_conf *conf)
{
	uint32_t code = DESTINATION_REALM;

	check.conf = conf;
	return fd_dict_search(fd_g_config->cnf_dict, DICT_AVP, AVP_BY_CODE, &code, &check.destination_realm, ENOENT) == 0
		       ? GBA_OK
		       : GBA_E_NOT_FOUND;
}

static struct bytes own_identity(void)
{
	return BYTES(fd_g_config->cnf_diamid, fd_g_config->cnf_diamid_len);
}

static struct bytes own_realm(void)
{
	return BYTES(fd_g_config->cnf_diamrlm, fd_g_config->cnf_diamrlm_len);
}

static bool serves_realm(struct bytes realm)
{
	size_t i;

	for (i = 0; i < check.conf->realms.n; i++) {
		if (bytes_eq_nocase(realm, bytes_of(check.conf->realms.v[i])))
			return true;
	}
	return bytes_eq_nocase(realm, own_realm());
}

static bool serves_application(uint32_t app)
{
	struct fd_list *li;

	for (li = fd_g_config->cnf_apps.next; li != &fd_g_config->cnf_apps; li = li->next) {
		if (((struct fd_app *)li)->appid == app)
			return app != 0;
	}
	return false;
}

static struct bytes value_of(struct avp *avp, const struct avp_hdr *hdr)
{
	if (hdr->avp_value == NULL && fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) != 0)
		return BYTES_NONE;
	return hdr->avp_value != NULL ? BYTES(hdr->avp_value->os.data, hdr->avp_value->os.len) : BYTES_NONE;
}

static void read_session_id(struct avp *avp, const struct avp_hdr *hdr, struct routing *r)
{
	struct bytes value = value_of(avp, hdr);

	if (!r->has_session_id)
		r->session_id = value;
	r->has_session_id = true;
	/* The session module takes what a C string cannot hold for a broken framework, and stops the daemon. */
	if (value.n == 0 || memchr(value.p, '\0', value.n) != NULL) {
		r->session_id = value;
		r->bad_session_id = true;
	}
}

/* Every answer copies Proxy-Info. Where that fails, at an unknown AVP without octets, the framework leaks the copies. */
static bool is_copied(struct avp *avp)
{
	struct dict_object *model = NULL;
	struct avp *child = NULL;
	struct avp_hdr *hdr;

	if (fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) != 0 || fd_msg_avp_hdr(avp, &hdr) != 0 ||
	    fd_msg_model(avp, &model) != 0)
		return false;
	if (model == NULL)
		return hdr->avp_len > (hdr->avp_flags & AVP_FLAG_VENDOR ? 12u : 8u);
	(void)fd_msg_browse(avp, MSG_BRW_FIRST_CHILD, &child, NULL);
	while (child != NULL) {
		if (!is_copied(child))
			return false;
		if (fd_msg_browse(child, MSG_BRW_NEXT, &child, NULL) != 0)
			return false;
	}
	return true;
}

/* STATE_MAINTAINED and NO_STATE_MAINTAINED are all there is (RFC 6733 8.11); a wrong length is found with the other AVPs'. */
static void read_session_state(struct avp *avp, const struct avp_hdr *hdr, struct routing *r)
{
	uint32_t state;

	if (hdr->avp_len != 8 + sizeof(state) ||
	    (hdr->avp_value == NULL && fd_msg_parse_dict(avp, fd_g_config->cnf_dict, NULL) != 0) || hdr->avp_value == NULL)
		return;
	state = htonl(hdr->avp_value->u32);
	r->bad_session_state |= hdr->avp_value->u32 > 1;
	memcpy(r->session_state, &state, sizeof(r->session_state));
}

static void read_avp(struct avp *avp, const struct avp_hdr *hdr, struct routing *r)
{
	switch (hdr->avp_code) {
	case SESSION_ID: read_session_id(avp, hdr, r); break;
	case ORIGIN_HOST:
		r->has_origin_host = true;
		r->origin_host = value_of(avp, hdr);
		break;
	case AUTH_SESSION_STATE: read_session_state(avp, hdr, r); break;
	case DESTINATION_HOST: r->host = value_of(avp, hdr); break;
	case DESTINATION_REALM:
		r->realm_avp = avp;
		r->realm = value_of(avp, hdr);
		break;
	case USER_NAME: r->user_name = value_of(avp, hdr); break;
	case PROXY_INFO: r->bad_proxy_info |= !is_copied(avp); break;
	case ROUTE_RECORD: r->own_record |= bytes_eq_nocase(value_of(avp, hdr), own_identity()); break;
	default: break;
	}
}

/* Read what routing needs; carriers are never a peer's to send. */
static void read_routing(struct msg *msg, struct routing *r)
{
	struct avp *avp = NULL, *next;
	struct avp_hdr *hdr;

	*r = (struct routing){ 0 };
	(void)fd_msg_browse(msg, MSG_BRW_FIRST_CHILD, &avp, NULL);
	for (; avp != NULL; avp = next) {
		next = NULL;
		(void)fd_msg_browse(avp, MSG_BRW_NEXT, &next, NULL);
		if (fd_msg_avp_hdr(avp, &hdr) != 0)
			continue;
		if (guard_raw_noted(avp, hdr, &r->broken.head)) {
			r->is_broken = true;
			fd_msg_free(avp);
		} else if (guard_is_marker(hdr)) {
			fd_msg_free(avp);
		} else if (!(hdr->avp_flags & AVP_FLAG_VENDOR))
			read_avp(avp, hdr, r);
	}
}

/* "homerealm!user@other": the routing thread would rewrite the realm and route again (RFC 5729); no IMPI looks so. */
static bool is_decorated(struct bytes user_name)
{
	const uint8_t *at = user_name.n > 0 ? memchr(user_name.p, '@', user_name.n) : NULL;

	return at != NULL && memchr(user_name.p, '!', (size_t)(at - user_name.p)) != NULL;
}

#define REFUSE(code, text, ...) return (struct guard_refusal){ .result = (code), .why = (text), ##__VA_ARGS__ }

static struct guard_refusal judge_routing(const struct msg_hdr *hdr, const struct routing *r)
{
	if (hdr->msg_flags & CMD_FLAG_ERROR)
		REFUSE(INVALID_HDR_BITS, "R and E bits set");
	if (!serves_application(hdr->msg_appl))
		REFUSE(APPLICATION_UNSUPPORTED, "application not supported");
	if (r->is_broken)
		REFUSE(INVALID_AVP_LENGTH, "invalid length of an AVP", .broken = r->broken, .only_head = true);
	if (r->own_record)
		REFUSE(LOOP_DETECTED, "loop detected");
	if (r->bad_session_id)
		REFUSE(INVALID_AVP_VALUE, "invalid Session-Id", .failed = SESSION_ID, .failed_value = r->session_id);
	if (r->bad_proxy_info)
		REFUSE(INVALID_AVP_VALUE, "invalid Proxy-Info", .failed = PROXY_INFO);
	if (r->bad_session_state)
		REFUSE(INVALID_AVP_VALUE, "invalid Auth-Session-State", .failed = AUTH_SESSION_STATE,
		       .failed_value = BYTES(r->session_state, sizeof(r->session_state)));
	if (!r->has_origin_host)
		REFUSE(MISSING_AVP, "Origin-Host missing", .failed = ORIGIN_HOST);
	if (r->realm_avp == NULL)
		REFUSE(MISSING_AVP, "Destination-Realm missing", .failed = DESTINATION_REALM);
	if (r->host.p != NULL && !bytes_eq_nocase(r->host, own_identity()))
		REFUSE(UNABLE_TO_DELIVER, "not the Destination-Host");
	if (!serves_realm(r->realm))
		REFUSE(REALM_NOT_SERVED, "realm not served");
	if (is_decorated(r->user_name))
		REFUSE(INVALID_AVP_VALUE, "decorated User-Name", .failed = USER_NAME, .failed_value = r->user_name);
	REFUSE(0, NULL);
}

static struct guard_refusal judge_peer(const struct msg_hdr *hdr, const struct routing *r, struct guard_peer *peer)
{
	if (peer == NULL)
		REFUSE(TOO_BUSY, "out of memory");
	if (!guard_peer_may(peer, r->origin_host, hdr->msg_appl, hdr->msg_code))
		REFUSE(AUTHORIZATION_REJECTED, "not allowed for this peer");
	if (!guard_peer_in_pace(peer))
		REFUSE(TOO_BUSY, "more than its rate");
	if (guard_peer_busy(peer))
		REFUSE(TOO_BUSY, "too busy");
	REFUSE(0, NULL);
}

/* A relay's daemon may have other messages to pass on: those are routing's. */
static bool is_for_others(const struct routing *r)
{
	if (fd_g_config->cnf_flags.no_fwd)
		return false;
	return r->realm_avp != NULL &&
	       ((r->host.p != NULL && !bytes_eq_nocase(r->host, own_identity())) || !serves_realm(r->realm));
}

/* The stock routing thread takes a message for its own realm only. */
static void bring_home(struct routing *r)
{
	union avp_value value = { .os = { .data = (uint8_t *)fd_g_config->cnf_diamrlm, .len = fd_g_config->cnf_diamrlm_len } };

	if (r->realm_avp != NULL && r->host.p == NULL && !bytes_eq_nocase(r->realm, own_realm()))
		(void)fd_msg_avp_setvalue(r->realm_avp, &value);
}

/* While its AVPs are as they came: cheap then, and nothing has been changed yet. */
static void read_octets(struct msg *msg, struct whole *whole)
{
	struct bytes octets;
	uint8_t *p;

	*whole = (struct whole){ 0 };
	if (fd_msg_bufferize(msg, &p, &octets.n) != 0)
		return;
	octets.p = p;
	whole->has_digest = guard_digest(octets, whole->digest);
	whole->is_broken = guard_raw_broken(BYTES(p + GUARD_MSG_HEAD, octets.n - GUARD_MSG_HEAD), &whole->broken);
	free(p);
}

static void check_repeated(struct msg *msg, const uint64_t digest[2], struct fd_hook_permsgdata *data)
{
	struct guard_refusal again = { 0 };
	enum guard_seen seen;
	uint64_t entry;

	seen = guard_dup_enter(digest, clock_mono_ms(), &entry);
	if (seen == GUARD_NEW) {
		data->entry = entry;
		return;
	}
	again.entry = entry;
	if (guard_divert(msg, &again))
		metric_add(metric_get("gba_diameter_retransmissions_total", "Requests received again", METRIC_COUNTER, ""), 1);
}

void guard_request(struct msg *msg, struct guard_peer *peer, struct fd_hook_permsgdata *data)
{
	struct guard_refusal refusal;
	struct msg_hdr *hdr;
	struct routing r;
	struct whole whole;

	if (fd_msg_hdr(msg, &hdr) != 0)
		return;
	read_octets(msg, &whole);
	read_routing(msg, &r);
	if (whole.is_broken && !r.is_broken) {
		r.is_broken = true;
		r.broken = whole.broken;
	}
	if (is_for_others(&r) && !r.bad_session_id && !r.bad_proxy_info && !r.is_broken)
		return;
	refusal = judge_routing(hdr, &r);
	if (refusal.result == 0)
		refusal = judge_peer(hdr, &r, peer);
	if (refusal.result == 0) {
		bring_home(&r);
		if (data != NULL && whole.has_digest)
			check_repeated(msg, whole.digest, data); /* may take the message's AVPs away */
		return;
	}
	guard_peer_refused(peer, refusal.result, refusal.why, r.origin_host);
	(void)guard_divert(msg, &refusal);
}
