package pair

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

func key(n byte) *peer.Key { return peer.KeyFromSeed([32]byte{n}) }

var (
	alice = Side{Key: key(1), Name: "alice"}
	bob   = Side{Key: key(2), Name: "bob"}
)

// outcome is what one side has at the end.
type outcome struct {
	result Result
	err    error
}

// start joins on one end of a connection, with what is done to it on the way.
func start(ctx context.Context, rw io.ReadWriteCloser, code Code, side Side) <-chan outcome {
	c := make(chan outcome, 1)
	go func() {
		r, err := Join(ctx, rw, code, side)
		c <- outcome{r, err}
	}()
	return c
}

// wrong returns a code for the same channel with other words.
func wrong(c Code) Code {
	c.words[2] ^= 1
	return c
}

func TestPair(t *testing.T) {
	for name, pipe := range map[string]func() (io.ReadWriteCloser, io.ReadWriteCloser){
		"stream":          func() (io.ReadWriteCloser, io.ReadWriteCloser) { return mem.Pair() },
		"without buffers": func() (io.ReadWriteCloser, io.ReadWriteCloser) { return net.Pipe() },
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := pipe()
			o := NewOffer(NewCode(7), alice)
			joined := start(t.Context(), b, o.Code(), bob)
			offered, err := o.Accept(t.Context(), a)
			j := <-joined
			if err != nil || j.err != nil {
				t.Fatalf("%s: %v, %v", name, err, j.err)
			}
			if offered.Peer != bob.Key.ID() || j.result.Peer != alice.Key.ID() || offered.Suggested != "bob" || j.result.Suggested != "alice" || offered.Said != "bob" {
				t.Errorf("%s: %+v, %+v", name, offered, j.result)
			}
			if offered.Words != j.result.Words || offered.Words[0] == "" || offered.Words[0] == offered.Words[1] && offered.Words[2] == offered.Words[3] {
				t.Errorf("%s: words %v, %v", name, offered.Words, j.result.Words)
			}
			if w, err := o.Wait(t.Context()); err != nil || w != offered {
				t.Errorf("%s: Wait: %+v, %v", name, w, err)
			}
		})
	}
}

func TestTheWordsAreNewEachTime(t *testing.T) {
	seen := map[[4]string]bool{}
	code := NewCode(7)
	for range 5 {
		a, b := mem.Pair()
		joined := start(t.Context(), b, code, bob)
		r, err := NewOffer(code, alice).Accept(t.Context(), a)
		if j := <-joined; err != nil || j.err != nil || seen[r.Words] {
			t.Fatalf("%v, %v, %v", r.Words, err, j.err)
		}
		seen[r.Words] = true
	}
}

func TestAWrongGuessSpendsTheCodeAndBothSaySo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOffer(NewCode(7), alice)
		a, b := mem.Pair()
		joined := start(t.Context(), b, wrong(o.Code()), bob)
		if _, err := o.Accept(t.Context(), a); !errors.Is(err, ErrGuessed) || !Spent(err) || !errors.Is(err, transport.ErrDenied) {
			t.Errorf("the offerer: %v", err)
		}
		if j := <-joined; !errors.Is(j.err, ErrWrongCode) || !Spent(j.err) {
			t.Errorf("the joiner: %v", j.err)
		}
		if _, err := o.Wait(t.Context()); !errors.Is(err, ErrGuessed) {
			t.Errorf("Wait: %v", err)
		}
		// The right code comes too late, and is told why.
		a, b = mem.Pair()
		joined = start(t.Context(), b, o.Code(), bob)
		if _, err := o.Accept(t.Context(), a); !errors.Is(err, ErrSpent) {
			t.Errorf("the offerer: %v", err)
		}
		if j := <-joined; !errors.Is(j.err, ErrSpent) || !Spent(j.err) {
			t.Errorf("the joiner: %v", j.err)
		}
	})
}

// Many guess at the same time; together they have one guess.
func TestOneGuessInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOffer(NewCode(7), alice)
		var wg sync.WaitGroup
		var guessed, other int
		var mu sync.Mutex
		for range 2 * maxAttempts {
			a, b := mem.Pair()
			joined := start(t.Context(), b, wrong(o.Code()), bob)
			wg.Go(func() {
				_, err := o.Accept(t.Context(), a)
				<-joined
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, ErrGuessed):
					guessed++
				case errors.Is(err, ErrSpent), errors.Is(err, ErrBusy):
					other++
				default:
					t.Errorf("%v", err)
				}
			})
		}
		wg.Wait()
		if guessed != 1 || guessed+other != 2*maxAttempts {
			t.Errorf("%d guesses were checked, %d not", guessed, other)
		}
	})
}

// Who disconnects before it has shown whether it knows the code has learned
// nothing, and the code stays good.
func TestLostConnectionsSpendNothingTooEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOffer(NewCode(7), alice)
		for frames := range 3 { // hello, share and tag, each cut short
			a, b := mem.Pair()
			joined := start(t.Context(), &cutter{ReadWriteCloser: b, frames: frames}, o.Code(), bob)
			_, err := o.Accept(t.Context(), a)
			if err == nil || Spent(err) {
				t.Errorf("after %d frames: %v", frames, err)
			}
			j := <-joined
			if j.err == nil || Spent(j.err) != (frames == 2) {
				t.Errorf("after %d frames the joiner: %v, spent %v", frames, j.err, Spent(j.err))
			}
		}
		a, b := mem.Pair()
		joined := start(t.Context(), b, o.Code(), bob)
		if _, err := o.Accept(t.Context(), a); err != nil {
			t.Error(err)
		}
		<-joined
	})
}

// A cutter lets some frames through and cuts the connection in the next one.
type cutter struct {
	io.ReadWriteCloser
	frames int
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.frames--; c.frames >= 0 {
		return c.ReadWriteCloser.Write(p)
	}
	c.ReadWriteCloser.Write(p[:len(p)/2]) //nolint:errcheck // it is cut
	c.Close()                             //nolint:errcheck // it is cut
	return len(p) / 2, net.ErrClosed
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOffer(NewCode(7), alice)
		begin := time.Now()
		a, _ := mem.Pair()
		if _, err := o.Accept(t.Context(), a); !errors.Is(err, transport.ErrTimeout) || time.Since(begin) != MaxRun {
			t.Errorf("a silent peer: %v after %v", err, time.Since(begin))
		}
		if _, err := o.Wait(t.Context()); !errors.Is(err, ErrExpired) || time.Since(begin) != Lifetime {
			t.Errorf("Wait: %v after %v", err, time.Since(begin))
		}
		a, b := mem.Pair()
		joined := start(t.Context(), b, o.Code(), bob)
		if _, err := o.Accept(t.Context(), a); !errors.Is(err, ErrExpired) {
			t.Errorf("too late: %v", err)
		}
		if j := <-joined; !errors.Is(j.err, ErrExpired) {
			t.Errorf("the joiner: %v", j.err)
		}
	})
}

func TestContextAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		time.AfterFunc(time.Second, func() { cancel(stop) })
		a, b := mem.Pair()
		joined := start(ctx, b, NewCode(7), bob)
		if j := <-joined; !errors.Is(j.err, stop) || Spent(j.err) {
			t.Errorf("the joiner: %v", j.err)
		}
		a.Close() //nolint:errcheck // nobody is there
		o := NewOffer(NewCode(7), alice)
		if _, err := o.Wait(ctx); !errors.Is(err, stop) {
			t.Errorf("Wait: %v", err)
		}
		o.Close() //nolint:errcheck // it returns nil
		if _, err := o.Wait(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Wait after Close: %v", err)
		}
	})
}

func TestNamesThatPeersSayAreOnlySuggestions(t *testing.T) {
	for said, want := range map[string]struct {
		name  peer.Name
		shown string
	}{
		"":                       {"", ""},
		"Bob's \x1b[31mphone":    {"Bob-s-31mphone", `Bob's \x1b[31mphone`},
		"\u202eeve":              {"eve", `\u202eeve`},
		"\xff":                   {"", "?"},
		strings.Repeat("é", 100): {peer.Name(strings.Repeat("é", 31)), strings.Repeat("é", 32)},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := mem.Pair()
			o := NewOffer(NewCode(7), alice)
			joined := start(t.Context(), b, o.Code(), Side{Key: key(2), Name: said})
			r, err := o.Accept(t.Context(), a)
			if err != nil || r.Suggested != want.name || r.Said != want.shown {
				t.Errorf("%q: %q, %q, %v", said, r.Suggested, r.Said, err)
			}
			<-joined
		})
	}
}

func TestTheLinkMustBeThePeers(t *testing.T) {
	for name, c := range map[string]struct {
		offerer, joiner Side
		want            error
	}{
		"the right ones":             {Side{Key: key(1), Link: key(2).ID()}, Side{Key: key(2), Link: key(1).ID()}, nil},
		"the joiner is somebody":     {Side{Key: key(1), Link: key(3).ID()}, Side{Key: key(2)}, ErrIdentity},
		"the offerer is somebody":    {Side{Key: key(1)}, Side{Key: key(2), Link: key(3).ID()}, ErrIdentity},
		"both have the same key":     {Side{Key: key(1)}, Side{Key: key(1)}, ErrOneself},
		"nothing is said about that": {Side{Key: key(1)}, Side{Key: key(2)}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := mem.Pair()
			o := NewOffer(NewCode(7), c.offerer)
			joined := start(t.Context(), b, o.Code(), c.joiner)
			_, err := o.Accept(t.Context(), a)
			if j := <-joined; !errors.Is(err, c.want) || !errors.Is(j.err, c.want) || Spent(err) != (c.want != nil) || Spent(j.err) != (c.want != nil) {
				t.Errorf("%s: %v, %v", name, err, j.err)
			}
		})
	}
}

// Nothing that goes over the connection is an ID, a name or a word.
func TestAnEavesdropperSeesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard bytes.Buffer
		a, b := mem.Pair()
		o := NewOffer(NewCode(7), alice)
		joined := start(t.Context(), &tap{ReadWriteCloser: b, heard: &heard}, o.Code(), bob)
		r, err := o.Accept(t.Context(), a)
		if j := <-joined; err != nil || j.err != nil {
			t.Fatal(err, j.err)
		}
		for _, secret := range [][]byte{alice.Key.ID().Bytes(), bob.Key.ID().Bytes(), []byte("alice"), []byte("bob"), o.Code().password(), []byte(r.Words[0])} {
			if bytes.Contains(heard.Bytes(), secret) {
				t.Errorf("%q is to be heard", secret)
			}
		}
	})
}

type tap struct {
	io.ReadWriteCloser
	heard *bytes.Buffer
}

func (c *tap) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	c.heard.Write(p[:n])
	return n, err
}

func (c *tap) Write(p []byte) (int, error) {
	c.heard.Write(p)
	return c.ReadWriteCloser.Write(p)
}
