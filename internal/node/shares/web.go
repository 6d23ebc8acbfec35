package shares

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/netutil"

	"github.com/tenon-net/tenon/internal/share/manifest"
	"github.com/tenon-net/tenon/internal/share/page"
)

// A web shows a share to browsers. The nil web shows none.
type web struct {
	listener net.Listener
	server   *http.Server
	path     string
}

// show begins to show the share to browsers, if that was asked for.
func (x *sharing) show() error {
	if x.record.Request.Web == "" {
		return nil
	}
	l, err := net.Listen("tcp", x.record.Request.Web)
	if err != nil {
		return err
	}
	p := page.New(x.record.name(), x.record.Link, (*files)(x), func() (manifest.Index, string) {
		index, root := x.share.Index(), x.share.Status()
		if !root.Final {
			return index, ""
		}
		return index, root.Root.String()
	})
	x.web = &web{l, &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10}, p.Path()}
	x.of.task(func() { x.web.server.Serve(netutil.LimitListener(l, maxBrowsers)) }) //nolint:errcheck // it ends with the share
	return nil
}

// close ends it, whatever is being sent.
func (w *web) close() {
	if w != nil {
		w.listener.Close() //nolint:errcheck // nobody comes any more
		w.server.Close()   //nolint:errcheck // it is enough
	}
}

// links are where browsers find the share: if it listens at all addresses of this machine, at
// those that others can use.
func (w *web) links() (all []string) {
	if w == nil {
		return nil
	}
	at := w.listener.Addr().(*net.TCPAddr)
	hosts := []string{at.IP.String()}
	if at.IP.IsUnspecified() {
		hosts = nil
		addrs, _ := net.InterfaceAddrs() //nolint:errcheck // then there are none
		for _, a := range addrs {
			if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
				hosts = append(hosts, ip.IP.String())
			}
		}
		if hosts == nil {
			hosts = []string{"127.0.0.1"}
		}
	}
	for _, host := range hosts {
		all = append(all, "http://"+net.JoinHostPort(host, strconv.Itoa(at.Port))+w.path)
	}
	return all
}

// maxBrowsers is how many connections of browsers a share has at a time; others wait.
const maxBrowsers = 256
