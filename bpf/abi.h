/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers and records that the engine and user space share.
 *
 * The one home of each: landlock_bpf/abi.py is generated from this file through
 * its BTF. Macros never reach BTF, so shared numbers are enumerators, and 64-bit
 * enumerators are lost by clang 14, so masks are given as bit numbers. Padding
 * is named: a hole in a key would make equal keys differ.
 */
#ifndef LANDLOCK_BPF_ABI_H
#define LANDLOCK_BPF_ABI_H

#include <linux/types.h>

enum limit {
	LIMIT_LAYERS = 16,	    /* layers that one task can be under */
	LIMIT_RULES = 10000,	    /* rules of a domain */
	LIMIT_DOMAINS = 1000,	    /* domains in force at once */
	LIMIT_RULESETS = 2048,	    /* a domain has two while it is being replaced */
	LIMIT_OBJECTS = 262144,	    /* objects with rules, all domains together */
	LIMIT_CGROUPS = 65536,	    /* cgroups in all domains, nested ones counted */
	LIMIT_DEPTH = 256,	    /* directories from an object up to the root */
	LIMIT_OPENED = 65536,	    /* open files with a right refused at open */
	LIMIT_NAME = 64,	    /* bytes of a domain's name, the final 0 counted */
	LIMIT_PATH = 4096,	    /* bytes of a path in an event */
	LIMIT_COMPONENT = 256,	    /* bytes of one name of a path, the final 0 counted */
	LIMIT_CROSSED = 64,	    /* mounts on the way from an object up to the root */
	LIMIT_WALKED = 256,	    /* walks that a processor remembers; a power of two */
	LIMIT_MARKS = 65536,	    /* of cgroup ids, by their low bits; a power of two */
	LIMIT_MARK_BITS = 16,	    /* of a mark, for the domain; the others are of the id */
	LIMIT_FILTER_BITS = 22,	    /* log2 of the bits of the filter before fsview */
	LIMIT_PROGRAMS = 1024,	    /* layers of rule programs in force at once */
	LIMIT_SOURCES = 64,	    /* rule programs of a domain */
	LIMIT_QUESTIONS = 4,	    /* that one hook asks of rule programs */
	LIMIT_VIEWS = 8,	    /* fsviews of a layer of rule programs */
	LIMIT_MARKED = 65536,	    /* objects marked in fsviews, all domains together */
	LIMIT_ALIASES = 16,	    /* names of an inode that are looked at */
	LIMIT_SHOWN = 1024,	    /* mounts of a filesystem that are looked at */
	LIMIT_PATTERNS = 64,	    /* of names, in a ruleset; the bits of rule.trees */
	LIMIT_NAMES = 65536,	    /* names with rules, all domains together */
	LIMIT_MISSING = 8,	    /* names from a directory down to what does not exist yet */
	LIMIT_COMMAND_CLASSES = 15, /* sets of ioctl commands that rules tell apart, in a ruleset */
	LIMIT_COMMANDS = 65536,	    /* ioctl commands named by rules, all domains together */
	LIMIT_CREATORS = 4096,	    /* overlay filesystems that are mounted */
	LIMIT_DEPARTED = 4096,	    /* tasks that could have no storage when they were moved */
	LIMIT_APPROACH = 32,	    /* places by which commands come to the engine */
};

/* What a rule program of 2017 is asked about: the event of its subtype. */
enum event {
	EVENT_NONE = 0, /* no rule program: a policy */
	EVENT_FS = 1,
	EVENT_FS_IOCTL = 2,
	EVENT_FS_LOCK = 3,
	EVENT_FS_FCNTL = 4,
};

/* Bit numbers of what is asked with the event FS. */
enum action_fs {
	ACTION_FS_EXEC = 0,
	ACTION_FS_WRITE = 1,
	ACTION_FS_READ = 2,
	ACTION_FS_NEW = 3,
	ACTION_FS_GET = 4,
	ACTION_FS_REMOVE = 5,
	ACTION_FS_IOCTL = 6,
	ACTION_FS_LOCK = 7,
	ACTION_FS_FCNTL = 8,
};

/* What the handle of a question stands for. */
enum handle {
	HANDLE_NONE = 0,
	HANDLE_FILE = 1,
	HANDLE_INODE = 2,
	HANDLE_PATH = 3,
	HANDLE_DENTRY = 4,
};

/* Where in a handle, a number that says all a rule may know, its parts are. */
enum handle_part {
	HANDLE_PART_ERROR = 16,	   /* shift of an errno, 0 for none; the mode is below */
	HANDLE_PART_QUESTION = 32, /* shift of the number of the question */
	HANDLE_PART_TAG = 48,	   /* shift of HANDLE_PART_MAGIC */
	HANDLE_PART_MAGIC = 0x4c4c,
};

/* Bit numbers of access rights; the first 16 are Landlock's own (include/uapi/linux/landlock.h, ABI
 * 5). */
enum action {
	ACTION_EXECUTE = 0,
	ACTION_WRITE_FILE = 1,
	ACTION_READ_FILE = 2,
	ACTION_READ_DIR = 3,
	ACTION_REMOVE_DIR = 4,
	ACTION_REMOVE_FILE = 5,
	ACTION_MAKE_CHAR = 6,
	ACTION_MAKE_DIR = 7,
	ACTION_MAKE_REG = 8,
	ACTION_MAKE_SOCK = 9,
	ACTION_MAKE_FIFO = 10,
	ACTION_MAKE_BLOCK = 11,
	ACTION_MAKE_SYM = 12,
	ACTION_REFER = 13,
	ACTION_TRUNCATE = 14,
	ACTION_IOCTL_DEV = 15,
	/* What Landlock lacks, but for RESOLVE_UNIX (its ABI 9). */
	ACTION_CHDIR = 16,
	ACTION_ACCESS = 17,
	ACTION_STAT = 18,
	ACTION_READLINK = 19,
	ACTION_GETXATTR = 20,
	ACTION_LISTXATTR = 21,
	ACTION_FILE_GETATTR = 22,
	ACTION_CHMOD = 23,
	ACTION_CHOWN = 24,
	ACTION_UTIME = 25,
	ACTION_SETXATTR = 26,
	ACTION_REMOVEXATTR = 27,
	ACTION_SET_ACL = 28,
	ACTION_FILE_SETATTR = 29,
	ACTION_LOCK = 30,
	ACTION_FCNTL = 31,
	ACTION_IOCTL = 32,
	ACTION_MAP_EXEC = 33,
	ACTION_CHROOT = 34,
	ACTION_RECEIVE = 35,
	ACTION_RESOLVE_UNIX = 36,
	ACTION_MOUNT = 37,
	ACTION_OPEN_BLOCK = 38,
};

/* Bit numbers beside those of enum action. */
enum action_bit {
	/* The first of LIMIT_COMMAND_CLASSES: ioctl with commands that rules name. */
	ACTION_BIT_COMMANDS = 48,
};

/* The LSM hooks that deny, as events name them. */
enum hook {
	HOOK_FILE_OPEN = 0,
	HOOK_FILE_TRUNCATE = 1,
	HOOK_FILE_IOCTL = 2,
	HOOK_FILE_IOCTL_COMPAT = 3,
	HOOK_PATH_TRUNCATE = 4,
	HOOK_PATH_UNLINK = 5,
	HOOK_PATH_RMDIR = 6,
	HOOK_PATH_MKDIR = 7,
	HOOK_PATH_MKNOD = 8,
	HOOK_PATH_SYMLINK = 9,
	HOOK_PATH_LINK = 10,
	HOOK_PATH_RENAME = 11,
	HOOK_SB_MOUNT = 12,
	HOOK_MOVE_MOUNT = 13,
	HOOK_SB_UMOUNT = 14,
	HOOK_SB_REMOUNT = 15,
	HOOK_SB_PIVOTROOT = 16,
	HOOK_BINDER_TRANSFER_FILE = 17,
	HOOK_SB_STATFS = 18,
	HOOK_INODE_CREATE = 19,
	HOOK_INODE_LINK = 20,
	HOOK_INODE_UNLINK = 21,
	HOOK_INODE_SYMLINK = 22,
	HOOK_INODE_MKDIR = 23,
	HOOK_INODE_RMDIR = 24,
	HOOK_INODE_MKNOD = 25,
	HOOK_INODE_RENAME = 26,
	HOOK_INODE_READLINK = 27,
	HOOK_INODE_FOLLOW_LINK = 28,
	HOOK_INODE_PERMISSION = 29,
	HOOK_INODE_SETATTR = 30,
	HOOK_INODE_GETATTR = 31,
	HOOK_INODE_SETXATTR = 32,
	HOOK_INODE_GETXATTR = 33,
	HOOK_INODE_LISTXATTR = 34,
	HOOK_INODE_REMOVEXATTR = 35,
	HOOK_INODE_SETSECURITY = 36,
	HOOK_FILE_PERMISSION = 37,
	HOOK_FILE_LOCK = 38,
	HOOK_FILE_FCNTL = 39,
	HOOK_MMAP_FILE = 40,
	HOOK_FILE_MPROTECT = 41,
	HOOK_FILE_RECEIVE = 42,
	HOOK_INODE_SET_ACL = 43,
	HOOK_INODE_GET_ACL = 44,
	HOOK_INODE_REMOVE_ACL = 45,
	HOOK_INODE_FILE_GETATTR = 46,
	HOOK_INODE_FILE_SETATTR = 47,
	HOOK_URING_CMD = 48,
	HOOK_PATH_NOTIFY = 49,
	HOOK_PTRACE_ACCESS_CHECK = 50,
	HOOK_PTRACE_TRACEME = 51,
	HOOK_PATH_CHMOD = 52,
	HOOK_PATH_CHOWN = 53,
	HOOK_PATH_CHROOT = 54,
	HOOK_UNIX_STREAM_CONNECT = 55,
	HOOK_UNIX_MAY_SEND = 56,
	HOOK_TASK_ALLOC = 57,
	HOOK_BPF = 58,
	HOOK_LOCKED_DOWN = 59,
	HOOK_KERNEL_LOAD_DATA = 60,
	HOOK_KERNEL_READ_FILE = 61,
	HOOK_PERF_EVENT_OPEN = 62,
	HOOK_SB_SET_MNT_OPTS = 63,
};

/* Why an access was denied. */
enum reason {
	REASON_RULE = 0,	 /* a rule denies it */
	REASON_NO_RULE = 1,	 /* no rule allows it */
	REASON_SEALED = 2,	 /* the object, or one beneath it, has a denial */
	REASON_REFER = 3,	 /* the destination would give rights that the source lacks */
	REASON_MOUNT = 4,	 /* no mount changes in a domain */
	REASON_OPENED = 5,	 /* refused when the file was opened */
	REASON_DETACHED = 6,	 /* the mount is in no mount namespace */
	REASON_DISCONNECTED = 7, /* the object has no known path */
	REASON_DEPTH = 8,	 /* deeper than LIMIT_DEPTH */
	REASON_RACE = 9,	 /* renames or mounts went on during every walk */
	REASON_FULL = 10,	 /* a map is full, or no memory */
	REASON_PROGRAM = 11,	 /* a rule program denies it */
	REASON_PTRACE = 12,	 /* the tracee is not in all domains of the tracer */
	REASON_MISSING = 13,	 /* a rule program that must be asked is not there */
	REASON_NAMED = 14,	 /* a rule denies its name */
	REASON_DOMAIN = 15,	 /* it would leave or weaken the domain */
	REASON_CROWDED = 16,	 /* more names or mounts than are looked at */
};

/* How a walk ended. */
enum end {
	END_NONE = 0,	      /* it has not, or was too long */
	END_SETTLED = 1,      /* nothing is left to decide */
	END_ROOT = 2,	      /* at the root of a mount namespace */
	END_DETACHED = 3,     /* at the root of a mount that is in no namespace */
	END_DISCONNECTED = 4, /* at a dentry whose place is not known */
};

/* What a walk is for. */
enum walk_mode {
	WALK_MODE_DECIDE = 0,
	WALK_MODE_GATHER = 1,  /* find out in the trees of which patterns the object is */
	WALK_MODE_COLLECT = 2, /* tell what the name alone says */
};

/* What comes next when the marks of an object are looked up. */
enum viewing_step {
	VIEWING_STEP_MOUNT = 0, /* to the next mount of the filesystem */
	VIEWING_STEP_UP = 1,	/* up from where it is */
	VIEWING_STEP_END = 2,	/* all is known that can be */
	VIEWING_STEP_LOST = 3,	/* it cannot be known */
};

/* Bits of object.subvol that are no subvolume's. */
enum subvol {
	SUBVOL_OVERLAY = 63, /* reached on overlayfs, not on the filesystem of the real inode */
};

/* What a domain is tied to. */
enum kind {
	KIND_NONE = 0,	  /* a free slot */
	KIND_CGROUP = 1,  /* a cgroup and its descendants */
	KIND_PROCESS = 2, /* a process tree */
};

/*
 * Identity of an object, made of numbers alone.
 *
 * dev is super_block.s_dev, not st_dev. subvol is the btrfs subvolume, else 0.
 * On overlayfs all four are those of the real inode beneath, with the top bit of subvol
 * set: what is permitted there is not thereby permitted beneath.
 */
struct object {
	__u64 ino;
	__u64 subvol;
	__u32 dev;
	__u32 generation;
};

struct fsview_key {
	struct object object;
	__u32 ruleset;
	__u32 pad;
};

/* What the layers of a ruleset say of one object, or one name; masks of 1 << enum action. */
struct rule {
	__u64 allowed[LIMIT_LAYERS]; /* 0 for names */
	__u64 denied[LIMIT_LAYERS];
	__u64 trees;  /* mask of the patterns of names that hold beneath it, by their numbers */
	__u32 sealed; /* mask of layers in which it cannot be removed or replaced */
	__u32 named;  /* whether paths from here on have rules, in the map names */
};

/*
 * A path of up to LIMIT_MISSING names that begins at an object. hash is that of the last
 * name, then mixed with each before it: see mix_name() in decide.h.
 */
struct name_key {
	struct object parent;
	__u64 hash;
	__u32 ruleset;
	__u32 pad;
};

struct pattern_key {
	__u32 ruleset;
	__u32 number; /* below ruleset.patterns */
};

/* A pattern of names, as its parts around the one `*`, which are known by their hashes. */
struct pattern {
	__u64 head_hash;
	__u64 tail_hash;
	__u32 head;  /* bytes before the `*`, or of the whole name */
	__u32 tail;  /* bytes after the `*` */
	__u32 exact; /* no `*`: tail is 0 */
	__u32 pad;
	struct object tree; /* where it was written for: what an event names */
	struct rule rule;
};

/* An ioctl command that rules name. */
struct command_key {
	__u32 ruleset;
	__u32 command;
};

/*
 * The domain of a cgroup without a look-up: by the low bits of its id, a word of 48
 * bits of the id and 16 of the domain. Both sides store whole words. 0: no cgroup with
 * these low bits is in a domain; a word of another cgroup: look it up.
 */
struct marks {
	__u64 word[LIMIT_MARKS];
};

/* The rule programs of a layer, as a ruleset has them asked. */
struct programs {
	__u64 hooks; /* mask of 1 << enum hook: those that have a program in the slot */
	__u64 views; /* serial number of their fsviews; 0: none */
	__u32 slot;  /* in the program arrays */
	__u32 layer; /* its number in the ruleset */
};

/* All layers that a domain enforces, merged. Never changed once in force. */
struct ruleset {
	__u64 serial; /* never used twice */
	__u64 handled[LIMIT_LAYERS];
	__u64 handled_any;		   /* the union of handled[] */
	__u64 default_allow[LIMIT_LAYERS]; /* of handled[]: allowed where no rule decides */
	__u32 layers;
	__u32 permissive; /* mask of layers that report what they would deny */
	__u64 lengths;	  /* of names in the map names: mask of 1 << length % 64 */
	__u64 tails; /* of patterns: mask of 1 << last byte % 64; all bits where one ends in `*` */
	__u32 patterns;
	__u32 commands; /* whether the map commands has some of it */
	__u32 diskless; /* mask of layers that refuse to open any block device */
	__u32 pad;
	__u64 hooks_any;			/* the union of programs[].hooks */
	struct programs programs[LIMIT_LAYERS]; /* the newest first; a slot of 0 ends them */
};

/* An object in a set of fsviews. */
struct view_key {
	struct object object;
	__u64 views; /* serial number of the set */
};

/* A rule, and on how many objects that follow one another it is. */
struct rule_run {
	struct rule rule;
	__u32 objects;
	__u32 pad;
};

/* What fill.h is told; addresses are in user space. */
struct filling {
	__u64 objects; /* struct object of each, one after another */
	__u64 runs;    /* struct rule_run of them all, one after another; of marks 0 */
	__u32 count;   /* of the runs; of marks that of the objects */
	__u32 ruleset; /* index; of marks the low word of the serial number of their set */
};

/* What fsviews say of one object, by their numbers in the set. */
struct view_marks {
	__u32 marks[LIMIT_VIEWS];
	__u32 ways; /* mask of views that mark it or something beneath it */
	__u32 all;  /* mask of the views of the set */
};

struct domain {
	__u32 ruleset;	   /* index of the one in force; 0: none */
	__u32 kind;	   /* enum kind */
	__u64 cgroup;	   /* id of its cgroup (kernfs_node.id) */
	__u64 maker_start; /* start of the maker, clock ticks after boot; 0: kept */
	__u32 maker;	   /* process id */
	__u32 parent;	   /* of a process domain: the one it was made in, or 0 */
	__u32 forks;	   /* tasks made in a process domain, or (in slot 0) of who is held */
	__u32 sticky;	   /* of a cgroup's: whoever was in it stays in it, wherever he is moved */
	char name[LIMIT_NAME];
};

/* Moves of files: what rename_lock counts of them moves no directory. */
struct moves {
	__u32 files;
	__u32 rename_seq; /* of rename_lock in the last one */
};

/* A moment: whether a file, a directory or a mount was moved since. */
struct epoch {
	__u32 rename_seq; /* of rename_lock */
	__u32 tree_seq;	  /* that less what moves of files have added to it */
	__u32 mount_seq;  /* of mount_lock */
	__u32 pad;
};

/* A walk up from a directory, remembered. */
struct walked {
	__u64 dentry;
	__u64 parent; /* of dentry */
	__u64 mount;
	struct object object;
	__u64 serial;
	__u64 refused;
	__u64 time;	  /* jiffies */
	__u32 rename_seq; /* of rename_lock */
	__u32 tree_seq;	  /* see struct epoch */
	__u32 mount_seq;
	__u32 quick;   /* whether ino and generation alone tell its files: see remember.h */
	__u32 version; /* odd while it is written */
	__u32 pad;
};

/* A decision in the making: see decide.h. */
struct decision {
	__u64 pending[LIMIT_LAYERS]; /* asked, handled and undecided */
	__u64 refused[LIMIT_LAYERS];
	__u64 shaded[LIMIT_LAYERS]; /* pending on the filesystem's own way */
	struct object object;	    /* of the rule that denied first */
	__u32 layer;		    /* of the first denial */
	__u32 reason;		    /* enum reason, of the first denial */
	__u32 layers;
	__u32 denied; /* whether anything is refused */
	__u32 skip;   /* mask of layers that are not asked; set before decide_begin() */
	__u32 pad;
};

/* A walk in the making; addresses are kernel pointers, kept as numbers. */
struct walk {
	struct decision decision;
	struct fsview_key key;
	__u64 from_dentry; /* where it begins */
	__u64 from_mount;
	__u64 dentry; /* where it is */
	__u64 mount;
	__u64 own;	    /* a dentry on the filesystem's own way */
	__u64 root;	    /* of the mount where it is: a dentry */
	__u32 end;	    /* enum end */
	__u32 hidden;	    /* whether dentry lies beneath a mount */
	__u32 depth;	    /* directories walked so far */
	__u32 own_depth;    /* the same on the filesystem's own way */
	struct epoch epoch; /* when it began */
	__u32 unnamed;	    /* whether it met an object whose identity is not known */
	__u32 index;	    /* of the ruleset */
	__u32 mode;	    /* enum walk_mode */
	__u32 sealed;	    /* collected: mask of layers that deny anything to the name */
	__u32 way;	    /* collected: mask of layers in which it leads to such a name */
	__u32 plain;	    /* whether here only objects with a rule of their own count */
	__u64 trees;	    /* mask of the patterns of names in whose trees it is */
	__u64 gathered;	    /* that mask for where it begins */
	__u64 own_trees;    /* the same on the filesystem's own way */
	__u64 lengths;	    /* of the ruleset */
	__u64 tails;
	struct name_key name_key;
	struct pattern_key pattern_key;
	char name[LIMIT_COMPONENT];
};

/* What happens to an object that an access is about; a sealed one must stay as it is. */
enum touch {
	TOUCH_NOTHING = 0,
	TOUCH_REMOVED = 1, /* it goes away, is replaced or mounted on */
	TOUCH_MADE = 2,
	TOUCH_MADE_DIR = 3,
};

/* An access as a hook sees it; addresses are kernel pointers, kept as numbers. */
struct access {
	__u64 mount;
	__u64 dentry;	/* the object asked */
	__u64 target;	/* the dentry that an event names: the object, or what lies in it */
	__u64 asked;	/* mask of 1 << enum action */
	__u64 optional; /* rights to keep with an open file if refused, no reason to deny */
	__u32 hook;
	__u32 command; /* of ioctl(2) */
	__s32 error;   /* to deny with: negative errno */
	__u16 touches; /* enum touch */
	__u16 ioctl;   /* whether command is asked as well */
};

/* A link or rename in the making. Its mount is one: the VFS says EXDEV across two. */
struct refer {
	__u64 mount;
	__u64 old_dentry;
	__u64 new_dentry;
	__u64 old_parent;
	__u64 new_parent;
	__u64 leaves;  /* asked of the old parent */
	__u64 arrives; /* asked of the new parent */
	__u32 hook;
	__u8 removes; /* rename, not link */
	__u8 exchange;
	__u8 unsealed; /* whether neither name has a rule in any domain */
	__u8 pad;
};

/* An open file with rights that were refused when it was opened. */
struct opened {
	__u64 refused;
	__u64 noted; /* refused by permissive layers alone */
	__u64 serial;
	struct object object;
	__u32 domain;
	__u32 layer;
};

/* A domain's ruleset in force, looked up once a hook call, so that no call sees two. */
struct sight {
	__u64 serial;
	__u64 handled_any;
	__u64 lengths;
	__u64 tails;
	__u32 index;
	__u32 domain;
	__u32 permissive;
	__u32 patterns;
};

/* A question that a hook asks of rule programs; addresses are kernel pointers, 0 for none. */
struct question {
	__u64 handle;
	__u64 arg2;
	__u64 mount;
	__u64 dentry;
	__u64 inode;
	__u32 event;
	__u32 kind; /* enum handle */
	struct view_marks seen;
	__s32 error; /* negative errno where the views could not be asked */
	__u32 pad;
};

/* Rule programs to be asked, of one domain of the task. */
struct asked {
	struct programs programs;
	__u64 serial;
	__u32 domain;
	__u32 pad;
};

/* A hook call that asks rule programs, while it does. */
struct inquiry {
	__u32 hook;
	__u32 questions;
	__u32 places; /* how many are to be asked */
	__u32 place;  /* which is asked now */
	__u32 denied; /* 1 + the number of the rule that denied; 0: none did */
	__u32 denied_question;
	struct question question[LIMIT_QUESTIONS];
	struct asked asked[LIMIT_LAYERS];
};

/* Marks of an object in the making; addresses are kernel pointers, kept as numbers. */
struct viewing {
	struct view_key key;
	struct view_marks found; /* on the walk under way; .all: views that are decided */
	struct view_marks seen;	 /* what all walks before it agree on */
	__u64 alias; /* hlist_node of the name that is looked at; 0: there is one only */
	__u64 start; /* dentry where walks begin */
	__u64 shown; /* mount of the walk under way, where all are gone through */
	__u64 mount; /* where the walk is; 0: on the filesystem's own way */
	__u64 dentry;
	__u32 step;    /* enum viewing_step */
	__u32 single;  /* whether this walk is the only one */
	__u32 decided; /* whether all views are */
	__u32 visible; /* whether the object is seen through the mount */
	__u32 hidden;  /* whether dentry lies beneath a mount */
	__u32 walks;   /* that came to an end */
	__u32 aliases; /* names looked at so far */
	__u32 mounts;  /* mounts looked at for this name */
	__u32 depth;
	__u32 pad;
	struct epoch epoch; /* when it began */
};

/* What the engine keeps for a task. */
struct task {
	__u32 domain; /* the process domain, or 0 */
	__u32 drawn;  /* whether a member of its cgroup's domain put it there: see leaving.h */
	__u64 held;   /* id of a cgroup that it left by itself: it stays in its domain; or 0 */
};

/* The same of a task that could have no storage when it was moved between cgroups. */
struct departed {
	__u64 start; /* task_struct.start_boottime, ns: process ids are used again */
	__u64 held;
	__u32 drawn;
	__u32 pad;
};

/* Room for a task's hook calls to work in: the BPF stack has 512 bytes. */
struct room {
	struct sight sight;
	struct access access;
	struct refer refer;
	struct opened kept; /* of the file being opened */
	struct walk walks[2];
	struct inquiry inquiry;
	struct viewing viewing;
};

/* Names of a path from the object up to the root, each ended by a 0. */
struct names {
	__u32 bytes;
	__u16 truncated;
	__u16 absent; /* the hook is told of no file */
	char text[LIMIT_PATH + LIMIT_COMPONENT];
};

/* What was refused, and what refused it. */
struct refusal {
	__u64 refused; /* mask of 1 << enum action; of a rule program, its arg2 */
	__u64 serial;
	struct object object;
	__u32 domain;
	__u32 layer;
	__u32 hook;
	__u32 reason;
	__u32 rule;	 /* number of the rule program in its layer */
	__u32 command;	 /* of ioctl(2) */
	__s32 error;	 /* negative errno */
	__u16 event;	 /* enum event: that of the rule program */
	__u8 permissive; /* whether it was allowed all the same */
	__u8 ioctl;	 /* whether command says anything */
};

/* What the ring buffer reports. Only rename and link have the second path. */
struct denial {
	__u64 time; /* ns, CLOCK_BOOTTIME */
	struct refusal refusal;
	__u32 pid; /* process (tgid) */
	__u32 tid;
	__u32 uid;
	__u32 dropped; /* denials of the domain since the last one that was reported */
	char comm[16];
	struct names path;
	struct names second;
};

/* Where foreign filesystems keep what identity needs, in bytes, from module BTF. */
struct layout {
	__u32 btrfs;	       /* whether the next three are known */
	__s32 btrfs_root;      /* btrfs_inode.root, from its vfs_inode */
	__u32 btrfs_objectid;  /* btrfs_root.root_key.objectid */
	__u32 overlay;	       /* whether the rest is known */
	__s32 overlay_upper;   /* ovl_inode.__upperdentry, from its vfs_inode */
	__s32 overlay_entry;   /* ovl_inode.oe, from its vfs_inode */
	__u32 overlay_layers;  /* ovl_entry.__numlower */
	__u32 overlay_stack;   /* ovl_entry.__lowerstack */
	__u32 overlay_step;    /* sizeof(struct ovl_path) */
	__u32 overlay_dentry;  /* ovl_path.dentry */
	__u32 overlay_creator; /* ovl_fs.creator_cred; 0: not known */
	__u32 pad;
};

/* How many denials a domain has reported in the second that began at start. */
struct rate {
	__u64 start; /* ns, CLOCK_BOOTTIME */
	__u32 reported;
	__u32 dropped; /* since the last one that was reported */
	__u64 dropped_ever;
};

/* What the engine counts, and what user space tells it; one page, mapped by both. */
struct state {
	__u64 lost;	/* denials that found the ring buffer full */
	__u64 opened;	/* entries of the map opened */
	__u64 escaped;	/* tasks ever held in a domain or drawn into one: 0 spares all a look-up */
	__u64 departed; /* entries ever made in the map departures: 0 spares all a look-up */
	__u64 orphans;	/* cgroups ever made inside a domain that could not be recorded */
	__u64 records_ino;     /* of the folder of the controller's records; 0: not told */
	__u32 records_dev;     /* super_block.s_dev of that */
	__u32 process_domains; /* live ones: 0 spares everyone a look-up */
	__u32 rate;	       /* denials a second that a domain may report; 0: all */
	__u32 entering;	       /* the process domain into which user space puts a thread now */
	struct layout layout;
	struct object approach[LIMIT_APPROACH]; /* see approach.h; an ino of 0 ends them */
};

/* A place by which one comes to a descriptor: what the iterator `approach` prints. */
struct approached {
	__u32 fd;
	__u32 pad;
	struct object object;
};

/* One object as the kernel names it: what iter/task_file prints of a descriptor. */
struct named {
	__u32 fd;
	__u32 mode; /* i_mode */
	struct object object;
	struct object beneath; /* overlayfs: the real inode that object is named by, else 0 */
	struct object upper;   /* overlayfs: the upper inode where there is one, else 0 */
	__u64 magic;	       /* super_block.s_magic */
	__u32 known;	       /* 0: this filesystem's layout was not given */
	__u32 exportable;      /* overlayfs: the lower filesystem has file handles */
};

/* What a ruleset says of one object: what iter/task_file prints of a descriptor. */
struct explained {
	__u32 fd;
	__u32 mode; /* i_mode */
	struct object object;
	struct object decided; /* of the rule that denied first */
	__u64 refused[LIMIT_LAYERS];
	__u32 reason;  /* enum reason, of the first denial */
	__u32 denied;  /* whether anything is refused */
	__u32 end;     /* enum end: how the walk ended */
	__u32 sealed;  /* mask of layers in which it cannot be removed or replaced */
	__u32 gains;   /* of `target`: whether `source` would gain a right there */
	__u32 escapes; /* whether no domain may do what the ioctl command does */
	__u64 asked;   /* the actions that were asked, those of an ioctl command too */
	__u64 trees;   /* mask of the patterns of names in whose trees it is */
	struct rule rule;
	struct rule beneath; /* overlayfs: that of the real inode */
};

/* What is to be explained, and room to work in. */
struct explaining {
	__u64 asked;
	__u32 ruleset; /* index */
	__u32 skip;    /* mask of layers that are not asked */
	__u32 source;  /* descriptor of what is to be moved, 0: nothing is */
	__u32 target;  /* a higher one, of the directory where it is to go */
	__u32 command; /* of ioctl(2) */
	__u32 ioctl;   /* whether what command needs is asked too */
	__u64 mount;   /* of the descriptor that is looked at */
	__u64 dentry;
	__u64 gainable;	       /* the rights that `source` may gain */
	struct decision moved; /* what was decided of it */
	struct explained answer;
	struct room room;
};

/* An open file that could not be opened now. */
struct judged {
	__u32 fd;
	__u32 pad;
	struct names path;
};

/* By what open files are judged, and room to work in. */
struct judging {
	__u32 ruleset; /* index */
	__u32 skip;    /* mask of layers that are not asked */
	struct judged answer;
	struct room room;
};

#endif
