/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands of ioctl(2) that filesystems and block devices know. */
#ifndef _UAPI_LINUX_FS_H
#define _UAPI_LINUX_FS_H

#include <linux/types.h>
#include <uapi/linux/ioctl.h>

#define BLKROSET	    _IO(0x12, 93)
#define BLKROGET	    _IO(0x12, 94)
#define BLKRRPART	    _IO(0x12, 95)
#define BLKGETSIZE	    _IO(0x12, 96)
#define BLKFLSBUF	    _IO(0x12, 97)
#define BLKRASET	    _IO(0x12, 98)
#define BLKRAGET	    _IO(0x12, 99)
#define BLKFRASET	    _IO(0x12, 100)
#define BLKFRAGET	    _IO(0x12, 101)
#define BLKSECTSET	    _IO(0x12, 102)
#define BLKSECTGET	    _IO(0x12, 103)
#define BLKSSZGET	    _IO(0x12, 104)
#define BLKPG		    _IO(0x12, 105)
#define BLKELVGET	    _IOR(0x12, 106, size_t)
#define BLKELVSET	    _IOW(0x12, 107, size_t)
#define BLKBSZGET	    _IOR(0x12, 112, size_t)
#define BLKBSZSET	    _IOW(0x12, 113, size_t)
#define BLKGETSIZE64	    _IOR(0x12, 114, size_t)
#define BLKTRACESETUP	    0xc0481273
#define BLKTRACESTART	    _IO(0x12, 116)
#define BLKTRACESTOP	    _IO(0x12, 117)
#define BLKTRACETEARDOWN    _IO(0x12, 118)
#define BLKDISCARD	    _IO(0x12, 119)
#define BLKIOMIN	    _IO(0x12, 120)
#define BLKIOOPT	    _IO(0x12, 121)
#define BLKALIGNOFF	    _IO(0x12, 122)
#define BLKPBSZGET	    _IO(0x12, 123)
#define BLKDISCARDZEROES    _IO(0x12, 124)
#define BLKSECDISCARD	    _IO(0x12, 125)
#define BLKROTATIONAL	    _IO(0x12, 126)
#define BLKZEROOUT	    _IO(0x12, 127)
#define BLKGETDISKSEQ	    _IOR(0x12, 128, __u64)
#define FIBMAP		    _IO(0x00, 1)
#define FIGETBSZ	    _IO(0x00, 2)
#define FIFREEZE	    _IOWR('X', 119, int)
#define FITHAW		    _IOWR('X', 120, int)
#define FITRIM		    0xc0185879
#define FICLONE		    _IOW(0x94, 9, int)
#define FICLONERANGE	    0x4020940d
#define FIDEDUPERANGE	    0xc0189436
#define FS_IOC_GETFLAGS	    _IOR('f', 1, long)
#define FS_IOC_SETFLAGS	    _IOW('f', 2, long)
#define FS_IOC_GETVERSION   _IOR('v', 1, long)
#define FS_IOC_SETVERSION   _IOW('v', 2, long)
#define FS_IOC_FIEMAP	    0xc020660b
#define FS_IOC32_GETFLAGS   _IOR('f', 1, int)
#define FS_IOC32_SETFLAGS   _IOW('f', 2, int)
#define FS_IOC32_GETVERSION _IOR('v', 1, int)
#define FS_IOC32_SETVERSION _IOW('v', 2, int)
#define FS_IOC_FSGETXATTR   0x801c581f
#define FS_IOC_FSSETXATTR   0x401c5820
#define FS_IOC_GETFSLABEL   0x81009431
#define FS_IOC_SETFSLABEL   0x41009432

#endif
