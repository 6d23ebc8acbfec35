package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/tenon-net/tenon/bench/internal/child"
)

// answerTime bounds how long a load program may take for anything but its work.
const answerTime = 20 * time.Second

// Remote is a load program that runs as a process of its own.
type Remote struct {
	*child.Process
	Addrs []string // where a server listens

	in  io.WriteCloser
	out *json.Decoder
}

// Start runs a role in a new process, with its stderr going to the file log, and waits until it is
// ready. The caller must Stop it; the end of ctx stops it too.
func Start(ctx context.Context, log, role string, args ...string) (*Remote, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return StartProgram(ctx, log, role, exec.Command(self, append([]string{prefix + role}, args...)...))
}

// StartProgram is Start for a program that may be another one than this, but talks as a load program does.
func StartProgram(ctx context.Context, log, role string, cmd *exec.Cmd) (*Remote, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// A pipe of our own: that of StdoutPipe is closed by Wait, which may lose the last line.
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout = theirs
	p, err := child.Start(ctx, cmd, log)
	theirs.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	r := &Remote{Process: p, in: in, out: json.NewDecoder(out)}
	go closeAfter(p, out)
	m, err := r.answer(answerTime)
	if err != nil {
		p.Stop()
		return nil, fmt.Errorf("load client %s: %w", role, err)
	}
	r.Addrs = m.Addrs
	return r, nil
}

// closeAfter frees the reading end a little after the process has ended and its lines are read.
func closeAfter(p *child.Process, out *os.File) {
	<-p.Done()
	_ = out.SetReadDeadline(time.Now().Add(time.Second))
	time.AfterFunc(2*time.Second, func() { out.Close() })
}

// Run makes a client work and returns what it measured. It may be called once.
func (r *Remote) Run(duration time.Duration) (Result, error) {
	if _, err := io.WriteString(r.in, "go\n"); err != nil {
		return Result{}, err
	}
	m, err := r.answer(duration + answerTime)
	if err != nil {
		return Result{}, err
	}
	if m.Result == nil || m.Result.Count == 0 || m.Result.Seconds <= 0 {
		return Result{}, errors.New("the load client measured nothing")
	}
	return *m.Result, nil
}

// Count asks a server how many datagrams it has received.
func (r *Remote) Count() (int64, error) {
	if _, err := io.WriteString(r.in, "count\n"); err != nil {
		return 0, err
	}
	m, err := r.answer(answerTime)
	return m.Count, err
}

// answer reads a line; a program that takes too long is killed.
func (r *Remote) answer(limit time.Duration) (m message, err error) {
	late := time.AfterFunc(limit, r.Stop)
	err = r.out.Decode(&m)
	if !late.Stop() {
		return m, fmt.Errorf("no answer after %v", limit)
	}
	if err != nil {
		return m, fmt.Errorf("no answer: %w: %s", err, r.Tail())
	}
	if m.Error != "" {
		return m, errors.New(m.Error)
	}
	return m, nil
}
