package node_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/freeport"
	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/tlsconf/tlstest"
)

// A reload does all or nothing, whatever it fails at: what the file says may be well-formed
// and still not be had. An address that another program has cut all joints once, for the
// network was left before it was known.
func TestReloadAllOrNothing(t *testing.T) {
	file, address := filepath.Join(t.TempDir(), "tenon.toml"), echo(t)
	metrics := freeport.Get(t)
	cert := tlstest.New(t).Issue(t, "localhost")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	port, udpPort := taken.Addr().(*net.TCPAddr).Port, udp.LocalAddr().(*net.UDPAddr).Port

	base := map[string]string{
		"listen":    `["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"]`,
		"discovery": `["none"]`,
		"metrics":   fmt.Sprintf(`"tcp-listen:127.0.0.1:%s"`, metrics),
	}
	tables := fmt.Sprintf("[services.x]\naddress = %q\nanyone = true\n[links.sealed]\nfrom = \"tls-listen:127.0.0.1:0,cert=%s\"\nto = %q\n", address, cert, address)
	write := func(change map[string]string, more string) {
		t.Helper()
		var b strings.Builder
		for key, value := range base {
			if _, ok := change[key]; !ok {
				fmt.Fprintf(&b, "%s = %s\n", key, value)
			}
		}
		for key, value := range change {
			fmt.Fprintf(&b, "%s = %s\n", key, value)
		}
		if err := os.WriteFile(file, []byte(b.String()+tables+more), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	begin := func(name, config string) *node.Node {
		n, err := node.New(t.Context(), node.Config{Dir: stateDir(t), Name: name, Network: node.Connect, ConfigFile: config,
			Flags: node.Settings{Network: node.Network{Discovery: []string{"none"}}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	write(nil, "")
	alice, bob := begin("alice", file), begin("bob", "")
	ticket, err := alice.MakeTicket(t.Context(), api.TicketRequest{Service: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.AddTicket(t.Context(), ticket.Text, "alice"); err != nil {
		t.Fatal(err)
	}
	s := dial(t, bob, "alice/x")
	says(t, s, "x", "X")
	c := alice.Client()
	eventually(t, func() bool { // the link, whose certificate is read again
		is, err := c.Status(within(t))
		return err == nil && len(is.Links) == 1 && is.Links[0].State == "up" && is.Links[0].Error == ""
	})

	whole, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change map[string]string
		more   string
		cert   []byte
		why    string
	}{
		"listen, TCP":             {change: map[string]string{"listen": fmt.Sprintf(`["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/%d"]`, port)}, why: "address already in use"},
		"listen, QUIC":            {change: map[string]string{"listen": fmt.Sprintf(`["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/%d/quic-v1"]`, udpPort)}, why: "address already in use"},
		"listen elsewhere":        {change: map[string]string{"listen": `["/ip4/203.0.113.7/tcp/4001"]`}, why: "203.0.113.7"},
		"listen, unknown":         {change: map[string]string{"listen": `["/ip4/127.0.0.1/sctp/4001"]`}, why: "sctp"},
		"listen, no text":         {change: map[string]string{"listen": `["smoke"]`}, why: "smoke"},
		"announce":                {change: map[string]string{"announce": `["smoke"]`}, why: "smoke"},
		"relays":                  {change: map[string]string{"relays": `["/ip4/203.0.113.7/tcp/4001"]`}, why: "203.0.113.7"},
		"bootstrap":               {change: map[string]string{"bootstrap": `["/ip4/203.0.113.7/tcp/4001"]`}, why: "203.0.113.7"},
		"metrics":                 {change: map[string]string{"metrics": fmt.Sprintf(`"tcp-listen:127.0.0.1:%d"`, port)}, why: "address already in use"},
		"irc":                     {change: map[string]string{"irc": fmt.Sprintf(`"127.0.0.1:%d"`, port)}, why: "address already in use"},
		"irc and metrics":         {change: map[string]string{"metrics": `""`, "irc": fmt.Sprintf(`"127.0.0.1:%d"`, port)}, why: "address already in use"},
		"password of irc":         {change: map[string]string{"irc": `"127.0.0.1:0"`, "irc-password-file": `"/no/such/file"`}, why: "/no/such/file"},
		"service":                 {more: "[services.y]\naddress = \"nonsense:\"\n", why: "nonsense"},
		"link":                    {more: "[links.y]\nfrom = \"nonsense:\"\nto = \"null:\"\n", why: "nonsense"},
		"certificate":             {cert: []byte("no certificate"), why: "cert"},
		"certificate and metrics": {cert: []byte("no certificate"), change: map[string]string{"metrics": `"tcp-listen:127.0.0.1:0"`}, why: "cert"},
	} {
		t.Run(name, func(t *testing.T) {
			write(tc.change, "[services.more]\naddress = \"echo:\"\n"+tc.more)
			if tc.cert != nil {
				if err := os.WriteFile(cert, tc.cert, 0o600); err != nil {
					t.Fatal(err)
				}
				defer os.WriteFile(cert, whole, 0o600)
			}
			if r, err := c.Reload(within(t)); err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("%+v, %v, want %q", r, err, tc.why)
			}
			says(t, s, "y", "Y")
			if all := alice.Services(); len(all) != 1 || all[0].Name != "x" {
				t.Errorf("the services are %+v", all)
			}
			r, err := http.Get("http://127.0.0.1:" + metrics + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
				t.Errorf("metrics: %s, %v", r.Status, err)
			}
		})
	}
	write(nil, "[services.more]\naddress = \"echo:\"\n")
	if r, err := c.Reload(within(t)); err != nil || len(r.Changes) != 1 {
		t.Errorf("%q, %v", r.Changes, err)
	}
	says(t, s, "z", "Z")
}
