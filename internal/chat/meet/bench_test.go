package meet

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/chat/log"
	"github.com/tenon-net/tenon/internal/chat/rbsr"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/internal/peer/peertest"
	"github.com/tenon-net/tenon/internal/store"
)

// kept is a Set in a database, as that of a node is.
type kept struct {
	index rbsr.Set
	room  *log.Room
}

func keep(b *testing.B) *kept {
	db, err := store.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	l, err := log.Open(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	r, err := l.Room(b.Context(), [32]byte{1})
	if err != nil {
		b.Fatal(err)
	}
	return &kept{room: r}
}

func (k *kept) Index() *rbsr.Set { return &k.index }

func (k *kept) Lacks(ctx context.Context, ids [][32]byte) ([][32]byte, error) {
	return k.room.Lacks(ctx, ids...)
}

func (k *kept) Get(ctx context.Context, ids [][32]byte) (blobs []Blob, err error) {
	events, err := k.room.Sent(ctx, ids...)
	for _, e := range events {
		blobs = append(blobs, Blob{Key: rbsr.Key(e.Key), Bytes: e.Bytes})
	}
	return blobs, err
}

func (k *kept) Take(ctx context.Context, blobs []Blob) error {
	events := make([]log.Event, len(blobs))
	for i, b := range blobs {
		events[i] = log.Event{Key: log.Key(b.Key), Device: b.Author, Author: b.Author, Kind: 1, Parents: b.Parents, Bytes: b.Bytes,
			Payload: []byte{}, Text: string(b.Bytes[len(b.Bytes)-60:]), Counts: true}
	}
	if _, err := k.room.Add(ctx, events...); err != nil {
		return err
	}
	for _, b := range blobs {
		k.index.Add(b.Key)
	}
	return nil
}

func (k *kept) Marks(context.Context, int64, int) ([][]byte, int64, error) { return nil, 0, nil }
func (k *kept) TakeMarks(context.Context, peer.ID, [][]byte) error         { return nil }

// BenchmarkCatchUp is one who comes back to 100,000 messages of 400 bytes with 60 that are searched, kept in a
// database on both sides, on the same machine: with and without a signature verified for each.
func BenchmarkCatchUp(b *testing.B) {
	const n = 100_000
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	signature := ed25519.Sign(private, digest[:])
	for name, check := range map[string]func([]byte) (Blob, error){
		"plain": parse,
		"signed": func(p []byte) (Blob, error) {
			if !ed25519.Verify(public, digest[:], signature) {
				return Blob{}, errEvent
			}
			return parse(p)
		},
	} {
		b.Run(name, func(b *testing.B) {
			var took time.Duration
			for range b.N {
				var events []Blob
				for i := range n {
					var parents [][32]byte
					if i > 0 {
						parents = [][32]byte{events[i-1].ID}
					}
					text := fmt.Sprintf("%0260d message number %d has some words of which one is %x", i, i, i*7919)
					events = append(events, event(1<<40+uint64(i)<<16, fmt.Sprint(i%50), text, parents...))
				}
				has, wants := keep(b), keep(b)
				for i := 0; i < n; i += 5000 {
					if err := has.Take(b.Context(), events[i:i+5000]); err != nil {
						b.Fatal(err)
					}
				}
				w := &peertest.World{}
				x, y := w.Node("x", nil), w.Node("y", nil)
				members := func() []peer.ID { return []peer.ID{x.Self(), y.Self()} }
				mx, my := New(x), New(y)
				mx.Open(Config{Secret: secret, Set: has, Parse: each(check), Members: members})
				begin := time.Now()
				my.Open(Config{Secret: secret, Set: wants, Parse: each(check), Members: members})
				for wants.index.Len() < n {
					time.Sleep(5 * time.Millisecond)
				}
				took += time.Since(begin)
				mx.Close()
				my.Close()
			}
			b.ReportMetric(float64(n*b.N)/took.Seconds(), "events/s")
		})
	}
}
