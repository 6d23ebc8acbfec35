/*
 * What shared memory is measured against: two programs that map the same memory, spin, trust each
 * other, and do nothing else. The server makes the memory; its address is the descriptor in /proc.
 */
#define _GNU_SOURCE
#include "load.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { RING = 4 << 20, CONTROL = 4096 }; /* as package ipc has it by default */

static unsigned char *memory;
static int side; /* 0 the client, 1 the server */

static const char *version(void) { return ""; }

static void map(int fd)
{
	memory = mmap(NULL, CONTROL + 2 * RING, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		fail("mmap", strerror(errno));
}

static void serve_at(const char *path)
{
	static char address[60];
	int fd = memfd_create("bare", 0);
	(void)path;
	if (fd < 0 || ftruncate(fd, CONTROL + 2 * RING) < 0)
		fail("memfd", strerror(errno));
	map(fd);
	side = 1;
	snprintf(address, sizeof address, "/proc/%d/fd/%d", getpid(), fd);
	opt.addr = address;
}

static void connect_to(const char *path)
{
	int fd = open(path, O_RDWR);
	if (fd < 0)
		fail("open", strerror(errno));
	map(fd);
}

static uint64_t *word(size_t at) { return (uint64_t *)(memory + at); }
static uint64_t get(uint64_t *w) { return __atomic_load_n(w, __ATOMIC_ACQUIRE); }
static void set(uint64_t *w, uint64_t v) { __atomic_store_n(w, v, __ATOMIC_RELEASE); }

/* Waits a moment before the next look. A server that nobody has used for some time sleeps
   between them: it would take a processor from the ways that are measured next. */
static void pause_once(int *looks)
{
	enum { MANY = 1 << 22 };
	struct timespec t = {0, 1000000};
	if (side == 1 && *looks >= MANY)
		nanosleep(&t, NULL);
	else
		++*looks;
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}
