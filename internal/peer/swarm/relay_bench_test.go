package swarm

import (
	"io"
	"testing"

	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

// BenchmarkRelayed is one stream through a relay, all on one machine.
func BenchmarkRelayed(b *testing.B) {
	for name, relay := range map[string]func() []string{
		"ours": func() []string {
			_, _, at := ownRelay(b, func(peer.ID) peer.Admission { return peer.Known }, RelayConfig{}, "/ip4/127.0.0.1/tcp/0")
			return at
		},
		"libp2p": func() []string {
			_, at := newRelay(b, "/ip4/127.0.0.1/tcp/0")
			return at
		},
	} {
		b.Run(name, func(b *testing.B) {
			both := behind(b, relay(), 2)
			done := make(chan bool)
			both[1].Serve("/sink", func(s transport.Stream) {
				io.Copy(io.Discard, s) //nolint:errcheck // what is lost shows
				close(done)
			})
			s, err := both[0].Open(b.Context(), both[1].Self(), "/sink")
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 64<<10)
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				if _, err := s.Write(buf); err != nil {
					b.Fatal(err)
				}
			}
			s.CloseWrite() //nolint:errcheck // what is lost shows
			<-done
		})
	}
}
