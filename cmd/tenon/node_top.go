//go:build node

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/tenon-net/tenon/internal/neutral"
	"github.com/tenon-net/tenon/internal/node/api"
)

// topInterval is the time between two looks of tenon top.
const topInterval = time.Second

// runTop is "tenon top". Where there is no terminal to draw on, it is one look.
func runTop(p *program, c *call) error {
	if len(c.args) > 0 {
		return usageError("tenon top takes no arguments", "it shows all joints: see tenon help top")
	}
	return p.withRunning(c, func(t *talk) error {
		first := snapshot(p.ctx, t)
		switch {
		case first.err != nil:
			return first.err
		case p.json:
			return list(p, first.joints, "", nil, nil)
		case !p.stdout.terminal() || os.Getenv("TERM") == "dumb":
			for _, line := range (&topModel{seen: first}).lines() {
				p.stdout.line(line)
			}
			return nil
		}
		m := &topModel{seen: first, look: func() tea.Msg { return snapshot(p.ctx, t) }}
		_, err := tea.NewProgram(m, tea.WithContext(p.ctx), tea.WithoutSignalHandler()).Run()
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		if err != nil {
			return err
		}
		return m.seen.err
	})
}

// A seen is what one snapshot shows.
type seen struct {
	status api.Status
	joints []api.Joint
	err    error
}

func snapshot(ctx context.Context, t *talk) (s seen) {
	if s.status, s.err = t.Status(ctx); s.err == nil {
		s.joints, s.err = t.Joints(ctx)
	}
	return s
}

// A topModel is what tenon top shows.
type topModel struct {
	look          func() tea.Msg
	seen          seen
	order         int // index of orders
	width, height int
}

// An order is a way to sort, by the key that chooses it.
type order struct {
	key, name string
	less      func(a, b api.Joint) int
}

var orders = []order{
	{"r", "rate", func(a, b api.Joint) int { return cmp.Compare(b.SentPS+b.GotPS, a.SentPS+a.GotPS) }},
	{"b", "bytes", func(a, b api.Joint) int { return cmp.Compare(b.Sent+b.Got, a.Sent+a.Got) }},
	{"p", "peer", func(a, b api.Joint) int { return cmp.Compare(a.Name, b.Name) }},
	{"t", "time", func(a, b api.Joint) int { return a.Since.Compare(b.Since) }},
}

type lookAgain struct{}

func (m *topModel) tick() tea.Cmd {
	return tea.Tick(topInterval, func(time.Time) tea.Msg { return lookAgain{} })
}

func (m *topModel) Init() tea.Cmd { return m.tick() }

func (m *topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case lookAgain:
		return m, m.look
	case seen:
		m.seen = msg
		if m.seen.err != nil {
			return m, tea.Quit
		}
		return m, m.tick()
	case tea.KeyPressMsg:
		switch key := msg.String(); key {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		default:
			if i := slices.IndexFunc(orders, func(o order) bool { return o.key == key }); i >= 0 {
				m.order = i
			}
		}
	}
	return m, nil
}

func (m *topModel) View() tea.View {
	lines := m.lines()
	var keys []string
	for _, o := range orders {
		keys = append(keys, o.key+" by "+o.name)
	}
	foot := strings.Join(keys, "  ") + "  q ends"
	if m.height > 2 && len(lines) > m.height-2 {
		hidden := len(lines) - (m.height - 2)
		lines = lines[:m.height-2]
		foot = fmt.Sprintf("%d more; %s", hidden, foot)
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines, foot)
	for i := range lines {
		lines[i] = clip(lines[i], m.width)
	}
	v := tea.NewView(strings.Join(lines, "\n"))
	v.AltScreen = true
	v.WindowTitle = "tenon top"
	return v
}

// lines is the table, with a line on the node above it.
func (m *topModel) lines() []string {
	s := m.seen.status
	joints := slices.Clone(m.seen.joints)
	slices.SortStableFunc(joints, orders[m.order].less)
	var out, in float64
	for _, j := range joints {
		out, in = out+j.SentPS, in+j.GotPS
	}
	head := fmt.Sprintf("%s up for %s; %s, %d online; %s, by %s; sends %s/s, gets %s/s",
		neutral.Line(s.Identity.Short), ago(s.Since), count(s.Peers, "peer"), s.Online, count(len(joints), "joint"), orders[m.order].name, bytesOf(out), bytesOf(in))
	if len(joints) == 0 {
		return []string{head, "", "nobody uses anything now"}
	}
	return append([]string{head, ""}, jointTable(joints).lines()...)
}

// clip cuts a line to the columns there are; 0 is any number.
func clip(line string, columns int) string {
	if columns <= 0 || width(line) <= columns {
		return line
	}
	used := 0
	for i, r := range line {
		if used += width(string(r)); used >= columns {
			return line[:i] + "…"
		}
	}
	return line
}
