/*
 * vectors - does the steps of a vector of ipc/testdata/vectors.json
 *
 * usage: vectors DIRECTION MODE RING-SIZE NUMBER-OF-LOOKS [AT:LENGTH ...] [STEP ...]
 *
 * DIRECTION is 0 if the dialer puts in, 1 if the listener does. A step is
 * put:LENGTH:SEED:TEXT, take:LENGTH, end, abort or gone. It prints tail, end, head and gone,
 * and then what is in the ring at the places to look at, in hexadecimal.
 */
#define TENON_SHM_IMPLEMENTATION
#include "../tenon_shm.h"

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(3);
}

static unsigned char message[1 << 16];

static void put(tenon_shm *c, size_t n, unsigned seed, int text)
{
	size_t i;
	for (i = 0; i < n; i++)
		message[i] = (unsigned char)(seed + i);
	if (c->mode == TENON_SHM_MESSAGES ? tenon_shm_send_msg(c, message, n, text) < 0 : tenon_shm_write(c, message, n) != (ssize_t)n)
		fail("put");
}

static void take(tenon_shm *c, size_t n)
{
	size_t got = 0;
	int flags;
	if (c->mode == TENON_SHM_MESSAGES ? tenon_shm_recv_msg(c, message, sizeof message, &got, &flags) != 1
					  : tenon_shm_read(c, message, n) != (ssize_t)n)
		fail("take");
}

static void step(tenon_shm *producer, tenon_shm *consumer, const char *s)
{
	size_t n;
	unsigned seed;
	int text;
	if (sscanf(s, "put:%zu:%u:%d", &n, &seed, &text) == 3)
		put(producer, n, seed, text);
	else if (sscanf(s, "take:%zu", &n) == 1)
		take(consumer, n);
	else if (strcmp(s, "end") == 0)
		tenon_shm_shutdown_write(producer);
	else if (strcmp(s, "abort") == 0)
		tenon_shm_abort(producer);
	else if (strcmp(s, "gone") == 0)
		tsm_say_gone(consumer); /* what tenon_shm_close does, and the memory stays */
	else
		errno = EINVAL, fail(s);
}

static unsigned long long number(uint64_t n) { return (unsigned long long)n; }

int main(int argc, char **argv)
{
	tenon_shm *listener, *dialer, *producer, *consumer;
	int i, k, looks, sockets[2];
	if (argc < 5)
		return 2;
	looks = atoi(argv[4]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		fail("socketpair");
	listener = tenon_shm_server(sockets[0], (size_t)strtoul(argv[3], NULL, 10), atoi(argv[2]));
	dialer = listener ? tenon_shm_client(sockets[1], 1000) : NULL;
	if (!dialer)
		fail("open");
	tenon_shm_timeouts(listener, 0, 0);
	tenon_shm_timeouts(dialer, 0, 0);
	producer = atoi(argv[1]) ? listener : dialer;
	consumer = atoi(argv[1]) ? dialer : listener;
	for (i = 5 + looks; i < argc; i++)
		step(producer, consumer, argv[i]);

	/* All that was taken out is published, however little it is. */
	consumer->in.theirs = consumer->in.mine;
	tsm_publish(consumer, &consumer->in);
	printf("%llu %u %llu %u\n", number(*tsm_u64(consumer->in.control + TSM_TAIL)), *tsm_u32(consumer->in.control + TSM_END),
	       number(*tsm_u64(consumer->in.control + TSM_HEAD)), *tsm_u32(consumer->in.control + TSM_GONE));
	for (i = 5; i < 5 + looks; i++) {
		int at = 0, n = 0;
		if (sscanf(argv[i], "%d:%d", &at, &n) != 2)
			fail(argv[i]);
		for (k = 0; k < n; k++)
			printf("%02x", consumer->in.bytes[at + k]);
		printf("\n");
	}
	tenon_shm_close(listener);
	tenon_shm_close(dialer);
	return 0;
}
