package node_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/node"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A transfer is what both sides of one are told.
type transfer struct {
	t      *testing.T
	ctx    context.Context
	stop   context.CancelFunc // ends the sender
	sent   chan api.SendEvent // what the sender is told, of the sorts that end something
	failed chan error         // how that ends
	code   chan string        // that it shows
}

// send begins to send something.
func send(t *testing.T, n *node.Node, r api.SendRequest) *transfer {
	t.Helper()
	x := &transfer{t: t, sent: make(chan api.SendEvent, 1000), failed: make(chan error, 1), code: make(chan string, 1)}
	x.ctx, x.stop = context.WithCancel(within(t))
	t.Cleanup(x.stop)
	go func() {
		var failed error
		for e, err := range n.Client().Send(x.ctx, r) {
			switch failed = err; {
			case e.Type == api.PairCode:
				x.code <- e.Code
			case e.Type == api.SendMet, e.Type == api.SendCame, e.Type == api.SendLeft, e.Type == api.SendDone:
				x.sent <- e
			}
		}
		close(x.sent)
		x.failed <- failed
	}()
	return x
}

// wants waits for what the sender is told next.
func (x *transfer) wants(sort string) api.SendEvent {
	x.t.Helper()
	e, ok := <-x.sent
	for ok && e.Type == api.SendCame && sort != api.SendCame {
		e, ok = <-x.sent
	}
	if !ok {
		x.t.Fatalf("the sender is not told %q: %v", sort, <-x.failed)
	}
	if e.Type != sort {
		x.t.Errorf("the sender is told %+v in place of %q", e, sort)
	}
	return e
}

// receive takes what is sent with a code, while take runs.
func receive(t *testing.T, n *node.Node, code string, take func(api.SendEvent)) error {
	t.Helper()
	for e, err := range n.Client().Receive(within(t), api.ReceiveRequest{Code: code}) {
		if err != nil {
			return err
		}
		if e.Type == api.SendMet {
			take(e)
			return nil
		}
	}
	t.Error("nothing has come")
	return nil
}

// receiveShowing is receive with a code of its own, which show gets.
func receiveShowing(t *testing.T, n *node.Node, show func(code string), take func(api.SendEvent)) {
	t.Helper()
	for e, err := range n.Client().Receive(within(t), api.ReceiveRequest{}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Type == api.PairCode:
			show(e.Code)
		case e.Type == api.SendMet:
			take(e)
			return
		}
	}
	t.Error("nothing has come")
}

// strangers checks that nodes do not know each other.
func strangers(t *testing.T, nodes ...*node.Node) {
	t.Helper()
	for _, n := range nodes {
		if all, err := n.Client().Peers(within(t)); err != nil || len(all) > 0 {
			t.Errorf("on record are %+v, %v", all, err)
		}
	}
}

// A text comes with the code, whoever shows that.
func TestSendText(t *testing.T) {
	w := new(world)
	a, b := w.node(t, "alice"), w.node(t, "bob")
	const text = "a text\nof \x1b[31m two lines"
	x := send(t, a, api.SendRequest{Text: text})
	if err := receive(t, b, <-x.code, func(e api.SendEvent) {
		if e.Given.Text != text || e.Peer.Said != "alice" || len(e.Words) != 4 {
			t.Errorf("what came is %+v of %+v", e.Given, e.Peer)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if e := x.wants(api.SendMet); e.Peer.Said != "bob" || e.Given != nil {
		t.Errorf("the sender is told %+v", e)
	}
	x.wants(api.SendDone)
	receiveShowing(t, b, func(code string) {
		x = send(t, a, api.SendRequest{Text: text, Code: code})
	}, func(e api.SendEvent) {
		if e.Given.Text != text {
			t.Errorf("what came is %+v", e.Given)
		}
	})
	x.wants(api.SendMet)
	x.wants(api.SendDone)
	strangers(t, a, b)
}

// What the sender offers itself can be used by who has used the code, and nobody else, for as
// long as both want.
func TestSendService(t *testing.T) {
	w := new(world)
	a, b, c := w.node(t, "alice"), w.node(t, "bob"), w.node(t, "carol")
	acc, err := a.Client().Offer(within(t), api.OfferRequest{Service: "pipe"})
	if err != nil {
		t.Fatal(err)
	}
	defer acc.Close()
	x := send(t, a, api.SendRequest{Service: "pipe", Name: "a\x1bname"})
	var service string
	if err := receive(t, b, <-x.code, func(e api.SendEvent) {
		if service = e.Given.Service; e.Given.Name != `a\x1bname` {
			t.Errorf("it is called %q", e.Given.Name)
		}
		x.wants(api.SendMet)
		in := dial(t, b, service)
		out, err := acc.Accept()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(out.(transport.Stream), "hello")
		out.CloseWrite()
		if got, err := io.ReadAll(in); string(got) != "hello" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		in.Close()
		out.Close()
		if _, err := c.Client().Dial(within(t), api.DialRequest{To: service}); !errors.Is(err, transport.ErrDenied) {
			t.Errorf("somebody else: %v", err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	strangers(t, a, b)
	// The request of bob has ended, and with it his right to turn to alice.
	for {
		_, err := b.Client().Dial(within(t), api.DialRequest{To: service})
		if errors.Is(err, transport.ErrDenied) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// What who receives says at the end is heard, though he goes when he has said it, and with that nobody may turn to the other any more.
func TestLastWord(t *testing.T) {
	w := new(world)
	a, b := w.node(t, "alice"), w.node(t, "bob")
	acc, err := a.Client().Offer(within(t), api.OfferRequest{Service: "pipe"})
	if err != nil {
		t.Fatal(err)
	}
	defer acc.Close()
	for range 5 {
		x := send(t, a, api.SendRequest{Service: "pipe"})
		heard := make(chan []byte, 1)
		if err := receive(t, b, <-x.code, func(e api.SendEvent) {
			x.wants(api.SendMet)
			in := dial(t, b, e.Given.Service)
			out, err := acc.Accept()
			if err != nil {
				t.Fatal(err)
			}
			out.CloseWrite()
			if _, err := io.ReadAll(in); err != nil {
				t.Error(err)
			}
			go func() {
				all, err := io.ReadAll(out.(transport.Stream))
				if err != nil {
					t.Error(err)
				}
				heard <- all
				out.Close()
			}()
			in.Write([]byte{api.GiftAll})
			in.Close()
		}); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; string(got) != string(rune(api.GiftAll)) {
			t.Fatalf("%q is heard", got)
		}
	}
}

// fetch fetches what was given, and says so.
func fetch(t *testing.T, n *node.Node, e api.SendEvent, target string) {
	t.Helper()
	c := dial(t, n, e.Given.Service)
	defer c.Close()
	for _, err := range n.Client().Fetch(within(t), api.FetchRequest{Ticket: e.Given.Ticket, Target: target}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Write([]byte{api.GiftAll})
	c.CloseWrite()
	io.ReadAll(c)
}

// sendsNothing waits until a node sends nothing any more.
func sendsNothing(t *testing.T, n *node.Node) {
	t.Helper()
	for {
		if all, err := n.Client().Shares(within(t)); err != nil || len(all) == 0 {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

func file(t *testing.T) (path, text string) {
	t.Helper()
	path, text = filepath.Join(t.TempDir(), "file"), strings.Repeat("what is in it\n", 10000)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, text
}

func came(t *testing.T, target, want string) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(target, "file")); string(got) != want || err != nil {
		t.Errorf("%d bytes came, %v", len(got), err)
	}
}

// Files are fetched with what comes by the code, and nothing is left of it but the files.
func TestSendFiles(t *testing.T) {
	w := new(world)
	a, b := w.node(t, "alice"), w.node(t, "bob")
	path, text := file(t)
	for _, shows := range []string{"sender", "receiver"} {
		target := t.TempDir()
		var x *transfer
		take := func(e api.SendEvent) { fetch(t, b, e, target) }
		if shows == "sender" {
			x = send(t, a, api.SendRequest{Paths: []string{path}})
			if err := receive(t, b, <-x.code, take); err != nil {
				t.Fatal(err)
			}
		} else {
			receiveShowing(t, b, func(code string) { x = send(t, a, api.SendRequest{Paths: []string{path}, Code: code}) }, take)
		}
		x.wants(api.SendMet)
		if e := x.wants(api.SendDone); e.Share == nil || e.Share.Files != 1 || e.Share.Bytes != int64(len(text)) {
			t.Errorf("the sender is told that the other side has %+v", e.Share)
		}
		if err := <-x.failed; err != nil {
			t.Error(err)
		}
		came(t, target, text)
		if all, err := a.Client().Shares(within(t)); err != nil || len(all) > 0 {
			t.Errorf("there is %+v, %v", all, err)
		}
	}
	strangers(t, a, b)
}

// Who is interrupted goes on with the same code, at either side, and it is the same share.
func TestSendAgain(t *testing.T) {
	w := new(world)
	a, b := w.node(t, "alice"), w.node(t, "bob")
	path, text := file(t)
	target := t.TempDir()
	x := send(t, a, api.SendRequest{Paths: []string{path}})
	code := <-x.code
	var first api.SendEvent
	if err := receive(t, b, code, func(e api.SendEvent) {
		first = e
		c := dial(t, b, e.Given.Service)
		transport.Abort(c, errors.New("bob is gone"))
	}); err != nil {
		t.Fatal(err)
	}
	x.wants(api.SendMet)
	x.wants(api.SendLeft)
	if err := receive(t, b, code, func(e api.SendEvent) {
		if !e.Again || e.Given.Ticket != first.Given.Ticket || strings.Join(e.Words, "") != strings.Join(first.Words, "") {
			t.Errorf("at first\n%+v, %+v\nand then\n%+v, %+v", first, first.Given, e, e.Given)
		}
		c := dial(t, b, e.Given.Service)
		defer c.Close()
		x.wants(api.SendCame)
		x.stop() // the sender goes, and says so
		if got, err := io.ReadAll(c); len(got) != 1 || got[0] != api.GiftOver {
			t.Errorf("it says %v, %v", got, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	<-x.failed
	sendsNothing(t, a)
	// A sender that comes again shows another code, and has the same ticket.
	x = send(t, a, api.SendRequest{Paths: []string{path}})
	if err := receive(t, b, <-x.code, func(e api.SendEvent) {
		if e.Again || e.Given.Service != first.Given.Service {
			t.Errorf("at first\n%+v\nand then\n%+v", first.Given, e.Given)
		}
		fetch(t, b, e, target)
	}); err != nil {
		t.Fatal(err)
	}
	x.wants(api.SendMet)
	x.wants(api.SendDone)
	came(t, target, text)
}

// The sender goes on with a code that the receiver shows.
func TestSendAgainByTheReceiversCode(t *testing.T) {
	w := new(world)
	a, b := w.node(t, "alice"), w.node(t, "bob")
	path, text := file(t)
	target := t.TempDir()
	var x *transfer
	var code string
	receiveShowing(t, b, func(shown string) {
		code = shown
		x = send(t, a, api.SendRequest{Paths: []string{path}, Code: code})
	}, func(e api.SendEvent) {
		x.wants(api.SendMet)
		x.stop()
		<-x.failed
		sendsNothing(t, a)
		x = send(t, a, api.SendRequest{Paths: []string{path}, Code: code})
		if again := x.wants(api.SendMet); !again.Again {
			t.Errorf("it is %+v", again)
		}
		fetch(t, b, e, target)
	})
	x.wants(api.SendDone)
	came(t, target, text)
}

// Who does not want it says so.
func TestSendUnwanted(t *testing.T) {
	w := new(world)
	a, b := w.node(t, "alice"), w.node(t, "bob")
	path, _ := file(t)
	x := send(t, a, api.SendRequest{Paths: []string{path}})
	if err := receive(t, b, <-x.code, func(e api.SendEvent) {
		c := dial(t, b, e.Given.Service)
		defer c.Close()
		c.Write([]byte{api.GiftUnwanted})
		c.CloseWrite()
		io.ReadAll(c)
	}); err != nil {
		t.Fatal(err)
	}
	x.wants(api.SendMet)
	for e := range x.sent {
		if e.Type != api.SendCame {
			t.Errorf("the sender is told %+v", e)
		}
	}
	if err := <-x.failed; !errors.Is(err, transport.ErrDenied) {
		t.Errorf("the sender ends with %v", err)
	}
}

// A code for sending pairs nobody, and one for pairing sends nothing.
func TestCodesForOtherThings(t *testing.T) {
	w := new(world)
	a, b := w.node(t, "alice"), w.node(t, "bob")
	x := send(t, a, api.SendRequest{Text: "secret"})
	code := <-x.code
	for _, err := range b.Client().PairJoin(within(t), api.PairRequest{Code: code}) {
		if err != nil && (!errors.Is(err, transport.ErrUsage) || !strings.Contains(transport.Hint(err), "tenon receive")) {
			t.Errorf("pairing: %v, hint %q", err, transport.Hint(err))
		}
	}
	y := send(t, b, api.SendRequest{Text: "other", Code: code})
	if err := <-y.failed; !errors.Is(err, transport.ErrUsage) {
		t.Errorf("sending: %v", err)
	}
	strangers(t, a, b)
	if err := receive(t, b, code, func(api.SendEvent) {}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for e, err := range a.Client().PairOffer(ctx, api.PairRequest{}) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == api.PairCode {
			if err := receive(t, b, e.Code, func(api.SendEvent) {}); !errors.Is(err, transport.ErrUsage) || !strings.Contains(transport.Hint(err), "tenon pair") {
				t.Errorf("receiving: %v, hint %q", err, transport.Hint(err))
			}
			cancel()
		}
	}
	strangers(t, a, b)
}

func TestSendMistakes(t *testing.T) {
	a := new(world).node(t, "alice")
	path, _ := file(t)
	for name, c := range map[string]struct {
		r    api.SendRequest
		want error
	}{
		"nothing":       {api.SendRequest{}, transport.ErrUsage},
		"two things":    {api.SendRequest{Text: "x", Paths: []string{path}}, transport.ErrUsage},
		"a long text":   {api.SendRequest{Text: strings.Repeat("x", 5000)}, transport.ErrUsage},
		"a long name":   {api.SendRequest{Service: "x", Name: strings.Repeat("x", 300)}, transport.ErrUsage},
		"no code":       {api.SendRequest{Text: "x", Code: "7-no-such-words"}, transport.ErrUsage},
		"relative":      {api.SendRequest{Paths: []string{"file"}}, transport.ErrUsage},
		"no such file":  {api.SendRequest{Paths: []string{path + "x"}}, os.ErrNotExist},
		"no one's name": {api.SendRequest{Text: "x", Self: "no name"}, transport.ErrUsage},
	} {
		x := send(t, a, c.r)
		if err := <-x.failed; err == nil || c.want != os.ErrNotExist && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := receive(t, a, "7-no-such-words", func(api.SendEvent) {}); !errors.Is(err, transport.ErrUsage) {
		t.Error(err)
	}
}
