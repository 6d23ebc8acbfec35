//go:build node

package main

import (
	"fmt"
	"time"

	"github.com/tenon-net/tenon/internal/node/api"
)

// runTicket is "tenon ticket [SERVICE]".
func runTicket(p *program, c *call) error {
	f := &c.peer
	if len(c.args) == 1 && f.service == "" {
		f.service = c.args[0]
	} else if len(c.args) > 0 {
		return usageError("one service is enough", "for example: tenon ticket db --expires 1h")
	}
	return p.with(c, func(t *talk) error {
		made, err := t.Ticket(p.ctx, api.TicketRequest{Service: f.service, Expires: api.Duration(f.expires), Uses: f.uses, For: f.only})
		switch {
		case err != nil:
			return err
		case p.json:
			return p.stdout.json(made)
		}
		p.stdout.line(made.Text)
		if f.qr {
			if err := p.showQR(c, made.Text); err != nil {
				return err
			}
		}
		if p.stdout.terminal() {
			p.tell(c, "on the other computer: tenon add TICKET, or peer:TICKET where an address stands")
			p.tell(c, "it is %s; whoever has it can use it, so give it to nobody else", ticketState(made))
		}
		return nil
	})
}

// runTickets is "tenon tickets".
func runTickets(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon tickets takes no arguments", "tenon revoke SERIAL takes a ticket back")
	}
	return p.withAlone(c, func(t *talk) error {
		tickets, err := t.Tickets(p.ctx)
		if err != nil {
			return err
		}
		return list(p, tickets, "no tickets were made here: tenon ticket SERVICE makes one", []string{"SERIAL", "SERVICE", "STATE", "USED", "FOR"}, ticketCells)
	})
}

func ticketCells(t api.Ticket) []string {
	who := t.For
	if who == "" {
		who = "whoever shows it"
	}
	return []string{t.Serial, t.Service, ticketState(t), fmt.Sprintf("%d of %d", len(t.Redeemed), max(t.Uses, 1)), who}
}

// ticketState says what a ticket is good for.
func ticketState(t api.Ticket) string {
	if t.State == "good" && !t.NotAfter.IsZero() {
		return "good for " + about(time.Until(t.NotAfter))
	}
	return t.State
}

// runAdd is "tenon add TICKET".
func runAdd(p *program, c *call) error {
	var text string
	switch len(c.args) {
	case 1:
		text = c.args[0]
	case 0:
		var err error
		if text, err = p.askFor(c, "the ticket: "); err != nil {
			return err
		}
	}
	if text == "" {
		return usageError("a ticket is needed", "the other side makes one with: tenon ticket SERVICE")
	}
	return p.with(c, func(t *talk) error {
		a, err := t.AddTicket(p.ctx, text, c.peer.name)
		switch {
		case err != nil:
			return err
		case p.json:
			return p.stdout.json(a)
		}
		if a.Address != "" {
			p.stdout.line(a.Address)
		}
		p.tell(c, "it is from %s, %s", a.Peer.Name, a.Peer.Short)
		if a.Address != "" && !a.Redeemed {
			p.tell(c, "kept, and not redeemed yet: %s", a.Text)
		}
		if a.Address != "" {
			p.tell(c, "for example: tenon connect %s", a.Address)
		}
		return nil
	})
}
