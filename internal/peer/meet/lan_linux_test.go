package meet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/lan"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

// hostEnv makes this test binary a host: a process in a network namespace of its own,
// that offers a code, or joins with the one that it reads.
const hostEnv = "TENON_MEET_HOST"

func TestMain(m *testing.M) {
	switch os.Getenv(hostEnv) {
	case "":
		os.Exit(m.Run())
	case "offerer":
		offererMain()
	case "joiner":
		joinerMain()
	}
}

// place is the local network, and a relay that nobody reaches.
func place() Place {
	l, err := lan.New(lan.Config{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	nowhere := func(ctx context.Context, _ peer.ID, _ string) (transport.Stream, error) {
		<-ctx.Done()
		return nil, peer.ErrUnreachable
	}
	return Place{LAN: l, Relays: []peer.ID{peer.NewKey().ID()}, Open: nowhere}
}

func offererMain() {
	in := bufio.NewReader(os.Stdin)
	in.ReadString('\n') //nolint:errcheck // then it ends below
	begin := time.Now()
	o, err := place().Offer(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	offer := pair.NewOffer(pair.NewCode(o.Channel()), pair.Side{Key: peer.NewKey(), Name: "alice"})
	fmt.Println("code", offer.Code(), time.Since(begin).Milliseconds())
	for {
		s, err := o.Accept(context.Background())
		if err != nil {
			return
		}
		if r, err := offer.Accept(context.Background(), s); err == nil {
			fmt.Println("paired", r.Words)
			o.Close() //nolint:errcheck // it is over
			return
		}
	}
}

func joinerMain() {
	in := bufio.NewReader(os.Stdin)
	text, _ := in.ReadString('\n') //nolint:errcheck // then it is no code
	code, _, err := pair.ParseCode(text)
	begin := time.Now()
	var s transport.Stream
	if err == nil {
		s, err = place().Join(context.Background(), code.Channel)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := pair.Join(context.Background(), s, code, pair.Side{Key: peer.NewKey(), Name: "bob"})
	fmt.Println("paired", r.Words, err, time.Since(begin).Milliseconds())
}

type host struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startHost(t *testing.T, role string) *host {
	t.Helper()
	h := &host{t: t, cmd: exec.Command("/proc/self/exe")}
	h.cmd.Env = append(os.Environ(), hostEnv+"="+role)
	h.cmd.Stderr = os.Stderr
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	h.in, _ = h.cmd.StdinPipe()  //nolint:errcheck // Start says it
	out, _ := h.cmd.StdoutPipe() //nolint:errcheck // Start says it
	h.out = bufio.NewScanner(out)
	if err := h.cmd.Start(); err != nil {
		t.Skip("this machine makes no network namespaces: ", err)
	}
	late := time.AfterFunc(30*time.Second, func() { h.cmd.Process.Kill() }) //nolint:errcheck // it may have ended
	t.Cleanup(func() {
		h.in.Close() //nolint:errcheck // it ends by that
		h.cmd.Wait() //nolint:errcheck // what it has said counts
		late.Stop()
	})
	return h
}

func (h *host) ip(format string, a ...any) {
	h.t.Helper()
	args := append([]string{"-t", strconv.Itoa(h.cmd.Process.Pid), "-n", "--", "ip"}, strings.Fields(fmt.Sprintf(format, a...))...)
	if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
		h.t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

func (h *host) line(prefix string) []string {
	h.t.Helper()
	if !h.out.Scan() {
		h.t.Fatalf("it has ended without %q", prefix)
	}
	rest, ok := strings.CutPrefix(h.out.Text(), prefix)
	if !ok {
		h.t.Fatalf("it says %q", h.out.Text())
	}
	return strings.Fields(rest)
}

// Two on a local network with no Internet pair in less than two seconds, though both
// have a relay in their configuration that they cannot reach.
func TestPairOnTheLocalNetwork(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make network namespaces and connect them")
	}
	alice, bob := startHost(t, "offerer"), startHost(t, "joiner")
	alice.ip("link add e0 type veth peer name e0 netns %d", bob.cmd.Process.Pid)
	for i, h := range []*host{alice, bob} {
		h.ip("addr add 192.168.7.%d/24 dev e0", i+1)
		h.ip("link set e0 up")
	}
	fmt.Fprintln(alice.in, "go") //nolint:errcheck // then it says nothing
	code := alice.line("code ")
	fmt.Fprintln(bob.in, code[0]) //nolint:errcheck // then it says nothing
	joined, offered := bob.line("paired "), alice.line("paired ")
	if strings.Join(joined[:4], " ") != strings.Join(offered, " ") || joined[4] != "<nil>" {
		t.Errorf("%q, %q", joined, offered)
	}
	t.Logf("the code was there after %s ms, and they were paired %s ms after it was typed", code[1], joined[5])
	if ms, _ := strconv.Atoi(joined[5]); ms >= 2000 { //nolint:errcheck // it is a number
		t.Errorf("pairing has taken %d ms", ms)
	}
}
