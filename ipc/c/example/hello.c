/*
 * hello - answers each message with a greeting, one client after the other
 *
 *     cc -O2 -o hello hello.c
 *     ./hello greeter &
 *     echo Ada | tenon - shm-msg:greeter,frame=lines
 */
#define TENON_SHM_IMPLEMENTATION
#include "../tenon_shm.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	tenon_shm_listener *l = tenon_shm_listen(argc > 1 ? argv[1] : "greeter", 0, TENON_SHM_MESSAGES);
	tenon_shm *c;

	if (!l) {
		perror("hello: listen");
		return 1;
	}
	while ((c = tenon_shm_accept(l))) {
		char name[100], answer[200];
		size_t n;
		int len, r;

		while ((r = tenon_shm_recv_msg(c, name, sizeof name, &n, NULL)) > 0) {
			len = snprintf(answer, sizeof answer, "hello, %.*s", (int)n, name);
			if ((r = tenon_shm_send_msg(c, answer, (size_t)len, TENON_SHM_TEXT)) < 0)
				break;
		}
		if (r < 0)
			perror("hello");
		tenon_shm_close(c);
	}
	perror("hello: accept");
	return 1;
}
