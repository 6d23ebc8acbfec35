package chat

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store"
	"github.com/tenon-net/tenon/internal/store/storetest"
)

// A child talks, and is killed in the middle, again and again. All that it has said yes to is there, and the
// room means what it meant.
func TestKilled(t *testing.T) {
	dir, told := storetest.Killed(t, 3, 10, child)
	c, end := alone(dir)
	defer end()
	r := c.Rooms()[0]
	texts := map[string]bool{}
	page, err := r.After(t.Context(), event.Key{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range page {
		texts[x.Message.Text] = true
	}
	for _, text := range told {
		if !texts[text] {
			t.Errorf("%q was told of and is not there", text)
		}
	}
	if len(told) < 30 {
		t.Errorf("%d were told of", len(told))
	}
	if i := r.Info(); len(i.Members) != 1 || i.Members[0].Forked || i.Name != "alone" {
		t.Errorf("the room is %+v", i)
	}
	if _, err := r.Say(t.Context(), Message{Text: "on it goes"}); err != nil {
		t.Error(err)
	}
}

// alone opens the Chat of somebody who is alone in the world.
func alone(dir string) (*Chat, func()) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	db, err := store.Open(context.Background(), dir)
	fail(err)
	var w peertest.World
	node := w.Node("anna", nil)
	c, err := Open(context.Background(), Config{Network: node, DB: db, Device: node.Key(), Identity: identityOf("anna")})
	fail(err)
	return c, func() {
		c.Close()
		node.Close() //nolint:errcheck // it returns nil
		fail(db.Check(context.Background()))
		fail(db.Close())
	}
}

func child(dir, _ string) {
	c, _ := alone(dir)
	ctx := context.Background()
	rooms := c.Rooms()
	if len(rooms) == 0 {
		r, err := c.Create(ctx, Draft{Name: "alone"})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		rooms = append(rooms, r)
	}
	for n := 0; ; n++ {
		text := fmt.Sprint(os.Getpid(), " says ", n)
		if _, err := rooms[0].Say(ctx, Message{Text: text}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(text)
	}
}
