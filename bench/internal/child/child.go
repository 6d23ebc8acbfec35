// Package child starts processes, tells what they cost, and ends them.
//
// Every process leads a process group of its own, so that what it forks (socat, nginx) is counted and
// ended with it. It does not restart anything and does not interpret output. Use Start for a process
// that runs until Stop; use os/exec directly for one that ends by itself.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tailSize bounds how much of a process's stderr an error quotes.
const tailSize = 2000

// Process is a running process and the group it leads.
type Process struct {
	cmd  *exec.Cmd
	log  string        // the file that has its stderr, and stdout unless that is piped
	done chan struct{} // closed when the leader has ended
	err  error         // how the leader ended; read it after done

	stop   sync.Once
	forget func() bool // ends the watch over the context
}

// Start runs cmd in a new process group, with stderr, and stdout if it is not set, going to the file log.
// The caller must Stop it; the end of ctx stops it too. If this program is killed, the leader gets SIGTERM.
func Start(ctx context.Context, cmd *exec.Cmd, log string) (*Process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd.Stderr = f
	if cmd.Stdout == nil {
		cmd.Stdout = f
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: log, done: make(chan struct{})}
	go p.reap()
	p.forget = context.AfterFunc(ctx, p.kill)
	return p, nil
}

func (p *Process) reap() {
	p.err = p.cmd.Wait()
	close(p.done)
}

// Group is the id of the process group, which is the id of its leader.
func (p *Process) Group() int { return p.cmd.Process.Pid }

// Done is closed when the leader has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop kills the whole group and waits for the leader. It may be called twice and from anywhere.
func (p *Process) Stop() {
	p.forget()
	p.kill()
	<-p.done
}

func (p *Process) kill() {
	p.stop.Do(func() { _ = syscall.Kill(-p.Group(), syscall.SIGKILL) })
}

// Tail is the end of what the process wrote to its log.
func (p *Process) Tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(b) > tailSize {
		b = b[len(b)-tailSize:]
	}
	return strings.TrimSpace(string(b))
}

// Ended is the error of a process that ended when it should have run on.
func (p *Process) Ended() error {
	<-p.done
	state := "exit status 0"
	if p.err != nil {
		state = p.err.Error()
	}
	return fmt.Errorf("%s: ended early: %s: %s", strings.Join(p.cmd.Args, " "), state, p.Tail())
}

// ErrNotReady is matched by the error of Await when the time is over.
var ErrNotReady = errors.New("not ready in time")

// Await calls probe every few milliseconds until it succeeds, the leader ends, or limit is over.
func (p *Process) Await(ctx context.Context, limit time.Duration, probe func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.Ended()
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %v: %s", strings.Join(p.cmd.Args, " "), ErrNotReady, err, p.Tail())
		case <-tick.C:
		}
	}
}
