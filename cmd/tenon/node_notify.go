//go:build node

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// notify tells systemd how things are, if it has started this program and wants to
// know: sd_notify(3).
func notify(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if name, abstract := strings.CutPrefix(path, "@"); abstract {
		path = "\x00" + name
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer c.Close()        //nolint:errcheck // it is told, or it is not
	c.Write([]byte(state)) //nolint:errcheck // the same
}

// notifyReload tells systemd that the configuration is read again, and that it was when the
// returned function is called. A service of Type=notify-reload needs the time.
func notifyReload() (done func()) {
	now := ""
	if usec := monotonic(); usec > 0 {
		now = fmt.Sprintf("\nMONOTONIC_USEC=%d", usec)
	}
	notify("RELOADING=1" + now)
	return func() { notify("READY=1") }
}

// watchdogEvery returns how often systemd is to hear that all is well, half of the time
// after which it takes the program for dead: sd_watchdog_enabled(3). 0 is never.
func watchdogEvery() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 || usec > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(usec) * time.Microsecond / 2
}

// watchdog tells systemd that all is well as long as the node answers, until ctx ends.
func watchdog(ctx context.Context, every time.Duration, answers func(context.Context) error) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if answers(ctx) == nil {
			notify("WATCHDOG=1")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
