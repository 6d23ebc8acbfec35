package drop

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/tenon-net/tenon/internal/share/page"
	"github.com/tenon-net/tenon/internal/share/stage"
)

// A record is what is kept of a file: all that is known of it after a crash.
type record struct {
	Name    string
	Size    int64
	Offset  int64 // bytes that are here: checked, if there was something to check, and on the disk
	Touched time.Time
	Changed time.Time // when it was changed last, as who sends it says
	Meta    string    // as it was sent
	Once    bool      // it comes in one request, and cannot go on
	Landed  bool
}

// An upload is a file that comes, or has come.
type upload struct {
	id     string
	record              // Drop.mu guards it; while there is a writer, that alone changes it
	live   atomic.Int64 // bytes that have come, noted or not

	writer *writer // Drop.mu guards it; nil = nobody writes
}

// until is when nobody waits for more of it any more.
func (u *upload) until() time.Time { return u.Touched.Add(openFor).Truncate(time.Second) }

// A writer is a request that sends what is in a file.
type writer struct {
	from    io.Reader
	conn    *http.ResponseController
	stopped atomic.Bool
	done    chan struct{} // closed when it writes no more
}

func newWriter(w http.ResponseWriter, from io.Reader) *writer {
	return &writer{from: from, conn: http.NewResponseController(w), done: make(chan struct{})}
}

// stop has it end soon.
func (w *writer) stop() {
	w.stopped.Store(true)
	w.conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // then it ends later
}

// wait has the next read take no longer than patience.
func (w *writer) wait() {
	w.conn.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // then it takes as long as it takes
	if w.stopped.Load() {                            // in between
		w.stop()
	}
}

// fill reads as much as there is room for, or up to the end, but waits only for so long for
// the first step bytes. It is [io.EOF] at the end, and something else if that was cut.
func (w *writer) fill(p []byte) (n int, err error) {
	w.wait()
	for n < step && n < len(p) && err == nil {
		var m int
		m, err = w.from.Read(p[n:])
		n += m
	}
	return n, err
}

// create begins a file. The caller writes to it, or releases it.
func (d *Drop) create(w *writer, rec record) (*upload, error) {
	if err := d.judge(rec.Name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.purge(time.Now())
	if err := d.room(rec.Size); err != nil {
		return nil, err
	}
	rec.Touched = time.Now()
	u := &upload{id: page.Token(), record: rec, writer: w}
	part, err := d.box.Part(u.id, 0) // before the note: of what has one, and is not there, it is known that it has its name
	if err == nil {
		err = errors.Join(part.Close(), d.note(u))
	}
	if err != nil {
		d.box.Remove(u.id) //nolint:errcheck // err is what counts
		return nil, err
	}
	d.uploads[u.id] = u
	return u, nil
}

// note keeps what is known of a file.
func (d *Drop) note(u *upload) error {
	text, err := json.Marshal(u.record)
	if err != nil {
		return err
	}
	return d.box.Note(u.id, text)
}

// take has w be the one who writes to a file. Who is writing already is stopped: its connection is most likely one
// that was lost, and nobody has noticed.
func (d *Drop) take(ctx context.Context, id string, w *writer) (*upload, error) {
	for {
		d.mu.Lock()
		u := d.uploads[id]
		if u == nil || time.Now().After(u.until()) && u.writer == nil {
			d.mu.Unlock()
			return nil, errGone
		}
		before := u.writer
		if before == nil {
			u.writer = w
			d.mu.Unlock()
			return u, nil
		}
		d.mu.Unlock()
		before.stop()
		select {
		case <-before.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// release ends being the writer.
func (d *Drop) release(u *upload) {
	d.mu.Lock()
	w := u.writer
	u.writer = nil
	d.mu.Unlock()
	close(w.done)
}

// write appends what a request sends to a file, up to its size; with a sum, all of it or nothing. It is errQuota if
// more was sent, and errCut if the request was cut; what had come is kept then.
func (d *Drop) write(u *upload, check *checksum) error {
	part, err := d.box.Part(u.id, u.Offset)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, stage.ErrDamaged) { // somebody has been there
		d.mu.Lock()
		d.forget(u.id)
		d.mu.Unlock()
		return errors.Join(err, errGone)
	}
	if err != nil {
		return err
	}
	defer part.Close() //nolint:errcheck // it was synced, if that matters
	defer func() { u.live.Store(u.Offset) }()
	at, last := u.Offset, time.Now()
	settle := func() error {
		if at == u.Offset {
			return nil
		}
		if err := part.Sync(); err != nil {
			return err
		}
		last = time.Now()
		return d.advance(u, at)
	}
	sum := check.new()
	buf := make([]byte, 256<<10)
	for {
		n, err := u.writer.fill(buf)
		if int64(n) > u.Size-at {
			return errQuota
		}
		if _, err := part.WriteAt(buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
		u.live.Store(at)
		if sum != nil {
			sum.Write(buf[:n]) //nolint:errcheck // it does not fail
		}
		switch {
		case errors.Is(err, io.EOF) && sum != nil && !check.is(sum):
			return errChecksum
		case errors.Is(err, io.EOF):
			return settle()
		case err != nil && sum != nil: // it cannot be checked
			return errCut
		case err != nil:
			return errors.Join(settle(), errCut)
		case sum == nil && (at-u.Offset >= noted || time.Since(last) >= notedFor):
			if err := settle(); err != nil {
				return err
			}
		}
	}
}

// advance notes that more of a file is here.
func (d *Drop) advance(u *upload, to int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	u.Offset, u.Touched = to, time.Now()
	return d.note(u)
}

// land gives a file its name that is whole.
func (d *Drop) land(from string, u *upload) error {
	as, err := d.box.Place(u.id, u.Name, u.Changed)
	if err != nil {
		return err
	}
	d.mu.Lock()
	u.Landed, u.Touched = true, time.Now()
	d.kept.Files++
	d.kept.Bytes += u.Size
	err = errors.Join(d.note(u), d.keep())
	full := d.kept.Files >= d.Files
	d.mu.Unlock()
	d.tell(Event{Kind: Landed, Name: u.Name, As: as, Bytes: u.Size, From: from})
	if full {
		d.full()
	}
	return err
}

// give ends a file that is not whole.
func (d *Drop) give(from string, u *upload, why string) {
	d.mu.Lock()
	d.forget(u.id)
	d.mu.Unlock()
	d.tell(Event{Kind: Given, Name: u.Name, Bytes: u.Offset, From: from, Text: why})
}
