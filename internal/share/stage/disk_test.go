package stage

import (
	"errors"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// A disk makes the steps of a stage end at one of them, as when the process is killed there
// or the power fails, and remembers what was not synced, to be lost.
type disk struct {
	target string
	ends   int // the step that is not made, nor any after it; -1: none
	fails  func(step) error

	mu   sync.Mutex // guards what follows
	made int
	lose []loss
}

// A loss is a step that is not synced.
type loss struct {
	st   step
	undo func(name string)
}

var errKilled = errors.New("killed")

// hook is for the seam of a stage. Nothing is really synced.
func (d *disk) hook(st step) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ends >= 0 && d.made >= d.ends {
		return false, errKilled
	}
	d.made++
	if d.fails != nil {
		if err := d.fails(st); err != nil {
			return false, err
		}
	}
	return d.note(st), nil
}

func (d *disk) drop(which func(step) bool) {
	var left []loss
	for _, l := range d.lose {
		if !which(l.st) {
			left = append(left, l)
		}
	}
	d.lose = left
}

func (d *disk) note(st step) (skip bool) {
	name := filepath.Join(d.target, st.path)
	switch st.op {
	case "syncall":
		d.lose = nil
		return true
	case "sync":
		d.drop(func(o step) bool { return o.path == st.path && o.op != "rename" })
		return true
	case "syncdir":
		d.drop(func(o step) bool { return path.Dir(o.path) == st.path && o.op != "write" && o.op != "truncate" })
		return true
	case "create", "symlink", "mkdir":
		if _, err := os.Lstat(name); err != nil {
			d.lose = append(d.lose, loss{st, func(name string) { os.Remove(name) }})
		}
	case "write", "truncate":
		was, err := os.ReadFile(name)
		if err == nil {
			d.lose = append(d.lose, loss{st, func(name string) {
				now, err := os.ReadFile(name)
				if err != nil {
					return
				}
				if st.op == "write" { // its bytes are lost, not those behind them
					end := min(st.off+int64(st.n), int64(len(now)))
					if end == int64(len(now)) {
						now = now[:max(min(end, int64(len(was))), st.off)]
						end = int64(len(now))
					}
					clear(now[min(st.off, end):end])
					if st.off < int64(len(was)) {
						copy(now[st.off:end], was[st.off:])
					}
				} else {
					now = was
				}
				overwrite(name, now)
			}})
		}
	case "rename":
		to := filepath.Join(d.target, st.to)
		was, err := os.ReadFile(to)
		replaced := err == nil
		for i, l := range d.lose { // what was not synced has another name now
			if l.st.path == st.path || strings.HasPrefix(l.st.path, st.path+"/") {
				d.lose[i].st.path = st.to + strings.TrimPrefix(l.st.path, st.path)
			}
		}
		moved := st
		moved.path = st.to
		d.lose = append(d.lose, loss{moved, func(now string) {
			if os.Rename(now, name) == nil && replaced {
				os.WriteFile(now, was, 0o600)
			}
		}})
	}
	return false
}

func overwrite(name string, p []byte) {
	fi, err := os.Lstat(name)
	if err != nil {
		return
	}
	os.Chmod(name, 0o600)
	os.WriteFile(name, p, 0o600)
	os.Chmod(name, fi.Mode().Perm())
	os.Chtimes(name, fi.ModTime(), fi.ModTime())
}

// powerCut loses some of what was not synced: a disk writes in any order.
func (d *disk) powerCut(random *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := random.IntN(2) == 0
	for i := len(d.lose) - 1; i >= 0; i-- {
		if l := d.lose[i]; all || random.IntN(2) == 0 {
			l.undo(filepath.Join(d.target, l.st.path))
		}
	}
	d.lose = nil
}

// abandon lets go of a stage as the end of its process does: nothing is synced.
func (s *Stage) abandon() {
	s.mu.Lock()
	s.state = over
	s.mu.Unlock()
	s.halt()
	s.release()
}
