/* ZeroMQ over ipc://. Both sides are DEALER sockets, which put no rule on who may speak. */
#include "load.h"

#include <zmq.h>

static void *sock;

static const char *version(void)
{
	static char text[50];
	int major, minor, patch;
	zmq_version(&major, &minor, &patch);
	snprintf(text, sizeof text, "libzmq %d.%d.%d", major, minor, patch);
	return text;
}

static void check(int result, const char *what)
{
	if (result < 0)
		fail(what, zmq_strerror(zmq_errno()));
}

static void open_socket(const char *path, char *url, size_t n)
{
	int most = queue_length();
	sock = zmq_socket(zmq_ctx_new(), ZMQ_DEALER);
	if (!sock)
		fail("zmq_socket", zmq_strerror(zmq_errno()));
	check(zmq_setsockopt(sock, ZMQ_SNDHWM, &most, sizeof most), "ZMQ_SNDHWM");
	check(zmq_setsockopt(sock, ZMQ_RCVHWM, &most, sizeof most), "ZMQ_RCVHWM");
	snprintf(url, n, "ipc://%s", path);
}

static void serve_at(const char *path)
{
	char url[200];
	open_socket(path, url, sizeof url);
	check(zmq_bind(sock, url), "zmq_bind");
}

static void connect_to(const char *path)
{
	char url[200];
	open_socket(path, url, sizeof url);
	check(zmq_connect(sock, url), "zmq_connect");
}

static void send_msg(const void *p, size_t n) { check(zmq_send(sock, p, n, 0), "zmq_send"); }

static size_t recv_msg(void *p, size_t most)
{
	int n = zmq_recv(sock, p, most, 0);
	check(n, "zmq_recv");
	return n;
}

static int try_recv(void *p, size_t most) { return zmq_recv(sock, p, most, ZMQ_DONTWAIT); }
