package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/tenon-net/tenon/internal/store"
)

func BenchmarkAudit(b *testing.B) {
	d, err := store.Open(b.Context(), b.TempDir())
	if err == nil {
		err = d.Migrate(b.Context(), "node", tables...)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	a := newAudit(d)
	go a.run()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		e := entry{event: "use", joint: fmt.Sprintf("boot-%d", n), peer: "tenonid1" + fmt.Sprint(n), name: "bob", service: "db", right: "grant to bob", path: "direct", addr: "/ip4/127.0.0.1/tcp/4001"}
		a.add(e)
		e.event, e.outcome, e.took = "end", "ended", time.Millisecond
		a.add(e)
	}
	a.flush(b.Context())
	a.close()
	<-a.ended
}
