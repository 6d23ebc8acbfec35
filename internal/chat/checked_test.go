package chat

import (
	"slices"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/meet"
)

// An event that comes from several members is verified once, and that lets no other one in that has its ID.
func TestForgedCopy(t *testing.T) {
	virtually(t, func(w *world) {
		anna, bert := w.person("anna"), w.person("bert")
		r := w.group(Draft{}, anna, bert)
		w.part(anna, bert)
		k := anna.say(r, "it was me")
		rows := must[[]log.Event](w)(r.log.Get(w.Context(), log.ID(k.ID)))
		good := whole(&rows[0])
		forged := slices.Clone(good)
		forged[len(rows[0].Bytes)-1] ^= 1 // of the signature, which the ID is not made of
		own := bert.in(r)
		parse := func(b []byte) error {
			_, err := own.parse([][]byte{b})
			return err
		}
		if err := parse(forged); err == nil {
			t.Error("a signature that is none is taken")
		}
		w.do(parse(good))
		if err := parse(forged); err == nil {
			t.Error("a signature that is none is taken, once the right one has come")
		}
		e := must[*event.Event](w)(event.Read(good))
		if !own.checked.has(e) {
			t.Error("an event that was verified would be verified again")
		}
		w.join(anna, bert)
		bert.hears(r, "it was me")
		w.do(parse(forged)) // nobody looks at it
		w.do(set{own}.Take(w.Context(), []meet.Blob{{Key: meetKey(k), Bytes: forged}}))
		if rows = must[[]log.Event](w)(own.log.Get(w.Context(), log.ID(k.ID))); !slices.Equal(whole(&rows[0]), good) {
			t.Error("what is there has become what was forged")
		}
	})
}
