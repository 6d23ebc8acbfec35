package scan

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tenon-net/tenon/internal/share/manifest"
)

// A collector makes the manifest out of items, and hands it on.
type collector struct {
	scan    *Scan
	encoder manifest.Encoder
	pending []byte // of the manifest, not handed on
	partial int    // bytes of the encoder's open block that are in pending or were handed on
	last    time.Time
	tick    *time.Ticker
}

// collect takes all items, so that nobody waits in vain; after an error they are let go.
func (s *Scan) collect(ctx context.Context, stop context.CancelCauseFunc, items <-chan *item) error {
	c := &collector{scan: s, tick: time.NewTicker(every)}
	defer c.tick.Stop()
	c.encoder = manifest.Encoder{Emit: c.emit, MaxEntries: s.config.MaxEntries}
	var failed error
	fail := func(err error) {
		if err != nil && failed == nil {
			failed = err
			stop(err)
		}
	}
	for {
		it, ok := wait(c, items, fail)
		if !ok {
			break
		}
		if it.done != nil {
			s.count.path.Store(&it.entry.Path)
			wait(c, it.done, fail)
		}
		if failed == nil {
			fail(c.take(it))
		} else if it.err == nil {
			c.record(it) //nolint:errcheck // it is for the next time, and something has failed already
		}
	}
	if failed == nil {
		failed = context.Cause(ctx)
	}
	if failed != nil {
		return failed
	}
	if err := c.encoder.Finish(); err != nil {
		return err
	}
	return c.give(true)
}

// wait waits for something, and hands on what there is meanwhile.
func wait[T any](c *collector, from <-chan T, fail func(error)) (T, bool) {
	for {
		select {
		case v, ok := <-from:
			return v, ok
		case <-c.tick.C:
			fail(c.give(false))
		}
	}
}

// take takes an item that is ready.
func (c *collector) take(it *item) error {
	switch {
	case it.note.Text != "":
		c.note(it.note)
		return nil
	case it.keep != nil:
		_, err := c.record(it)
		return err
	case errors.Is(it.err, context.Canceled), errors.Is(it.err, context.DeadlineExceeded):
		return it.err
	case it.err != nil:
		c.note(Note{it.entry.Path, it.err.Error(), true})
		return nil
	}
	if err := c.encoder.Add(it.entry); err != nil {
		var refused *manifest.Error
		if !errors.As(err, &refused) || slices.Contains([]manifest.Rule{manifest.RuleCount, manifest.RulePaths, manifest.RuleSum}, refused.Rule) {
			return err
		}
		c.note(Note{it.entry.Path, string(refused.Rule), true})
		return nil
	}
	p := c.scan.print(it.stat, it.racy)
	var err error
	if p.at, err = c.record(it); err != nil {
		return err
	}
	c.scan.mu.Lock()
	c.scan.prints.add(p)
	c.scan.mu.Unlock()
	c.scan.count.added(it)
	c.names(it.entry.Path)
	if time.Since(c.last) >= every {
		return c.give(false)
	}
	return nil
}

// record writes what is known of a file to the cache, and returns where its nodes are.
func (c *collector) record(it *item) (at int64, err error) {
	e := &it.entry
	switch {
	case it.keep != nil:
		return it.top.cache.add(it.keep)
	case e.Size > 0:
		return it.top.cache.add(&record{e.Path, it.stat, e.Holes, it.racy, it.come, e.Root, it.inline})
	}
	return 0, nil
}

// note tells what a person should know.
func (c *collector) note(n Note) {
	if n.Left {
		c.scan.count.left.Add(1)
	}
	if c.scan.config.Note != nil {
		c.scan.config.Note(n)
	}
}

// toldWindows is how many names that Windows cannot have are told of. The others are counted.
const toldWindows = 3

// names looks whether a name will do elsewhere.
func (c *collector) names(path string) {
	problem := manifest.WindowsProblem(path[lastSlash(path)+1:])
	if problem == "" {
		return
	}
	if c.scan.count.windows.Add(1) <= toldWindows {
		c.note(Note{Path: path, Text: "Windows cannot have this name: " + problem})
	}
}

// emit takes a block of the manifest.
func (c *collector) emit(block []byte) error {
	c.pending = append(c.pending, block[c.partial:]...)
	c.partial = 0
	return nil
}

// give hands on what there is of the manifest.
func (c *collector) give(final bool) error {
	if !final {
		partial := c.encoder.Partial()
		c.pending = append(c.pending, partial[c.partial:]...)
		c.partial = len(partial)
	}
	if len(c.pending) == 0 && !final {
		return nil
	}
	for cache := range c.scan.caches() {
		if err := cache.flush(); err != nil {
			return err
		}
	}
	err := c.scan.config.Add(c.pending, final)
	c.pending, c.last = c.pending[:0], time.Now()
	return err
}
