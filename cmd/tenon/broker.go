package main

import (
	"fmt"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/transport"
)

// broker has every client of a listener hear every other. The other end, or
// standard input and output, takes part.
func (p *program) broker(c *call, listener, other string) error {
	if c.joint.explain {
		return p.explain(c, []string{listener, other})
	}
	e, err := newOpener().Explain(listener)
	if err != nil {
		return err
	}
	if !e.Listens {
		return usageError(e.Address+" does not listen", "for example: tenon listen --chat 7000")
	}
	ctx, o, done, err := p.prepare(c, []string{listener, address.Stdio})
	if err != nil {
		return err
	}
	acc, err := o.Listen(ctx, listener)
	if err != nil {
		return done(err)
	}
	host, err := o.Dial(ctx, other)
	if err != nil {
		acc.Close()
		return done(err)
	}
	b := &join.Broker{
		Chat: c.joint.chat,
		Drop: c.joint.slow == "drop",
		Text: true,
		Events: func(be join.BrokerEvent) {
			if text := brokerText(be, c.global.verbose); text != "" && !c.global.quiet {
				o.Events(tenon.Event{Type: tenon.Notice, End: e.Address, Text: text, Err: be.Err})
			}
		},
	}
	if err := b.Add(host); err != nil {
		transport.Abort(host, err)
	}
	err = b.Serve(ctx, acc)
	b.Close()
	return done(ended(p.ctx, err))
}

// brokerText is what people are told of a change: losses always, comings and
// goings with -v.
func brokerText(e join.BrokerEvent, verbose bool) string {
	who := "a client"
	if e.Conn != nil {
		who = fmt.Sprintf("%d (%v)", e.ID, e.Conn.RemoteAddr())
	}
	switch {
	case e.Change == join.Dropped:
		return fmt.Sprintf("%s was dropped: %v", who, e.Err)
	case e.Change == join.Skipped:
		return fmt.Sprintf("a message did not reach %s: %v", who, e.Err)
	case e.Change == join.Refused:
		return fmt.Sprintf("%s was refused: %v", who, e.Err)
	case !verbose:
		return ""
	case e.Change == join.Joined:
		return fmt.Sprintf("%s joined; %d are here", who, e.Members)
	case e.Err != nil:
		return fmt.Sprintf("%s left: %v; %d are here", who, e.Err, e.Members)
	}
	return fmt.Sprintf("%s left; %d are here", who, e.Members)
}
