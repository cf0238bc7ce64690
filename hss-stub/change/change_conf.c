/* SPDX-License-Identifier: Apache-2.0 */
#include "core/codec.h"
#include "crypto/key_file.h"
#include "hss-stub/change/change.h"
#include "hss-stub/conf.h"

static enum gba_err read_operators(TALLOC_CTX *mem_ctx, const struct hss_conf *hss, struct change_peer *peers,
				   const char **_error)
{
	const struct hss_operator *row = hss->operators.v;
	enum gba_err err = GBA_OK;
	size_t i;

	for (i = 0; i < hss->operators.n && err == GBA_OK; i++) {
		peers[i].realm = row[i].realm;
		peers[i].host = row[i].host;
		err = hex_decode(bytes_of(row[i].public_key), peers[i].public, OP_PUBLIC_LEN);
		peers[i].shared_wrap = row[i].wrap == HSS_WRAP_SHARED;
		if (err == GBA_OK && peers[i].shared_wrap)
			err = key_file_read(row[i].shared_key_file, false, peers[i].shared);
		if (err != GBA_OK)
			*_error = talloc_asprintf(mem_ctx, "operators: %s: %s: %s", row[i].realm, row[i].shared_key_file,
						  gba_strerror(err));
	}
	return err;
}

enum gba_err change_conf_read(TALLOC_CTX *mem_ctx, const struct hss_conf *hss, const char *realm, struct change_conf **_conf,
			      const char **_error)
{
	struct change_conf *conf = talloc_zero(mem_ctx, struct change_conf);
	struct change_peer *peers;
	struct op_key *key;
	enum gba_err err;

	*_error = gba_strerror(GBA_E_NOMEM);
	if (conf == NULL)
		return GBA_E_NOMEM;
	peers = talloc_zero_array(conf, struct change_peer, hss->operators.n + 1);
	if (peers == NULL)
		return GBA_E_NOMEM;
	secret_guard_chunk(peers);
	err = op_key_open(conf, hss->operator_key, false, &key);
	if (err != GBA_OK) {
		*_error = talloc_asprintf(mem_ctx, "operator-key: %s: %s", hss->operator_key, gba_strerror(err));
		return err;
	}
	err = read_operators(mem_ctx, hss, peers, _error);
	if (err != GBA_OK)
		return err;
	*conf = (struct change_conf){ .realm = realm, .bsf = hss->change_bsf, .key = key, .peers = peers };
	conf->peer_n = hss->operators.n;
	conf->min_level = hss->change_level;
	conf->deadline_s = hss->change_deadline;
	*_conf = conf;
	return GBA_OK;
}
