package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// Protocol is what nodes speak to each other when one uses a service of the other:
// docs/protocol/service.md.
const Protocol = "/tenon/service/1"

// Sorts of a request.
const (
	askOpen   = 1
	askList   = 2
	askRedeem = 3
	askTold   = 5 // askOpen by a side that knows close statuses; an older one takes it for no request
)

// A request is what who opens a stream says first: two bytes of length, then the sort,
// the service and the ticket, both with a length before them.
type request struct {
	sort    byte
	service string // empty = the one that the ticket is for
	ticket  string
	told    bool // with askOpen: who asks knows close statuses
}

const (
	maxRequest = 8 << 10
	maxAnswer  = 64 << 10
)

var errRequest = errors.New("not a request for a service")

func (r request) marshal() []byte {
	sort := r.sort
	if r.told {
		sort = askTold
	}
	b := []byte{0, 0, sort, byte(len(r.service))}
	b = append(b, r.service...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.ticket)))
	b = append(b, r.ticket...)
	binary.BigEndian.PutUint16(b, uint16(len(b)-2))
	return b
}

// readRequest reads a request. What a service and a ticket may be is decided by those
// who look at them.
func readRequest(r io.Reader) (q request, err error) {
	b, err := readBlock(r, maxRequest)
	if err != nil {
		return q, err
	}
	if len(b) < 4 {
		return q, errRequest
	}
	q.sort = b[0]
	n := int(b[1])
	if len(b) < 2+n+2 {
		return q, errRequest
	}
	q.service, b = string(b[2:2+n]), b[2+n:]
	if int(binary.BigEndian.Uint16(b)) != len(b)-2 {
		return q, errRequest
	}
	q.ticket = string(b[2:])
	switch {
	case q.sort == askTold:
		q.sort, q.told = askOpen, true
	case q.sort < askOpen || q.sort > askRedeem:
		return q, errRequest
	}
	return q, nil
}

// readBlock reads two bytes of length, and so many.
func readBlock(r io.Reader, most int) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, early(err)
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n > most {
		return nil, fmt.Errorf("%w: %d bytes", errRequest, n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, early(err)
	}
	return b, nil
}

func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// An answer is a status and what comes with it.
type answer struct {
	status  byte
	carries api.Carries         // of answerOK to askOpen
	refusal peer.Refusal        // of answerRefused
	list    []api.RemoteService // of answerOK to askList, and askRedeem, which has one
	framed  bool                // bytes go in frames
	told    bool                // not on the wire: what was asked is request.told
}

// The statuses. Numbers are never used again.
const (
	answerOK          = 0
	answerRefused     = 1 // for a reason that is one of package peer
	answerUnavailable = 2 // the service is granted, and cannot be opened now
	answerBusy        = 3 // too many at once, or too often
	answerBad         = 4 // not a request
)

// carriesCode is how the wire says what goes through a service. That messages may be lost, the
// two sides find out when they have a way that carries datagrams: package datagram.
var carriesCode = map[api.Carries]byte{api.Bytes: 1, api.Messages: 2, api.Datagrams: 2, api.Terminal: 3}

// codeFramed is for bytes in frames.
const codeFramed = 4

func carriesOf(code byte) api.Carries {
	switch code {
	case 1:
		return api.Bytes
	case 2:
		return api.Messages
	case 3:
		return api.Terminal
	case codeFramed:
		return api.Bytes
	}
	return ""
}

func (a answer) marshal() []byte {
	b := []byte{0, 0, a.status}
	switch {
	case a.status == answerRefused:
		b = append(b, byte(a.refusal.Public()))
	case a.status == answerOK && a.framed:
		b = append(b, codeFramed)
	case a.status == answerOK && a.list == nil:
		b = append(b, carriesCode[a.carries])
	case a.status == answerOK:
		for _, s := range a.list {
			if len(b)+2+len(s.Name) > maxAnswer-2 {
				break
			}
			b = append(append(b, carriesCode[s.Carries], byte(len(s.Name))), s.Name...)
		}
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-2))
	return b
}

// readAnswer reads the answer to a request of a sort. What is not OK is an error.
func readAnswer(r io.Reader, sort byte) (a answer, err error) {
	b, err := readBlock(r, maxAnswer)
	if err != nil {
		return a, err
	}
	bad := fmt.Errorf("the peer does not keep to the protocol: %w", errRequest)
	if len(b) == 0 {
		return a, bad
	}
	a.status, b = b[0], b[1:]
	switch {
	case a.status == answerRefused && len(b) == 1:
		return a, peer.Refusal(b[0])
	case a.status == answerUnavailable:
		return a, errUnavailable
	case a.status == answerBusy:
		return a, errBusy
	case a.status == answerBad:
		return a, errNotUnderstood
	case a.status == answerOK && sort == askOpen && len(b) == 1:
		if a.carries = carriesOf(b[0]); a.carries == "" {
			return a, bad
		}
		a.framed = b[0] == codeFramed
		return a, nil
	case a.status != answerOK || sort == askOpen:
		return a, bad
	}
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return a, bad
		}
		name, err := peer.ParseService(string(b[2 : 2+int(b[1])]))
		if err != nil {
			return a, bad
		}
		a.list = append(a.list, api.RemoteService{Name: string(name), Carries: carriesOf(b[0])})
		b = b[2+int(b[1]):]
	}
	return a, nil
}

// Errors that a peer answers with.
var (
	errUnavailable = transport.Mark(errors.New("the service is there, but cannot be opened now"), api.ErrUnreachable)
	errBusy        = transport.Mark(errors.New("the peer lets nobody use so much at once"), transport.ErrDenied)

	errNotUnderstood = fmt.Errorf("the peer says that it does not understand: %w", errRequest)
)
