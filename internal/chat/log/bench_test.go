package log

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/store"
)

// talkative makes events as people might say them: 2 to 20 words out of 20,000, some of them often.
func talkative(r *rand.Rand, from, n int) []Event {
	zipf := rand.NewZipf(r, 1.2, 20, 20_000)
	events := make([]Event, n)
	for i := range events {
		text := ""
		for range 2 + r.IntN(18) {
			text += fmt.Sprintf("w%x ", zipf.Uint64())
		}
		e := said(from+i, text)
		e.Author = id(fmt.Sprint("author ", r.IntN(50)))
		e.Bytes = append(e.Bytes, make([]byte, 250)...)
		events[i] = e
	}
	return events
}

// BenchmarkAdd adds in batches, with search and all.
func BenchmarkAdd(b *testing.B) {
	for _, batch := range []int{1, 100, 1000, 4000} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			r := room(b, open(b, b.TempDir()), "room")
			rnd := rand.New(rand.NewPCG(1, 1))
			at := 0
			events := 0
			b.ResetTimer()
			for range b.N {
				b.StopTimer()
				part := talkative(rnd, at, batch)
				at += batch
				b.StartTimer()
				add(b, r, part...)
				events += batch
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkMillion is a room of a million messages: it is made once, then opened, paged and searched.
func BenchmarkMillion(b *testing.B) {
	dir := b.TempDir()
	rnd := rand.New(rand.NewPCG(1, 1))
	var took time.Duration
	func() {
		l, done := openIn(b, dir)
		defer done()
		r := room(b, l, "room")
		for at := 0; at < 1_000_000; at += 4000 {
			part := talkative(rnd, at, 4000)
			begin := time.Now()
			add(b, r, part...)
			took += time.Since(begin)
		}
	}()
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			db, err := store.Open(b.Context(), dir)
			if err != nil {
				b.Fatal(err)
			}
			l, err := Open(b.Context(), db)
			if err != nil {
				b.Fatal(err)
			}
			r := room(b, l, "room")
			if page, err := r.Before(b.Context(), Last, 50); err != nil || len(page) != 50 {
				b.Fatal(len(page), err)
			}
			if _, _, err := r.Unread(b.Context()); err != nil {
				b.Fatal(err)
			}
			db.Close()
		}
		b.ReportMetric(1e6/took.Seconds(), "added/s")
		if fi, err := os.Stat(filepath.Join(dir, store.File)); err == nil {
			b.ReportMetric(float64(fi.Size()>>20), "MiB")
		}
	})
	l, done := openIn(b, dir)
	defer done()
	r := room(b, l, "room")
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			if page, err := r.Before(b.Context(), key(rnd.IntN(1_000_000)+50), 50); err != nil || len(page) != 50 {
				b.Fatal(len(page), err)
			}
		}
	})
	for _, q := range []Query{{Text: "w5"}, {Text: "w1000"}, {Text: "w5 w6 w7 w1f"}, {Text: "w1*"}, {Text: "w12*"}, {Text: `"w1 w2 w3"`}, {Text: "w100", Author: id("author 7")}, {Text: "nobody"}} {
		b.Run("search/"+q.Text, func(b *testing.B) {
			q.Limit = 50
			for b.Loop() {
				if _, _, err := r.Search(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("keys", func(b *testing.B) {
		for b.Loop() {
			if err := r.Keys(b.Context(), func([]Key) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for n := 0; b.Loop(); n += 100 {
			if err := r.SetRead(b.Context(), key(n%1_000_000)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// openIn opens the database in a directory.
func openIn(b *testing.B, dir string) (*Log, func()) {
	b.Helper()
	db, err := store.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	l, err := Open(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	return l, func() { db.Close() } //nolint:errcheck // a benchmark
}
