/* How far a write has to come, for each level and each size of a cluster. */
#include <criterion/criterion.h>

#include "api/ack.h"

Test(ack, levels_are_read_from_their_names_and_disk_is_the_default)
{
	static const char *const names[] = {"memory", "disk", "one", "majority", "all"};

	for (int i = 0; i < 5; i++) {
		cr_expect_eq(ack_from(names[i]), (enum ack)i, "%s", names[i]);
		cr_expect_str_eq(ack_name((enum ack)i), names[i]);
	}
	cr_expect_eq(ack_from(NULL), ACK_DISK);
}

Test(ack, only_what_goes_beyond_this_node_waits_for_others)
{
	cr_expect_not(ack_of_others(ACK_MEMORY));
	cr_expect_not(ack_of_others(ACK_DISK));
	cr_expect(ack_of_others(ACK_ONE));
	cr_expect(ack_of_others(ACK_MAJORITY));
	cr_expect(ack_of_others(ACK_ALL));
}

Test(ack, needs_as_many_members_as_the_contract_says)
{
	static const struct {
		size_t members, majority, all;
	} rows[] = {
		{0, 1, 1}, {1, 1, 1}, {2, 2, 2}, {3, 2, 3}, {4, 3, 4}, {5, 3, 5}, {256, 129, 256}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t members = rows[i].members;

		cr_expect_eq(ack_needs(ACK_MEMORY, members), 0);
		cr_expect_eq(ack_needs(ACK_DISK, members), 1);
		cr_expect_eq(ack_needs(ACK_ONE, members), 2, "alone it is never reached");
		cr_expect_eq(ack_needs(ACK_MAJORITY, members), rows[i].majority, "of %zu", members);
		cr_expect_eq(ack_needs(ACK_ALL, members), rows[i].all, "of %zu", members);
	}
}
