/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: where we listen, how they are set, and connections that never say who they are. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/log.h"
#include "dia/guard/guard.h"

#define SILENT_MAX 4096 /* connections without CER that are timed at once */

/* An accepted connection that no peer has claimed yet. */
struct silent {
	ino_t inode;
	uint64_t since_ms;
	bool seen;
};

static struct {
	const struct guard_conf *conf;
	struct silent silent[SILENT_MAX];
	size_t n;
	struct metric *waiting, *closed;
} net;

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

static bool parse_address(const char *text, union address *address, socklen_t *_len)
{
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &address->in.sin_addr) == 1) {
		address->sa.sa_family = AF_INET;
		*_len = sizeof(address->in);
		return true;
	}
	if (inet_pton(AF_INET6, text, &address->in6.sin6_addr) == 1) {
		address->sa.sa_family = AF_INET6;
		*_len = sizeof(address->in6);
		return true;
	}
	return false;
}

/* The parser of freeDiameter.conf drops loopback addresses and then listens on all; its own function takes them. */
static enum gba_err add_endpoint(const char *text)
{
	union address address;
	socklen_t len;

	if (!parse_address(text, &address, &len)) {
		log_event(LOG_L_ERROR, "guard.conf", &(struct log_about){ .result = GBA_E_CONF },
			  "listen: %s is no IP address", text);
		return GBA_E_CONF;
	}
	if (fd_ep_add_merge(&fd_g_config->cnf_endpoints, &address.sa, len, EP_FL_CONF | EP_ACCEPTALL) != 0)
		return GBA_E_NOMEM;
	return GBA_OK;
}

enum gba_err guard_net_start(const struct guard_conf *conf)
{
	enum gba_err err = GBA_OK;
	size_t i;

	net.conf = conf;
	net.waiting = metric_get("gba_diameter_connections_waiting", "Accepted connections without CER so far", METRIC_GAUGE, "");
	net.closed = metric_get("gba_diameter_connections_timed_out_total", "Connections closed for want of a CER",
				METRIC_COUNTER, "");
	if ((uint32_t)fd_g_config->cnf_thr_srv < conf->server_threads)
		fd_g_config->cnf_thr_srv = (int)conf->server_threads;
	for (i = 0; i < conf->listen.n && err == GBA_OK; i++)
		err = add_endpoint(conf->listen.v[i]);
	return err;
}

static int socket_of(struct peer_hdr *peer)
{
	char info[128];
	const char *number;

	if (fd_peer_cnx_proto_info(peer, info, sizeof(info)) != 0)
		return -1;
	number = strstr(info, "soc#");
	return number != NULL ? atoi(number + 4) : -1;
}

/* Each message is one small write: with Nagle's algorithm the next waits for the peer's delayed ACK, 40 ms. */
void guard_net_connected(struct peer_hdr *peer)
{
	int fd = socket_of(peer), one = 1;

	if (fd >= 0)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* Did this connection come in on one of freeDiameter's ports? */
static bool is_accepted(int fd)
{
	union address own, remote;
	socklen_t len = sizeof(own), remote_len = sizeof(remote), int_len = sizeof(int);
	int listening = 0, protocol = 0;
	uint16_t port;

	if (getsockname(fd, &own.sa, &len) != 0 || (own.sa.sa_family != AF_INET && own.sa.sa_family != AF_INET6))
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &int_len) != 0 || protocol != IPPROTO_TCP)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &int_len) != 0 || listening)
		return false;
	port = ntohs(own.sa.sa_family == AF_INET ? own.in.sin_port : own.in6.sin6_port);
	if (port == 0 || (port != fd_g_config->cnf_port && port != fd_g_config->cnf_port_tls))
		return false;
	return getpeername(fd, &remote.sa, &remote_len) == 0;
}

static bool is_of_a_peer(int fd)
{
	struct fd_list *li;
	bool found = false;

	if (pthread_rwlock_rdlock(&fd_g_peers_rw) != 0)
		return true;
	for (li = fd_g_peers.next; !found && li != &fd_g_peers; li = li->next)
		found = socket_of((struct peer_hdr *)li->o) == fd;
	pthread_rwlock_unlock(&fd_g_peers_rw);
	return found;
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static struct silent *silent_of(ino_t inode, uint64_t now_ms)
{
	size_t i;

	for (i = 0; i < net.n; i++) {
		if (net.silent[i].inode == inode)
			return &net.silent[i];
	}
	if (net.n == SILENT_MAX)
		return NULL;
	net.silent[net.n] = (struct silent){ inode, now_ms, true };
	return &net.silent[net.n++];
}

static void log_closed(int fd)
{
	char text[INET6_ADDRSTRLEN] = "?";
	union address remote;
	socklen_t len = sizeof(remote);

	if (getpeername(fd, &remote.sa, &len) == 0)
		(void)inet_ntop(remote.sa.sa_family,
				remote.sa.sa_family == AF_INET ? (void *)&remote.in.sin_addr : (void *)&remote.in6.sin6_addr,
				text, sizeof(text));
	log_event_limited(1, LOG_L_WARNING, "guard.cer", (&(struct log_about){ .peer = bytes_of(text) }),
			  "no CER within %u s: connection closed (%lld so far)", net.conf->cer_timeout,
			  (long long)metric_value(net.closed));
}

static void time_connection(int fd, uint64_t now_ms)
{
	ino_t inode = inode_of(fd);
	struct silent *silent = inode != 0 ? silent_of(inode, now_ms) : NULL;

	if (silent == NULL)
		return;
	silent->seen = true;
	if (now_ms - silent->since_ms < net.conf->cer_timeout * UINT64_C(1000) || inode_of(fd) != inode)
		return;
	metric_add(net.closed, 1);
	log_closed(fd);
	(void)shutdown(fd, SHUT_RDWR); /* its worker thread sees the end and closes it */
}

static void forget_gone(void)
{
	size_t i, kept = 0;

	for (i = 0; i < net.n; i++) {
		if (net.silent[i].seen)
			net.silent[kept++] = net.silent[i];
	}
	net.n = kept;
}

void guard_net_reap(uint64_t now_ms)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	size_t i;
	int fd;

	if (dir == NULL)
		return;
	for (i = 0; i < net.n; i++)
		net.silent[i].seen = false;
	while ((entry = readdir(dir)) != NULL) {
		fd = atoi(entry->d_name);
		if (entry->d_name[0] != '.' && fd != dirfd(dir) && is_accepted(fd) && !is_of_a_peer(fd))
			time_connection(fd, now_ms);
	}
	closedir(dir);
	forget_gone();
	metric_set(net.waiting, (int64_t)net.n);
}
