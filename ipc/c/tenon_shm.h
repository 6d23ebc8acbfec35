/*
 * tenon_shm.h - shared memory between two programs of one machine, for C
 *
 * NAME
 *   A program that uses this header is a full end of the protocol of
 *   docs/protocol/shm.md: it dials or listens, and exchanges bytes or messages
 *   with another C program, with a Go program that uses package ipc, or with
 *   tenon itself (shm:NAME, shm-listen:NAME, shm-msg:NAME, shm-msg-listen:NAME).
 *
 * SYNOPSIS
 *   In one file of the program, before any other header:
 *
 *     #define TENON_SHM_IMPLEMENTATION
 *     #include "tenon_shm.h"
 *
 *   and in the others the #include alone. A shared library is made by
 *
 *     cc -O2 -shared -fPIC -DTENON_SHM_IMPLEMENTATION -x c tenon_shm.h -o libtenon_shm.so
 *
 *   The functions are in one file, and not inline in all, because they need
 *   _GNU_SOURCE, which has to be defined before the first header of the system
 *   and which not every file of a program wants.
 *
 *   It needs Linux 3.17 on a machine of 64 bits, gcc or clang, and no library but the
 *   C library, such as musl or glibc 2.27. It is C99, and C++11 too.
 *
 * ERRORS
 *   One rule, that of the system calls: a function that fails returns -1, or NULL
 *   if it returns a pointer, and sets errno. It never prints, never exits, and
 *   never raises SIGPIPE. Beside what the system says, errno is
 *
 *     EAGAIN        there is nothing to do now, and the timeout is 0
 *     ETIMEDOUT     the timeout has passed
 *     EINTR         a signal handler ran while the call waited; call again
 *     EPIPE         nobody reads any more what is written, or it was written
 *                   after tenon_shm_shutdown_write
 *     ECONNRESET    the other side has aborted or died
 *     ECONNABORTED  this side has aborted
 *     EPROTO        the other side does not keep to the protocol; it was cut off
 *     EMSGSIZE      the message is longer than tenon_shm_max_msg or the buffer
 *     EACCES        the program that listens is of another user; or others can look
 *                   into the directory of the names
 *     EOPNOTSUPP    bytes were asked of a connection of messages, or messages of
 *                   one of bytes
 *
 *   Data that was cut off never looks complete: the end is told only if the
 *   other side has said that it is the end.
 *
 * THREADS
 *   As with a socket, one thread may read, another write, and a third pass
 *   descriptors, all at the same time. tenon_shm_abort may be called from any
 *   thread and ends the waiting of the others. tenon_shm_close comes last.
 *
 * EVENT LOOPS
 *   Set the timeouts to 0: a call that has nothing to do then fails with EAGAIN. To wait
 *   for several things, say with tenon_shm_prepare for what, and wait until
 *   the descriptor of tenon_shm_fd is readable. It is always POLLIN that is waited
 *   for, also to write, and what can be read there belongs to this library.
 *
 *     tenon_shm_timeouts(c, 0, 0);
 *     for (;;) {
 *             struct pollfd p = {.fd = tenon_shm_fd(c), .events = POLLIN};
 *             while ((n = tenon_shm_read(c, buf, sizeof buf)) > 0)
 *                     use(buf, n);
 *             if (n == 0 || errno != EAGAIN)
 *                     break;
 *             if (!tenon_shm_prepare(c, TENON_SHM_IN))
 *                     poll(&p, 1, -1);
 *     }
 *
 * SPINNING
 *   A call that has nothing to do polls memory for some time before it blocks: 20
 *   microseconds at most, seldom if it was in vain before, and never on a machine of one
 *   processor or with a timeout of 0.
 *
 * Licence: that of Tenon, Apache 2.0.
 */
#ifndef TENON_SHM_H
#define TENON_SHM_H

#if defined(TENON_SHM_IMPLEMENTATION) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#endif

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a connection carries. */
#define TENON_SHM_BYTES 0
#define TENON_SHM_MESSAGES 1

/* The flags of a message: it is text, in UTF-8. */
#define TENON_SHM_TEXT 1

/* What tenon_shm_prepare waits for. */
#define TENON_SHM_IN 1  /* to read */
#define TENON_SHM_OUT 2 /* to write */
#define TENON_SHM_FDS 4 /* to receive descriptors */

/* The size in bytes of a ring if the listener asks for 0. */
#define TENON_SHM_RING_SIZE ((size_t)4 << 20)

/* How many milliseconds a dialer waits for the listener to say something. */
#define TENON_SHM_HANDSHAKE 10000

typedef struct tenon_shm tenon_shm;                   /* a connection */
typedef struct tenon_shm_listener tenon_shm_listener; /* a socket that waits for some */

/*
 * OPENING
 *
 * tenon_shm_dial connects to a listener. A name with a slash is the path of a unix
 * socket; one that begins with @ is abstract (unix(7)); another is a name among
 * the programs of this user, see tenon_shm_path. The listener decides about the
 * mode and the size; tenon_shm_mode tells. It must be of this user or root, whatever
 * sort the name is, for others may have listened there first: else it is EACCES. To
 * trust somebody else, connect a socket, look at SO_PEERCRED (unix(7)), and hand it to
 * tenon_shm_client.
 *
 * tenon_shm_listen makes the socket, for this user alone: the file has the mode
 * 0600, and an abstract name answers this user and root. A socket file whose
 * program has died is replaced; EADDRINUSE says that it has not. The size of a
 * ring is a power of two from 4096 to 1073741824, or 0; each connection has two,
 * of which only the pages that are used take memory.
 *
 * tenon_shm_accept waits for the next connection, which is ready at once. Clients
 * that are refused, or that have gone, are passed over: an error is about this
 * process (EMFILE, ENOMEM), and it may be called again.
 *
 * tenon_shm_listener_fd is readable when somebody connects. With the timeout 0,
 * tenon_shm_accept then fails with EAGAIN if there is nobody after all.
 *
 * tenon_shm_listener_close removes the socket file, if it still is this one's.
 * Connections live on.
 */
tenon_shm *tenon_shm_dial(const char *name);
tenon_shm_listener *tenon_shm_listen(const char *name, size_t ring_size, int mode);
tenon_shm *tenon_shm_accept(tenon_shm_listener *l);
int tenon_shm_listener_fd(const tenon_shm_listener *l);
void tenon_shm_listener_timeout(tenon_shm_listener *l, int milliseconds);
void tenon_shm_listener_close(tenon_shm_listener *l);

/*
 * The two sides of a connection over a unix stream socket that is connected
 * already, as by socketpair(2). They own the descriptor from then on, and close it
 * if they fail. The client waits so many milliseconds, or for ever if -1, for what
 * the server says; the server waits for nothing.
 */
tenon_shm *tenon_shm_client(int fd, int milliseconds);
tenon_shm *tenon_shm_server(int fd, size_t ring_size, int mode);

/*
 * tenon_shm_path writes to path where the socket known as name is: name.shm in
 * /run/user/UID/tenon or, where there is no such place, /tmp/tenon-UID. It makes
 * that directory if need be, and fails with EACCES if others can look into it.
 * Paths and abstract names are copied as they are. EINVAL: that is no name;
 * ENAMETOOLONG: it has more than 60 bytes, or the path more than size.
 */
int tenon_shm_path(const char *name, char *path, size_t size);

/*
 * ABOUT A CONNECTION
 *
 * tenon_shm_timeouts sets how many milliseconds a call may wait to read (also a
 * descriptor) and to write: -1, as in the beginning, for ever; 0 not at all, see
 * EVENT LOOPS.
 *
 * tenon_shm_prepare is called before waiting for the descriptor of tenon_shm_fd, each time.
 * It returns 1 if one of the things asked for can be done now, or has ended or failed:
 * do not wait, but call. It returns 0 if none can: the descriptor will become
 * readable when one perhaps can. To write means what the last call that failed with
 * EAGAIN had to write. One thread does all this for a connection. A program that asks
 * again and again, and never waits, still calls it from time to time: this is where
 * a death is noticed and where descriptors arrive.
 *
 * tenon_shm_peer tells who is at the other side, as the kernel saw it when they
 * connected. A NULL is not filled in.
 */
void tenon_shm_timeouts(tenon_shm *c, int read, int write);
int tenon_shm_fd(const tenon_shm *c);
int tenon_shm_prepare(tenon_shm *c, int events);
int tenon_shm_mode(const tenon_shm *c);
size_t tenon_shm_max_msg(const tenon_shm *c);
int tenon_shm_peer(const tenon_shm *c, pid_t *pid, uid_t *uid, gid_t *gid);

/*
 * BYTES
 *
 * tenon_shm_read waits until there is something, and returns how many bytes it has
 * read, which may be fewer than n, and 0 at the end.
 *
 * tenon_shm_write returns n, after it has waited for room as often as it takes.
 * It returns less only if it failed after it had written something, or waited as
 * long as it may; the next call then tells why.
 */
ssize_t tenon_shm_read(tenon_shm *c, void *buf, size_t n);
ssize_t tenon_shm_write(tenon_shm *c, const void *buf, size_t n);

/*
 * MESSAGES
 *
 * tenon_shm_recv_msg waits for a message, copies it to buf and its length to *n,
 * and returns 1; at the end it returns 0. *flags is TENON_SHM_TEXT or 0; flags may
 * be NULL. A message longer than size is left where it is, and the error is
 * EMSGSIZE; *n is its length.
 *
 * tenon_shm_send_msg waits until there is room for the whole message, and returns 0.
 */
int tenon_shm_recv_msg(tenon_shm *c, void *buf, size_t size, size_t *n, int *flags);
int tenon_shm_send_msg(tenon_shm *c, const void *buf, size_t n, int flags);

/*
 * WITHOUT COPYING, for bytes and for messages
 *
 * tenon_shm_peek waits until there is something, points *p at it, says in *n how many
 * bytes it is, and returns 1; at the end, 0. It is a whole message, or as many
 * bytes as are in one piece. They stay there until tenon_shm_release, which gives n
 * of them back, or the whole message, whatever n is. flags may be NULL.
 *
 * The other side can change those bytes while they are looked at. Who checks them
 * and relies on what was checked copies them first.
 *
 * tenon_shm_reserve waits for room and returns where to write: for a message of up
 * to n bytes; or for some bytes, at least one and at most n, that are in one
 * piece. *room says how many. tenon_shm_commit sends the first n of them. To reserve
 * or to write something else before that is to forget it.
 */
int tenon_shm_peek(tenon_shm *c, const void **p, size_t *n, int *flags);
int tenon_shm_release(tenon_shm *c, size_t n);
void *tenon_shm_reserve(tenon_shm *c, size_t n, size_t *room);
int tenon_shm_commit(tenon_shm *c, size_t n, int flags);

/*
 * DESCRIPTORS
 *
 * tenon_shm_send_fd hands an open file, socket or pipe to the other program; fd
 * stays open here. tenon_shm_recv_fd waits for the next one, which is the
 * caller's from then on (and close-on-exec), and returns 1; at the end, 0. It can be
 * of any sort: who does not trust the sender looks with fstat(2) first.
 *
 * A descriptor has no place in the order of the data. A connection holds 16 that
 * nobody has taken, and breaks with EPROTO when there are more.
 */
int tenon_shm_send_fd(tenon_shm *c, int fd);
int tenon_shm_recv_fd(tenon_shm *c, int *fd);

/*
 * ENDING
 *
 * tenon_shm_shutdown_write says that no more comes. The other side reads what is there,
 * and then the end. Reading goes on.
 *
 * tenon_shm_abort says that what was written is not complete: the other side fails with
 * ECONNRESET and not with an end. Calls that other threads wait in return with
 * ECONNABORTED, and so do all later ones. tenon_shm_close still has to follow.
 *
 * tenon_shm_close ends both directions and frees the connection. What was written
 * can still be read by the other side. NULL is no connection, and nothing happens.
 */
int tenon_shm_shutdown_write(tenon_shm *c);
void tenon_shm_abort(tenon_shm *c);
void tenon_shm_close(tenon_shm *c);

#ifdef __cplusplus
}
#endif

#endif /* TENON_SHM_H */

#if defined(TENON_SHM_IMPLEMENTATION) && !defined(TENON_SHM_IMPLEMENTED)
#define TENON_SHM_IMPLEMENTED

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#if !defined(MFD_ALLOW_SEALING) || !defined(F_ADD_SEALS)
#error "tenon_shm.h: include it before any other header in the file that defines TENON_SHM_IMPLEMENTATION"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The layout: docs/protocol/shm.md, "The file". */
enum {
	TSM_VERSION = 1,
	TSM_GREETING = 32,
	TSM_HEADER = 4096,
	TSM_CONTROL = 1024, /* where ring 0 has its control, and the size of one */
	TSM_TAIL = 0,       /* offsets in a control */
	TSM_END = 8,
	TSM_HEAD = 128,
	TSM_GONE = 136,
	TSM_CONSUMER_WAITS = 256,
	TSM_PRODUCER_WAITS = 384,
	TSM_FDS = 16,        /* descriptors that nobody has taken, at most */
	TSM_CHUNK = 1 << 17, /* bytes after which a long write lets the reader begin */
	TSM_TMPFS = 0x01021994,
	TSM_FUTEX_WAIT = 128, /* FUTEX_WAIT_PRIVATE and so on, of linux/futex.h */
	TSM_FUTEX_WAKE = 129
};

#define TSM_MAGIC "TENONSHM"
#define TSM_RING_MIN ((uint64_t)4096)
#define TSM_RING_MAX ((uint64_t)1 << 30)
#define TSM_SKIP 0xFFFFFFFFu /* length of a record: go on at the beginning of the ring */
#define TSM_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define TSM_EVER ((int64_t)-1)
#define TSM_SPIN ((int64_t)20000) /* nanoseconds */

/* What there is to do, in one direction. */
enum tsm_state {
	TSM_FAILED = -1, /* errno says why */
	TSM_ENDED = 0,
	TSM_READY = 1,
	TSM_NOTHING = 2
};

/*
 * One ring, seen from one of its sides. `mine` is the counter that this side writes,
 * the tail of the producer or the head of the consumer: it is never read back from
 * the memory. `theirs` is the last copy of the other one, which has been checked.
 */
struct tsm_side {
	unsigned char *control, *bytes;
	uint32_t *flag;  /* 1 while this side waits */
	uint32_t *other; /* 1 while the other one does */
	uint64_t mine, theirs;
	uint64_t shown; /* what the other side has been told of mine */
	uint64_t skip;  /* bytes before the record that was reserved */
	uint64_t room;  /* what was reserved, or may be released */
	uint64_t need;  /* what the last call that failed with EAGAIN waited for */
	uint32_t over;  /* atomic: what `end` or `gone` was set to; in reading also: the end was read */
	int timeout;   /* milliseconds; -1 is for ever */
	unsigned vain; /* times in succession that looking again was in vain */
	unsigned rest; /* waits that will not look again */
	enum tsm_state (*look)(tenon_shm *c, uint64_t need);
	unsigned char apart[128]; /* the sides are used by different threads */
};

struct tenon_shm {
	int fd, mode, spins;
	uint64_t size; /* of a ring: a power of two */
	unsigned char *map;
	struct tsm_side in, out;
	int dead;   /* atomic: the socket has ended */
	int broken; /* atomic: why this side has cut the connection, an errno, or 0 */

	/* Of the threads that wait, one polls the socket, and wakes the others
	   when it has read from it. */
	uint32_t polling;   /* atomic: some thread does */
	uint32_t polls;     /* atomic: how many have ended; a futex */
	uint32_t followers; /* atomic: threads that wait for `polls` */

	/* Descriptors: a ring of its own, from who polls to tenon_shm_recv_fd. */
	uint32_t fds_in, fds_out; /* atomic: counters */
	int fds[TSM_FDS];
};

struct tenon_shm_listener {
	int fd, mode, timeout, guarded;
	size_t ring_size;
	dev_t dev;
	ino_t ino;
	char path[PATH_MAX]; /* "" if there is no file */
};

#define tsm_load(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define tsm_store(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

static uint32_t *tsm_u32(unsigned char *at) { return (uint32_t *)(void *)at; }
static uint64_t *tsm_u64(unsigned char *at) { return (uint64_t *)(void *)at; }

static uint64_t tsm_min(uint64_t a, uint64_t b) { return a < b ? a : b; }

static int tsm_error(int e)
{
	errno = e;
	return -1;
}

static int64_t tsm_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* When a wait of so many milliseconds ends. */
static int64_t tsm_until(int milliseconds)
{
	return milliseconds < 0 ? TSM_EVER : tsm_now() + (int64_t)milliseconds * 1000000;
}

/* What poll(2) needs to wait until then; 0 if that has passed. */
static int tsm_left(int64_t until)
{
	int64_t left;
	if (until == TSM_EVER)
		return -1;
	left = until - tsm_now();
	return left <= 0 ? 0 : left / 1000000 >= INT_MAX ? INT_MAX : (int)(left / 1000000) + 1;
}

/* ---- waking the other side ---- */

static void tsm_drain(tenon_shm *c);
static int tsm_take_poll(tenon_shm *c);
static void tsm_give_poll(tenon_shm *c);

/* Wakes the other side if it waits. The fence stands between what was written
   before the call and the look at the flag. A socket that takes no more has something to be
   read in it; one that has ended is read, so that `dead` is known. */
static void tsm_wake(tenon_shm *c, uint32_t *flag)
{
	char byte = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (tsm_load(flag) != 1 || __atomic_exchange_n(flag, 0, __ATOMIC_SEQ_CST) != 1)
		return;
	if (send(c->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE && tsm_take_poll(c)) {
		tsm_drain(c);
		tsm_give_poll(c);
	}
}

/* Publishes what this side has put in or taken out. What was taken out is published when
   it is all that there was or an eighth of the ring, so that a producer that waits for
   room is not woken for every few bytes. */
static void tsm_publish(tenon_shm *c, struct tsm_side *s)
{
	if (s == &c->in && s->mine != s->theirs && s->mine - s->shown < c->size / 8)
		return;
	s->shown = s->mine;
	__atomic_store_n(tsm_u64(s->control + (s == &c->out ? TSM_TAIL : TSM_HEAD)), s->mine, __ATOMIC_RELEASE);
	tsm_wake(c, s->other);
}

/* Says that the producer has ended (1) or aborted (2). */
static void tsm_say_end(tenon_shm *c, uint32_t how)
{
	uint32_t was = tsm_load(&c->out.over);
	do {
		if (was >= how)
			return;
	} while (!__atomic_compare_exchange_n(&c->out.over, &was, how, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	tsm_store(tsm_u32(c->out.control + TSM_END), how);
	tsm_wake(c, c->out.other);
}

/* Says that the consumer takes no more. It leaves its flag set: a producer that looks at
   nothing else wakes it after its next write, and finds the socket closed. */
static void tsm_say_gone(tenon_shm *c)
{
	tsm_store(tsm_u32(c->in.control + TSM_GONE), 1);
	tsm_wake(c, c->in.other);
	tsm_store(c->in.flag, 1);
}

/* Cuts the connection off. The descriptor stays until tenon_shm_close, so that its
   number means nothing else while other threads use it. */
static void tsm_cut(tenon_shm *c, int why)
{
	int none = 0;
	if (!__atomic_compare_exchange_n(&c->broken, &none, why, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	tsm_say_gone(c);
	tsm_say_end(c, 2);
	shutdown(c->fd, SHUT_RDWR);
}

static enum tsm_state tsm_violation(tenon_shm *c)
{
	tsm_cut(c, EPROTO);
	errno = tsm_load(&c->broken);
	return TSM_FAILED;
}

static enum tsm_state tsm_failed(int e)
{
	errno = e;
	return TSM_FAILED;
}

/* ---- what arrives at the socket ---- */

/* Takes the descriptors out of a message; too many break the connection. */
static void tsm_take_fds(tenon_shm *c, struct msghdr *m)
{
	int lost = (m->msg_flags & MSG_CTRUNC) != 0;
	struct cmsghdr *h;
	for (h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t i, n;
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			uint32_t in = c->fds_in;
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
			if (in - tsm_load(&c->fds_out) == TSM_FDS) {
				close(fd);
				lost = 1;
				continue;
			}
			c->fds[in % TSM_FDS] = fd;
			tsm_store(&c->fds_in, in + 1);
		}
	}
	if (lost)
		tsm_cut(c, EPROTO);
}

/* Reads what the socket holds. A peer that never stops sending is left after
   some time; the caller looks at its clock and comes back. Only who has set
   `polling` may call it. */
static void tsm_drain(tenon_shm *c)
{
	int i;
	for (i = 0; i < 64; i++) {
		union {
			struct cmsghdr align;
			char space[CMSG_SPACE(sizeof(int) * TSM_FDS)];
		} control;
		char bytes[256];
		struct iovec v;
		struct msghdr m;
		ssize_t n;
		v.iov_base = bytes;
		v.iov_len = sizeof bytes;
		memset(&m, 0, sizeof m);
		m.msg_iov = &v;
		m.msg_iovlen = 1;
		m.msg_control = control.space;
		m.msg_controllen = sizeof control.space;
		n = recvmsg(c->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) { /* the end, or a reset because the peer left something unread */
			tsm_store(&c->dead, 1);
			return;
		}
		if (m.msg_controllen > 0 || (m.msg_flags & MSG_CTRUNC))
			tsm_take_fds(c, &m);
		else if ((size_t)n < sizeof bytes)
			return;
	}
}

/* ---- waiting ---- */

static long tsm_futex(uint32_t *word, int op, uint32_t value, const struct timespec *t)
{
	return syscall(SYS_futex, word, op, value, t, (void *)0, 0);
}

static int tsm_take_poll(tenon_shm *c)
{
	uint32_t none = 0;
	return __atomic_compare_exchange_n(&c->polling, &none, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void tsm_give_poll(tenon_shm *c)
{
	tsm_store(&c->polling, 0);
	__atomic_add_fetch(&c->polls, 1, __ATOMIC_SEQ_CST);
	if (tsm_load(&c->followers))
		tsm_futex(&c->polls, TSM_FUTEX_WAKE, INT_MAX, NULL);
}

/* Waits until something was read from the socket after `polls` was seen, by this
   thread or by another one. */
static int tsm_wait(tenon_shm *c, uint32_t seen, int64_t until)
{
	int e = 0, ms = tsm_left(until);
	if (ms == 0)
		return tsm_error(ETIMEDOUT);
	if (tsm_take_poll(c)) {
		struct pollfd p;
		int n;
		p.fd = c->fd;
		p.events = POLLIN;
		p.revents = 0;
		n = poll(&p, 1, ms);
		if (n < 0)
			e = errno;
		if (n > 0)
			tsm_drain(c);
		tsm_give_poll(c);
	} else {
		struct timespec t;
		t.tv_sec = ms / 1000;
		t.tv_nsec = (long)(ms % 1000) * 1000000;
		__atomic_add_fetch(&c->followers, 1, __ATOMIC_SEQ_CST);
		if (tsm_futex(&c->polls, TSM_FUTEX_WAIT, seen, ms < 0 ? NULL : &t) < 0 && errno == EINTR)
			e = EINTR;
		__atomic_sub_fetch(&c->followers, 1, __ATOMIC_SEQ_CST);
	}
	return e ? tsm_error(e) : 0;
}

static void tsm_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Polls for a little while. After it was in vain n times in succession, the next 2^n
   waits, 64 at most, block at once. */
static enum tsm_state tsm_spin(tenon_shm *c, struct tsm_side *s, uint64_t need)
{
	enum tsm_state r = TSM_NOTHING;
	int64_t end;
	int i;
	if (!c->spins || !s->flag)
		return r;
	if (s->rest > 0) {
		s->rest--;
		return r;
	}
	end = tsm_now() + TSM_SPIN;
	do {
		for (i = 0; i < 16 && r == TSM_NOTHING; i++) {
			tsm_pause();
			r = s->look(c, need);
		}
	} while (r == TSM_NOTHING && tsm_now() < end);
	s->vain = r != TSM_NOTHING ? 0 : s->vain < 6 ? s->vain + 1 : 6;
	s->rest = r != TSM_NOTHING ? 0 : 1u << s->vain;
	return r;
}

/* Says that this side waits, or does not. The fence stands between that and the look
   that follows. */
static void tsm_set_flag(struct tsm_side *s, uint32_t value)
{
	if (!s->flag)
		return;
	tsm_store(s->flag, value);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * Waits until there is something to do on a side: docs/protocol/shm.md, "Waiting and
 * waking". The flag is set again before every look, because a wake-up that was late for
 * something already done may have taken it away. *until is 0 at first,
 * and then when the call has waited long enough.
 */
static enum tsm_state tsm_await(tenon_shm *c, struct tsm_side *s, uint64_t need, int64_t *until)
{
	enum tsm_state r = s->look(c, need);
	if (r != TSM_NOTHING)
		return r;
	if (s->timeout == 0) {
		s->need = need;
		return tsm_failed(EAGAIN);
	}
	if (*until == 0)
		*until = tsm_until(s->timeout);
	r = tsm_spin(c, s, need);
	if (r != TSM_NOTHING)
		return r;
	for (;;) {
		uint32_t seen = tsm_load(&c->polls);
		tsm_set_flag(s, 1);
		r = s->look(c, need);
		if (r == TSM_NOTHING && tsm_wait(c, seen, *until) == 0)
			continue;
		tsm_set_flag(s, 0);
		return r == TSM_NOTHING ? TSM_FAILED : r;
	}
}

/* ---- looking at what the other side has written ---- */

/* Is there something to read? `end` is read before `tail`, since it is written after
   it; and whether the socket has ended before both. */
static enum tsm_state tsm_look_in(tenon_shm *c, uint64_t need)
{
	struct tsm_side *s = &c->in;
	int dead, broken = tsm_load(&c->broken);
	uint32_t end;
	uint64_t tail;
	(void)need;
	if (broken)
		return tsm_failed(broken);
	if (s->over)
		return TSM_ENDED;
	dead = tsm_load(&c->dead);
	end = __atomic_load_n(tsm_u32(s->control + TSM_END), __ATOMIC_ACQUIRE);
	tail = __atomic_load_n(tsm_u64(s->control + TSM_TAIL), __ATOMIC_ACQUIRE);
	if (end == 2)
		return tsm_failed(ECONNRESET);
	if (end > 2 || tail < s->theirs || tail - s->mine > c->size || (c->mode == TENON_SHM_MESSAGES && tail % 8))
		return tsm_violation(c);
	s->theirs = tail;
	if (tail != s->mine)
		return TSM_READY;
	if (end == 1) {
		s->over = 1;
		return TSM_ENDED;
	}
	return dead ? tsm_failed(ECONNRESET) : TSM_NOTHING;
}

/* Is there room for so many bytes? */
static enum tsm_state tsm_look_out(tenon_shm *c, uint64_t need)
{
	struct tsm_side *s = &c->out;
	int broken = tsm_load(&c->broken);
	uint32_t gone;
	uint64_t head;
	if (broken)
		return tsm_failed(broken);
	gone = __atomic_load_n(tsm_u32(s->control + TSM_GONE), __ATOMIC_ACQUIRE);
	head = __atomic_load_n(tsm_u64(s->control + TSM_HEAD), __ATOMIC_ACQUIRE);
	if (gone > 1 || head < s->theirs || head > s->mine)
		return tsm_violation(c);
	s->theirs = head;
	if (gone == 1 || tsm_load(&s->over) || tsm_load(&c->dead))
		return tsm_failed(EPIPE);
	return c->size - (s->mine - head) >= need ? TSM_READY : TSM_NOTHING;
}

/* ---- opening ---- */

static void tsm_greeting(unsigned char *g, int mode, uint64_t size)
{
	uint32_t version = TSM_VERSION, m = (uint32_t)mode;
	uint64_t file = TSM_HEADER + 2 * size;
	memcpy(g, TSM_MAGIC, 8);
	memcpy(g + 8, &version, 4);
	memcpy(g + 12, &m, 4);
	memcpy(g + 16, &size, 8);
	memcpy(g + 24, &file, 8);
}

static int tsm_is_size(uint64_t size)
{
	return size >= TSM_RING_MIN && size <= TSM_RING_MAX && (size & (size - 1)) == 0;
}

/* Reads a greeting. EPROTO: that is none of this version. */
static int tsm_check_greeting(const unsigned char *g, int *mode, uint64_t *size)
{
	unsigned char want[TSM_GREETING];
	uint32_t m;
	memcpy(&m, g + 12, 4);
	memcpy(size, g + 16, 8);
	if (m > TENON_SHM_MESSAGES || !tsm_is_size(*size))
		return tsm_error(EPROTO);
	*mode = (int)m;
	tsm_greeting(want, *mode, *size);
	return memcmp(g, want, sizeof want) ? tsm_error(EPROTO) : 0;
}

static void tsm_side_init(struct tsm_side *s, unsigned char *map, uint64_t size, int ring, int consumer)
{
	s->control = map + TSM_CONTROL * (1 + ring);
	s->bytes = map + TSM_HEADER + (ring ? size : 0);
	s->flag = tsm_u32(s->control + (consumer ? TSM_CONSUMER_WAITS : TSM_PRODUCER_WAITS));
	s->other = tsm_u32(s->control + (consumer ? TSM_PRODUCER_WAITS : TSM_CONSUMER_WAITS));
	s->look = consumer ? tsm_look_in : tsm_look_out;
	s->timeout = -1;
	s->need = 1;
}

/* Makes a connection of a socket and a memory file, both of which it owns. */
static tenon_shm *tsm_new(int fd, int file, int mode, uint64_t size, int listener)
{
	tenon_shm *c = (tenon_shm *)calloc(1, sizeof *c);
	void *map = MAP_FAILED;
	cpu_set_t cpus;
	int e;
	if (c)
		map = mmap(NULL, (size_t)(TSM_HEADER + 2 * size), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (map == MAP_FAILED) {
		e = c ? errno : ENOMEM;
		free(c);
		close(file);
		close(fd);
		errno = e;
		return NULL;
	}
	close(file);
	c->fd = fd;
	c->mode = mode;
	c->size = size;
	c->map = (unsigned char *)map;
	c->spins = sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 1;
	tsm_side_init(&c->in, c->map, size, listener ? 0 : 1, 1);
	tsm_side_init(&c->out, c->map, size, listener ? 1 : 0, 0);
	return c;
}

/* Waits until fd is readable (POLLIN) or writable (POLLOUT). */
static int tsm_poll(int fd, short events, int64_t until)
{
	int ms = tsm_left(until), n;
	struct pollfd p;
	if (ms == 0)
		return tsm_error(ETIMEDOUT);
	p.fd = fd;
	p.events = events;
	p.revents = 0;
	n = poll(&p, 1, ms);
	return n < 0 ? -1 : n == 0 ? tsm_error(ETIMEDOUT) : 0;
}

/* Sends bytes with a descriptor beside them. */
static ssize_t tsm_sendmsg(int to, const void *bytes, size_t n, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct cmsghdr *h;
	struct iovec v;
	struct msghdr m;
	v.iov_base = (void *)(uintptr_t)bytes;
	v.iov_len = n;
	memset(&control, 0, sizeof control);
	memset(&m, 0, sizeof m);
	m.msg_iov = &v;
	m.msg_iovlen = 1;
	m.msg_control = control.space;
	m.msg_controllen = sizeof control.space;
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	return sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

tenon_shm *tenon_shm_server(int fd, size_t ring_size, int mode)
{
	uint64_t size = ring_size ? ring_size : TENON_SHM_RING_SIZE;
	unsigned char greeting[TSM_GREETING];
	int e, file = -1;
	if (!tsm_is_size(size) || (mode != TENON_SHM_BYTES && mode != TENON_SHM_MESSAGES)) {
		errno = EINVAL;
		goto fail;
	}
	tsm_greeting(greeting, mode, size);
	file = memfd_create("tenon-shm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (file < 0 || ftruncate(file, (off_t)(TSM_HEADER + 2 * size)) < 0 || fcntl(file, F_ADD_SEALS, TSM_SEALS) < 0 ||
	    pwrite(file, greeting, sizeof greeting, 0) < 0)
		goto fail;
	switch (tsm_sendmsg(fd, greeting, sizeof greeting, file)) {
	case sizeof greeting:
		return tsm_new(fd, file, mode, size, 1);
	case -1:
		break;
	default:
		errno = EPROTO; /* a socket that takes less than this is none that was just connected */
	}
fail:
	e = errno;
	if (file >= 0)
		close(file);
	close(fd);
	errno = e;
	return NULL;
}

/* Receives a greeting and the descriptor that comes with it, -1 if there is none.
   It reads no byte more. */
static int tsm_recv_greeting(int fd, unsigned char *greeting, int *file, int64_t until)
{
	size_t got = 0;
	while (got < TSM_GREETING) {
		union {
			struct cmsghdr align;
			char space[CMSG_SPACE(sizeof(int) * 2)];
		} control;
		struct cmsghdr *h;
		struct iovec v;
		struct msghdr m;
		ssize_t n;
		int extra = 0;
		if (tsm_poll(fd, POLLIN, until) < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		v.iov_base = greeting + got;
		v.iov_len = TSM_GREETING - got;
		memset(&m, 0, sizeof m);
		m.msg_iov = &v;
		m.msg_iovlen = 1;
		m.msg_control = control.space;
		m.msg_controllen = sizeof control.space;
		n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			return tsm_error(got ? EPROTO : ECONNRESET);
		got += (size_t)n;
		for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
			size_t i, k = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
				continue;
			for (i = 0; i < k; i++) {
				int one;
				memcpy(&one, CMSG_DATA(h) + i * sizeof one, sizeof one);
				if (*file < 0) {
					*file = one;
				} else {
					close(one);
					extra = 1;
				}
			}
		}
		if (extra || (m.msg_flags & MSG_CTRUNC))
			return tsm_error(EPROTO);
	}
	return 0;
}

/* Tells whether a file is memory that cannot be taken away. */
static int tsm_check_file(int file, uint64_t size)
{
	struct stat st;
	struct statfs fs;
	int seals;
	if (file < 0 || fstat(file, &st) < 0 || fstatfs(file, &fs) < 0 || (seals = fcntl(file, F_GET_SEALS)) < 0)
		return tsm_error(EPROTO);
	if (fs.f_type != TSM_TMPFS || (seals & TSM_SEALS) != TSM_SEALS || (uint64_t)st.st_size != TSM_HEADER + 2 * size)
		return tsm_error(EPROTO);
	return 0;
}

tenon_shm *tenon_shm_client(int fd, int milliseconds)
{
	unsigned char greeting[TSM_GREETING];
	uint64_t size = 0;
	int e, mode = 0, file = -1;
	if (tsm_recv_greeting(fd, greeting, &file, tsm_until(milliseconds)) == 0 &&
	    tsm_check_greeting(greeting, &mode, &size) == 0 && tsm_check_file(file, size) == 0)
		return tsm_new(fd, file, mode, size, 0);
	e = errno;
	if (file >= 0)
		close(file);
	close(fd);
	errno = e;
	return NULL;
}

/* ---- names ---- */

/* Tells whether path is a directory that is uid's and nobody else's. */
static int tsm_owned(const char *path, uid_t uid)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return -1;
	return S_ISDIR(st.st_mode) && st.st_uid == uid && (st.st_mode & 077) == 0 ? 0 : tsm_error(EACCES);
}

int tenon_shm_path(const char *name, char *path, size_t size)
{
	char dir[64];
	unsigned long uid = geteuid();
	int n;
	if (name[0] == 0 || strcmp(name, "@") == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return tsm_error(EINVAL);
	if (name[0] == '@' || strchr(name, '/')) {
		n = snprintf(path, size, "%s", name);
		return n < 0 || (size_t)n >= size ? tsm_error(ENAMETOOLONG) : 0;
	}
	if (strlen(name) > 60)
		return tsm_error(ENAMETOOLONG);
	snprintf(dir, sizeof dir, "/run/user/%lu", uid);
	if (tsm_owned(dir, (uid_t)uid) == 0)
		snprintf(dir, sizeof dir, "/run/user/%lu/tenon", uid);
	else
		snprintf(dir, sizeof dir, "/tmp/tenon-%lu", uid);
	if ((mkdir(dir, 0700) < 0 && errno != EEXIST) || tsm_owned(dir, (uid_t)uid) < 0)
		return -1;
	n = snprintf(path, size, "%s/%s.shm", dir, name);
	return n < 0 || (size_t)n >= size ? tsm_error(ENAMETOOLONG) : 0;
}

/* A socket's address. For a path that does not fit into one, *dir is its directory,
   held open, and the address goes through it; else *dir is -1. */
static int tsm_address(const char *path, struct sockaddr_un *a, socklen_t *len, int *dir)
{
	size_t n = strlen(path);
	const char *base = strrchr(path, '/');
	char name[PATH_MAX];
	int k;
	*dir = -1;
	memset(a, 0, sizeof *a);
	a->sun_family = AF_UNIX;
	if (path[0] == '@' && n >= sizeof a->sun_path)
		return tsm_error(ENAMETOOLONG);
	if (n < sizeof a->sun_path || path[0] == '@') {
		memcpy(a->sun_path, path, n);
		if (path[0] == '@')
			a->sun_path[0] = 0;
		*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] != '@'));
		return 0;
	}
	if (n >= sizeof name)
		return tsm_error(ENAMETOOLONG);
	k = (int)(base - path); /* a path that long has a slash, or it was made by tenon_shm_path */
	snprintf(name, sizeof name, "%.*s/", k, path);
	*dir = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir < 0)
		return -1;
	k = snprintf(name, sizeof name, "/proc/self/fd/%d/%s", *dir, base + 1);
	if (k < 0 || (size_t)k >= sizeof a->sun_path) {
		close(*dir);
		*dir = -1;
		return tsm_error(ENAMETOOLONG);
	}
	memcpy(a->sun_path, name, (size_t)k + 1);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)k + 1);
	return 0;
}

/* Connects or binds a socket; errno is as the system says. */
static int tsm_attach(int fd, const char *path, int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un a;
	socklen_t len;
	int r, e, dir;
	if (tsm_address(path, &a, &len, &dir) < 0)
		return -1;
	r = call(fd, (const struct sockaddr *)(const void *)&a, len);
	e = errno;
	if (dir >= 0)
		close(dir);
	errno = e;
	return r;
}

static int tsm_connect(int fd, const struct sockaddr *a, socklen_t len) { return connect(fd, a, len); }
static int tsm_bind(int fd, const struct sockaddr *a, socklen_t len) { return bind(fd, a, len); }

/* Tells whether the program at the other side is of this user or root: unix(7). */
static int tsm_is_trusted(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return 0;
	return who.uid == 0 || who.uid == geteuid();
}

static int tsm_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

tenon_shm *tenon_shm_dial(const char *name)
{
	char path[PATH_MAX];
	int64_t until = tsm_until(TENON_SHM_HANDSHAKE);
	int e, fd;
	if (tenon_shm_path(name, path, sizeof path) < 0 || (fd = tsm_socket()) < 0)
		return NULL;
	while (tsm_attach(fd, path, tsm_connect) < 0) {
		e = errno;
		if (e == EAGAIN && tsm_left(until)) /* a listener that has many waiting */
			poll(NULL, 0, 5);
		else if (e != EINTR) {
			close(fd);
			errno = e == EAGAIN ? ETIMEDOUT : e;
			return NULL;
		}
	}
	if (!tsm_is_trusted(fd)) {
		close(fd);
		errno = EACCES;
		return NULL;
	}
	return tenon_shm_client(fd, tsm_left(until));
}

/* ---- listening ---- */

/* Tells whether the file of that path is a socket that no program has any more. */
static int tsm_is_dead(const char *path)
{
	struct stat st;
	int fd, dead;
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || (fd = tsm_socket()) < 0)
		return 0;
	dead = tsm_attach(fd, path, tsm_connect) < 0 && errno == ECONNREFUSED;
	close(fd);
	return dead;
}

/* Locks a directory against others that also decide about its sockets, for a second at
   most: who holds it may be anybody who can read the directory. */
static int tsm_lock(const char *aside)
{
	char dir[PATH_MAX];
	int fd, i;
	snprintf(dir, sizeof dir, "%.*s/", (int)(strrchr(aside, '/') - aside), aside);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; fd >= 0 && i < 1000 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK; i++)
		poll(NULL, 0, 1);
	return fd;
}

/* Makes the socket file aside and renames it when it listens, so that nobody finds it
   half ready. */
static int tsm_put_in_place(tenon_shm_listener *l, const char *path)
{
	char aside[PATH_MAX];
	struct stat st;
	struct timespec t;
	int n, lock, e = 0;
	memset(&st, 0, sizeof st);
	clock_gettime(CLOCK_REALTIME, &t);
	n = snprintf(aside, sizeof aside, "%.*s/.tenon-%lx%lx%lx", (int)(strrchr(path, '/') - path), path,
		     (unsigned long)getpid(), (unsigned long)t.tv_sec, (unsigned long)t.tv_nsec);
	if (n < 0 || (size_t)n >= sizeof aside)
		return tsm_error(ENAMETOOLONG);
	if (fchmod(l->fd, 0600) < 0 || tsm_attach(l->fd, aside, tsm_bind) < 0)
		return -1;
	if (chmod(aside, 0600) < 0 || listen(l->fd, 128) < 0 || lstat(aside, &st) < 0)
		e = errno;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	lock = tsm_lock(aside);
	if (e == 0 && link(aside, path) < 0) {
		e = errno;
		if (e == EEXIST)
			e = !tsm_is_dead(path) ? EADDRINUSE : rename(aside, path) < 0 ? errno : 0;
	}
	unlink(aside);
	if (lock >= 0)
		close(lock);
	if (e)
		return tsm_error(e);
	memcpy(l->path, path, strlen(path) + 1);
	return 0;
}

tenon_shm_listener *tenon_shm_listen(const char *name, size_t ring_size, int mode)
{
	char path[PATH_MAX];
	tenon_shm_listener *l;
	int e, ok;
	if ((ring_size && !tsm_is_size(ring_size)) || (mode != TENON_SHM_BYTES && mode != TENON_SHM_MESSAGES)) {
		errno = EINVAL;
		return NULL;
	}
	if (tenon_shm_path(name, path, sizeof path) < 0)
		return NULL;
	l = (tenon_shm_listener *)calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->mode = mode;
	l->ring_size = ring_size;
	l->timeout = -1;
	l->guarded = path[0] == '@';
	l->fd = tsm_socket();
	if (l->guarded)
		ok = l->fd >= 0 && tsm_attach(l->fd, path, tsm_bind) == 0 && listen(l->fd, 128) == 0;
	else
		ok = l->fd >= 0 && tsm_put_in_place(l, path) == 0;
	if (ok)
		return l;
	e = errno;
	if (l->fd >= 0)
		close(l->fd);
	free(l);
	errno = e;
	return NULL;
}

int tenon_shm_listener_fd(const tenon_shm_listener *l) { return l->fd; }

void tenon_shm_listener_timeout(tenon_shm_listener *l, int milliseconds) { l->timeout = milliseconds; }

tenon_shm *tenon_shm_accept(tenon_shm_listener *l)
{
	int64_t until = tsm_until(l->timeout);
	for (;;) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			tenon_shm *c;
			if (l->guarded && !tsm_is_trusted(fd)) {
				close(fd);
				continue;
			}
			c = tenon_shm_server(fd, l->ring_size, l->mode);
			if (c || (errno != EPIPE && errno != ECONNRESET))
				return c;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (l->timeout == 0 || tsm_poll(l->fd, POLLIN, until) < 0)
				return NULL;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return NULL;
		}
	}
}

void tenon_shm_listener_close(tenon_shm_listener *l)
{
	struct stat st;
	if (!l)
		return;
	/* The file goes while the socket is alive: nobody has begun to take it over. */
	if (l->path[0] && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	close(l->fd);
	free(l);
}

/* ---- about a connection ---- */

void tenon_shm_timeouts(tenon_shm *c, int read, int write)
{
	c->in.timeout = read;
	c->out.timeout = write;
}

int tenon_shm_fd(const tenon_shm *c) { return c->fd; }

int tenon_shm_mode(const tenon_shm *c) { return c->mode; }

size_t tenon_shm_max_msg(const tenon_shm *c) { return (size_t)(c->size / 4 - 8); }

int tenon_shm_peer(const tenon_shm *c, pid_t *pid, uid_t *uid, gid_t *gid)
{
	struct ucred who;
	socklen_t len = sizeof who;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return -1;
	if (pid)
		*pid = who.pid;
	if (uid)
		*uid = who.uid;
	if (gid)
		*gid = who.gid;
	return 0;
}

/* ---- bytes ---- */

ssize_t tenon_shm_read(tenon_shm *c, void *buf, size_t n)
{
	struct tsm_side *s = &c->in;
	int64_t until = 0;
	uint64_t at = s->mine & (c->size - 1), k, first;
	if (c->mode != TENON_SHM_BYTES)
		return tsm_error(EOPNOTSUPP);
	if (n == 0)
		return 0;
	switch (tsm_await(c, s, 1, &until)) {
	case TSM_READY:
		break;
	case TSM_ENDED:
		return 0;
	default:
		return -1;
	}
	k = tsm_min(n, s->theirs - s->mine);
	first = tsm_min(k, c->size - at);
	memcpy(buf, s->bytes + at, (size_t)first);
	memcpy((unsigned char *)buf + first, s->bytes, (size_t)(k - first));
	s->mine += k;
	s->room = 0;
	tsm_publish(c, s);
	return (ssize_t)k;
}

ssize_t tenon_shm_write(tenon_shm *c, const void *buf, size_t n)
{
	const unsigned char *from = (const unsigned char *)buf;
	struct tsm_side *s = &c->out;
	int64_t until = 0;
	size_t done = 0;
	if (c->mode != TENON_SHM_BYTES)
		return tsm_error(EOPNOTSUPP);
	s->room = 0;
	if (n > SSIZE_MAX)
		n = SSIZE_MAX;
	while (done < n) {
		uint64_t at = s->mine & (c->size - 1), k, first;
		if (tsm_await(c, s, 1, &until) != TSM_READY)
			return done ? (ssize_t)done : -1;
		k = tsm_min(tsm_min(n - done, c->size - (s->mine - s->theirs)), TSM_CHUNK);
		first = tsm_min(k, c->size - at);
		memcpy(s->bytes + at, from + done, (size_t)first);
		memcpy(s->bytes, from + done + first, (size_t)(k - first));
		s->mine += k;
		done += (size_t)k;
		tsm_publish(c, s);
	}
	return (ssize_t)done;
}

/* ---- messages ---- */

static uint64_t tsm_up8(uint64_t n) { return (n + 7) & ~(uint64_t)7; }

/* Finds the next record, passing over one that says to go on at the beginning. Its
   length and flags are read once, checked, and used. */
static enum tsm_state tsm_record(tenon_shm *c, uint32_t *n, uint32_t *flags)
{
	struct tsm_side *s = &c->in;
	int64_t until = 0;
	for (;;) {
		enum tsm_state r = tsm_await(c, s, 8, &until);
		uint64_t at = s->mine & (c->size - 1), there = s->theirs - s->mine;
		if (r != TSM_READY)
			return r;
		*n = __atomic_load_n(tsm_u32(s->bytes + at), __ATOMIC_RELAXED);
		*flags = __atomic_load_n(tsm_u32(s->bytes + at + 4), __ATOMIC_RELAXED);
		if (*n != TSM_SKIP) {
			if (*n > tenon_shm_max_msg(c) || tsm_up8(*n) + 8 > tsm_min(there, c->size - at) || *flags > 1)
				return tsm_violation(c);
			return TSM_READY;
		}
		/* At the beginning of the ring there is room for every message. */
		if (at == 0 || c->size - at > there)
			return tsm_violation(c);
		s->mine += c->size - at;
		tsm_publish(c, s);
	}
}

int tenon_shm_recv_msg(tenon_shm *c, void *buf, size_t size, size_t *n, int *flags)
{
	struct tsm_side *s = &c->in;
	uint32_t len = 0, bits = 0;
	enum tsm_state r;
	if (c->mode != TENON_SHM_MESSAGES)
		return tsm_error(EOPNOTSUPP);
	r = tsm_record(c, &len, &bits);
	if (r != TSM_READY)
		return (int)r;
	*n = len;
	if (flags)
		*flags = (int)bits;
	if (len > size)
		return tsm_error(EMSGSIZE);
	if (len)
		memcpy(buf, s->bytes + (s->mine & (c->size - 1)) + 8, len);
	s->mine += tsm_up8(len) + 8;
	s->room = 0;
	tsm_publish(c, s);
	return 1;
}

/* Waits for room for a record of n bytes. */
static unsigned char *tsm_reserve_record(tenon_shm *c, size_t n)
{
	struct tsm_side *s = &c->out;
	int64_t until = 0;
	uint64_t at = s->mine & (c->size - 1), need = tsm_up8(n) + 8;
	s->room = 0;
	if (n > tenon_shm_max_msg(c)) {
		errno = EMSGSIZE;
		return NULL;
	}
	s->skip = need > c->size - at ? c->size - at : 0;
	if (tsm_await(c, s, s->skip + need, &until) != TSM_READY)
		return NULL;
	s->room = need;
	return s->bytes + (s->skip ? 0 : at) + 8;
}

/* Writes what stands before a message, and sends it. */
static void tsm_commit_record(tenon_shm *c, size_t n, int flags)
{
	struct tsm_side *s = &c->out;
	uint32_t len = (uint32_t)n, bits = (uint32_t)flags & TENON_SHM_TEXT, skip = TSM_SKIP, none = 0;
	uint64_t at = s->mine & (c->size - 1);
	if (s->skip) {
		memcpy(s->bytes + at, &skip, 4);
		memcpy(s->bytes + at + 4, &none, 4);
		at = 0;
	}
	memcpy(s->bytes + at, &len, 4);
	memcpy(s->bytes + at + 4, &bits, 4);
	s->mine += s->skip + tsm_up8(n) + 8;
	s->room = 0;
	tsm_publish(c, s);
}

int tenon_shm_send_msg(tenon_shm *c, const void *buf, size_t n, int flags)
{
	unsigned char *to;
	if (c->mode != TENON_SHM_MESSAGES)
		return tsm_error(EOPNOTSUPP);
	to = tsm_reserve_record(c, n);
	if (!to)
		return -1;
	if (n)
		memcpy(to, buf, n);
	tsm_commit_record(c, n, flags);
	return 0;
}

/* ---- without copying ---- */

int tenon_shm_peek(tenon_shm *c, const void **p, size_t *n, int *flags)
{
	struct tsm_side *s = &c->in;
	uint32_t len = 0, bits = 0;
	int64_t until = 0;
	enum tsm_state r = c->mode == TENON_SHM_MESSAGES ? tsm_record(c, &len, &bits) : tsm_await(c, s, 1, &until);
	uint64_t at = s->mine & (c->size - 1);
	s->room = 0;
	if (r != TSM_READY)
		return (int)r;
	if (c->mode == TENON_SHM_MESSAGES) {
		*n = len;
		*p = s->bytes + at + 8;
		s->room = tsm_up8(len) + 8;
	} else {
		s->room = tsm_min(s->theirs - s->mine, c->size - at);
		*n = (size_t)s->room;
		*p = s->bytes + at;
	}
	if (flags)
		*flags = (int)bits;
	return 1;
}

int tenon_shm_release(tenon_shm *c, size_t n)
{
	struct tsm_side *s = &c->in;
	uint64_t k = c->mode == TENON_SHM_MESSAGES ? s->room : n;
	if (k > s->room || s->room == 0)
		return tsm_error(EINVAL);
	s->mine += k;
	s->room -= k;
	tsm_publish(c, s);
	return 0;
}

void *tenon_shm_reserve(tenon_shm *c, size_t n, size_t *room)
{
	struct tsm_side *s = &c->out;
	uint64_t at = s->mine & (c->size - 1);
	int64_t until = 0;
	void *p;
	s->room = 0;
	if (c->mode == TENON_SHM_MESSAGES) {
		p = tsm_reserve_record(c, n);
		if (p)
			*room = n;
		return p;
	}
	if (tsm_await(c, s, 1, &until) != TSM_READY)
		return NULL;
	s->room = tsm_min(tsm_min(n, c->size - at), c->size - (s->mine - s->theirs));
	*room = (size_t)s->room;
	return s->bytes + at;
}

int tenon_shm_commit(tenon_shm *c, size_t n, int flags)
{
	struct tsm_side *s = &c->out;
	uint64_t k = c->mode == TENON_SHM_MESSAGES ? tsm_up8(n) + 8 : n;
	if (k > s->room)
		return tsm_error(EINVAL);
	if (c->mode == TENON_SHM_MESSAGES) {
		tsm_commit_record(c, n, flags);
		return 0;
	}
	s->mine += k;
	s->room = 0;
	tsm_publish(c, s);
	return 0;
}

/* ---- descriptors ---- */

int tenon_shm_send_fd(tenon_shm *c, int fd)
{
	int64_t until = tsm_until(c->out.timeout);
	unsigned char one = 1;
	for (;;) {
		int broken = tsm_load(&c->broken);
		if (broken)
			return tsm_error(broken);
		if (tsm_sendmsg(c->fd, &one, 1, fd) == 1)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno == ECONNRESET)
			errno = EPIPE;
		if ((errno != EAGAIN && errno != EWOULDBLOCK) || c->out.timeout == 0 || tsm_poll(c->fd, POLLOUT, until) < 0)
			return -1;
	}
}

static enum tsm_state tsm_look_fd(tenon_shm *c, uint64_t need)
{
	int dead = tsm_load(&c->dead), broken = tsm_load(&c->broken);
	(void)need;
	if (tsm_load(&c->fds_in) != c->fds_out)
		return TSM_READY;
	if (broken)
		return tsm_failed(broken);
	if (!dead)
		return TSM_NOTHING;
	return tsm_load(tsm_u32(c->in.control + TSM_END)) == 1 ? TSM_ENDED : tsm_failed(ECONNRESET);
}

int tenon_shm_recv_fd(tenon_shm *c, int *fd)
{
	struct tsm_side s;
	int64_t until = 0;
	enum tsm_state r;
	memset(&s, 0, sizeof s);
	s.look = tsm_look_fd;
	s.timeout = c->in.timeout;
	r = tsm_await(c, &s, 1, &until);
	if (r != TSM_READY)
		return (int)r;
	*fd = c->fds[c->fds_out % TSM_FDS];
	tsm_store(&c->fds_out, c->fds_out + 1);
	return 1;
}

/* ---- waiting for several things ---- */

int tenon_shm_prepare(tenon_shm *c, int events)
{
	if (tsm_take_poll(c)) {
		tsm_drain(c);
		tsm_give_poll(c);
	}
	tsm_set_flag(&c->in, (events & TENON_SHM_IN) != 0);
	tsm_set_flag(&c->out, (events & TENON_SHM_OUT) != 0);
	return ((events & TENON_SHM_IN) && tsm_look_in(c, 1) != TSM_NOTHING) ||
	       ((events & TENON_SHM_OUT) && tsm_look_out(c, c->out.need) != TSM_NOTHING) ||
	       ((events & TENON_SHM_FDS) && tsm_look_fd(c, 1) != TSM_NOTHING);
}

/* ---- ending ---- */

int tenon_shm_shutdown_write(tenon_shm *c)
{
	int broken = tsm_load(&c->broken);
	if (broken)
		return tsm_error(broken);
	tsm_say_end(c, 1);
	return 0;
}

void tenon_shm_abort(tenon_shm *c) { tsm_cut(c, ECONNABORTED); }

void tenon_shm_close(tenon_shm *c)
{
	if (!c)
		return;
	/* In this order: who reads the end sees whether it is that of both directions. */
	tsm_say_gone(c);
	tsm_say_end(c, 1);
	for (; c->fds_out != c->fds_in; c->fds_out++)
		close(c->fds[c->fds_out % TSM_FDS]);
	close(c->fd);
	munmap(c->map, (size_t)(TSM_HEADER + 2 * c->size));
	free(c);
}

#ifdef __cplusplus
}
#endif

#endif /* TENON_SHM_IMPLEMENTATION */
