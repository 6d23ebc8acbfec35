package relay

import "golang.org/x/sys/unix"

const (
	// pipeBytes is the size asked for. The system may give less to a user who
	// has many pipes already (pipe(7), pipe-user-pages-soft): that is slower, not wrong.
	pipeBytes = 1 << 20
	// maxPipes bounds the pipes of one loop, lent and kept; joints beyond it use a buffer.
	maxPipes = 512
	// keptPipes is how many empty pipes a loop keeps for the next joint.
	keptPipes = 16
)

// pipe is a pipe(2) that lends its pages to one flow at a time.
type pipe struct{ r, w int }

func (p *pipe) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}

// pipePool lends empty pipes. It belongs to one loop and needs no lock.
type pipePool struct {
	kept []*pipe
	open int
}

// get returns an empty pipe, or nil if there are too many or the system has none.
func (pp *pipePool) get() *pipe {
	if n := len(pp.kept); n > 0 {
		p := pp.kept[n-1]
		pp.kept = pp.kept[:n-1]
		return p
	}
	if pp.open >= maxPipes {
		return nil
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil
	}
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, pipeBytes) // see pipeBytes
	pp.open++
	return &pipe{r: fds[0], w: fds[1]}
}

// put takes a pipe back. One that is not empty must never reach another flow.
func (pp *pipePool) put(p *pipe, empty bool) {
	if empty && len(pp.kept) < keptPipes {
		pp.kept = append(pp.kept, p)
		return
	}
	p.close()
	pp.open--
}

func (pp *pipePool) close() {
	for _, p := range pp.kept {
		p.close()
	}
	pp.open -= len(pp.kept)
	pp.kept = nil
}
