/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest launcher with the landlock system calls, as what `run` is compared with:
 * RIGHTS PATH... -- COMMAND: allows RIGHTS (a number) beneath each path, then executes the command.
 */
#define _GNU_SOURCE /* O_PATH */
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What means something on a file that is no directory: execute, write_file, read_file, truncate,
 * ioctl_dev. */
#define FILE_RIGHTS 0xc007

static int fail(const char *what)
{
	perror(what);
	return 125;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	const struct landlock_ruleset_attr handled = { .handled_access_fs =
							       strtoull(argv[1], NULL, 0) };
	const int ruleset = syscall(SYS_landlock_create_ruleset, &handled,
				    sizeof(handled.handled_access_fs), 0);
	int next = 2;

	if (ruleset < 0)
		return fail("landlock_create_ruleset");
	for (; next < argc && strcmp(argv[next], "--"); next++) {
		struct landlock_path_beneath_attr rule = {
			.allowed_access = handled.handled_access_fs,
			.parent_fd = open(argv[next], O_PATH | O_CLOEXEC),
		};
		struct stat found;

		if (rule.parent_fd < 0 || fstat(rule.parent_fd, &found))
			return fail(argv[next]);
		if (!S_ISDIR(found.st_mode))
			rule.allowed_access &= FILE_RIGHTS;
		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
			return fail("landlock_add_rule");
		close(rule.parent_fd);
	}
	if (next + 1 >= argc)
		return 2;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0))
		return fail("landlock_restrict_self");
	execv(argv[next + 1], argv + next + 1);
	return fail(argv[next + 1]);
}
