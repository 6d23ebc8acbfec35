package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/pair"
	"github.com/tenon-net/tenon/internal/share"
	"github.com/tenon-net/tenon/internal/ticket"
	"github.com/tenon-net/tenon/transport"
)

// A gift is what who sends something gives with the code: docs/protocol/sending.md.
type gift struct {
	Text    string `json:"text,omitempty"`
	Contact string `json:"contact,omitempty"` // a ticket that says where the sender is
	Share   string `json:"share,omitempty"`   // the ticket of files, which says that, too
	Service string `json:"service,omitempty"` // of the sender, which the other side may use
	Name    string `json:"name,omitempty"`
}

// maxGiftName is how many bytes the name of what is sent may have.
const maxGiftName = 255

// readGift reads what a peer gave, and where it is.
func readGift(from peer.ID, text string) (g gift, at peer.Ticket, err error) {
	bad := func(what string) (gift, peer.Ticket, error) {
		return gift{}, at, fmt.Errorf("%w: %s", pair.ErrProtocol, what)
	}
	at.Issuer = from
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		return bad("what it gives makes no sense")
	}
	if g.Text != "" {
		return gift{Text: g.Text}, at, nil
	}
	if g.Service == "" || len(g.Name) > maxGiftName || g.Share == "" && g.Contact == "" {
		return bad("it gives nothing")
	}
	if at.Service, err = peer.ParseService(g.Service); err != nil {
		return bad("it gives nothing that has a name")
	}
	issuer := from
	if g.Share != "" {
		t, err := share.ParseTicket(g.Share)
		if err != nil {
			return bad("its ticket is not good")
		}
		issuer, at.Addresses, at.Via = t.Sharer, t.Addresses, t.Via
	} else {
		raw, err := ticket.Decode(g.Contact, ticket.Contact)
		if err != nil {
			return bad("its ticket is not good")
		}
		b, _ := raw.Get(ticket.Issuer)
		issuer, err = peer.NewID(b)
		if err != nil {
			return bad("its ticket is not good")
		}
		at.Addresses, at.Via = raw.All(ticket.Address), raw.All(ticket.Via)
	}
	if issuer != from {
		return bad("its ticket is somebody else's")
	}
	return g, at, nil
}

// given is what is told of a gift.
func (g gift) given(from peer.ID) *api.Gift {
	out := &api.Gift{Text: g.Text, Ticket: g.Share, Name: neutral.Line(strings.ToValidUTF8(g.Name, "?"))}
	if g.Service != "" {
		out.Service = from.String() + "/" + g.Service
	}
	return out
}

// marshal writes a gift.
func (g gift) marshal() ([]byte, error) {
	content, err := json.Marshal(g)
	switch {
	case err != nil:
		return nil, err
	case !utf8.ValidString(g.Text):
		err = errors.New("it is not a text: it is not in UTF-8")
	case len(content) > pair.MaxGiven:
		err = errors.New("it is too long: what is sent with a code can have about 4000 bytes")
	default:
		return content, nil
	}
	return nil, transport.WithHint(transport.Usage(err), "tenon send - sends all that it reads")
}

// An encounter is that two have met by a code to send something. It is remembered for as long as a code
// is good, so that who was interrupted can go on with the same one.
type encounter struct {
	peer  peer.ID
	said  string
	words [4]string
	given string // what was given; at who has given it, the service
}

// recall returns the encounter by a code, or nil.
func (n *Node) recall(ctx context.Context, code string) (*encounter, error) {
	parsed, _, err := pair.ParseCode(code)
	if err != nil {
		return nil, transport.Usage(err)
	}
	var e encounter
	var id, words string
	err = n.db.View(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT peer, said, words, given FROM codes WHERE code = ? AND made > ?`, parsed.String(), time.Now().Add(-pair.Lifetime).Unix()).
			Scan(&id, &e.said, &words, &e.given)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		e.peer, err = peer.ParseID(id)
	}
	copy(e.words[:], strings.Fields(words))
	return &e, err
}

// recollect remembers an encounter.
func (n *Node) recollect(ctx context.Context, code string, e encounter) error {
	parsed, _, err := pair.ParseCode(code)
	if err != nil {
		return err
	}
	if err := n.forgetCodes(ctx); err != nil {
		return err
	}
	return n.db.Update(ctx, exec(ctx, `INSERT OR REPLACE INTO codes VALUES (?, ?, ?, ?, ?, ?)`,
		parsed.String(), time.Now().Unix(), e.peer.String(), e.said, strings.Join(e.words[:], " "), e.given))
}

// forgetCodes forgets encounters by codes that are not good any more.
func (n *Node) forgetCodes(ctx context.Context) error {
	return n.db.Update(ctx, exec(ctx, `DELETE FROM codes WHERE made <= ?`, time.Now().Add(-pair.Lifetime).Unix()))
}
