/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/fixture.h"
#include "conf/conf.h"
#include "core/ident.h"
#include "core/log.h"

struct peer_conf {
	const char *identity;
	uint32_t ind;
	struct conf_strlist realms;
};
struct sample {
	struct conf_common common;
	uint32_t lifetime;
	bool strict;
	const char *fqdn;
	struct conf_strlist listen;
	struct conf_groups peers;
};
static const struct conf_item peer_items[] = {
	CONF_STR("identity", NULL, 1, 253, fqdn_valid, struct peer_conf, identity, "Diameter identity, a host name"),
	CONF_U32("ind", 0, 0, 31, "", struct peer_conf, ind, "IND of this peer"),
	CONF_STRLIST("realms", "", 1, 253, fqdn_valid, struct peer_conf, realms, "Realms it may ask for"),
	CONF_END
};
static const struct conf_item sample_items[] = {
	CONF_COMMON(struct sample, common),
	CONF_U32("key-lifetime", 86400, 60, 604800, "s", struct sample, lifetime, "Lifetime of a new Ks"),
	CONF_BOOL("strict", true, struct sample, strict, "Refuse what is unusual"),
	CONF_STR("fqdn", NULL, 1, 253, fqdn_valid, struct sample, fqdn, "Name of this node"),
	CONF_STRLIST("listen", "127.0.0.1:80", 1, 64, NULL, struct sample, listen, "Addresses"),
	CONF_GROUPS("peers", "", 0, 2, peer_items, struct peer_conf, struct sample, peers, "Who may ask"),
	CONF_END
};

/* Write text to a file and load it. */
static enum gba_err load_text(const char *text, struct sample *conf, struct conf_error *error)
{
	char path[] = "conf-test-XXXXXX";
	int fd = mkstemp(path);
	enum gba_err err;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	err = conf_load(test_ctx, "sample", path, sample_items, conf, error);
	unlink(path);
	return err;
}

static const struct {
	const char *text, *want; /* want: what the message must hold behind the file's name; NULL: good */
} rows[] = {
	{ "fqdn = \"bsf.example\";", NULL },
	{ "fqdn = \"bsf.example\"; key-lifetime = 60;", NULL },
	/* the parser keeps 32 bits of these: 100, 60, 60, -1, 3600 */
	{ "fqdn = \"bsf.example\";\nkey-lifetime = 4294967396;", ":2: key-lifetime: 4294967396 is not allowed (60..604800 s)" },
	{ "fqdn = \"a.b # 99999999999\"; # 99999999999\nkey-lifetime =\n /* 99999999999 */ 18446744073709551676;",
	  ":3: key-lifetime: 9223372036854775807 is not allowed (60..604800 s)" },
	{ "fqdn = \"bsf.example\"; key-lifetime = -4294967236;", ":1: key-lifetime: -4294967236 is not allowed (60..604800 s)" },
	{ "fqdn = \"bsf.example\"; key-lifetime = 0xffffffff;", ":1: key-lifetime: 4294967295 is not allowed (60..604800 s)" },
	{ "fqdn = \"a.b\";\npeers = ( { identity = \"a.b\";\n ind = 4294967296; } );", ":3: ind: 4294967296 is not allowed (0..31)" },
	{ "fqdn = \"bsf.example\"; key-lifetime = 3600L;", NULL },
	{ "fqdn = \"bsf.example\"; key-lifetime = 4294970896L;", ":1: key-lifetime: 4294970896 is not allowed (60..604800 s)" },
	{ "fqdn = \"bsf.example\";\nstrict = true;\nstrict = true;", ":3: strict: stands there twice" },
	{ "fqdn = \"bsf.example\"; strict = true; strict = true;", ":1: syntax: duplicate setting name" },
	{ "fqdn = \"bsf.example\";\nkey-lifetime = 59;", ":2: key-lifetime: 59 is not allowed (60..604800 s)" },
	{ "fqdn = \"bsf.example\"; key-lifetime = 604801;", ":1: key-lifetime: 604801 is not allowed" },
	{ "fqdn = \"bsf.example\"; key-lifetime = -1;", ":1: key-lifetime: -1 is not allowed" },
	{ "fqdn = \"bsf.example\"; key-lifetime = \"1h\";", ":1: key-lifetime: a number is wanted (60..604800 s)" },
	{ "fqdn = \"bsf.example\"; key-lifetimes = 60;", ":1: key-lifetimes: no such item" },
	{ "key-lifetime = 60;", "fqdn: missing: Name of this node" },
	{ "fqdn = \"bsf example\";", ":1: fqdn: \"bsf example\" is not valid: Name of this node" },
	{ "fqdn = \"\";", ":1: fqdn: \"\" has 0 characters (allowed 1..253)" },
	{ "fqdn = 7;", ":1: fqdn: a text in quotes is wanted" },
	{ "fqdn = \"a\"; strict = 1;", ":1: strict: true or false is wanted" },
	{ "fqdn = \"a\"; log-level = \"loud\";", ":1: log-level: \"loud\" is not allowed (error, warning, info, debug)" },
	{ "fqdn = \"a\"; listen = \"x\";", ":1: listen: a list of texts is wanted" },
	{ "fqdn = \"a\"; listen = [ 7 ];", ":1: listen: entry 1 is not a text" },
	{ "fqdn = \"a\"; peers = ( { ind = 3; } );", "identity: missing" },
	{ "fqdn = \"a\"; peers = ( 7 );", ":1: peers: entry 1 is not a group" },
	{ "fqdn = \"a\"; peers = (\n { identity = \"b\"; ind = 32; } );", ":2: ind: 32 is not allowed (0..31)" },
	{ "fqdn = \"a\"; peers = ( {identity=\"b\";}, {identity=\"b\";}, {identity=\"b\";} );", "3 entries (allowed 0..2)" },
	{ "fqdn = \"a\";\nstrict = ;", ":2: syntax: " },
};

START_TEST(errors_name_line_item_and_range)
{
	struct conf_error error;
	struct sample conf;
	enum gba_err got = load_text(rows[_i].text, &conf, &error);

	ck_assert_err(got, rows[_i].want == NULL ? GBA_OK : GBA_E_CONF);
	if (rows[_i].want != NULL)
		ck_assert_msg(strstr(error.text, rows[_i].want) != NULL, "\"%s\" lacks \"%s\"", error.text, rows[_i].want);
}
END_TEST

START_TEST(values_defaults_and_groups_arrive)
{
	struct conf_error error;
	struct sample conf;
	const struct peer_conf *peers;

	ck_assert_err(load_text("fqdn = \"a.example\"; listen = [ \"x:1\", \"y:2\" ]; log-format = \"json\";"
				"peers = ( { identity = \"p.example\"; ind = 3; realms = [ \"r.example\" ]; } );",
				&conf, &error),
		      GBA_OK);
	ck_assert_uint_eq(conf.lifetime, 86400);
	ck_assert(conf.strict);
	ck_assert_uint_eq(conf.common.log_level, LOG_L_INFO);
	ck_assert_uint_eq(conf.common.log_format, LOG_F_JSON);
	ck_assert_str_eq(conf.common.log_file, "");
	ck_assert_uint_eq(conf.listen.n, 2);
	ck_assert_str_eq(conf.listen.v[1], "y:2");
	ck_assert_uint_eq(conf.peers.n, 1);
	peers = conf.peers.v;
	ck_assert_str_eq(peers[0].identity, "p.example");
	ck_assert_uint_eq(peers[0].ind, 3);
	ck_assert_str_eq(peers[0].realms.v[0], "r.example");
}
END_TEST

START_TEST(environment_wins_and_is_checked)
{
	struct conf_error error;
	struct sample conf;

	setenv("GBA_SAMPLE_KEY_LIFETIME", "120", 1);
	ck_assert_err(load_text("fqdn = \"a\"; key-lifetime = 60;", &conf, &error), GBA_OK);
	ck_assert_uint_eq(conf.lifetime, 120);
	setenv("GBA_SAMPLE_KEY_LIFETIME", "5", 1);
	ck_assert_err(load_text("fqdn = \"a\";", &conf, &error), GBA_E_CONF);
	ck_assert_str_eq(error.text, "environment: GBA_SAMPLE_KEY_LIFETIME: 5 is not allowed (60..604800 s)");
	unsetenv("GBA_SAMPLE_KEY_LIFETIME");
}
END_TEST

START_TEST(a_dump_loads_again)
{
	struct conf_error error;
	struct sample conf, again;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_err(load_text("fqdn = \"a\"; peers = ( { identity = \"p\"; realms = [ \"r\", \"s\" ]; } );", &conf, &error),
		      GBA_OK);
	conf_dump(out, sample_items, &conf, true);
	fclose(out);
	ck_assert_msg(load_text(text, &again, &error) == GBA_OK, "%s", error.text);
	ck_assert_str_eq(((struct peer_conf *)again.peers.v)[0].realms.v[1], "s");
	free(text);
}
END_TEST

START_TEST(a_missing_file_is_named)
{
	struct conf_error error;
	struct sample conf;

	ck_assert_err(conf_load(test_ctx, "sample", "no-such-file.conf", sample_items, &conf, &error), GBA_E_CONF);
	ck_assert_str_eq(error.text, "no-such-file.conf: cannot be read: No such file or directory");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = fixture_tcase("conf");

	tcase_add_loop_test(tc, errors_name_line_item_and_range, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, values_defaults_and_groups_arrive);
	tcase_add_test(tc, environment_wins_and_is_checked);
	tcase_add_test(tc, a_dump_loads_again);
	tcase_add_test(tc, a_missing_file_is_named);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
