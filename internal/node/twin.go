package node

import (
	"errors"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// twin returns where another machine with the key of this node was met, if it was.
func twin(p Presence) (addr string, when time.Time) {
	if t, ok := p.(Twinned); ok {
		return t.Twin()
	}
	return "", time.Time{}
}

// doubled says that another machine has the key of this node, and what to do.
func doubled(addr string) string {
	return "another machine has the key of this node, too, and was met at " + addr + ": peers reach the one or the other. " + twinAdvice
}

const twinAdvice = "If it is a copy, give each a key of its own: end the copy, remove its state directory and pair it; if you know of none, the key was stolen: tenon id --rotate"

// twinStep is what the doctor says of it.
func twinStep(p Presence) api.Step {
	began := time.Now()
	addr, when := twin(p)
	if when.IsZero() {
		return stepOf("the key of this node", "no other machine was met that has it", began, nil, "")
	}
	return stepOf("the key of this node", "", began, errors.New("another machine has it, too, and was met at "+addr+" at "+when.Format(time.DateTime)), twinAdvice)
}
