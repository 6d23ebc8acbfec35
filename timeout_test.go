package tenon_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/tenon-net/tenon"
)

// Time that runs out is told in all the ways in which Go programs ask: whatever step of
// opening an end it is that takes too long.
func TestTimeoutsAreThoseOfPackageNet(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	at := silent.Addr().String()
	_, port, _ := net.SplitHostPort(at)
	for _, addr := range []string{
		"tls:" + at + ",insecure", "ws://" + at + "/", "wss://" + at + "/,insecure", "quic:" + at + ",insecure",
		"socks5:127.0.0.1:h:1,socksport=" + port, "proxy:127.0.0.1:h:1,proxyport=" + port, "tcp:h:1,via=socks5://" + at,
		"ws://" + at + "/,connect-timeout=50ms",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err := tenon.Dial(ctx, addr)
		cancel()
		var as net.Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, tenon.ErrTimeout) || !errors.As(err, &as) || !as.Timeout() ||
			!(&url.Error{Op: "Get", Err: err}).Timeout() {
			t.Errorf("%s: %v, want an error that is tenon.ErrTimeout, context.DeadlineExceeded and a net.Error of a timeout", addr, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if _, err := tenon.Dial(ctx, addr); !errors.Is(err, context.Canceled) || errors.Is(err, tenon.ErrTimeout) {
			t.Errorf("%s, cancelled: %v", addr, err)
		}
	}
}
