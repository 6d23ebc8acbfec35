package mailbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store"
)

// A place is a node with a mailbox, in virtual time.
type place struct {
	*testing.T
	peertest.World
	*Server
	dir   string
	node  *peertest.Node
	db    *store.DB
	nodes map[string]*peertest.Node
}

func at(t *testing.T, config Config, f func(p *place)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &place{T: t, dir: t.TempDir(), nodes: map[string]*peertest.Node{}}
		p.open(config)
		defer func() {
			p.close()
			for _, n := range p.nodes {
				n.Close() //nolint:errcheck // it returns nil
			}
		}()
		f(p)
	})
}

func (p *place) open(config Config) {
	p.Helper()
	p.node = p.Node("mailbox", nil)
	var err error
	if p.db, err = store.Open(context.Background(), p.dir); err != nil {
		p.Fatal(err)
	}
	config.DB, config.Self = p.db, p.node.Self()
	if p.Server, err = Open(context.Background(), config); err != nil {
		p.Fatal(err)
	}
	p.node.Serve(Proto, p.Handle)
}

// close ends the mailbox, and looks whether it counts right and all is in order.
func (p *place) close() {
	p.Helper()
	p.Server.Close()
	p.node.Close() //nolint:errcheck // it returns nil
	if len(p.boxes) > 0 || p.streams > 0 || len(p.callers) > 0 || p.memory.Used() != 0 {
		p.Errorf("at the end %d boxes are in use, %d streams, %d bytes", len(p.boxes), p.streams, p.memory.Used())
	}
	var all usage
	owners := map[owner]usage{}
	if err := p.keep.used(context.Background(), func(who owner, u usage) {
		owners[who] = u
		all.add(u.bytes, u.blobs)
	}); err != nil {
		p.Fatal(err)
	}
	if all != p.all || fmt.Sprint(owners) != fmt.Sprint(p.owners) {
		p.Errorf("there is %v %v, and counted is %v %v", all, owners, p.all, p.owners)
	}
	if err := p.db.Check(context.Background()); err != nil {
		p.Error(err)
	}
	p.db.Close() //nolint:errcheck // it was checked
}

// dial opens a session of somebody.
func (p *place) dial(who string) *Session {
	p.Helper()
	n := p.nodes[who]
	if n == nil {
		n = p.Node(who, nil)
		p.nodes[who] = n
	}
	s, err := Dial(p.Context(), n, p.node.Self())
	if err != nil {
		p.Fatal(err)
	}
	return s
}

// in opens a session of somebody, and a box.
func (p *place) in(who, box string) *Session {
	p.Helper()
	s := p.dial(who)
	if err := open(s, box); err != nil {
		p.Fatal(err)
	}
	return s
}

func open(s *Session, box string) error {
	_, err := s.Open(keyOf(box))
	return err
}

func keyOf(name string) *peer.Key { return peer.KeyFromSeed(sha256.Sum256([]byte(name))) }

// blob makes one of a size.
func blob(name string, size int) []byte {
	return bytes.Repeat([]byte(name+" "), size)[:size]
}

func blobs(name string, n, size int) (all [][]byte) {
	for i := range n {
		all = append(all, blob(fmt.Sprint(name, i), size))
	}
	return all
}

// holding is a set of blobs.
func holding(blobs ...[]byte) (set *rbsr.Set) {
	set = new(rbsr.Set)
	for _, b := range blobs {
		set.Add(KeyOf(IDOf(b)))
	}
	return set
}

// put has blobs kept, and fails if they are not.
func (p *place) put(s *Session, blobs ...[]byte) {
	p.Helper()
	if err := s.Put(blobs); err != nil {
		p.Fatal(err)
	}
}

// has returns how many of the blobs are in the box, and fails if they are not what was put there.
func (p *place) has(s *Session, blobs ...[]byte) int {
	p.Helper()
	need, _, err := s.Compare(new(rbsr.Set))
	if err != nil {
		p.Fatal(err)
	}
	want := map[ID][]byte{}
	for _, b := range blobs {
		want[IDOf(b)] = b
	}
	n := 0
	if err := s.Get(need, func(id ID, got []byte) {
		if bytes.Equal(got, want[id]) {
			n++
		}
	}); err != nil {
		p.Fatal(err)
	}
	return n
}

func (p *place) want(what string, got, want error) {
	p.Helper()
	if !errors.Is(got, want) {
		p.Errorf("%s: %v, not %v", what, got, want)
	}
}
