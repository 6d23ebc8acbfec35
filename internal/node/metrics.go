package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// writeMetrics writes the metrics in the text format of Prometheus, version 0.0.4.
func (n *Node) writeMetrics(w io.Writer) error {
	var b strings.Builder
	metric := func(name, kind, help string, samples ...any) {
		fmt.Fprintf(&b, "# HELP tenon_%s %s\n# TYPE tenon_%s %s\n", name, help, name, kind)
		for i := 0; i+1 < len(samples); i += 2 {
			fmt.Fprintf(&b, "tenon_%s%s %v\n", name, samples[i], samples[i+1])
		}
	}
	s := n.Status()
	states := map[api.State]int{}
	for _, p := range n.Peers() {
		states[p.State]++
	}
	metric("up_seconds", "gauge", "How long the node is running.", "", int(time.Since(n.started).Seconds()))
	metric("peers", "gauge", "Peers that are known, by how they can be reached.",
		`{state="direct"}`, states[api.Direct], `{state="relayed"}`, states[api.Relayed], `{state="offline"}`, states[api.Offline])
	metric("joints", "gauge", "Joints that go on.", "", s.Joints)
	var used []any
	for _, service := range n.Services() {
		used = append(used, fmt.Sprintf("{service=%q}", service.Name), service.Used)
	}
	metric("uses_total", "counter", "How often peers have opened a service.", used...)
	sent, got, dropped := n.joints.totals()
	metric("sent_bytes_total", "counter", "Bytes that services and dialed peers were sent.", "", sent)
	metric("received_bytes_total", "counter", "Bytes that came from peers.", "", got)
	metric("dropped_messages_total", "counter", "Messages that might be lost, and were: there was no room for them at this side.", "", dropped)
	metric("refusals_total", "counter", "Requests of peers that were refused.", "", n.refusals.Load())
	metric("audit_entries_total", "counter", "Entries added to the audit log.", "", n.audit.added.Load())
	metric("services", "gauge", "Services that are offered.", "", s.Services)
	metric("services_for_anyone", "gauge", "Services that anyone may use.", "", len(s.Anyone))
	metric("goroutines", "gauge", "Goroutines of the process.", "", runtime.NumGoroutine())
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	metric("memory_bytes", "gauge", "Memory that the process has from the system.", "", m.Sys-m.HeapReleased)
	_, err := io.WriteString(w, b.String())
	return err
}

// totals returns how many bytes were sent and received in all, and how many messages dropped.
func (s *joints) totals() (sent, got, dropped int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent, got, dropped = s.sent, s.got, s.dropped
	for _, j := range s.all {
		sent += j.count.BA.Load()
		got += j.count.AB.Load()
		dropped += j.dropped()
	}
	return sent, got, dropped
}

// An exporter serves the metrics, and nothing else, where the settings say.
type exporter struct {
	mu      sync.Mutex // guards what follows
	address string
	server  *http.Server
	done    chan struct{}
}

// set serves them there; at "" nowhere. If that cannot be, they are served where they were.
func (x *exporter) set(n *Node, address string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if address == x.address || n.life.Err() != nil {
		return nil
	}
	if address == "" {
		x.end()
		return nil
	}
	acc, err := n.opener.Listen(n.life, address)
	if was := x.address; err != nil && was != "" { // which may be in its way
		x.end()
		if acc, err = n.opener.Listen(n.life, address); err != nil {
			old, lost := n.opener.Listen(n.life, was)
			if lost == nil {
				x.serve(n, was, old)
			}
			err = errors.Join(err, lost)
		}
	}
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	x.end()
	x.serve(n, address, acc)
	return nil
}

// serve is called with mu held.
func (x *exporter) serve(n *Node, address string, acc transport.Acceptor) {
	x.address = address
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) { n.serveMetrics(w) })
	x.server = &http.Server{Handler: mux, ReadHeaderTimeout: requestTime, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	x.done = make(chan struct{})
	go func() {
		defer close(x.done)
		x.server.Serve(tenon.NetListener(acc)) //nolint:errcheck // it ends with end
	}()
}

func (n *Node) serveMetrics(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	n.writeMetrics(w) //nolint:errcheck // the client is gone
}

// end is called with mu held.
func (x *exporter) end() {
	if x.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if x.server.Shutdown(ctx) != nil {
			x.server.Close() //nolint:errcheck // nothing is left to do
		}
		<-x.done
		x.server = nil
	}
	x.address = ""
}

func (x *exporter) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.end()
}
