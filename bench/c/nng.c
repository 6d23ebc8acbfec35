/* nng over ipc://. Both sides are PAIR sockets, version 0. */
#include "load.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

static nng_socket sock;

static const char *version(void)
{
	static char text[50];
	snprintf(text, sizeof text, "nng %s", nng_version());
	return text;
}

static void check(int result, const char *what)
{
	if (result)
		fail(what, nng_strerror(result));
}

static void open_socket(const char *path, char *url, size_t n)
{
	check(nng_pair0_open(&sock), "nng_pair0_open");
	/* Without queues, which is its default, a message waits until the one before has gone. */
	check(nng_socket_set_int(sock, NNG_OPT_SENDBUF, queue_length()), NNG_OPT_SENDBUF);
	check(nng_socket_set_int(sock, NNG_OPT_RECVBUF, queue_length()), NNG_OPT_RECVBUF);
	/* Its longest message is a megabyte unless it is told otherwise. */
	check(nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, 0), NNG_OPT_RECVMAXSZ);
	snprintf(url, n, "ipc://%s", path);
}

static void serve_at(const char *path)
{
	char url[200];
	open_socket(path, url, sizeof url);
	check(nng_listen(sock, url, NULL, 0), "nng_listen");
}

static void connect_to(const char *path)
{
	char url[200];
	open_socket(path, url, sizeof url);
	check(nng_dial(sock, url, NULL, 0), "nng_dial");
}

static void send_msg(const void *p, size_t n) { check(nng_send(sock, (void *)p, n, 0), "nng_send"); }

static size_t recv_msg(void *p, size_t most)
{
	check(nng_recv(sock, p, &most, 0), "nng_recv");
	return most;
}

static int try_recv(void *p, size_t most)
{
	return nng_recv(sock, p, &most, NNG_FLAG_NONBLOCK) ? -1 : (int)most;
}
