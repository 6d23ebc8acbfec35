package node

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/node/api"
	"github.com/tenon-net/tenon/internal/peer"
)

func TestWire(t *testing.T) {
	for _, q := range []request{{askOpen, "db", "", false}, {askList, "", "", false}, {askRedeem, "", "tenon1" + strings.Repeat("q", 4000), false}, {askOpen, strings.Repeat("s", 63), "t", false}, {askOpen, "db", "", true}} {
		if got, err := readRequest(bytes.NewReader(q.marshal())); err != nil || got != q {
			t.Errorf("%+v became %+v, %v", q, got, err)
		}
	}
	for _, a := range []answer{{carries: api.Messages}, {carries: api.Bytes, framed: true}, {list: []api.RemoteService{{Name: "a", Carries: api.Bytes}, {Name: "b", Carries: api.Terminal}}}} {
		sort := byte(askOpen)
		if a.list != nil {
			sort = askList
		}
		if got, err := readAnswer(bytes.NewReader(a.marshal()), sort); err != nil || !reflect.DeepEqual(got, a) {
			t.Errorf("%+v became %+v, %v", a, got, err)
		}
	}
	// What the peer is not to know does not go over the wire.
	for _, r := range []peer.Refusal{peer.Blocked, peer.Oneself} {
		if _, err := readAnswer(bytes.NewReader(answer{status: answerRefused, refusal: r}.marshal()), askOpen); err != peer.NotGranted {
			t.Errorf("%v is told as %v", r, err)
		}
	}
	// As many services as there can be fit, or are cut off between two.
	var many []api.RemoteService
	for range maxServices {
		many = append(many, api.RemoteService{Name: strings.Repeat("n", 63), Carries: api.Bytes})
	}
	got, err := readAnswer(bytes.NewReader(answer{list: many}.marshal()), askList)
	if err != nil || len(got.list) != len(many) {
		t.Errorf("%d services of %d, %v", len(got.list), len(many), err)
	}
}

// What is read without an error is written in the same way.
func FuzzRequest(f *testing.F) {
	f.Add(request{askOpen, "db", "tenon1", false}.marshal())
	f.Add([]byte{0, 4, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := readRequest(bytes.NewReader(b)); err == nil && !bytes.HasPrefix(b, q.marshal()) {
			t.Errorf("%v became %+v", b, q)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(answer{carries: api.Bytes}.marshal(), byte(askOpen))
	f.Add(answer{carries: api.Bytes, framed: true}.marshal(), byte(askOpen))
	f.Add(answer{list: []api.RemoteService{{Name: "a", Carries: api.Bytes}}}.marshal(), byte(askList))
	f.Fuzz(func(t *testing.T, b []byte, sort byte) {
		a, err := readAnswer(bytes.NewReader(b), sort)
		for _, s := range a.list {
			if _, bad := peer.ParseService(s.Name); err == nil && bad != nil {
				t.Errorf("a service is called %q", s.Name)
			}
		}
	})
}

// A configuration that is read once is read again in the same way, whatever it is.
func FuzzConfig(f *testing.F) {
	f.Add([]byte("relays = [\"/ip4/192.0.2.1/tcp/1\"]\n[services.db]\naddress = \"tcp:localhost:5432\"\nto = [\"bob\"]\n"))
	f.Add([]byte("[links.a]\nfrom = \"tcp-listen:1\"\nto = \"peer:alice/db\"\n"))
	n := testNode()
	f.Fuzz(func(t *testing.T, b []byte) {
		n.parseSettings("f", b) //nolint:errcheck // it must not panic
		linesOf(b)
	})
}

// testdata/service.txt has what goes over the wire, a line each: the name of what it is,
// and the bytes. The code writes it so, and reads it.
func TestServiceVectors(t *testing.T) {
	ticket := "tenon1example"
	writes := map[string][]byte{
		"open":              request{askOpen, "db", "", false}.marshal(),
		"open-by-ticket":    request{askOpen, "", ticket, false}.marshal(),
		"open-told":         request{askOpen, "db", "", true}.marshal(),
		"list":              request{askList, "", "", false}.marshal(),
		"redeem":            request{askRedeem, "db", ticket, false}.marshal(),
		"yes-bytes":         answer{carries: api.Bytes}.marshal(),
		"yes-framed":        answer{carries: api.Bytes, framed: true}.marshal(),
		"yes-messages":      answer{carries: api.Messages}.marshal(),
		"yes-terminal":      answer{carries: api.Terminal}.marshal(),
		"services":          answer{list: []api.RemoteService{{Name: "db", Carries: api.Bytes}, {Name: "dns", Carries: api.Messages}}}.marshal(),
		"no-services":       answer{list: []api.RemoteService{}}.marshal(),
		"no-right":          answer{status: answerRefused, refusal: peer.NotGranted}.marshal(),
		"no-blocked":        answer{status: answerRefused, refusal: peer.Blocked}.marshal(),
		"no-ticket-used-up": answer{status: answerRefused, refusal: peer.TicketUsedUp}.marshal(),
		"not-now":           answer{status: answerUnavailable}.marshal(),
		"too-much":          answer{status: answerBusy}.marshal(),
		"what":              answer{status: answerBad}.marshal(),
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(writes)) {
		fmt.Fprintf(&b, "%s %x\n", name, writes[name])
	}
	const file = "testdata/service.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || string(have) != b.String() {
		t.Fatalf("%s is\n%s, %v\nand is written\n%s", file, have, err, b.String())
	}
	for line := range strings.Lines(string(have)) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		wire, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		switch name {
		case "open", "open-by-ticket", "list", "redeem":
			if q, err := readRequest(bytes.NewReader(wire)); err != nil || !bytes.Equal(q.marshal(), wire) {
				t.Errorf("%s is read as %+v, %v", name, q, err)
			}
		case "services", "no-services":
			if a, err := readAnswer(bytes.NewReader(wire), askList); err != nil || !bytes.Equal(a.marshal(), wire) && len(a.list) > 0 || (name == "services") != (len(a.list) == 2) {
				t.Errorf("%s is read as %+v, %v", name, a, err)
			}
		default:
			a, err := readAnswer(bytes.NewReader(wire), askOpen)
			if strings.HasPrefix(name, "yes") != (err == nil) {
				t.Errorf("%s is read as %+v, %v", name, a, err)
			}
		}
	}
}
