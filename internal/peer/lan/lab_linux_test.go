package lan

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

// hostEnv makes this test binary a host of the laboratory: a process in a network
// namespace of its own, which does what it reads and prints what happens.
const hostEnv = "TENON_LAN_HOST"

func TestMain(m *testing.M) {
	if os.Getenv(hostEnv) != "" {
		hostMain()
		return
	}
	os.Exit(m.Run())
}

// A host is a process in a network namespace.
type host struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	in    io.Writer
	lines chan string
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// newHost starts a host, which ends with the test.
func newHost(t *testing.T, name string) *host {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make network namespaces and connect them")
	}
	h := startHost(t, name, exec.Command("/proc/self/exe"), syscall.CLONE_NEWNET)
	h.ip("link set lo up")
	h.run("sysctl -qw net.ipv6.conf.default.accept_dad=0") // addresses count at once
	return h
}

// beside starts another process in the namespace of a host.
func (h *host) beside(name string) *host {
	h.t.Helper()
	return startHost(h.t, name, exec.Command("nsenter", "-t", strconv.Itoa(h.cmd.Process.Pid), "-n", "--", os.Args[0]), 0)
}

func startHost(t *testing.T, name string, cmd *exec.Cmd, namespaces uintptr) *host {
	t.Helper()
	cmd.Env = append(os.Environ(), hostEnv+"="+name)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("this machine makes no network namespaces: ", err)
	}
	h := &host{t: t, name: name, cmd: cmd, in: in, lines: make(chan string, 1024)}
	go h.listen(out)
	t.Cleanup(func() {
		in.Close() //nolint:errcheck // it ends by that
		end := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		defer end.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("host %s: %v", name, err)
		}
	})
	return h
}

func (h *host) listen(out io.Reader) {
	defer close(h.lines)
	for sc := bufio.NewScanner(out); sc.Scan(); {
		h.lines <- sc.Text()
	}
}

// ip runs ip(8) in the namespace of the host.
func (h *host) ip(args string, a ...any) {
	h.t.Helper()
	h.run("ip " + fmt.Sprintf(args, a...))
}

func (h *host) run(line string) {
	h.t.Helper()
	args := append([]string{"-t", strconv.Itoa(h.cmd.Process.Pid), "-n", "--"}, strings.Fields(line)...)
	if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %s: %v: %s", h.name, line, err, out)
	}
}

// batch runs many commands of ip(8) at once.
func (h *host) batch(lines ...string) {
	h.t.Helper()
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(h.cmd.Process.Pid), "-n", "--", "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%s: %s: %v: %s", h.name, lines, err, out)
	}
}

// cable connects two hosts, at which it has these names.
func cable(a *host, nameA string, b *host, nameB string) {
	a.t.Helper()
	a.batch(fmt.Sprintf("link add %s type veth peer name %s netns %d", nameA, nameB, b.cmd.Process.Pid), "link set "+nameA+" up")
	b.ip("link set %s up", nameB)
}

// do tells the host to do something.
func (h *host) do(format string, a ...any) {
	fmt.Fprintf(h.in, format+"\n", a...) //nolint:errcheck // then it says nothing
}

// wait waits for a line of the host that begins so, and returns the rest.
func (h *host) wait(prefix string) string {
	h.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	var seen []string
	for {
		select {
		case line, ok := <-h.lines:
			if !ok {
				h.t.Fatalf("%s has ended; it has said %q", h.name, seen)
			}
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				return strings.TrimSpace(rest)
			}
			seen = append(seen, line)
		case <-late.C:
			h.t.Fatalf("%s does not say %q; it has said %q", h.name, prefix, seen)
		}
	}
}

func keyOf(name string) *peer.Key {
	var seed [32]byte
	copy(seed[:], name)
	return peer.KeyFromSeed(seed)
}

func shareOf(number string) peer.FindKey { return peer.FindKey([]byte(fmt.Sprintf("%32s", number))) }

// hostMain is a host. Its node has the key that follows from its name, and knows the
// peers of the command "node".
func hostMain() {
	self := keyOf(os.Getenv(hostEnv))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	say := func(format string, a ...any) { fmt.Printf(format+"\n", a...) }
	var l *LAN
	var offer *Offer
	var shares atomic.Pointer[[]peer.FindKey]
	shares.Store(new([]peer.FindKey))
	known := map[peer.ID]string{}
	code := func(channel int) pair.Code {
		c, _, _ := pair.ParseCode(fmt.Sprintf("%d-cactus-violin-walnut", channel)) //nolint:errcheck // it is one
		return c
	}
	for sc := bufio.NewScanner(os.Stdin); sc.Scan(); {
		words := strings.Fields(sc.Text())
		arg, channel := words[1:], 0
		if len(arg) > 0 {
			channel, _ = strconv.Atoi(arg[0]) //nolint:errcheck // it may be something else
		}
		switch words[0] {
		case "node": // with the ports, and who is known
			var ids []peer.ID
			for _, name := range arg[1:] {
				id := keyOf(name).ID()
				known[id], ids = name, append(ids, id)
			}
			var err error
			l, err = New(Config{Self: self.ID(),
				Ports: func() []string { return strings.Split(arg[0], "+") },
				Known: func() []peer.ID { return ids }, Shares: func() []peer.FindKey { return *shares.Load() },
				Found: func(id peer.ID, addrs []string) { say("found %s at %s.", known[id], strings.Join(addrs, " ")) },
			})
			say("ready %v", err)
		case "changed":
			l.Changed()
		case "has": // shares, by numbers
			var all []peer.FindKey
			for _, n := range arg {
				all = append(all, shareOf(n))
			}
			shares.Store(&all)
			say("shares %d", len(all))
		case "wants": // a share, from then on
			_, err := l.SeekShare(shareOf(arg[0]), func(id peer.ID, addrs []string) {
				say("share %s of %s at %s.", arg[0], id, strings.Join(addrs, " "))
			})
			say("seeks %v", err)
		case "close":
			l.Close() //nolint:errcheck // it returns nil
			say("closed")
		case "offer":
			o := pair.NewOffer(code(channel), pair.Side{Key: self, Name: "offerer"})
			var err error
			offer, err = l.Offer(channel)
			say("offered %v", err)
			go func(offer *Offer) {
				for {
					s, err := offer.Accept(ctx)
					if err != nil {
						return
					}
					go o.Accept(ctx, s) //nolint:errcheck // Wait has it
				}
			}(offer)
			go func() {
				r, err := o.Wait(ctx)
				say("paired %s %v %v", r.Suggested, r.Words, err)
			}()
		case "withdraw":
			say("withdrawn %v", offer.Close())
		case "join":
			go func() {
				begin := time.Now()
				var from net.Addr
				r, err := pair.JoinFound(ctx, func(ctx context.Context) (transport.Stream, error) {
					s, err := l.Join(ctx, channel)
					if err == nil {
						from = s.RemoteAddr()
					}
					return s, err
				}, code(channel), pair.Side{Key: self, Name: "joiner"})
				if from == nil {
					say("joined %v", err)
					return
				}
				say("joined %s %v %v %d %s", r.Suggested, r.Words, err, time.Since(begin).Milliseconds(), from)
			}()
		case "channels":
			c, err := l.Channels(ctx, 500*time.Millisecond)
			say("channels %v %v", c, err)
		case "flood":
			go flood(ctx.Done())
			say("floods")
		}
	}
	if l != nil {
		l.Close() //nolint:errcheck // it returns nil
	}
}
