/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that one row of the table cannot say.
 */
#include "config_loaded.h"

static void
rules_between_settings_name_both(void **state)
{
	(void)state;
	refuses("\ndatabase = { retry_min = 2000; };",
	    "steward.conf:2: database.retry_min is 2000 ms; it must not be above database.retry_max, 1000 ms");
	refuses("supervisor = {\n restart_delay_max = 100; };",
	    "steward.conf:2: supervisor.restart_delay_min is 200 ms; it must not be above supervisor.restart_delay_max, 100 ms");
	refuses("supervisor = { heartbeat = 5000;\n hang_timeout = 10000; };",
	    "steward.conf:2: supervisor.hang_timeout is 10000 ms; it must be more than twice supervisor.heartbeat, 5000 ms");
}

static void
rules_are_silent_about_values_refused_already(void **state)
{
	(void)state;
	refuses("database = { retry_min = 70000; retry_max = 10; };",
	    "steward.conf:1: database.retry_min is 70000; allowed: 1 to 60000 ms");
}

static void
rules_hold_at_their_edges(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "database = { retry_min = 300; retry_max = 300; };\n"
	              "supervisor = { heartbeat = 5000; hang_timeout = 10001; };\n"
	              "workers = { provisioning = { cpu_affinity = \"0,2-3,1023\"; }; };\n");
	ASSERT_LOADED(&l);
}

static void
directories_must_be_absolute(void **state)
{
	(void)state;
	refuses("run_directory = \"run\";", "steward.conf:1: run_directory is \"run\"; it must begin with a /");
	refuses("supervisor = { libexec_directory = \"\"; };",
	    "steward.conf:1: supervisor.libexec_directory is \"\"; it must begin with a /");
}

static void
the_run_directory_leaves_room_for_the_sockets(void **state)
{
	CLEANUP(loaded_fini) struct loaded fits;
	CLEANUP(loaded_fini) struct loaded large;
	char                               text[200];
	char                               complaint[200];
	size_t                             longest = 0;
	int                                room;

	(void)state;
	for (size_t kind = 0; kind < WORKER_COUNT; kind++)
		longest = MAX(longest, strlen(worker_desc((enum worker_kind)kind)->name));
	room = (int)(99 - strlen("/worker/.63.ipc") - longest);
	(void)snprintf(text, sizeof(text), "run_directory = \"/%0*d\";", room - 1, 0);
	load_text(&fits, text);
	ASSERT_LOADED(&fits);
	(void)snprintf(text, sizeof(text), "run_directory = \"/%0*d\";", room, 0);
	(void)snprintf(complaint, sizeof(complaint),
	    "steward.conf:1: run_directory is %d bytes long; allowed: up to %d, as the sockets' paths go on after it",
	    room + 1, room);
	load_text(&large, text);
	ASSERT_COMPLAINTS(&large, complaint);
}

static void
processors_are_a_list_of_numbers_and_ranges(void **state)
{
	static const char *const bad[] = { ",", "1,", ",1", "a", "1-", "-1", "3-1", "1--2", "1-2-3", "1024", "99999999999", "0 1" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char text[128], complaint[200];

		(void)snprintf(text, sizeof(text), "workers = { provisioning = { cpu_affinity = \"%s\"; }; };", bad[i]);
		(void)snprintf(complaint, sizeof(complaint),
		    "steward.conf:1: workers.provisioning.cpu_affinity is \"%s\"; it takes processors from 0 to 1023, as in \"0-1,3\"",
		    bad[i]);
		refuses(text, complaint);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(rules_between_settings_name_both),
		TEST(rules_are_silent_about_values_refused_already),
		TEST(rules_hold_at_their_edges),
		TEST(directories_must_be_absolute),
		TEST(the_run_directory_leaves_room_for_the_sockets),
		TEST(processors_are_a_list_of_numbers_and_ranges),
	};

	return cmocka_run_group_tests_name("config_check", tests, NULL, NULL);
}
