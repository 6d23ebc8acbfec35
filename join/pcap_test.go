package join

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tenon-net/tenon/transport"
)

// tshark runs tshark on the file and returns what it prints.
func tshark(t *testing.T, file string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err != nil {
		t.Fatal("tshark is not here: install tshark")
	}
	cmd := exec.Command(path, append([]string{"-n", "-r", file}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || strings.Contains(stderr.String(), "appears") {
		t.Fatalf("tshark %q: %v\n%s", args, err, &stderr)
	}
	return string(out)
}

// follow returns what tshark finds in the conversation, from a and from b.
func follow(t *testing.T, file, proto string, number int) (ab, ba []byte) {
	t.Helper()
	out := tshark(t, file, "-q", "-z", fmt.Sprintf("follow,%s,raw,%d", proto, number))
	_, out, _ = strings.Cut(out, "Node 1: ")
	for line := range strings.Lines(out) {
		p, err := hex.DecodeString(strings.TrimSpace(line))
		switch {
		case err != nil:
		case strings.HasPrefix(line, "\t"):
			ba = append(ba, p...)
		default:
			ab = append(ab, p...)
		}
	}
	return ab, ba
}

// wantHealthy checks that tshark has nothing to say against the file.
func wantHealthy(t *testing.T, file string) {
	t.Helper()
	if out := tshark(t, file, "-q", "-z", "expert,warn"); strings.TrimSpace(out) != "" {
		t.Errorf("tshark warns:\n%s", out)
	}
	if out := tshark(t, file, "-Y", "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0",
		"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"); out != "" {
		t.Errorf("malformed packets or bad checksums:\n%.2000s", out)
	}
}

func newPcap(t *testing.T) (*Pcap, string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "joint.pcapng")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	p, err := NewPcap(f)
	if err != nil {
		t.Fatal(err)
	}
	return p, name
}

// noise returns bytes that no dissector takes for its own.
func noise(seed byte, n int) []byte {
	p := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(p)
	return p
}

func tcpAddr(s string) net.Addr { a, _ := net.ResolveTCPAddr("tcp", s); return a }

func TestPcapStream(t *testing.T) {
	for name, ends := range map[string][2]net.Addr{
		"ip4":   {tcpAddr("10.1.2.3:50123"), tcpAddr("192.0.2.80:50443")},
		"ip6":   {tcpAddr("[2001:db8::1]:50123"), tcpAddr("[fe80::2%lo]:50443")},
		"mixed": {tcpAddr("[2001:db8::1]:50123"), tcpAddr("192.0.2.80:50443")},
		"names": {transport.Addr{Net: "unix", Name: "@"}, transport.Addr{Net: "exec", Name: "exec sort -u"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, file := newPcap(t)
			tap := p.Conversation(ends[A], ends[B], false)
			long := 200_001
			if name == "ip4" {
				long = 3_000_001 // so that there are acknowledgements without data
			}
			ab, ba := noise(1, long), noise(2, 150_000)
			var wg sync.WaitGroup
			for d, data := range [][]byte{ab, ba} {
				wg.Go(func() {
					for i := 1; len(data) > 0; i++ {
						n := min(len(data), i*i*37)
						tap.Data(Direction(d), data[:n], false)
						data = data[n:]
					}
					tap.End(Direction(d), io.EOF)
				})
			}
			wg.Wait()
			gotAB, gotBA := follow(t, file, "tcp", 0)
			if !bytes.Equal(gotAB, ab) || !bytes.Equal(gotBA, ba) {
				t.Errorf("tshark finds %d and %d bytes, want %d and %d, the same", len(gotAB), len(gotBA), len(ab), len(ba))
			}
			wantHealthy(t, file)
			if out := tshark(t, file, "-2", "-T", "fields", "-e", "tcp.completeness"); !strings.HasSuffix(out, "\n31\n") {
				t.Errorf("completeness ends as %q, want 31: SYN, SYN-ACK, ACK, data and FIN", out[max(0, len(out)-4):])
			}
		})
	}
}

func TestPcapReset(t *testing.T) {
	p, file := newPcap(t)
	tap := p.Conversation(tcpAddr("10.0.0.1:50001"), tcpAddr("10.0.0.2:50002"), false)
	tap.Data(AB, []byte("request"), false)
	tap.End(AB, errors.New("connection reset by peer"))
	tap.Data(BA, []byte("a last word"), false)
	tap.End(BA, net.ErrClosed)
	tap.Data(BA, []byte("nothing follows a reset"), false)
	ab, ba := follow(t, file, "tcp", 0)
	if string(ab) != "request" || string(ba) != "a last word" {
		t.Errorf("tshark finds %q and %q", ab, ba)
	}
	if out := tshark(t, file, "-Y", "tcp.flags.reset == 1", "-T", "fields", "-e", "frame.number", "-e", "frame.comment"); out != "6\tconnection reset by peer\n" {
		t.Errorf("resets: %q, want one, in the last packet, that says why", out)
	}
}

func TestPcapMessages(t *testing.T) {
	p, file := newPcap(t)
	tap := p.Conversation(tcpAddr("10.0.0.1:50001"), transport.Addr{Net: "ws", Name: "wss://chat.example/"}, true)
	ab := [][]byte{noise(1, 10), {}, noise(2, 65507), noise(3, 200_000)}
	for _, m := range ab {
		tap.Data(AB, m, true)
	}
	tap.Data(BA, []byte("answer"), true)
	tap.End(AB, io.EOF)
	gotAB, gotBA := follow(t, file, "udp", 0)
	if !bytes.Equal(gotAB, bytes.Join(ab, nil)) || string(gotBA) != "answer" {
		t.Errorf("tshark finds %d and %d bytes", len(gotAB), len(gotBA))
	}
	wantHealthy(t, file)
	want := "18\n8\n65515\n65515\n65515\n65515\n3487\n14\n"
	if out := tshark(t, file, "-T", "fields", "-e", "udp.length"); out != want {
		t.Errorf("lengths %q, want %q", out, want)
	}
	if out := tshark(t, file, "-Y", "frame.comment contains \"of one message of 200000 bytes\"", "-T", "fields", "-e", "frame.number"); out != "4\n5\n6\n7\n" {
		t.Errorf("packets that say they are parts: %q", out)
	}
}

// TestPcapConcurrent records many joints at once, and reads the file while they
// are still open.
func TestPcapConcurrent(t *testing.T) {
	p, file := newPcap(t)
	var wg sync.WaitGroup
	taps := make([]Tap, 20)
	for i := range taps {
		taps[i] = p.Conversation(transport.Addr{Net: "unix", Name: "@"}, transport.Addr{Net: "unix", Name: "/run/app.sock"}, false)
		for d := range 2 {
			wg.Go(func() {
				for j := range 50 {
					taps[i].Data(Direction(d), fmt.Appendf(nil, "%d %d %d\n", i, d, j), false)
				}
			})
		}
	}
	wg.Wait()
	wantHealthy(t, file)
	for _, i := range []int{0, 7, 19} {
		for d := range 2 {
			var want []byte
			for j := range 50 {
				want = fmt.Appendf(want, "%d %d %d\n", i, d, j)
			}
			var got [2][]byte
			if got[AB], got[BA] = follow(t, file, "tcp", i); !bytes.Equal(got[d], want) {
				t.Errorf("joint %d, direction %d: %q", i, d, got[d])
			}
		}
	}
	for _, tap := range taps {
		tap.End(AB, nil)
		tap.End(BA, nil)
	}
	out := tshark(t, file, "-N", "m", "-q", "-z", "hosts")
	if !strings.Contains(out, "unix_/run/app.sock") {
		t.Errorf("the name of an end is not among the hosts:\n%s", out)
	}
}

func TestPcapReportsErrors(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if _, err := NewPcap(w); err != io.ErrClosedPipe {
		t.Errorf("NewPcap: error %v, want io.ErrClosedPipe", err)
	}
}
