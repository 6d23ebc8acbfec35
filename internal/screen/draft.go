package screen

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/node/api"
)

const (
	draftPause = time.Second     // between what is typed and its being kept, and between two times
	lastTime   = 2 * time.Second // that keeping may take when the screen ends
)

// A drafting is how what was typed and not sent comes to the node, which keeps it for the next screen.
type drafting struct {
	loaded bool // what was kept before is in its rooms
	soon   bool // it is about to be kept
	turn   chan struct{}
}

// draft is what was typed in a room and not sent.
func (t *talk) draft() api.RoomDraft {
	if t.input.empty() {
		return api.RoomDraft{}
	}
	return api.RoomDraft{Text: t.input.text(), About: t.about.id, Edit: t.about.edit}
}

// loadDrafts puts what was kept into the rooms where nothing was typed meanwhile.
func (m *model) loadDrafts() tea.Cmd {
	if m.drafts.loaded {
		return m.draftSoon()
	}
	return m.ask(func(ctx context.Context) answer {
		all, err := m.node.RoomDrafts(ctx)
		return func(m *model) tea.Cmd {
			if err != nil || m.drafts.loaded {
				return nil // it is asked again with all else
			}
			m.drafts.loaded = true
			for _, d := range all {
				t := m.talk(d.Room)
				if !t.input.empty() {
					m.recall.add(d.Text)
					continue
				}
				t.input.set(d.Text)
				t.about = about{d.About, d.Edit}
				t.kept = t.draft()
			}
			return m.draftSoon()
		}
	})
}

// draftSoon has what was typed kept, after a pause.
func (m *model) draftSoon() tea.Cmd {
	if m.drafts.soon || !m.drafts.loaded {
		return nil
	}
	m.drafts.soon = true
	return m.world.after(draftPause, func(m *model) tea.Cmd {
		all := m.unkept()
		if len(all) == 0 {
			m.drafts.soon = false
			return nil
		}
		return m.ask(func(ctx context.Context) answer {
			kept := m.drafts.keep(ctx, m.node, all)
			return func(m *model) tea.Cmd {
				m.drafts.soon = false
				for _, d := range kept {
					m.talk(d.Room).kept = api.RoomDraft{Text: d.Text, About: d.About, Edit: d.Edit}
				}
				if len(kept) < len(all) {
					return nil // the next key is another try, and so is the node when it is there again
				}
				return m.draftSoon()
			}
		})
	})
}

// unkept returns the drafts that are not kept as they are. What is being sent stays until it was said.
func (m *model) unkept() (all []api.RoomDraft) {
	for id, t := range m.talks {
		if d := t.draft(); id != "" && d != t.kept && (t.sending == 0 || d.Text != "") {
			d.Room = id
			all = append(all, d)
		}
	}
	return all
}

// keep has drafts kept, and returns those that are. What was asked first is done first, whoever asks.
func (x *drafting) keep(ctx context.Context, node Node, all []api.RoomDraft) (kept []api.RoomDraft) {
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return nil
	}
	for _, d := range all {
		room := d.Room
		d.Room = ""
		if err := node.KeepRoomDraft(ctx, room, d); err != nil && !errors.Is(err, api.ErrNotFound) {
			return kept
		}
		d.Room = room
		kept = append(kept, d)
	}
	return kept
}

// keepLast keeps what there is when the screen has ended, for whatever reason.
func (m *model) keepLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	m.drafts.keep(ctx, m.node, m.unkept())
}
