/* SPDX-License-Identifier: GPL-2.0-only */
/* The program that `landlock-bpf bench` has executed: it ends at once, without a libc. */
#if defined(__x86_64__)
#define EXIT "xor %edi, %edi; mov $60, %eax; syscall"
#elif defined(__aarch64__)
#define EXIT "mov x0, #0; mov x8, #93; svc #0"
#endif

__asm__(".globl _start\n_start: " EXIT);
