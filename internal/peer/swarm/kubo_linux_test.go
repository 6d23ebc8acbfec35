package swarm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/natlab"
	"github.com/tenon-net/tenon/internal/peer"
	"github.com/tenon-net/tenon/transport"
)

func publicNet(bootstrap ...string) (*Network, error) {
	return New(context.Background(), Config{Key: peer.NewKey(), Admit: everybody, Listen: listenAt(0), Discovery: PublicDiscovery, Bootstrap: bootstrap})
}

// labPublished is a peer that echoes, and has told the table of IPFS where it is. It prints its ID.
func labPublished(bootstrap []string) error {
	n, err := publicNet(bootstrap...)
	if err != nil {
		return err
	}
	n.Serve("echo", func(s transport.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.CloseWrite()
	})
	if err := n.publish(); err != nil {
		return err
	}
	fmt.Println(n.Self())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, n.Close())
}

// labSearch is a peer that knows of another its ID alone, and has it echo. It prints what comes of it.
func labSearch(args []string) error {
	to, err := peer.ParseID(args[0])
	if err != nil {
		return err
	}
	n, err := publicNet(args[1:]...)
	if err != nil {
		return err
	}
	fmt.Println(echoed(n, to))
	return n.Close()
}

// In the table that nodes of IPFS keep, two of Tenon find each other by their IDs alone. That table takes the addresses of
// the Internet and no others, so this is one.
func TestKuboKeepsTheTable(t *testing.T) {
	lab := natlab.New(t)
	p := &labPlace{Lab: lab, t: t}
	var kubos []*kubo
	var at []string
	for _, name := range []string{"k1", "k2"} {
		h := lab.Host(name, lab.RouterWith(natlab.RouterOptions{Kind: natlab.Public, Families: natlab.V4}))
		k := startKubo(t, h.Start, "Routing.Type", `"dhtserver"`, "Addresses.Swarm", `["/ip4/0.0.0.0/tcp/4001"]`)
		kubos = append(kubos, k)
		at = append(at, fmt.Sprintf("/ip4/%s/tcp/4001/p2p/%s", h.Addrs()[0], k.must("id", "-f", "<id>")))
	}
	kubos[0].must("swarm", "connect", at[1])
	host := func(name string) *natlab.Host {
		return lab.Host(name, lab.RouterWith(natlab.RouterOptions{Kind: natlab.Public, Families: natlab.V4}))
	}
	id, _ := p.spawn(host("b"), "published", at[0])
	if said, _ := p.spawn(host("a"), "search", id, at[0]); strings.TrimSpace(said) != "<nil>" {
		t.Errorf("it was not found: %s", said)
	}
}
