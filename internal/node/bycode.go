package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/transport"
)

// errNoMeeting: the presence knows no way to meet somebody by a number.
var errNoMeeting = transport.WithHint(transport.Mark(errors.New("there is no way to meet: no local network and no relay"), api.ErrUnreachable),
	"a relay, which tenon relay runs, is named by relays in tenon.toml")

func (n *Node) meeter() (Meeter, error) {
	p, err := n.here()
	if err != nil {
		return nil, err
	}
	if m, ok := p.(Meeter); ok {
		return m, nil
	}
	return nil, errNoMeeting
}

// A byCode is how two meet by a code, to pair or to send something.
type byCode struct {
	n    *Node
	side pair.Side
	at   Meeter
	tell func(api.PairEvent) // of the code, and who tries it; one call after another
}

func (n *Node) byCode(self string, tell func(api.PairEvent)) (m byCode, err error) {
	if _, err = wantedName(self); err != nil {
		return m, err
	}
	m = byCode{n: n, side: pair.Side{Key: n.key(), Name: self}, tell: tell}
	if self == "" {
		m.side.Name = n.suggested()
	}
	m.at, err = n.meeter()
	return m, err
}

// meet shows a code, or uses one, for what the side says of it.
func (m byCode) meet(ctx context.Context, code string) (pair.Result, error) {
	if code != "" {
		return m.use(ctx, code)
	}
	return m.show(ctx)
}

// show shows a code until somebody has used it, or it is of no use any more.
func (m byCode) show(ctx context.Context) (pair.Result, error) {
	var mu sync.Mutex // one event after another
	say := m.tell
	m.tell = func(e api.PairEvent) {
		mu.Lock()
		defer mu.Unlock()
		say(e)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.n.life, cancel)()
	meeting, err := m.at.OfferMeeting(ctx)
	if err != nil {
		return pair.Result{}, err
	}
	defer meeting.Close() //nolint:errcheck // nothing comes of it
	m.n.waiting.Add(1)
	defer m.n.waiting.Add(-1)
	offer := pair.NewOffer(pair.NewCode(meeting.Channel()), m.side)
	defer offer.Close() //nolint:errcheck // it returns nil
	for _, err := range meeting.Missing() {
		m.tell(api.PairEvent{Type: api.PairWarning, Text: neutral.Line(err.Error())})
	}
	m.tell(api.PairEvent{Type: api.PairCode, Code: offer.Code().String()})
	var attempts sync.WaitGroup
	defer attempts.Wait()
	attempts.Go(func() { m.accept(ctx, meeting, offer, &attempts) })
	result, err := offer.Wait(ctx)
	cancel()
	return result, err
}

// accept lets those who come try the code.
func (m byCode) accept(ctx context.Context, meeting Meeting, offer *pair.Offer, attempts *sync.WaitGroup) {
	for {
		s, err := meeting.Accept(ctx)
		if err != nil {
			return // the offer ends by itself
		}
		m.attempt(s)
		attempts.Go(func() {
			// Who has taken the code gets to the end, though nobody waits any more. Wait tells
			// what comes of that.
			if _, err := offer.Accept(context.WithoutCancel(ctx), s); errors.Is(err, transport.ErrUsage) {
				m.tell(api.PairEvent{Type: api.PairWarning, Text: "somebody has typed the code behind another command: " + err.Error()})
			}
		})
	}
}

// attempt tells that there is a connection.
func (m byCode) attempt(s transport.Stream) {
	m.tell(api.PairEvent{Type: api.PairAttempt, Text: neutral.Line(s.RemoteAddr().String())})
}

// use uses a code that somebody shows.
func (m byCode) use(ctx context.Context, text string) (pair.Result, error) {
	code, corrections, err := pair.ParseCode(text)
	if err != nil {
		return pair.Result{}, transport.Usage(err)
	}
	for _, c := range corrections {
		m.tell(api.PairEvent{Type: api.PairCorrection, Text: fmt.Sprintf("%q is taken for %q", c.Typed, c.Word)})
	}
	result, err := pair.JoinFound(ctx, func(ctx context.Context) (transport.Stream, error) {
		s, err := m.at.JoinMeeting(ctx, code.Channel)
		if err == nil {
			m.attempt(s)
		}
		return s, err
	}, code, m.side)
	return result, forOther(err)
}

// forOther says what to do with a code that is for something else.
func forOther(err error) error {
	for what, hint := range map[error]string{
		pair.ErrPairs:    "tenon pair CODE",
		pair.ErrSends:    "tenon receive CODE",
		pair.ErrReceives: "tenon send FILE --code CODE",
		pair.ErrLinks:    "tenon device join",
	} {
		if errors.Is(err, what) {
			return transport.WithHint(err, hint)
		}
	}
	return err
}
