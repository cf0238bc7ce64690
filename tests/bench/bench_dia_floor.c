/* SPDX-License-Identifier: Apache-2.0 */
/* The stand-in command, and the server that answers it from its dispatch thread: a bare exchange of messages of a size. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "bench_dia.h"

#define D (fd_g_config->cnf_dict)

static struct dict_object *application, *request_cmd, *payload, *vendor;
static unsigned int answer_size, request_size;

int bench_dict_load(void)
{
	static char bench[] = "bench", request[] = "Bench-Request", answer[] = "Bench-Answer", pad[] = "Bench-Payload";
	struct dict_vendor_data v = { BENCH_VENDOR, bench };
	struct dict_application_data a = { BENCH_APP, bench };
	struct dict_cmd_data r = { BENCH_CMD, request, CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE,
				   CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE };
	struct dict_cmd_data n = { BENCH_CMD, answer, CMD_FLAG_REQUEST | CMD_FLAG_PROXIABLE, CMD_FLAG_PROXIABLE };
	struct dict_avp_data p = { 1, BENCH_VENDOR, pad, AVP_FLAG_VENDOR | AVP_FLAG_MANDATORY,
				   AVP_FLAG_VENDOR | AVP_FLAG_MANDATORY, AVP_TYPE_OCTETSTRING };

	if (fd_dict_new(D, DICT_VENDOR, &v, NULL, &vendor) != 0 ||
	    fd_dict_new(D, DICT_APPLICATION, &a, vendor, &application) != 0 ||
	    fd_dict_new(D, DICT_COMMAND, &r, application, &request_cmd) != 0 ||
	    fd_dict_new(D, DICT_COMMAND, &n, application, NULL) != 0 ||
	    fd_dict_new(D, DICT_AVP, &p, NULL, &payload) != 0)
		return EINVAL;
	return 0;
}

struct dict_object *bench_model(const char *avp)
{
	struct dict_object *model = NULL;

	if (fd_dict_search(D, DICT_AVP, AVP_BY_NAME_ALL_VENDORS, avp, &model, ENOENT) != 0)
		fprintf(stderr, "bench_dia: no AVP %s in the dictionary\n", avp);
	return model;
}

int bench_add(struct msg *msg, struct dict_object *model, const void *octets, size_t n)
{
	union avp_value value = { .os = { .data = (uint8_t *)octets, .len = n } };
	struct avp *avp;
	int rc = fd_msg_avp_new(model, 0, &avp);

	if (rc == 0)
		rc = fd_msg_avp_setvalue(avp, &value);
	return rc == 0 ? fd_msg_avp_add(msg, MSG_BRW_LAST_CHILD, avp) : rc;
}

int bench_add_u32(msg_or_avp *parent, struct dict_object *model, uint32_t number)
{
	union avp_value value = { .u32 = number };
	struct avp *avp;
	int rc = fd_msg_avp_new(model, 0, &avp);

	if (rc == 0)
		rc = fd_msg_avp_setvalue(avp, &value);
	return rc == 0 ? fd_msg_avp_add(parent, MSG_BRW_LAST_CHILD, avp) : rc;
}

size_t bench_size(struct msg *msg)
{
	struct msg_hdr *hdr;

	return fd_msg_hdr(msg, &hdr) == 0 ? hdr->msg_length : 0;
}

int bench_pad(struct msg *msg, size_t octets)
{
	static const uint8_t zeros[65536];
	size_t have;

	if (fd_msg_update_length(msg) != 0)
		return EINVAL;
	have = bench_size(msg) + 12; /* header of the AVP with its vendor */
	return bench_add(msg, payload, zeros, octets > have && octets - have < sizeof(zeros) ? octets - have : 0);
}

static int floor_prepare(const struct bench_conf *conf)
{
	request_size = conf->request;
	return 0;
}

static int floor_fill(struct msg *msg, uint64_t i)
{
	(void)i;
	return bench_pad(msg, request_size);
}

const struct bench_kind bench_floor = { "floor", BENCH_APP, BENCH_VENDOR, "Bench-Request", floor_prepare, floor_fill };

static int on_request(struct msg **msg, struct avp *avp, struct session *session, void *arg, enum disp_action *action)
{
	static char success[] = "DIAMETER_SUCCESS";

	(void)avp, (void)session, (void)arg;
	if (fd_msg_new_answer_from_req(D, msg, 0) != 0)
		return 0;
	fd_msg_rescode_set(*msg, success, NULL, NULL, 1);
	bench_pad(*msg, answer_size);
	*action = DISP_ACT_SEND;
	return 0;
}

/* Anybody on the loopback interface may ask. */
static int accept_all(struct peer_info *info, int *auth, int (**after_tls)(struct peer_info *))
{
	*auth = 1;
	*after_tls = NULL;
	info->config.pic_flags.sec = PI_SEC_NONE;
	return 0;
}

/* A loopback address in ListenOn would be dropped by the daemon, which then listens everywhere. */
static int listen_on_loopback(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return fd_ep_add_merge(&fd_g_config->cnf_endpoints, (sSA *)&here, sizeof(here), EP_FL_CONF | EP_ACCEPTALL);
}

int bench_serve_start(const struct bench_conf *conf)
{
	struct disp_when when = { .app = application, .command = request_cmd };

	answer_size = conf->answer;
	if (fd_disp_register(on_request, DISP_HOW_CC, &when, NULL, NULL) != 0 ||
	    fd_disp_app_support(application, vendor, 1, 0) != 0 || fd_peer_validate_register(accept_all) != 0)
		return EINVAL;
	return listen_on_loopback();
}
