package event

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// Mailboxes are read as they were written, and what nobody writes is refused.
func TestMailboxes(t *testing.T) {
	all := []Mailbox{{Peer: [32]byte{1}, Addresses: []string{"/ip4/192.0.2.1/tcp/4001", "/dns4/box.example/tcp/443/ws"}}, {Peer: [32]byte{2}}}
	b, err := FormatMailboxes(all)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseMailboxes(b)
	if err != nil || len(got) != 2 || got[0].Peer != all[0].Peer || strings.Join(got[0].Addresses, " ") != strings.Join(all[0].Addresses, " ") || len(got[1].Addresses) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	for n := range b {
		if n == 0 || n == len(b)-33 {
			continue // that is a shorter list
		}
		if got, err := ParseMailboxes(b[:n]); err == nil {
			t.Errorf("%d bytes of %d are read as %v", n, len(b), got)
		}
	}
	for what, bad := range map[string][]Mailbox{
		"too many":               make([]Mailbox, MaxMailboxes+1),
		"too many addresses":     {{Addresses: make([]string, MaxMailboxAddresses+1)}},
		"an address of no bytes": {{Addresses: []string{""}}},
		"a long address":         {{Addresses: []string{strings.Repeat("a", 256)}}},
	} {
		if _, err := FormatMailboxes(bad); err == nil {
			t.Errorf("%s is written", what)
		}
	}
	if _, err := ParseMailboxes(append(b, b...)); err == nil {
		t.Error("one that is there twice is read")
	}
}

// The key of a box follows from the secret alone; docs/protocol/rooms-mailbox.md names this one.
func TestMailboxKey(t *testing.T) {
	const want = "8b69e09f7b22702a5153c43d071866079dd4a4b9634e0173fe9dea6d02711d62"
	if got := hex.EncodeToString(secretOf(8).MailboxKey().ID().Bytes()); got != want {
		t.Errorf("the key of the box of secret 8 is %s, not %s", got, want)
	}
}

func FuzzMailboxes(f *testing.F) {
	b, err := FormatMailboxes([]Mailbox{{Peer: [32]byte{1}, Addresses: []string{"/ip4/192.0.2.1/tcp/4001"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, p []byte) {
		all, err := ParseMailboxes(p)
		if err != nil {
			return
		}
		if again, err := FormatMailboxes(all); len(p) <= MaxValue && (err != nil || !bytes.Equal(again, p)) {
			t.Errorf("%v is written as %x, %v", all, again, err)
		}
	})
}
