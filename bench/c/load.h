/*
 * A load program in C: what package internal/load is in Go, and it talks in the same way, in lines
 * of JSON. The file that includes this says how to listen and connect, and how to send and receive.
 *
 *   PROGRAM echo|sink|pingpong|blast -addr PATH [-size N] [-block N] [-duration N ns] [-pause N ns]
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* To be defined by the file that includes this; each ends the program by fail() if it cannot. */
static const char *version(void);
static void serve_at(const char *path);
static void connect_to(const char *path);
static void send_msg(const void *p, size_t n);
static size_t recv_msg(void *p, size_t most); /* waits */
static int try_recv(void *p, size_t most);    /* the length, or -1 if there is nothing */

enum {
	ACK_EVERY = 4 << 20, /* as in internal/load/server.go */
	BUFFER = 1 << 20,
	MOST_PINGS = 1 << 20,
	WARM_PINGS = 20,
};

static struct {
	const char *role, *addr;
	size_t size, block;
	int64_t duration, pause; /* ns */
} opt = {.size = 64, .block = 256 << 10, .duration = 1000000000};

static char buffer[BUFFER];

static void fail(const char *what, const char *why)
{
	printf("{\"error\":\"%s: %s\"}\n", what, why);
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", what, why);
	_exit(1);
}

/* Queues hold 1000 messages, which is ZeroMQ's default, or 16 MiB if that is less. */
static inline int queue_length(void)
{
	size_t n = (16 << 20) / opt.block;
	return n < 1000 ? n : 1000;
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* A server answers each line with its count, and ends with its input. */
static void *mind_input(void *unused)
{
	char line[100];
	while (fgets(line, sizeof line, stdin)) {
		printf("{}\n");
		fflush(stdout);
	}
	_exit(0);
	return unused;
}

static void server(void)
{
	pthread_t t;
	serve_at(opt.addr);
	printf("{\"addrs\":[\"%s\"]}\n", opt.addr);
	fflush(stdout);
	pthread_create(&t, NULL, mind_input, NULL);
}

static void echo(void)
{
	for (;;)
		send_msg(buffer, recv_msg(buffer, sizeof buffer));
}

/* A message without bytes begins the count anew: it is the first of a client. */
static void sink(void)
{
	uint64_t total = 0;
	for (;;) {
		size_t n = recv_msg(buffer, sizeof buffer);
		total = n ? total + n : 0;
		if (n && total % ACK_EVERY == 0)
			send_msg(&total, sizeof total);
	}
}

static void ready(void)
{
	char line[100];
	printf("{}\n");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		exit(0);
}

static void result(double count, double seconds, double p50, double p99)
{
	printf("{\"result\":{\"count\":%.0f,\"seconds\":%.9f,\"p50\":%.9f,\"p99\":%.9f,\"note\":\"%s\"}}\n",
	       count, seconds, p50, p99, version());
	fflush(stdout);
	while (getchar() != EOF)
		;
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static size_t pings(int64_t *times, size_t most)
{
	struct timespec pause = {opt.pause / 1000000000, opt.pause % 1000000000};
	int64_t start = now(), before = start;
	size_t n = 0;
	while (n < most && before - start < opt.duration) {
		if (opt.pause) {
			nanosleep(&pause, NULL);
			before = now();
		}
		send_msg(buffer, opt.size);
		if (recv_msg(buffer, sizeof buffer) != opt.size)
			fail("echo", "another length");
		int64_t after = now();
		times[n++] = after - before;
		before = after;
	}
	return n;
}

static void pingpong(void)
{
	int64_t *times = calloc(MOST_PINGS, sizeof *times);
	if (!times)
		fail("calloc", strerror(errno));
	pings(times, WARM_PINGS);
	ready();
	int64_t start = now();
	size_t n = pings(times, MOST_PINGS);
	double seconds = (now() - start) / 1e9;
	qsort(times, n, sizeof *times, ascending);
	result(n, seconds, times[n / 2] / 1e9, times[n * 99 / 100] / 1e9);
}

/* Sends for that long, up to the next acknowledgement, and waits for it. */
static uint64_t send_for(int64_t duration, uint64_t total, const char *block)
{
	uint64_t acked = 0;
	int64_t start = now();
	for (;;) {
		send_msg(block, opt.block);
		if ((total += opt.block) % ACK_EVERY)
			continue;
		while (try_recv(&acked, sizeof acked) > 0)
			;
		if (now() - start >= duration)
			break;
	}
	while (acked < total)
		recv_msg(&acked, sizeof acked);
	return total;
}

static void blast(void)
{
	char *block = malloc(opt.block);
	if (!block)
		fail("malloc", strerror(errno));
	memset(block, 'x', opt.block);
	send_msg(block, 0);
	uint64_t before = send_for(0, 0, block);
	ready();
	int64_t start = now();
	uint64_t total = send_for(opt.duration, before, block);
	result(total - before, (now() - start) / 1e9, 0, 0);
}

int main(int argc, char **argv)
{
	if (argc < 2 || argc % 2)
		fail(argv[0], "a role, then names with values");
	opt.role = argv[1];
	for (int i = 2; i + 1 < argc; i += 2) {
		const char *name = argv[i], *value = argv[i + 1];
		if (!strcmp(name, "-addr"))
			opt.addr = value;
		else if (!strcmp(name, "-size"))
			opt.size = strtoull(value, NULL, 10);
		else if (!strcmp(name, "-block"))
			opt.block = strtoull(value, NULL, 10);
		else if (!strcmp(name, "-duration"))
			opt.duration = strtoll(value, NULL, 10);
		else if (!strcmp(name, "-pause"))
			opt.pause = strtoll(value, NULL, 10);
		else
			fail(name, "no such option");
	}
	if (!opt.addr || opt.size > BUFFER || opt.block < 1 || opt.block > BUFFER)
		fail(opt.role, "where, and not so much");
	if (!strcmp(opt.role, "echo")) {
		server();
		echo();
	} else if (!strcmp(opt.role, "sink")) {
		server();
		sink();
	}
	connect_to(opt.addr);
	if (!strcmp(opt.role, "pingpong"))
		pingpong();
	else if (!strcmp(opt.role, "blast"))
		blast();
	else
		fail(opt.role, "no such role");
	return 0;
}
