//go:build unix

package file

import (
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/tenon-net/tenon/transport"
)

// A window tells the size of our own terminal, and when it changes. Nobody listens
// to signals before somebody asks for changes.
type window struct {
	size    func() (rows, cols int)
	changes chan struct{}
	quit    chan struct{}
	done    chan struct{}
	start   sync.Once
	stop    sync.Once
}

func newWindow(size func() (rows, cols int)) *window {
	return &window{size: size, changes: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
}

// SizeChanges is as in [transport.Sizer].
func (w *window) SizeChanges() <-chan struct{} {
	w.start.Do(func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, unix.SIGWINCH) // now: a change from here on is not missed
		go w.watch(signals)
	})
	return w.changes
}

func (w *window) watch(signals chan os.Signal) {
	defer close(w.done)
	defer close(w.changes)
	defer signal.Stop(signals)
	for {
		select {
		case <-w.quit:
			return
		case <-signals:
			select {
			case w.changes <- struct{}{}:
			default: // one is waiting already
			}
		}
	}
}

// close ends the watch.
func (w *window) close() {
	w.stop.Do(func() {
		close(w.quit)
		w.start.Do(func() { close(w.changes); close(w.done) })
		<-w.done
	})
}

// A screen is a stream to our own terminal.
type screen struct {
	*ender
	window *window
	typed  bool // what is read is typed at it
}

var (
	_ transport.Stream = (*screen)(nil)
	_ transport.Sizer  = (*screen)(nil)
)

// Interactive tells whether a person types what is read, who will not type an end
// of file for an other side that has gone.
func (s *screen) Interactive() bool { return s.typed }

// WindowSize is as in [transport.Sizer].
func (s *screen) WindowSize() (rows, cols int) {
	if s.closed.Load() {
		return 0, 0
	}
	return s.window.size()
}

// SizeChanges is as in [transport.Sizer].
func (s *screen) SizeChanges() <-chan struct{} { return s.window.SizeChanges() }

// Close closes the stream, and ends the watch for changes.
func (s *screen) Close() error {
	s.window.close()
	return s.stream.Close()
}
