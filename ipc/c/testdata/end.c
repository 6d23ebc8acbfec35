/*
 * end - one end of a connection of shared memory, for tests
 *
 * usage: end dial|listen|socket NAME bytes|messages RING-SIZE TIMEOUT ACTION [NUMBER]
 *        end path NAME
 *
 * It opens the end, does what the action says, and prints a line: "ok" and how many
 * bytes or messages it has read (status 0), or which call failed and how (status 3).
 * "listen" prints "ready" when it listens. NAME is the number of a descriptor for
 * "socket", which is a dialer. The mode and the size are the listener's business.
 */
#define TENON_SHM_IMPLEMENTATION
#include "../tenon_shm.h"
#include <pthread.h>
#include <signal.h>

static const struct {
	int number;
	const char *name;
} errors[] = {{EAGAIN, "EAGAIN"},         {ETIMEDOUT, "ETIMEDOUT"},   {EPIPE, "EPIPE"},           {ECONNRESET, "ECONNRESET"},
	      {EPROTO, "EPROTO"},         {EMSGSIZE, "EMSGSIZE"},     {EOPNOTSUPP, "EOPNOTSUPP"}, {ECONNABORTED, "ECONNABORTED"},
	      {EADDRINUSE, "EADDRINUSE"}, {ENOENT, "ENOENT"},         {ECONNREFUSED, "ECONNREFUSED"}, {EINVAL, "EINVAL"},
	      {EACCES, "EACCES"},         {ENAMETOOLONG, "ENAMETOOLONG"}, {EEXIST, "EEXIST"}};

static void fail(const char *what)
{
	int e = errno;
	const char *name = strerror(e);
	size_t i;
	for (i = 0; i < sizeof errors / sizeof *errors; i++)
		if (errors[i].number == e)
			name = errors[i].name;
	printf("%s: %s\n", what, name);
	fflush(stdout);
	_exit(3);
}

static void wrong(const char *what, uint64_t at)
{
	printf("wrong %s at %llu\n", what, (unsigned long long)at);
	fflush(stdout);
	_exit(4);
}

/* The byte at a position of every stream, and of message k at position k + i. */
static unsigned char pattern(uint64_t i) { return (unsigned char)(i * 131 + (i >> 8) * 29 + (i >> 16) * 7); }

static void fill(unsigned char *p, size_t n, uint64_t at)
{
	size_t i;
	for (i = 0; i < n; i++)
		p[i] = pattern(at + i);
}

static void check(const unsigned char *p, size_t n, uint64_t at)
{
	size_t i;
	for (i = 0; i < n; i++)
		if (p[i] != pattern(at + i))
			wrong("byte", at + i);
}

/* The length of message k. */
static size_t length(const tenon_shm *c, uint64_t k)
{
	size_t max = tenon_shm_max_msg(c);
	return k % 7 == 0 ? 0 : k % 11 == 0 ? max : (size_t)(k * 7919 % (k % 3 ? 100 : max));
}

static size_t chunk(uint64_t at) { return 1 + (size_t)(at * 7919 % 70000); }

static tenon_shm *c;
static uint64_t outgoing, incoming;
static unsigned char *buffer(void)
{
	unsigned char *p = (unsigned char *)malloc((size_t)1 << 21);
	if (!p)
		fail("malloc");
	return p;
}

/* ---- copying, in two threads ---- */

static void *pour(void *unused)
{
	unsigned char *p = buffer();
	uint64_t k = 0;
	(void)unused;
	while (k < outgoing) {
		size_t n;
		if (tenon_shm_mode(c) == TENON_SHM_MESSAGES) {
			n = length(c, k);
			fill(p, n, k);
			if (tenon_shm_send_msg(c, p, n, k & 1 ? TENON_SHM_TEXT : 0) < 0)
				fail("send_msg");
			k++;
		} else {
			ssize_t w;
			n = chunk(k);
			if (n > outgoing - k)
				n = (size_t)(outgoing - k);
			fill(p, n, k);
			w = tenon_shm_write(c, p, n);
			if (w < 0 || (size_t)w < n)
				fail("write");
			k += n;
		}
	}
	free(p);
	if (tenon_shm_shutdown_write(c) < 0)
		fail("shutdown_write");
	return NULL;
}

static void drink(void)
{
	unsigned char *p = buffer();
	for (;;) {
		if (tenon_shm_mode(c) == TENON_SHM_MESSAGES) {
			size_t n = 0;
			int flags = 0, r = tenon_shm_recv_msg(c, p, (size_t)1 << 21, &n, &flags);
			if (r < 0)
				fail("recv_msg");
			if (r == 0)
				break;
			if (n != length(c, incoming) || flags != (incoming & 1 ? TENON_SHM_TEXT : 0))
				wrong("message", incoming);
			check(p, n, incoming++);
		} else {
			ssize_t n = tenon_shm_read(c, p, chunk(incoming + 1));
			if (n < 0)
				fail("read");
			if (n == 0)
				break;
			check(p, (size_t)n, incoming);
			incoming += (uint64_t)n;
		}
	}
	free(p);
}

/* ---- without copying, in two threads ---- */

static void *pour_in_place(void *unused)
{
	uint64_t k = 0;
	(void)unused;
	while (k < outgoing) {
		size_t room, n = tenon_shm_mode(c) == TENON_SHM_MESSAGES ? length(c, k) : chunk(k);
		unsigned char *p;
		if (tenon_shm_mode(c) == TENON_SHM_BYTES && n > outgoing - k)
			n = (size_t)(outgoing - k);
		p = (unsigned char *)tenon_shm_reserve(c, n, &room);
		if (!p)
			fail("reserve");
		fill(p, room, k);
		if (tenon_shm_commit(c, room, k & 1 ? TENON_SHM_TEXT : 0) < 0)
			fail("commit");
		k += tenon_shm_mode(c) == TENON_SHM_MESSAGES ? 1 : room;
	}
	tenon_shm_shutdown_write(c);
	return NULL;
}

static void drink_in_place(void)
{
	const void *p;
	size_t n;
	int r, flags;
	while ((r = tenon_shm_peek(c, &p, &n, &flags)) > 0) {
		if (tenon_shm_mode(c) == TENON_SHM_MESSAGES && n != length(c, incoming))
			wrong("message", incoming);
		check((const unsigned char *)p, n, incoming);
		if (tenon_shm_release(c, n) < 0)
			fail("release");
		incoming += tenon_shm_mode(c) == TENON_SHM_MESSAGES ? 1 : n;
	}
	if (r < 0)
		fail("peek");
}

static void both(void *(*out)(void *), void (*in)(void))
{
	pthread_t t;
	if (pthread_create(&t, NULL, out, NULL))
		fail("pthread_create");
	in();
	pthread_join(t, NULL);
}

/* ---- an event loop in one thread, as the header says ---- */

/* Writes until it would wait; 0 when all is written. */
static int pour_some(unsigned char *p, uint64_t *k)
{
	while (*k < outgoing) {
		if (tenon_shm_mode(c) == TENON_SHM_MESSAGES) {
			size_t n = length(c, *k);
			fill(p, n, *k);
			if (tenon_shm_send_msg(c, p, n, *k & 1 ? TENON_SHM_TEXT : 0) < 0) {
				if (errno != EAGAIN)
					fail("send_msg");
				return 1;
			}
			++*k;
		} else {
			size_t n = chunk(*k);
			ssize_t w;
			if (n > outgoing - *k)
				n = (size_t)(outgoing - *k);
			fill(p, n, *k);
			w = tenon_shm_write(c, p, n);
			if (w < 0) {
				if (errno != EAGAIN)
					fail("write");
				return 1;
			}
			*k += (uint64_t)w;
		}
	}
	tenon_shm_shutdown_write(c);
	return 0;
}

/* Reads until it would wait; 0 at the end. */
static int drink_some(unsigned char *p)
{
	for (;;) {
		if (tenon_shm_mode(c) == TENON_SHM_MESSAGES) {
			size_t n = 0;
			int r = tenon_shm_recv_msg(c, p, (size_t)1 << 21, &n, NULL);
			if (r < 0 && errno != EAGAIN)
				fail("recv_msg");
			if (r <= 0)
				return r != 0;
			if (n != length(c, incoming))
				wrong("message", incoming);
			check(p, n, incoming++);
		} else {
			ssize_t n = tenon_shm_read(c, p, chunk(incoming + 1));
			if (n < 0 && errno != EAGAIN)
				fail("read");
			if (n <= 0)
				return n != 0;
			check(p, (size_t)n, incoming);
			incoming += (uint64_t)n;
		}
	}
}

static void loop(void)
{
	unsigned char *p = buffer();
	uint64_t k = 0;
	int writing = 1, reading = 1;
	tenon_shm_timeouts(c, 0, 0);
	for (;;) {
		struct pollfd f;
		int events;
		if (writing)
			writing = pour_some(p, &k);
		if (reading)
			reading = drink_some(p);
		if (!writing && !reading)
			break;
		events = (writing ? TENON_SHM_OUT : 0) | (reading ? TENON_SHM_IN : 0);
		if (tenon_shm_prepare(c, events))
			continue;
		f.fd = tenon_shm_fd(c);
		f.events = POLLIN;
		if (poll(&f, 1, 20000) <= 0)
			fail("poll");
	}
	free(p);
}

/* ---- what else there is ---- */

static void echo(void)
{
	unsigned char *p = buffer();
	for (;;) {
		if (tenon_shm_mode(c) == TENON_SHM_MESSAGES) {
			size_t n;
			int flags, r = tenon_shm_recv_msg(c, p, (size_t)1 << 21, &n, &flags);
			if (r < 0)
				fail("recv_msg");
			if (r == 0)
				break;
			if (tenon_shm_send_msg(c, p, n, flags) < 0)
				fail("send_msg");
			incoming++;
		} else {
			ssize_t n = tenon_shm_read(c, p, 65536);
			if (n < 0)
				fail("read");
			if (n == 0)
				break;
			if (tenon_shm_write(c, p, (size_t)n) < n)
				fail("write");
			incoming += (uint64_t)n;
		}
	}
	free(p);
	tenon_shm_shutdown_write(c);
}

/* Reads whatever comes, without looking at it. */
static void sink(void)
{
	unsigned char *p = buffer();
	for (;;) {
		size_t n = 0;
		ssize_t r = tenon_shm_mode(c) == TENON_SHM_MESSAGES ? tenon_shm_recv_msg(c, p, (size_t)1 << 21, &n, NULL)
								    : tenon_shm_read(c, p, (size_t)1 << 21);
		if (r < 0)
			fail("read");
		if (r == 0)
			break;
		incoming += tenon_shm_mode(c) == TENON_SHM_MESSAGES ? 1 : (uint64_t)r;
	}
	free(p);
}

/* Writes until it fails. */
static void flood(void)
{
	unsigned char *p = buffer();
	memset(p, 'x', 4096);
	for (;;) {
		ssize_t r = tenon_shm_mode(c) == TENON_SHM_MESSAGES ? tenon_shm_send_msg(c, p, 1000, 0) : tenon_shm_write(c, p, 4096);
		if (r < 0)
			fail("write");
	}
}

/* Sends and reads at the same time whatever comes: for a peer that is not to be
   trusted. The first call that fails ends it. */
static void *flood_thread(void *unused)
{
	(void)unused;
	flood();
	return NULL;
}

/* Takes descriptors until the end, writes a line into each, and sends it back. */
static void descriptors(void)
{
	int fd, r;
	while ((r = tenon_shm_recv_fd(c, &fd)) > 0) {
		if (write(fd, "through a descriptor\n", 21) != 21)
			fail("write");
		if (tenon_shm_send_fd(c, fd) < 0)
			fail("send_fd");
		close(fd);
		incoming++;
	}
	if (r < 0)
		fail("recv_fd");
}

/* Sends the two sides of a pipe, the one to write into first, and reads what comes back
   from the other one. */
static void give(void)
{
	int p[2], back;
	char line[64];
	ssize_t n;
	if (pipe(p) < 0 || tenon_shm_send_fd(c, p[1]) < 0)
		fail("send_fd");
	close(p[1]);
	if (tenon_shm_recv_fd(c, &back) != 1)
		fail("recv_fd");
	close(back);
	n = read(p[0], line, sizeof line);
	if (n < 0)
		fail("read");
	printf("%.*s", (int)n, line);
}

/* One thread waits in each way, and another one aborts. */
static void *wait_in_read(void *p)
{
	char b;
	if (tenon_shm_read(c, &b, 1) != -1 || errno != ECONNABORTED)
		fail("read");
	return p;
}

static void *wait_in_fd(void *p)
{
	int fd;
	if (tenon_shm_recv_fd(c, &fd) != -1 || errno != ECONNABORTED)
		fail("recv_fd");
	return p;
}

static void *wait_in_write(void *p)
{
	char *b = (char *)calloc(1, 1 << 21);
	while (tenon_shm_write(c, b, 1 << 21) >= 0)
		;
	if (errno != ECONNABORTED)
		fail("write");
	free(b);
	return p;
}

static void abort_others(void)
{
	pthread_t t[3];
	char b;
	pthread_create(&t[0], NULL, wait_in_read, NULL);
	pthread_create(&t[1], NULL, wait_in_write, NULL);
	pthread_create(&t[2], NULL, wait_in_fd, NULL);
	while (tsm_load(&c->followers) < 2) /* two wait for the one that polls */
		sched_yield();
	tenon_shm_abort(c);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	pthread_join(t[2], NULL);
	if (tenon_shm_read(c, &b, 1) != -1 || errno != ECONNABORTED)
		fail("read after abort");
}

static void write_and_abort(void)
{
	if (tenon_shm_mode(c) == TENON_SHM_BYTES && tenon_shm_write(c, "some of it", 10) != 10)
		fail("write");
	tenon_shm_abort(c);
}

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static void act(const char *action)
{
	if (is(action, "pump"))
		both(pour, drink);
	else if (is(action, "place"))
		both(pour_in_place, drink_in_place);
	else if (is(action, "loop"))
		loop();
	else if (is(action, "echo"))
		echo();
	else if (is(action, "sink"))
		sink();
	else if (is(action, "flood"))
		flood();
	else if (is(action, "storm"))
		both(flood_thread, sink);
	else if (is(action, "descriptors"))
		descriptors();
	else if (is(action, "give"))
		give();
	else if (is(action, "abort-others"))
		abort_others();
	else if (is(action, "abort"))
		write_and_abort();
	else if (is(action, "die"))
		raise(SIGKILL);
	else if (!is(action, "close"))
		fail("no such action");
}

int main(int argc, char **argv)
{
	tenon_shm_listener *l = NULL;
	int mode, timeout;
	size_t size;
	if (argc == 3 && is(argv[1], "path")) {
		char path[PATH_MAX];
		if (tenon_shm_path(argv[2], path, sizeof path) < 0)
			fail("path");
		printf("%s\n", path);
		return 0;
	}
	if (argc < 7)
		return 2;
	mode = is(argv[3], "messages") ? TENON_SHM_MESSAGES : TENON_SHM_BYTES;
	size = (size_t)strtoull(argv[4], NULL, 10);
	timeout = atoi(argv[5]);
	if (argc > 7)
		outgoing = strtoull(argv[7], NULL, 10);
	if (is(argv[1], "listen")) {
		l = tenon_shm_listen(argv[2], size, mode);
		if (!l)
			fail("listen");
		printf("ready\n");
		fflush(stdout);
		c = tenon_shm_accept(l);
		if (!c)
			fail("accept");
	} else {
		c = is(argv[1], "dial") ? tenon_shm_dial(argv[2]) : tenon_shm_client(atoi(argv[2]), timeout);
		if (!c)
			fail("dial");
	}
	tenon_shm_timeouts(c, timeout, timeout);
	act(argv[6]);
	tenon_shm_close(c);
	tenon_shm_listener_close(l);
	printf("ok %llu\n", (unsigned long long)incoming);
	return 0;
}
