/* SPDX-License-Identifier: Apache-2.0 */
/** What stands between freeDiameter and its peers in every process of ours: repairs or refuses what would end the daemon,
 * answers retransmissions without executing them twice, keeps keys out of the log, checks who may ask what, sheds load, and
 * counts. gba_guard.fdx, loaded first; see doc/interfaces for its configuration. */
#ifndef GBA_DIA_GUARD_H
#define GBA_DIA_GUARD_H

#include <freeDiameter/extension.h>
#include <stdbool.h>
#include <sys/types.h>
#include <talloc.h>

#include "conf/conf.h"
#include "core/bytes.h"
#include "core/err.h"
#include "core/metrics.h"
#include "core/secret.h"

/* Configuration ---------------------------------------------------------------------------------------------------- */
#define GUARD_LISTED_MAX 16 /* applications, commands of a peer */
struct guard_peer_conf {
	const char *identity;
	struct conf_strlist origin_hosts, applications, commands;
	uint32_t rate, burst; /* [1/s], requests; 0: no limit, a second's */
};

struct guard_conf {
	struct conf_common common;
	struct conf_strlist listen, realms;
	struct conf_groups peers; /* struct guard_peer_conf; none: any connected peer, for itself */
	const char *metrics_listen;
	uint32_t server_threads, cer_timeout;
	uint32_t duplicate_window, duplicate_entries, duplicate_memory;
	uint32_t busy_local, busy_peer;
	uint32_t slow_timeout, disconnect_timeout, end_limit;
};
/** Defaults and file; path NULL: defaults. @retval GBA_E_CONF  see _error */
enum gba_err guard_conf_load(TALLOC_CTX *mem_ctx, const char *path, struct guard_conf *conf, struct conf_error *_error);
/** A struct guard_conf; part of guard_conf_load. @retval GBA_E_CONF  see _error */
enum gba_err guard_conf_check(const void *conf, struct conf_error *_error);
/** Application or command: a number, or one of the names that have the same number everywhere. */
bool guard_number(const char *text, uint32_t *_number);
extern const struct conf_item guard_conf_items[];

/* Requests and their digests ----------------------------------------------------------------------------------------- */
/** Kept with each received message by freeDiameter (its struct is ours to define). Not for HOOK_DATA_RECEIVED: what that
 * hook is given for a message of length 0 lies under the octets just read, and what it keeps for octets that do not parse
 * is never freed. */
struct fd_hook_permsgdata {
	uint64_t entry; /* of guard_dup; 0: none */
};
/** Digest of what a retransmission repeats: all but hop-by-hop id, T bit, Route-Record and Proxy-Info. False for what is no
 * request of an application. */
bool guard_digest(struct bytes octets, uint64_t digest[2]);

/* Retransmissions --------------------------------------------------------------------------------------------------- */
enum guard_seen {
	GUARD_NEW,     /* first time: entered */
	GUARD_PENDING, /* the same is being worked on */
	GUARD_ANSWERED /* the same has been answered; the answer is at hand */
};
enum gba_err guard_dup_start(const struct guard_conf *conf);
void guard_dup_stop(void);
/** @param _entry  names the entry; 0 when there is no room to remember */
enum guard_seen guard_dup_enter(const uint64_t digest[2], uint64_t now_ms, uint64_t *_entry);
/** Keep the octets (malloc()ed, taken over and wiped) of the answer to the first. True: somebody waits for them. */
bool guard_dup_answered(uint64_t entry, uint8_t *octets, size_t n);
/** Hold a retransmission until its first is answered. False: cannot (answered, gone, too many wait); request is the caller's. */
bool guard_dup_join(uint64_t entry, struct msg *request);
/** An answer message for a retransmission, from the kept octets; NULL when there are none. request becomes part of it. */
struct msg *guard_dup_answer(uint64_t entry, struct msg *request);
/** Send what waiting retransmissions can get; forget what is too old. Every 100 ms from the watch thread. */
void guard_dup_tick(uint64_t now_ms);

/* Peers ------------------------------------------------------------------------------------------------------------- */
struct guard_peer; /* lives as long as the process */
/** A connection, named so that another one on its descriptor is not taken for it. */
struct guard_socket {
	int fd; /* -1: none */
	ino_t inode;
};
enum gba_err guard_peers_start(const struct guard_conf *conf);
/** NULL before guard_peer_connected and when memory is exhausted. */
struct guard_peer *guard_peer_of(struct peer_hdr *hdr);
bool guard_peer_may(const struct guard_peer *peer, struct bytes origin_host, uint32_t app, uint32_t command);
bool guard_peer_in_pace(struct guard_peer *peer);
bool guard_peer_busy(const struct guard_peer *peer);
void guard_peer_counted(struct guard_peer *peer, bool request, bool sent);
/** Count, and one line of log. */
void guard_peer_refused(struct guard_peer *peer, uint32_t code, const char *why, struct bytes origin_host);
void guard_peer_bad_answer(struct guard_peer *peer, const char *why);
/** Has each application that we ask (and do not serve) an open peer? For /readyz. */
bool guard_peers_ready(void *unused, const char **_missing);
#define GUARD_SAMPLE_MS 100
/** Sample queues into gauges and the busy flags, hang up on peers that are too slow; called by the watch thread. */
void guard_peers_sample(void);
/** @return false: its certificate is another's; nothing it asks or answers counts, until it connects with its own */
bool guard_peer_connected(struct peer_hdr *hdr);
/** The connection that peer has now. */
void guard_peer_socket(struct peer_hdr *hdr, const struct guard_socket *socket);
/** The CEA about to be sent is a refusal: nothing is served on that connection, which ends behind it. */
void guard_peer_leaves(struct guard_peer *peer);
/** Did the last connection fail in that way? */
bool guard_peer_impostor(const struct guard_peer *peer);
/** Does the certificate of the connection name the peer it says it is? True without TLS. */
bool guard_cert_names(const struct peer_hdr *peer);

/* Octets ------------------------------------------------------------------------------------------------------------ */
/* Neither number is assigned; what peers send under this vendor is removed. */
#define GUARD_VENDOR	  0xfffff6bau
#define GUARD_CARRIER_AVP 1u
#define GUARD_NOTE_AVP	  2u
#define GUARD_MSG_HEAD	  20 /* [octets] RFC 6733 3 */

struct guard_avp_head {
	uint32_t code, vendor;
	uint8_t flags;
};
/** An AVP in the octets of a message. */
struct guard_raw_avp {
	struct guard_avp_head head;
	uint32_t len; /* [octets] head and value */
	struct bytes value;
	size_t padded; /* [octets] to the next one */
};
/** The first AVP of in. False: its length does not fit. */
bool guard_raw_read(struct bytes in, struct guard_raw_avp *avp);
/** An AVP whose length does not fit into what it is in: the groups around it, from the outermost, and its head. */
#define GUARD_GROUPS 4 /* depth that is looked into */
struct guard_broken {
	struct guard_avp_head groups[GUARD_GROUPS], head;
	size_t depth;
};
/** The first such AVP of avps, in any group. @param broken  depth 0 before */
bool guard_raw_broken(struct bytes avps, struct guard_broken *broken);
/** The head at p; one that is cut short counts as filled up with zeros (RFC 6733 7.1.5). */
struct guard_avp_head guard_raw_head(const uint8_t *p, size_t n);
/** Head and value, not padded, into _octets. @return octets written */
size_t guard_raw_write(const struct guard_avp_head *head, struct bytes value, uint8_t *_octets);
/** A received message (not CER, DWR, DPR) with an AVP whose length does not fit: a note of it takes that place, so that the
 * framework can parse the message. Left alone: less than an AVP's head behind the message's.
 * In the connection's thread. @return changed */
bool guard_raw_mend(uint8_t *octets, size_t n);
/** Is avp such a note? A peer that forges one gets refused, no more. @param _head  of the AVP that did not fit */
bool guard_raw_noted(struct avp *avp, const struct avp_hdr *hdr, struct guard_avp_head *_head);

/* Capabilities ------------------------------------------------------------------------------------------------------ */
/** A received message that is a CER: unknown AVPs with the M bit are marked instead, so that the framework reads on. In the
 * connection's thread. */
void guard_cer_mend(uint8_t *octets, size_t n);
/** The CEA about to be sent (or received; NULL: none) is for a CER with such an AVP, and is now 5001. The connection has to end
 * when it is sent. */
bool guard_cer_refused(struct msg *cea);

/* Types ------------------------------------------------------------------------------------------------------------- */
/** Does the dictionary call that AVP grouped? Any thread; quick once it has been asked for. */
bool guard_is_group(const struct guard_avp_head *head);
/** Does the dictionary have that AVP? */
bool guard_is_known(const struct guard_avp_head *head);
/** Least length of a value of that AVP's type [octets]; an octet string, a group and an unknown one may be empty. */
size_t guard_least_value(const struct guard_avp_head *head);

/* Refusals ---------------------------------------------------------------------------------------------------------- */
/** Why a request goes no further. Travels inside the request, on the normal path, to a dispatch thread which answers:
 * error answers that the routing threads make themselves end the daemon when the peer has just gone. */
struct guard_refusal {
	uint32_t result;	    /* Result-Code; 0: a retransmission, see entry */
	const char *why;	    /* static: Error-Message and log */
	uint32_t failed;	    /* AVP code for Failed-AVP; 0: none */
	struct bytes failed_value;  /* absent: an example */
	struct guard_broken broken; /* with only_head: any AVP, in its groups; zeros for its value */
	bool only_head;
	uint64_t entry;
};
enum gba_err guard_refuse_start(void);
void guard_refuse_stop(void);
/** Turn the received request into the carrier of refusal. False: not possible (no application of ours); left as it is. */
bool guard_divert(struct msg *msg, const struct guard_refusal *refusal);
/** TOO_BUSY for a request that was held; NULL when memory is exhausted. */
struct msg *guard_busy_answer(struct msg *request);
/** A carrier that came from outside: to be removed. */
bool guard_is_marker(const struct avp_hdr *hdr);

/* The framework's own error answers -------------------------------------------------------------------------------- */
/** Put the offending AVP of the request in place of the zeros that the framework has put into Failed-AVP. */
void guard_mend_failed_avp(struct msg *error);
/** Any octets under any head, in a Failed-AVP: an octet string of ours that takes another's name. */
enum gba_err guard_add_raw(struct avp *failed, const struct guard_avp_head *head, struct bytes octets);
/** The dictionary's object of an octet string of ours. */
struct dict_object *guard_octets_model(void);

/* Checks ------------------------------------------------------------------------------------------------------------ */
enum gba_err guard_check_start(const struct guard_conf *conf);
/** A request received from peer: repaired, or refused by diverting it. In its PSM thread. */
void guard_request(struct msg *msg, struct guard_peer *peer, struct fd_hook_permsgdata *data);
/** An answer: what the framework could not hand over becomes a clean error of our own making. */
void guard_answer(struct msg *msg, struct guard_peer *peer);

/* Log, network, watch thread ---------------------------------------------------------------------------------------- */
enum gba_err guard_log_start(const struct guard_conf *conf);
void guard_log_stop(void);
enum gba_err guard_net_start(const struct guard_conf *conf);
/** Close connections that wait for a CER for too long. Often; all is looked at when due, or when descriptors become few: then
 * they may not wait for long. */
void guard_net_reap(uint64_t now_ms, bool due);
struct guard_socket guard_net_connected(struct peer_hdr *peer);
/** Octets written that the other side has not taken yet. Any thread. */
size_t guard_net_untaken(const struct guard_socket *socket);
/** End the connection, if it is still that one. Any thread. */
void guard_net_drop(const struct guard_socket *socket);
/** End the connection; its thread sees that. In that thread. */
void guard_net_hang_up(struct peer_hdr *peer);
enum gba_err guard_watch_start(const struct guard_conf *conf);
void guard_watch_stop(void);
/** Do the next round at once. */
void guard_watch_wake(void);

/** At most so many lines of log per second; zero-initialised but for the lock. */
struct guard_bucket {
	pthread_mutex_t lock;
	uint64_t since_ms, tokens, left_out;
};
/** @param _left_out  lines that did not pass since the last that did */
bool guard_bucket_pass(struct guard_bucket *bucket, uint64_t *_left_out);
/** Take values of AVPs out of a line of the framework's log (GUARD_LINE octets), in place. */
#define GUARD_LINE 512
void guard_mask(char *line);

#endif
