/* Messages copied through a ring: a length, then the bytes, in pieces. */
#include "bare.h"

enum { PIECE = 64 << 10 };

static uint64_t tail, head, seen[2]; /* ours, and what was seen of the other's */

static unsigned char *ring(int i) { return memory + CONTROL + (size_t)i * RING; }
static uint64_t *tail_of(int i) { return word((size_t)i * 1024); }
static uint64_t *head_of(int i) { return word((size_t)i * 1024 + 128); }

/* A client goes on where the last one stopped. */
static void begin(void)
{
	static int begun;
	if (begun)
		return;
	begun = 1;
	tail = get(tail_of(side));
	head = get(head_of(!side));
	seen[0] = get(head_of(side));
	seen[1] = head;
}

static void put(const void *p, size_t n)
{
	size_t at = tail % RING, first = n < RING - at ? n : RING - at;
	int looks = 0;
	while (RING - (tail - seen[0]) < n) {
		seen[0] = get(head_of(side));
		pause_once(&looks);
	}
	memcpy(ring(side) + at, p, first);
	memcpy(ring(side), (const char *)p + first, n - first);
	tail += n;
}

static void take(void *p, size_t n)
{
	size_t at = head % RING, first = n < RING - at ? n : RING - at;
	int looks = 0;
	while (seen[1] - head < n) {
		set(head_of(!side), head);
		seen[1] = get(tail_of(!side));
		pause_once(&looks);
	}
	memcpy(p, ring(!side) + at, first);
	memcpy((char *)p + first, ring(!side), n - first);
	head += n;
	if (head - get(head_of(!side)) >= RING / 8)
		set(head_of(!side), head);
}

static void send_msg(const void *p, size_t n)
{
	uint64_t length = n;
	size_t done, k;
	begin();
	put(&length, sizeof length);
	for (done = 0; done < n; done += k) {
		k = n - done < PIECE ? n - done : PIECE;
		put((const char *)p + done, k);
		if (done + k < n)
			set(tail_of(side), tail);
	}
	set(tail_of(side), tail);
}

static size_t recv_msg(void *p, size_t most)
{
	uint64_t n, done, k;
	(void)most;
	begin();
	take(&n, sizeof n);
	for (done = 0; done < n; done += k) {
		k = n - done < PIECE ? n - done : PIECE;
		take((char *)p + done, k);
	}
	return n;
}

static int try_recv(void *p, size_t most)
{
	begin();
	return get(tail_of(!side)) == head ? -1 : (int)recv_msg(p, most);
}
