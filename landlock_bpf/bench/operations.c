/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The measured operations of `landlock-bpf bench`, the loop around them, and loops of known length
 * that tell what its clock counts.
 *
 * A shared library, so that a process put under a mechanism measures at once: an execve() would
 * need rules of its own for the program and its libraries. With PROGRAM defined it is a program as
 * well, for what can only start programs (bubblewrap).
 */
#define _GNU_SOURCE /* O_PATH */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE	 4096
#define UNOPENED (-1)
#define PROBES	 5 /* batches that fill the caches and tell how many fit the budget */

/* What an operation is done to. `first` and `second` are names that it may make, remove and make
 * again. */
struct subject {
	const char *file;
	const char *first;
	const char *second;
	int fd; /* of file, for those operations that have it open */
};

/* Each does one operation and undoes it, and returns 0, or -1 with errno set. */
typedef int operation(const struct subject *subject);

static char page[PAGE];

static int do_open(const struct subject *subject)
{
	const int fd = open(subject->file, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : close(fd);
}

static int do_open_write(const struct subject *subject)
{
	const int fd = open(subject->file, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : close(fd);
}

static int do_create(const struct subject *subject)
{
	const int fd = open(subject->first, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 || close(fd) ? -1 : unlink(subject->first);
}

static int do_mkdir(const struct subject *subject)
{
	return mkdir(subject->first, 0700) ? -1 : rmdir(subject->first);
}

static int do_link(const struct subject *subject)
{
	return link(subject->file, subject->first) ? -1 : unlink(subject->first);
}

static int do_rename(const struct subject *subject)
{
	return rename(subject->file, subject->first) ? -1 : rename(subject->first, subject->file);
}

static int do_move(const struct subject *subject)
{
	return rename(subject->file, subject->second) ? -1 : rename(subject->second, subject->file);
}

static int do_truncate(const struct subject *subject)
{
	return truncate(subject->file, PAGE);
}

static int do_stat(const struct subject *subject)
{
	struct stat found;

	return stat(subject->file, &found);
}

static int do_chmod(const struct subject *subject)
{
	return chmod(subject->file, 0600);
}

static int do_exec(const struct subject *subject)
{
	char *const words[] = { (char *)subject->file, NULL };
	char *const none[] = { NULL };
	pid_t child;
	int status;

	errno = posix_spawn(&child, subject->file, NULL, NULL, words, none);
	if (errno)
		return -1;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	errno = ENOEXEC;
	return status ? -1 : 0;
}

static int do_read(const struct subject *subject)
{
	return pread(subject->fd, page, PAGE, 0) == PAGE ? 0 : -1;
}

static int do_write(const struct subject *subject)
{
	return pwrite(subject->fd, page, PAGE, 0) == PAGE ? 0 : -1;
}

static int do_lock(const struct subject *subject)
{
	return flock(subject->fd, LOCK_EX) ? -1 : flock(subject->fd, LOCK_UN);
}

static int do_access(const struct subject *subject)
{
	return access(subject->file, R_OK);
}

static int do_chdir(const struct subject *subject)
{
	return fchdir(subject->fd);
}

/* operations.py has what people are told of each. */
static const struct {
	const char *name;
	operation *once;
	int flags; /* with which the file is opened beforehand, or UNOPENED */
} OPERATIONS[] = {
	/* clang-format off */
	{ "open", do_open, UNOPENED },
	{ "open-write", do_open_write, UNOPENED },
	{ "create", do_create, UNOPENED },
	{ "mkdir", do_mkdir, UNOPENED },
	{ "link", do_link, UNOPENED },
	{ "rename", do_rename, UNOPENED },
	{ "move", do_move, UNOPENED },
	{ "truncate", do_truncate, UNOPENED },
	{ "stat", do_stat, UNOPENED },
	{ "chmod", do_chmod, UNOPENED },
	{ "exec", do_exec, UNOPENED },
	{ "read", do_read, O_RDONLY },
	{ "write", do_write, O_WRONLY },
	{ "lock", do_lock, O_RDONLY },
	{ "access", do_access, UNOPENED },
	{ "chdir", do_chdir, O_PATH | O_DIRECTORY },
	/* clang-format on */
};

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int run_batches(operation *once, const struct subject *subjects, uint32_t count,
		       uint32_t often, uint32_t batches, uint64_t *spent)
{
	uint32_t next = 0;

	for (uint32_t batch = 0; batch < batches; batch++) {
		const uint64_t start = now();

		for (uint32_t i = 0; i < often; i++) {
			if (once(&subjects[next]))
				return -errno;
			if (++next == count)
				next = 0;
		}
		spent[batch] = now() - start;
	}
	return 0;
}

static int run_within(operation *once, const struct subject *subjects, uint32_t count,
		      uint32_t often, uint64_t budget, const uint32_t *range, uint64_t *spent)
{
	uint64_t probes[PROBES], least = UINT64_MAX;
	uint32_t batches = range[1];
	int error = run_batches(once, subjects, count, often, PROBES, probes);

	for (int i = 0; !error && i < PROBES; i++)
		least = probes[i] < least ? probes[i] : least;
	if (!error && least && budget / least < batches)
		batches = budget / least > range[0] ? budget / least : range[0];
	error = error ?: run_batches(once, subjects, count, often, batches, spent);
	return error ?: (int)batches;
}

/*
 * Does an operation to the subjects in turn, so often a batch, and about as many batches as fit the
 * budget of nanoseconds, within the range; spent[] gets the nanoseconds of each. Returns the number
 * of batches, or a negative errno.
 */
int measure(const char *name, struct subject *subjects, uint32_t count, uint32_t often,
	    uint64_t budget, const uint32_t range[2], uint64_t *spent)
{
	const size_t known = sizeof(OPERATIONS) / sizeof(*OPERATIONS);
	uint32_t opened = 0;
	size_t row = 0;
	int found = 0;

	while (row < known && strcmp(OPERATIONS[row].name, name))
		row++;
	if (row == known)
		return -ENOSYS;
	/* Else what is executed lies at random addresses, and the page tables for these take more
	 * or less than what mechanisms add. */
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		return -errno;
	for (; OPERATIONS[row].flags != UNOPENED && opened < count && !found; opened++) {
		subjects[opened].fd =
			open(subjects[opened].file, OPERATIONS[row].flags | O_CLOEXEC);
		found = subjects[opened].fd < 0 ? -errno : 0;
	}
	if (!found)
		found = run_within(OPERATIONS[row].once, subjects, count, often, budget, range,
				   spent);
	while (opened)
		close(subjects[--opened].fd);
	return found;
}

/*
 * Two loops with different instructions: a clock that agrees with the number of
 * instructions of both counts instructions, and is not a machine of 1 GHz.
 */
#if defined(__x86_64__)
#define SHORT_CHAIN "1: dec %0; jnz 1b"
#define LONG_CHAIN  "1: imul %1, %1; dec %0; jnz 1b"
#elif defined(__aarch64__)
#define SHORT_CHAIN "1: subs %0, %0, #1; b.ne 1b"
#define LONG_CHAIN  "1: mul %1, %1, %1; subs %0, %0, #1; b.ne 1b"
#endif

/* Time rounds of 2 instructions; 0 where this is not written for the machine. */
uint64_t time_short_chain(uint64_t rounds)
{
#ifdef SHORT_CHAIN
	const uint64_t start = now();

	__asm__ volatile(SHORT_CHAIN : "+r"(rounds) : : "cc");
	return now() - start;
#else
	return 0;
#endif
}

/* Time rounds of 3 instructions; 0 where this is not written for the machine. */
uint64_t time_long_chain(uint64_t rounds)
{
#ifdef LONG_CHAIN
	uint64_t factor = 3;
	const uint64_t start = now();

	__asm__ volatile(LONG_CHAIN : "+r"(rounds), "+r"(factor) : : "cc");
	return now() - start;
#else
	return 0;
#endif
}

#ifdef PROGRAM
/* OPERATION OFTEN BUDGET LEAST MOST FILE FIRST SECOND: writes the nanoseconds of each batch, as
 * they are. */
int main(int argc, char **argv)
{
	if (argc != 9)
		return 2;
	const uint32_t range[] = { strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10) };
	struct subject subject = { argv[6], argv[7], argv[8], -1 };
	uint64_t *spent = calloc(range[1], sizeof(*spent));
	const int batches = spent ? measure(argv[1], &subject, 1, strtoul(argv[2], NULL, 10),
					    strtoull(argv[3], NULL, 10), range, spent)
				  : -ENOMEM;

	if (batches < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-batches));
		return 1;
	}
	return fwrite(spent, sizeof(*spent), batches, stdout) != (size_t)batches || fflush(stdout);
}
#endif
