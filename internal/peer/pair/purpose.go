package pair

import (
	"errors"
	"fmt"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// A Purpose is what a code is for. Who shows it and who types it must mean the same;
// otherwise nothing happens, and the code is as good as before.
type Purpose byte

const (
	Pairing   Purpose = iota // the two become acquainted
	Sending                  // who shows the code has something for who types it
	Receiving                // who shows the code waits for something from who types it
	Linking                  // who types the code becomes another device of who shows it
)

// Errors of a code that is for something else. They match [transport.ErrUsage], and say
// what it is for.
var (
	ErrPairs    = transport.Usage(errors.New("the code is for pairing, and for nothing else"))
	ErrSends    = transport.Usage(errors.New("the code is for receiving: who shows it has something to send"))
	ErrReceives = transport.Usage(errors.New("the code is for sending: who shows it waits for something"))
	ErrLinks    = transport.Usage(errors.New("the code is for linking a device: who types it becomes one of who shows it"))
)

// MaxGiven is how many bytes one side can give the other.
const MaxGiven = 4096

// A role says which part a side plays, and in what: the letter of who types a code is the small
// one of who shows it, but in pairing, which was there first.
type role byte

const (
	joiner  role = 'J'
	offerer role = 'O'

	showsToSend    role = 'S'
	typesToReceive role = 's'
	showsToReceive role = 'R'
	typesToSend    role = 'r'
	showsToLink    role = 'L'
	typesToLink    role = 'l'
)

// A part is a purpose as the two sides play it.
type part struct {
	shows, types role
	other        error // what is said to who means something else
}

var parts = [...]part{
	Pairing:   {offerer, joiner, ErrPairs},
	Sending:   {showsToSend, typesToReceive, ErrSends},
	Receiving: {showsToReceive, typesToSend, ErrReceives},
	Linking:   {showsToLink, typesToLink, ErrLinks},
}

func (r role) part() part {
	for _, p := range parts {
		if r == p.shows || r == p.types {
			return p
		}
	}
	return part{}
}

func (r role) other() role {
	p := r.part()
	return p.shows + p.types - r
}

// joins tells whether it is the role of who types a code.
func (r role) joins() bool { return r == r.part().types }

// sends tells whether it is the role of who gives something.
func (r role) sends() bool { return r == showsToSend || r == typesToSend || r == showsToLink }

// fits looks whether the other side, whose role is theirs, means the same. Who shows the code
// says what it is for.
func (r role) fits(theirs role) error {
	switch p := theirs.part(); {
	case theirs == r.other():
		return nil
	case p.other == nil || theirs.joins() == r.joins():
		return fmt.Errorf("%w: role %q", ErrProtocol, theirs)
	case r.joins():
		return p.other
	}
	return r.part().other
}

// give hands over what the side that sends has for the other, which answers, so that both
// know that it is there. In pairing nothing is.
func (r *run) give(id peer.ID) (given string, err error) {
	switch {
	case r.role == joiner || r.role == offerer:
		return "", nil
	case !r.role.sends():
		if given, err = r.readGiven(); err != nil {
			return "", err
		}
		return given, r.writeGiven(nil)
	}
	content, err := r.side.Give(id)
	if err != nil {
		return "", err
	}
	if err := r.writeGiven(content); err != nil {
		return "", err
	}
	return r.readGiven()
}

func (r *run) writeGiven(content []byte) error {
	if len(content) > MaxGiven {
		return fmt.Errorf("%d bytes are too many to give with a code", len(content))
	}
	return writeFrame(r.rw, frameGiven, r.out.seal(content))
}

func (r *run) readGiven() (string, error) {
	sealed, err := readFrame(r.rw, frameGiven, -1)
	if err != nil {
		return "", err
	}
	content, err := r.in.open(sealed)
	return string(content), err
}
