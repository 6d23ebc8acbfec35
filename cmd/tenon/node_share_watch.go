//go:build node

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/transport"
)

// A shareState is how far tenon share has come.
type shareState int

const (
	shareNew    shareState = iota
	shareBegun             // it is there for as long as this program
	shareHanded            // a node goes on with it
)

// A shareWatch tells what happens to a share: a line that changes, and a line for each
// thing that a person may want to keep.
type shareWatch struct {
	p        *program
	c        *call
	progress *progress
	state    shareState
	shown    bool // the ticket was
	last     api.Share
	ready    bool // that all is hashed was told
	hashing  pace // bytes that are read to hash them
	getters  getters
	notes    noteTeller
}

func (p *program) newShareWatch(c *call) *shareWatch {
	return &shareWatch{p: p, c: c, progress: p.newProgress(c)}
}

// run shares by a node: one that goes on takes the share over, and one that is passing has it for as
// long as this program waits.
func (w *shareWatch) run(ctx context.Context, t *talk, request api.ShareRequest, passing bool) (err error) {
	if w.last, err = t.Share(ctx, request); err != nil {
		return err
	}
	w.hashing.last = time.Now()
	if w.state = shareBegun; w.c.peer.share.wait && !w.shown {
		err = w.until(ctx, t, func(s api.Share) bool { return s.State == api.ShareReady })
	}
	if err == nil && !w.shown {
		w.shown = true
		err = w.p.showTicket(w.c, w.last)
		if err == nil && passing {
			w.p.tell(w.c, "it is shared until this program ends; with tenon up running, that would share it")
		}
	}
	if err == nil && !passing {
		w.state = shareHanded
		if len(request.Hold) > 0 { // who stops waiting stops nothing
			err = w.until(ctx, t, holdersAnswered)
		}
		w.p.tell(w.c, "the node that runs shares it, until tenon unshare %s; tenon shares says who has how much", shareWord(w.last))
		if err == nil {
			err = refusedBy(w.last.Holders)
		}
		return err
	}
	if err == nil {
		err = w.until(ctx, t, usedUp)
	}
	if err == nil && w.last.State == api.ShareOver && !usedUp(w.last) && w.p.ended(t) {
		err = errNodeEnded
	}
	if err != nil && w.p.ended(t) {
		return err
	}
	return errors.Join(err, w.leave(ctx, t))
}

// unshareTime is how long the end of this program waits for a node that goes on.
const unshareTime = 5 * time.Second

// leave ends the share at a node that goes on, unless another program wants it, too. One in this process ends with
// it, and remembers the ticket for the next time.
func (w *shareWatch) leave(ctx context.Context, t *talk) error {
	if w.last.State == api.ShareOver {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unshareTime)
	defer cancel()
	w.look(ctx, t)
	if t.here {
		return nil
	}
	err := t.LeaveShare(ctx, w.last.ID)
	if errors.Is(err, api.ErrNotFound) || errors.Is(err, api.ErrNotRunning) {
		return nil
	}
	return err
}

// look sees who has it now: somebody may have got the rest of it since that was told last.
func (w *shareWatch) look(ctx context.Context, t *talk) {
	all, err := t.Shares(ctx)
	if err != nil {
		return // what is known is said
	}
	for _, s := range all {
		if s.ID == w.last.ID {
			w.last.Fetched = s.Fetched
		}
	}
}

// farewell says how many have got what was shared by this program.
func (w *shareWatch) farewell() {
	switch {
	case w.state != shareBegun:
	case !w.shown:
		w.p.tell(w.c, "%s is not hashed yet, and is not shared", w.last.Name)
	default:
		w.p.tell(w.c, "%s is not shared any more; %s", w.last.Name, gotBy(w.last))
	}
}

// until watches until enough says so, or the share is over.
func (w *shareWatch) until(ctx context.Context, t *talk, enough func(api.Share) bool) error {
	defer w.progress.end()
	for s, err := range t.WatchShare(ctx, w.last.ID) {
		if err != nil {
			return err
		}
		if err := w.see(time.Now(), s); err != nil {
			return err
		}
		switch {
		case s.State == api.ShareFailed:
			return fmt.Errorf("%s cannot be shared: %s", s.Name, s.Error)
		case enough(s):
			return nil
		case s.State == api.ShareOver:
			return over(s)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("the node has ended the share: %w", io.ErrUnexpectedEOF)
}

// see tells what is new.
func (w *shareWatch) see(now time.Time, s api.Share) error {
	was := w.last
	if s.Ticket == "" {
		s.Ticket, s.Fixed = was.Ticket, was.Fixed
	}
	w.last = s
	if w.p.json {
		return w.p.stdout.json(s.WithoutTickets()) // which are told once
	}
	w.notes.tell(w.p, w.c, s.Notes)
	for _, note := range s.Unsent {
		if !slices.Contains(was.Unsent, note) {
			w.p.tell(w.c, "%s", noteText(note))
		}
	}
	if !w.ready && s.State == api.ShareReady {
		w.ready = true
		w.p.tell(w.c, "%s is hashed: %s in %s%s", s.Name, bytesOf(float64(s.Bytes)), count(s.Files, "file"), leftOut(s))
	}
	for i, h := range s.Holders {
		before := api.ShareHolder{}
		if i < len(was.Holders) {
			before = was.Holders[i]
		}
		w.tellHolder(h, before)
	}
	for _, name := range s.Fetched {
		if !slices.Contains(was.Fetched, name) {
			w.p.tell(w.c, "%s has got all of it", name)
		}
	}
	if passed := now.Sub(w.hashing.last); passed > 0 {
		w.hashing.add(now, float64(s.Hashed-was.Hashed)/passed.Seconds())
	}
	if len(s.Peers) == 0 && heldByAll(s) && s.State != api.ShareHashing && !w.progress.live {
		return nil // a log is not told that nothing happens
	}
	left := w.getters.left(now, s)
	w.progress.show(now, func(int) string { return shareLine(s, w.hashing.rate, left) })
	return nil
}

// tellHolder tells what is new of a peer that is to hold the share.
func (w *shareWatch) tellHolder(h, was api.ShareHolder) {
	switch {
	case h.Done && !was.Done:
		w.p.tell(w.c, "%s has all of it, sealed: this computer can be off, for %s", h.Name, about(time.Until(h.Until)))
	case h.Error != "" && h.Error != was.Error:
		w.p.tell(w.c, "%s: %s", h.Name, h.Error)
	}
}

// heldByAll tells whether everybody who is to hold a share does.
func heldByAll(s api.Share) bool {
	return !slices.ContainsFunc(s.Holders, func(h api.ShareHolder) bool { return !h.Done })
}

// holdersAnswered tells whether everybody who is to hold a share does, or has said why not.
func holdersAnswered(s api.Share) bool {
	return !slices.ContainsFunc(s.Holders, func(h api.ShareHolder) bool { return !h.Done && !h.Refused })
}

// refusedBy is an error if somebody does not hold a share that is to. Why was told.
func refusedBy(holders []api.ShareHolder) error {
	var names []string
	for _, h := range holders {
		if h.Refused && !h.Done {
			names = append(names, h.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return transport.Mark(fmt.Errorf("it is not held by %s; the node that runs tries again now and then, and tenon shares says how that goes", strings.Join(names, ", ")), tenon.ErrDenied)
}

// holdings says who holds how much of a share.
func holdings(holders []api.ShareHolder) string {
	var texts []string
	for _, h := range holders {
		text := h.Name + " holds " + percent(h.Has)
		if h.Error != "" {
			text = h.Name + ": " + h.Error
		}
		texts = append(texts, text)
	}
	return phrases(texts...)
}

// maxNotes is how many files are named that could not be shared, unless more is asked for.
const maxNotes = 10

// A noteTeller tells once of each file that cannot be shared, or not as it is.
type noteTeller struct{ told int }

func (t *noteTeller) tell(p *program, c *call, notes []api.ShareNote) {
	for ; t.told < len(notes); t.told++ {
		switch note := notes[t.told]; {
		case t.told < maxNotes || c.global.verbose:
			p.tell(c, "%s", noteText(note))
		case t.told == maxNotes:
			p.tell(c, "there are more like that: -v tells of them")
		}
	}
}

func noteText(note api.ShareNote) string {
	text := note.Path + ": " + note.Text
	if note.Left {
		text += "; it is left out"
	}
	return text
}

// leftOut says that something could not be shared.
func leftOut(s api.Share) string {
	if s.Left == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of what is there cannot be shared, and is left out", s.Left)
}

// maxShown is of how many peers a line says how much they have.
const maxShown = 3

// shareLine is how a share is now.
func shareLine(s api.Share, hashing float64, left string) string {
	what := phrases(bytesOf(float64(s.Bytes))+" in "+count(s.Files, "file"), sending(s), havings(s.Peers), left, holdings(s.Holders), haveAll(s))
	if s.State == api.ShareHashing { // one file may take an hour
		what = phrases(strings.TrimSpace("hashing "+rate(hashing)), what, s.Path)
	}
	return shareTitle(s) + ": " + what
}

// shareTitle is the name of a share, not too long.
func shareTitle(s api.Share) string { return clip(neutral.Line(s.Name), 24) }

func sending(s api.Share) string {
	if s.SentPS < 1 {
		return ""
	}
	return "sends " + rate(s.SentPS)
}

func haveAll(s api.Share) string {
	if len(s.Fetched) == 0 {
		return ""
	}
	return fmt.Sprintf("%d have all", len(s.Fetched))
}

// havings says who of those who take part has how much.
func havings(peers []api.SharePeer) string {
	var texts []string
	for _, peer := range peers[:min(len(peers), maxShown)] {
		texts = append(texts, peer.Name+" "+percent(peer.Has))
	}
	if more := len(peers) - maxShown; more > 0 {
		texts = append(texts, fmt.Sprintf("%d more", more))
	}
	return phrases(texts...)
}

// getters are those who fetch a share, and how fast each comes to have it, from whomever.
type getters map[string]getterPace

type getterPace struct {
	pace
	has float64
}

// left says how long it takes until the slowest of them has all. What somebody had when he came is no pace.
func (g *getters) left(now time.Time, s api.Share) (text string) {
	if s.State != api.ShareReady || s.Bytes == 0 {
		return ""
	}
	var longest float64
	next := getters{}
	for _, p := range s.Peers {
		was, ok := (*g)[p.ID]
		switch passed := now.Sub(was.last).Seconds(); {
		case !ok:
			was.last = now
		case passed > 0:
			was.add(now, (p.Has-was.has)*float64(s.Bytes)/passed)
		}
		was.has = p.Has
		next[p.ID] = was
		missing := int64((1 - p.Has) * float64(s.Bytes))
		if one := was.pace.left(missing); one != "" && float64(missing)/was.rate > longest {
			longest, text = float64(missing)/was.rate, one
		}
	}
	*g = next
	return text
}
