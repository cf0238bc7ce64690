/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets: where we listen, how they are set, and connections that never say who they are. */
#include <arpa/inet.h>
#include <dirent.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/files.h"
#include "core/log.h"
#include "dia/guard/guard.h"

#define FILES_FEW    8192 /* below it a crowd may come faster than it is sent away, and new peers wait behind it */
#define QUEUED	     6	  /* connections that freeDiameter has accepted beside those its threads have, for each listener */
#define CROWDED_MS   1000 /* how long a connection may stay silent while there are too many */
#define DESPERATE_MS 100  /* and while hardly a descriptor is left */
#define ACCEPTED_MAX 8192 /* accepted connections that are looked after at once */

/* An accepted connection: known by its inode, as descriptors come back as others. */
struct accepted {
	ino_t inode;
	uint64_t since_ms;
	bool of_a_peer, seen;
};

static struct {
	const struct guard_conf *conf;
	pthread_mutex_t lock; /* peers' threads claim, the watch thread times */
	struct accepted accepted[ACCEPTED_MAX];
	size_t n;
	DIR *files;
	struct metric *waiting, *closed;
} net = { .lock = PTHREAD_MUTEX_INITIALIZER };

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

	if (!parse_address(text, &address, &len))
		return GBA_E_CONF;
	if (fd_ep_add_merge(&fd_g_config->cnf_endpoints, &address.sa, len, EP_FL_CONF | EP_ACCEPTALL) != 0)
		return GBA_E_NOMEM;
	return GBA_OK;
}

/* Without gba_fdtune.so nothing but the number of its threads bounds what freeDiameter accepts: it must fit into the descriptors
 * that are left for peers. */
static int server_threads(uint32_t wanted)
{
	int addresses = 0, ports = (fd_g_config->cnf_port != 0) + (fd_g_config->cnf_port_tls != 0), fit;
	struct fd_list *li;

	for (li = fd_g_config->cnf_endpoints.next; li != &fd_g_config->cnf_endpoints; li = li->next)
		addresses++;
	if (addresses == 0)
		addresses = 2; /* all of IPv4, all of IPv6 */
	fit = (files_for_peers() - files_share()) / (addresses * (ports > 0 ? ports : 1)) - QUEUED;
	if ((uint32_t)fd_g_config->cnf_thr_srv > wanted)
		wanted = (uint32_t)fd_g_config->cnf_thr_srv;
	return (int)wanted < fit ? (int)wanted : fit > 0 ? fit : 1;
}

enum gba_err guard_net_start(const struct guard_conf *conf)
{
	enum gba_err err = GBA_OK;
	size_t i;

	net.conf = conf;
	net.waiting = metric_get("gba_diameter_connections_waiting", "Accepted connections without CER so far", METRIC_GAUGE, "");
	net.closed = metric_get("gba_diameter_connections_timed_out_total", "Connections closed for want of a CER",
				METRIC_COUNTER, "");
	if (files_raise() < FILES_FEW)
		log_event(LOG_L_WARNING, "guard.files", NULL,
			  "only %zu open files are allowed: new peers wait when a crowd of connections has them", files_raise());
	net.files = opendir("/proc/self/fd"); /* kept: when it is needed most, there may be no descriptor for it */
	if (net.files == NULL)
		return GBA_E_IO;
	for (i = 0; i < conf->listen.n && err == GBA_OK; i++)
		err = add_endpoint(conf->listen.v[i]);
	fd_g_config->cnf_thr_srv = server_threads(conf->server_threads);
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

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static struct accepted *accepted_of(ino_t inode, uint64_t now_ms)
{
	size_t i;

	for (i = 0; i < net.n; i++) {
		if (net.accepted[i].inode == inode)
			return &net.accepted[i];
	}
	if (net.n == ACCEPTED_MAX)
		return NULL;
	net.accepted[net.n] = (struct accepted){ inode, now_ms, false, true };
	return &net.accepted[net.n++];
}

/* In the peer's own thread: only there the connection is safe to ask for. */
struct guard_socket guard_net_connected(struct peer_hdr *peer)
{
	int fd = socket_of(peer), one = 1;
	struct accepted *accepted;

	if (fd < 0)
		return (struct guard_socket){ -1, 0 };
	/* Each message is one small write: with Nagle's algorithm the next waits for the peer's delayed ACK, 40 ms. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	pthread_mutex_lock(&net.lock);
	accepted = accepted_of(inode_of(fd), clock_mono_ms());
	if (accepted != NULL)
		accepted->of_a_peer = true;
	pthread_mutex_unlock(&net.lock);
	return (struct guard_socket){ fd, inode_of(fd) };
}

static bool is_still(const struct guard_socket *socket)
{
	return socket->fd >= 0 && socket->inode != 0 && inode_of(socket->fd) == socket->inode;
}

size_t guard_net_untaken(const struct guard_socket *socket)
{
	int octets = 0;

	return is_still(socket) && ioctl(socket->fd, SIOCOUTQ, &octets) == 0 && octets > 0 ? (size_t)octets : 0;
}

void guard_net_drop(const struct guard_socket *socket)
{
	if (is_still(socket))
		(void)shutdown(socket->fd, SHUT_RDWR);
}

void guard_net_hang_up(struct peer_hdr *peer)
{
	int fd = socket_of(peer);

	if (fd >= 0)
		(void)shutdown(fd, SHUT_RDWR);
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

static void log_closed(const char *from, uint64_t patience)
{
	log_event_limited(1, LOG_L_WARNING, "guard.cer", (&(struct log_about){ .peer = bytes_of(from) }),
			  "no CER within %llu ms: connection closed (%lld so far)", (unsigned long long)patience,
			  (long long)metric_value(net.closed));
}

static void address_of(int fd, char text[INET6_ADDRSTRLEN])
{
	union address remote;
	socklen_t len = sizeof(remote);

	snprintf(text, INET6_ADDRSTRLEN, "?");
	if (getpeername(fd, &remote.sa, &len) == 0)
		(void)inet_ntop(remote.sa.sa_family,
				remote.sa.sa_family == AF_INET ? (void *)&remote.in.sin_addr : (void *)&remote.in6.sin6_addr,
				text, INET6_ADDRSTRLEN);
}

/* [ms] a connection may take for its CER. freeDiameter accepts all that come, and ends when there is no descriptor for one. */
static uint64_t patience_ms(void)
{
	int lowest = files_lowest(), share = files_share();

	if (lowest >= share)
		return DESPERATE_MS;
	return lowest >= share / 2 ? CROWDED_MS : net.conf->cer_timeout * UINT64_C(1000);
}

/* Has this connection waited too long for its CER? */
static bool is_late(const struct guard_socket *socket, uint64_t patience, uint64_t now_ms)
{
	struct accepted *accepted = socket->inode != 0 ? accepted_of(socket->inode, now_ms) : NULL;

	if (accepted == NULL)
		return false;
	accepted->seen = true;
	return !accepted->of_a_peer && now_ms - accepted->since_ms >= patience;
}

static int64_t forget_gone(void)
{
	size_t i, kept = 0;
	int64_t silent = 0;

	for (i = 0; i < net.n; i++) {
		if (!net.accepted[i].seen)
			continue;
		silent += !net.accepted[i].of_a_peer;
		net.accepted[kept++] = net.accepted[i];
	}
	net.n = kept;
	return silent;
}

/* The descriptors are others', who close them at any moment, and their numbers come back as something else's: guard_net_drop()
 * looks right before it acts. */
static void close_late(DIR *dir, uint64_t patience, uint64_t now_ms)
{
	char from[INET6_ADDRSTRLEN];
	struct guard_socket socket;
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		socket.fd = atoi(entry->d_name);
		if (entry->d_name[0] == '.' || socket.fd == dirfd(dir) || !is_accepted(socket.fd))
			continue;
		socket.inode = inode_of(socket.fd);
		if (!is_late(&socket, patience, now_ms))
			continue;
		address_of(socket.fd, from);
		guard_net_drop(&socket); /* its worker thread sees the end and closes it */
		metric_add(net.closed, 1);
		log_closed(from, patience);
	}
}

void guard_net_reap(uint64_t now_ms, bool due)
{
	uint64_t patience = patience_ms();
	size_t i;

	if (!due && patience > CROWDED_MS)
		return;
	rewinddir(net.files);
	pthread_mutex_lock(&net.lock);
	for (i = 0; i < net.n; i++)
		net.accepted[i].seen = false;
	close_late(net.files, patience, now_ms);
	metric_set(net.waiting, forget_gone());
	pthread_mutex_unlock(&net.lock);
}
