package join

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func TestDumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands still
		var hexed, text bytes.Buffer
		for _, tap := range []Tap{HexDump(&hexed).Joint("#3"), TextDump(&text).Joint("#3")} {
			tap.Data(AB, []byte("GET /\x1b[2J\r\n\r\nhalf a line"), false)
			tap.Data(AB, []byte("z"), false)
			tap.Data(BA, nil, true)
			tap.Data(BA, []byte("\xff\u202e\u0085é"), true)
			tap.End(AB, io.EOF)
			tap.End(BA, errors.New("it\x07 broke"))
		}
		const now = "2000-01-01 00:00:00.000000 #3 "
		want := now + `> GET /\x1b[2J\r\n
` + now + `> \r\n
` + now + `> half a line
` + now + `> z
` + now + `< empty message
` + now + `< \xff\u202e\u0085é
` + now + `> end
` + now + `< ended: it\x07 broke
`
		if got := utc(text.String()); got != want {
			t.Errorf("text:\n%s\nwant:\n%s", got, want)
		}
		want = now + `> 24 bytes
00000000  47 45 54 20 2f 1b 5b 32  4a 0d 0a 0d 0a 68 61 6c  |GET /.[2J....hal|
00000010  66 20 61 20 6c 69 6e 65                           |f a line|
` + now + `> 1 bytes
00000018  7a                                                |z|
` + now + `< empty message 0 bytes
` + now + `< 7 bytes
00000000  ff e2 80 ae c2 85 c3 a9                           |........|
` + now + `> end
` + now + `< ended: it\x07 broke
`
		want = strings.Replace(want, "< 7 bytes", "< 8 bytes", 1)
		if got := utc(hexed.String()); got != want {
			t.Errorf("hex:\n%s\nwant:\n%s", got, want)
		}
	})
}

// utc replaces the time, which the dumps show in the local zone.
func utc(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if i := strings.Index(line, " #3 "); i > 0 {
			line = "2000-01-01 00:00:00.000000" + line[i:]
		}
		out = append(out, line)
	}
	return strings.Join(out, "")
}

// wholeWrites fails the test if a write is not one of those it knows.
type wholeWrites struct {
	t     *testing.T
	n     int
	limit int
}

func (w *wholeWrites) Write(p []byte) (int, error) {
	if len(p) != 1000 || bytes.Count(p, p[:1]) != 1000 {
		w.t.Errorf("a write of %d bytes %.20q", len(p), p)
	}
	if w.n++; w.limit > 0 && w.n > w.limit {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestTeeIsShared(t *testing.T) {
	w := &wholeWrites{t: t}
	tee := Tee(w, AB)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				tee.Data(AB, bytes.Repeat([]byte{byte('a' + i)}, 1000), false)
				tee.Data(BA, []byte("not this"), false)
			}
			tee.End(AB, nil)
		})
	}
	wg.Wait()
	if w.n != 800 || tee.Err() != nil {
		t.Errorf("%d writes, error %v; want 800", w.n, tee.Err())
	}
}

func TestTapStopsAtError(t *testing.T) {
	w := &wholeWrites{t: t, limit: 1}
	tee := Tee(w)
	for range 3 {
		tee.Data(BA, make([]byte, 1000), false)
	}
	if w.n != 2 || tee.Err() != io.ErrShortWrite {
		t.Errorf("%d writes, error %v; want none after the first error", w.n, tee.Err())
	}
}
