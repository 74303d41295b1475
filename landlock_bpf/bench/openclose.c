/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The measured loop of `landlock-bpf bench`, and loops of known length that
 * tell what its clock counts.
 *
 * A shared library, so that a process put under a mechanism measures at once:
 * an execve() would need rules of its own for the program and its libraries.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/*
 * Opens and closes the paths in turn, operations times a batch; spent[] gets
 * the nanoseconds of each batch. Returns 0 or a negative errno.
 */
int open_close(const char *const *paths, uint32_t count, uint32_t operations, uint32_t batches,
	       uint64_t *spent)
{
	uint32_t next = 0;

	for (uint32_t batch = 0; batch < batches; batch++) {
		const uint64_t start = now();

		for (uint32_t i = 0; i < operations; i++) {
			const int fd = open(paths[next], O_RDONLY | O_CLOEXEC);

			if (fd < 0)
				return -errno;
			close(fd);
			if (++next == count)
				next = 0;
		}
		spent[batch] = now() - start;
	}
	return 0;
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
