package reach

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A conversation is an echo over peer:alice/echo, as somebody has it who types.
type conversation struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	wg   sync.WaitGroup
	stop chan struct{}

	mu     sync.Mutex // guards all below
	last   time.Time
	gap    time.Duration // the longest time without an answer
	failed error
}

// talk opens a conversation, and returns after the first answer.
func (c *computer) talk() (*conversation, error) {
	c.t.Helper()
	v := &conversation{cmd: c.command("-", "peer:alice/echo"), stop: make(chan struct{})}
	out, err := v.cmd.StdoutPipe()
	if err == nil {
		v.in, err = v.cmd.StdinPipe()
	}
	if err == nil {
		err = c.host.Start(v.cmd)
	}
	if err != nil {
		return nil, err
	}
	v.out = bufio.NewReader(out)
	late := time.AfterFunc(20*time.Second, func() { _ = v.cmd.Process.Kill() })
	defer late.Stop()
	if err := v.ask(0); err != nil {
		v.in.Close()
		return nil, errors.Join(err, v.cmd.Wait())
	}
	return v, nil
}

func (v *conversation) ask(n int) error {
	want := fmt.Sprintf("%d\n", n)
	if _, err := io.WriteString(v.in, want); err != nil {
		return err
	}
	return v.hear(n)
}

func (v *conversation) hear(n int) error {
	got, err := v.out.ReadString('\n')
	if want := fmt.Sprintf("%d\n", n); err != nil || got != want {
		return fmt.Errorf("got %q, want %q: %w", got, want, err)
	}
	return nil
}

// keepOn says something every 20 ms, whether there is an answer or not.
func (v *conversation) keepOn() {
	v.last = time.Now()
	v.wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 1; ; n++ {
			if _, err := fmt.Fprintln(v.in, n); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-v.stop:
				return
			}
		}
	})
	v.wg.Go(func() {
		for n := 1; ; n++ {
			err := v.hear(n)
			v.mu.Lock()
			if errors.Is(err, io.EOF) && strings.HasPrefix(err.Error(), `got ""`) {
				v.mu.Unlock()
				return
			}
			if err != nil {
				v.failed = err
				v.mu.Unlock()
				return
			}
			v.gap = max(v.gap, time.Since(v.last))
			v.last = time.Now()
			v.mu.Unlock()
		}
	})
}

// end ends the conversation, and returns the longest pause.
func (v *conversation) end() (time.Duration, error) {
	close(v.stop)
	v.in.Close()
	late := time.AfterFunc(time.Minute, func() { _ = v.cmd.Process.Kill() })
	defer late.Stop()
	v.wg.Wait()
	err := v.cmd.Wait()
	return v.gap, errors.Join(v.failed, err)
}

// pause returns the longest pause so far, one that goes on among them, and counts from now.
func (v *conversation) pause() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	gap := max(v.gap, time.Since(v.last))
	v.gap = 0
	return gap
}

// makeBlob makes the file, of so many MiB.
func (i *internet) makeBlob(mib int) (sum string) {
	i.t.Helper()
	i.blob = filepath.Join(i.t.TempDir(), "blob")
	f, err := os.Create(i.blob)
	if err != nil {
		i.t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	r := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(io.MultiWriter(f, h), r, int64(mib)<<20); err != nil {
		i.t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A transfer fetches the file.
type transfer struct {
	cmd   *exec.Cmd
	begun chan struct{} // closed when underWay bytes have come, or it has failed
	done  chan struct{}
	n     int64
	sum   string
	err   error
	took  time.Duration
}

const underWay = 256 << 10

func (c *computer) fetch() *transfer {
	c.t.Helper()
	x := &transfer{cmd: c.command("peer:alice/blob", "-"), begun: make(chan struct{}), done: make(chan struct{})}
	x.cmd.Stdin = nil
	out, err := x.cmd.StdoutPipe()
	if err == nil {
		err = c.host.Start(x.cmd)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	start := time.Now()
	go func() {
		defer close(x.done)
		h := sha256.New()
		x.n, x.err = io.CopyN(h, out, underWay)
		close(x.begun)
		if x.err == nil {
			var n int64
			n, x.err = io.Copy(h, out)
			x.n += n
		}
		x.err = errors.Join(x.err, x.cmd.Wait())
		x.sum, x.took = hex.EncodeToString(h.Sum(nil)), time.Since(start)
	}()
	return x
}
