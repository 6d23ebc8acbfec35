package serve

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/tenon-net/tenon/internal/plan"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A teller is an end that tells all there is to tell of itself.
type teller struct {
	transport.Stream
	transport.Caller
	transport.Sizer
	transport.Resizer
	transport.StatusCloser
	ended chan struct{}
}

func (t *teller) Ended() <-chan struct{} { return t.ended }

// What an end tells of itself is heard through all that the options of every end put on
// it: a client of a proxy is answered though it has a rate, a program's exit is noticed
// though its lines end in CR LF.
func TestWrappedEndsTellWhatTheyAre(t *testing.T) {
	for name, o := range map[string]plan.Options{
		"rate": {Rate: 1000}, "crlf": {CRLF: true}, "ignoreeof": {IgnoreEOF: true}, "readbytes": {ReadBytes: 9},
		"all": {Rate: 1000, CRLF: true, IgnoreEOF: true, ReadBytes: 9},
	} {
		a, _ := mem.Pair()
		c := wrapEnd(&plan.Plan{Common: o}, &teller{Stream: a, ended: make(chan struct{})})
		for what, ok := range map[string]bool{
			"Ender":        has[transport.Ender](c),
			"StatusCloser": has[transport.StatusCloser](c),
			"Caller":       has[transport.Caller](c),
			"Sizer":        has[transport.Sizer](c),
			"Resizer":      has[transport.Resizer](c),
		} {
			if !ok {
				t.Errorf("%s hides that the end is a %s", name, what)
			}
		}
		if _, ok := transport.As[transport.Caller](c); ok {
			t.Errorf("%s lets everybody go around it", name)
		}
		c.Close()
	}
}

func has[T any](c transport.Conn) bool {
	_, ok := transport.About[T](c)
	return ok
}

// ignoreeof holds an end of file back, but not once nothing can come of waiting.
func TestIgnoreEOFEndsWithTheOtherDirection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := mem.Pair()
		c := wrapEnd(&plan.Plan{Common: plan.Options{IgnoreEOF: true}}, near).(transport.Stream)
		far.CloseWrite()
		read := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			read <- err
		}()
		synctest.Wait()
		if len(read) > 0 {
			t.Fatalf("read: %v", <-read)
		}
		c.CloseWrite()
		if err := <-read; err != io.EOF {
			t.Errorf("read: %v, want an end of file", err)
		}
		c.Close()
		far.Close()
	})
}

// readbytes is an end of file after so many bytes, not a limit that fails.
func TestReadBytes(t *testing.T) {
	near, far := mem.Pair()
	c := wrapEnd(&plan.Plan{Common: plan.Options{ReadBytes: 4}}, near).(transport.Stream)
	go func() {
		io.WriteString(far, "abcdefgh")
		far.CloseWrite()
	}()
	if got, err := io.ReadAll(c); string(got) != "abcd" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	c.Close()
	far.Close()
}
