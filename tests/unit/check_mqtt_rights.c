/* SPDX-License-Identifier: Apache-2.0 */
/* Which topics a rule gives: MQTT 5.0, 4.7 (wildcards) and 4.8.2 (shared subscriptions). */
#include "common/fixture.h"
#include "naf-adapter/mosquitto/rights.h"

#define ROWS(rows) (int)(sizeof(rows) / sizeof((rows)[0]))

static const struct {
	const char *rule, *topic;
	enum mqtt_access access;
	bool want;
} topic_rows[] = {
	{ "a/b", "a/b", MQTT_WRITE, true },
	{ "a/b", "a/b/c", MQTT_WRITE, false },
	{ "a/b", "a", MQTT_WRITE, false },
	{ "a/b", "A/b", MQTT_WRITE, false },
	{ "a/#", "a/b/c", MQTT_WRITE, true },
	{ "a/#", "a", MQTT_WRITE, true }, /* 4.7.1.2: the parent level too */
	{ "a/#", "ab", MQTT_WRITE, false },
	{ "#", "a/b", MQTT_WRITE, true },
	{ "#", "$SYS/uptime", MQTT_READ, false }, /* MQTT-4.7.2-1 */
	{ "+/uptime", "$SYS/uptime", MQTT_READ, false },
	{ "$SYS/#", "$SYS/uptime", MQTT_READ, true },
	{ "+", "a", MQTT_WRITE, true },
	{ "+", "a/b", MQTT_WRITE, false },
	{ "+", "", MQTT_WRITE, true },
	{ "/+", "/a", MQTT_WRITE, true },
	{ "+/+", "/a", MQTT_WRITE, true },
	{ "+", "/a", MQTT_WRITE, false },
	{ "a/+/c", "a/b/c", MQTT_WRITE, true },
	{ "a/+/c", "a//c", MQTT_WRITE, true },
	{ "a/+", "a", MQTT_WRITE, false },
	{ "a/+", "a/", MQTT_WRITE, true },
	/* a filter is covered when all it may match is */
	{ "a/#", "a/#", MQTT_READ, true },
	{ "a/#", "a/+/b", MQTT_READ, true },
	{ "a/#", "#", MQTT_READ, false },
	{ "a/#", "+/b", MQTT_READ, false },
	{ "a/+", "a/#", MQTT_READ, false },
	{ "a/+", "a/+", MQTT_READ, true },
	{ "a/b", "a/+", MQTT_READ, false },
	{ "a/b", "$share/group/a/b", MQTT_READ, true },
	{ "a/b", "$share/group/a/#", MQTT_READ, false },
	{ "a/b", "$share/a/b", MQTT_READ, false },
	{ "a/b", "$share/group/a/b", MQTT_WRITE, false },
	/* the user's name */
	{ "d/%u", "d/user", MQTT_WRITE, true },
	{ "d/%u/#", "d/user/x", MQTT_WRITE, true },
	{ "d/%u/#", "d/user2/x", MQTT_WRITE, false },
	{ "d/%u/#", "d/%u/x", MQTT_WRITE, false },
	{ "d/x-%u-y", "d/x-user-y", MQTT_WRITE, true },
	{ "%u%u", "useruser", MQTT_WRITE, true },
	{ "d/%c", "d/%c", MQTT_WRITE, true }, /* no other names are known */
};

static struct mqtt_conf conf_of(struct mqtt_right *right)
{
	return (struct mqtt_conf){ .rights = { right, 1 } };
}

START_TEST(topics)
{
	struct mqtt_right right = { topic_rows[_i].rule, "", MQTT_READWRITE, 0 };
	struct mqtt_conf conf = conf_of(&right);

	ck_assert_msg(mqtt_rights_allow(&conf, 1, "user", topic_rows[_i].access, topic_rows[_i].topic) == topic_rows[_i].want, "%s: %s",
		      topic_rows[_i].rule, topic_rows[_i].topic);
	ck_assert(!mqtt_rights_allow(&conf, 0, "user", topic_rows[_i].access, topic_rows[_i].topic));
}
END_TEST

START_TEST(access_is_what_is_written)
{
	struct mqtt_right right = { "a", "", MQTT_READ, 0 };
	struct mqtt_conf conf = conf_of(&right);

	ck_assert(mqtt_rights_allow(&conf, 1, "user", MQTT_READ, "a") && !mqtt_rights_allow(&conf, 1, "user", MQTT_WRITE, "a"));
	right.access = MQTT_WRITE;
	ck_assert(!mqtt_rights_allow(&conf, 1, "user", MQTT_READ, "a") && mqtt_rights_allow(&conf, 1, "user", MQTT_WRITE, "a"));
}
END_TEST

START_TEST(rules_of_a_service_are_for_its_users)
{
	struct mqtt_right right = { "a", "1000001", MQTT_READ, 0 };
	struct mqtt_conf conf = conf_of(&right);

	ck_assert_uint_eq(mqtt_rights_of(&conf, NULL), 0);
	right.gsid = "";
	ck_assert_uint_eq(mqtt_rights_of(&conf, NULL), 1);
}
END_TEST

START_TEST(a_long_name_fits_or_gives_nothing)
{
	static char name[3000], topic[3010];
	struct mqtt_right right = { "a/%u", "", MQTT_READ, 0 };
	struct mqtt_conf conf = conf_of(&right);

	memset(name, 'n', sizeof(name) - 1);
	snprintf(topic, sizeof(topic), "a/%s", name);
	ck_assert(!mqtt_rights_allow(&conf, 1, name, MQTT_READ, topic));
	name[2000] = topic[2002] = '\0';
	ck_assert(mqtt_rights_allow(&conf, 1, name, MQTT_READ, topic));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mqtt rights");
	TCase *tc = fixture_tcase("rights");

	tcase_add_loop_test(tc, topics, 0, ROWS(topic_rows));
	tcase_add_test(tc, access_is_what_is_written);
	tcase_add_test(tc, rules_of_a_service_are_for_its_users);
	tcase_add_test(tc, a_long_name_fits_or_gives_nothing);
	suite_add_tcase(suite, tc);
	return fixture_run(suite);
}
