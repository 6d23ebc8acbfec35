package chat

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/event"
)

// backup keeps a copy of what is in somebody's directory, and returns what puts it back. He is away meanwhile.
func (p *person) backup() (restore func()) {
	p.w.Helper()
	p.stop()
	copied := filepath.Join(p.w.TempDir(), "copy")
	p.w.do(os.CopyFS(copied, os.DirFS(p.dir)))
	p.start()
	return func() {
		p.w.Helper()
		p.stop()
		p.w.do(os.RemoveAll(p.dir))
		p.w.do(os.CopyFS(p.dir, os.DirFS(copied)))
		p.start()
	}
}

// marked tells whether somebody sees that another has shown different things.
func (p *person) marked(r *Room, who event.Identity) bool {
	return slices.ContainsFunc(p.in(r).Info().Members, func(m Member) bool { return m.Identity == who && m.Forked })
}

// Whose database is an old copy, and who meets somebody before he says anything, gets back what he had said, and goes on behind
// that: there is no fork.
func TestRestoredMeetsFirst(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "plans"}, anna, bert)
		anna.say(r, "one")
		w.same(r, anna, bert)
		restore := anna.backup()
		anna.say(r, "two")
		bert.hears(r, "two")
		restore()
		w.same(r, anna, bert)
		anna.hears(r, "two")
		anna.say(r, "three")
		bert.hears(r, "three")
		if bert.marked(r, anna.Me()) || anna.Outdated() {
			t.Error("there is a fork")
		}
	})
}

// Whose database is an old copy has not the private keys of prekeys that he has said since: he makes another one, and hears what is said
// from then on.
func TestRestoredPrekeys(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "plans"}, anna, bert)
		anna.say(r, "one")
		w.same(r, anna, bert)
		restore := anna.backup()
		newEpoch := func(p *person) {
			own := p.in(r)
			give := must[func()](w)(own.take(w.Context()))
			defer give()
			must[event.ID](w)(own.newEpoch(w.Context()))
		}
		w.pass(2*day, anna, bert)
		newEpoch(anna)
		w.do(anna.renew(w.Context(), prekeyRest))
		lost := *anna.prekey()
		w.until("bert knows", func() bool { return bert.knows(r, anna) })
		time.Sleep(time.Minute)
		restore()
		w.until("there is another one", func() bool { return anna.prekey().Time > lost.Time && bert.knows(r, anna) })
		newEpoch(bert)
		bert.say(r, "two")
		anna.hears(r, "two")
		time.Sleep(10 * time.Minute)
		if anna.Outdated() {
			t.Error("there is a fork")
		}
	})
}

// Whose database is an old copy, and who says something before he meets anybody, says two things in one place. That is seen when they meet:
// he gets a new key, nothing is lost that was said before or after, and nobody sees him as forked any more.
func TestRestoredBackup(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert, carl := w.person("anna"), w.person("bert"), w.person("carl")
		r := w.group(Draft{Name: "plans", History: true}, anna, bert, carl)
		anna.say(r, "one")
		w.same(r, anna, bert, carl)
		restore := anna.backup()
		anna.say(r, "two")
		anna.say(r, "three")
		w.same(r, anna, bert, carl)
		for _, p := range []*person{bert, carl} {
			w.part(anna, p)
		}
		restore()
		anna.say(r, "other two")
		anna.say(r, "other three")
		anna.say(r, "other four")
		if anna.Outdated() {
			t.Error("it is known before anybody was met")
		}
		seq := anna.LastNotice()
		w.join(anna, bert)
		w.until("it is seen", func() bool { return anna.Outdated() })
		news, _, _ := anna.Notices(seq, 1000)
		told := 0
		for _, n := range news {
			if n.Kind == DevicesChanged {
				told++
			}
		}
		if told != 1 {
			t.Errorf("it is told %d times", told)
		}
		anna.rekey("anna anew")
		w.join(anna, carl)
		w.same(r, anna, bert, carl)
		anna.say(r, "five")
		w.same(r, anna, bert, carl)
		for _, p := range []*person{anna, bert, carl} {
			for _, text := range []string{"one", "two", "three", "other two", "other three", "other four", "five"} {
				p.hears(r, text)
			}
			if p.marked(r, anna.Me()) {
				t.Errorf("%s still sees a fork", p.name)
			}
		}
		if anna.Outdated() {
			t.Error("it goes on")
		}
	})
}

// Two computers with one key, of which each goes on, become two devices of the same person: each takes a new key.
func TestCopiedDevice(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{Name: "plans", History: true}, anna, bert)
		anna.say(r, "one")
		w.same(r, anna, bert)
		anna.stop()
		dir := w.TempDir()
		w.do(os.CopyFS(dir, os.DirFS(anna.dir)))
		anna.start()
		anna.say(r, "by the first")
		bert.hears(r, "by the first")
		anna.stop()
		second := &person{w: w, name: "anna", dir: dir, config: anna.config}
		w.all = append(w.all, second)
		w.part(anna, bert)
		second.start()
		w.Break(second.node, bert.node)
		second.say(r, "by the second")
		w.Heal(second.node, bert.node)
		w.until("the second sees it", second.Outdated)
		bert.hears(r, "by the second")
		second.rekey("second")
		second.say(r, "by the second with its key")
		bert.hears(r, "by the second with its key")

		anna.start() // with the old key, which was removed
		w.until("the first sees it", anna.Outdated)
		anna.rekey("first")
		anna.say(r, "by the first with its key")
		for _, p := range []*person{anna, second, bert} {
			for _, text := range []string{"one", "by the first", "by the second", "by the second with its key", "by the first with its key"} {
				p.hears(r, text)
			}
		}
		time.Sleep(time.Hour)
		for _, p := range []*person{anna, second} {
			if p.Outdated() || len(p.Devices()) != 2 {
				t.Errorf("%s: %+v", p.name, p.Devices())
			}
		}
	})
}
