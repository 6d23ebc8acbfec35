package inet

import (
	"time"

	"golang.org/x/sys/unix"
)

// fastOpenQueue is how many connections with early data may wait for their
// handshake.
const fastOpenQueue = 256

// set makes the options hold for fd. What is set on a listening socket, its
// connections inherit, so that accepting one costs no call but accept4(2).
func (t *Tuning) set(fd int, loopback, listens bool) error {
	idle, interval, count := t.probes(loopback)
	fastOpen := sockopt{name: "fastopen", level: unix.SOL_TCP, opt: unix.TCP_FASTOPEN_CONNECT, value: 1, skip: !t.FastOpen}
	if listens {
		fastOpen.opt, fastOpen.value = unix.TCP_FASTOPEN, fastOpenQueue
	}
	return setAll(fd,
		sockopt{name: "nodelay", level: unix.SOL_TCP, opt: unix.TCP_NODELAY, value: 1, skip: !t.NoDelay.Or(true)},
		sockopt{name: "keepalive", level: unix.SOL_SOCKET, opt: unix.SO_KEEPALIVE, value: 1, skip: idle == 0},
		sockopt{name: "keepidle", level: unix.SOL_TCP, opt: unix.TCP_KEEPIDLE, value: idle, skip: idle == 0},
		sockopt{name: "keepintvl", level: unix.SOL_TCP, opt: unix.TCP_KEEPINTVL, value: interval, skip: idle == 0},
		sockopt{name: "keepcnt", level: unix.SOL_TCP, opt: unix.TCP_KEEPCNT, value: count, skip: idle == 0},
		sockopt{name: "user-timeout", level: unix.SOL_TCP, opt: unix.TCP_USER_TIMEOUT, value: milliseconds(t.UserTimeout), skip: t.UserTimeout == 0},
		sockopt{name: "congestion", level: unix.SOL_TCP, opt: unix.TCP_CONGESTION, text: t.Congestion, isText: true, skip: t.Congestion == ""},
		sockopt{name: "mss", level: unix.SOL_TCP, opt: unix.TCP_MAXSEG, value: t.MSS, skip: t.MSS == 0},
		fastOpen,
	)
}

func milliseconds(d time.Duration) int {
	return clampInt(int64((d + time.Millisecond - 1) / time.Millisecond))
}
