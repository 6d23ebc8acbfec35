package room

import (
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/internal/chat/event"
)

var update = flag.Bool("update", false, "write testdata/rooms.txt anew, from all tests")

const (
	vectorsFile = "testdata/rooms.txt"
	vectorsHead = `# Rooms: docs/protocol/chat.md, from "Which events may be in a room" to "Which secret". What is sealed is so with random nonces.
#
#	event N: kind
#	  its bytes
#	room NAME: the numbers of its events, in one of the orders in which they can be added
#	  void: the numbers of those that do not count
#	  members: identity and role, the most senior first
#	  send: the number of the epoch to send with, or none; how many devices lack its secret
`
)

// written are the rooms that become vectors: by the name of the test that has made them, as they
// are at its end.
var written = map[string]*replica{
	"TestConversation": nil, "TestFork": nil, "TestLastRoleCounts": nil, "TestSeniority": nil, "TestMutualRemoval": nil, "TestRemovedOwnerOnOldBranch": nil,
	"TestDemotedOwnerOnOldBranch": nil, "TestPurge": nil, "TestLeave": nil, "TestRemovalAndEpoch": nil, "TestShareOfEpoch": nil, "TestConcurrentEpochs": nil,
	"TestInvite": nil, "TestInviteRace": nil, "TestLeakedInvite/revoked": nil, "TestLeakedInvite/revoked_by_a_junior": nil, "TestLeakedInvite/its_author_is_removed": nil, "TestLeakedInvite/who_was_removed": nil,
	"TestStolenDevice": nil, "TestOwnerRemovesDevice": nil,
}

func TestMain(m *testing.M) {
	m.Run()
	if *update {
		writeVectors()
	}
}

func writeVectors() {
	var events, rooms strings.Builder
	number := map[event.ID]int{}
	for _, name := range slices.Sorted(maps.Keys(written)) {
		r := written[name]
		var ids []string
		for _, e := range r.sorted() {
			if number[e.ID] == 0 {
				number[e.ID] = len(number) + 1
				fmt.Fprintf(&events, "\nevent %d: %v\n  %x\n", number[e.ID], e.Kind, e.Bytes())
			}
			ids = append(ids, strconv.Itoa(number[e.ID]))
		}
		fmt.Fprintf(&rooms, "\nroom %s: %s\n%s", strings.TrimPrefix(name, "Test"), strings.Join(ids, " "), r.verdict(number))
	}
	if err := os.WriteFile(vectorsFile, []byte(vectorsHead+events.String()+rooms.String()), 0o644); err != nil {
		panic(err)
	}
}

// verdict is what the file says of a room.
func (r *replica) verdict(number map[event.ID]int) string {
	var b strings.Builder
	b.WriteString("  void:")
	for _, e := range r.sorted() {
		if !r.counts(e) {
			fmt.Fprintf(&b, " %d", number[e.ID])
		}
	}
	b.WriteString("\n  members:")
	for _, m := range r.room.Members() {
		fmt.Fprintf(&b, " %x %v", m.Identity, m.Role)
	}
	if s, ok := r.room.Sending(nil); ok {
		fmt.Fprintf(&b, "\n  send: %d %d\n", number[s.Epoch], len(s.Missing))
	} else {
		b.WriteString("\n  send: none\n")
	}
	return b.String()
}

// What the file says is what this implementation finds, in any order.
func TestReadVectors(t *testing.T) {
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	events, number, rooms := map[string]*event.Event{}, map[event.ID]int{}, 0
	for part := range strings.SplitSeq(string(file), "\n\n") {
		part = strings.TrimSpace(part)
		head, rest, _ := strings.Cut(part, "\n")
		if n, ok := strings.CutPrefix(head, "event "); ok {
			n, _, _ = strings.Cut(n, ":")
			e := must(event.Parse(must(hex.DecodeString(strings.TrimSpace(rest)))))
			events[n], number[e.ID] = e, must(strconv.Atoi(n))
		} else if name, ok := strings.CutPrefix(head, "room "); ok {
			rooms++
			name, ids, _ := strings.Cut(name, ": ")
			for seed := range uint64(3) {
				if got := read(t, strings.Fields(ids), events, seed).verdict(number); strings.TrimSpace(got) != strings.TrimSpace(rest) {
					t.Errorf("%s is\n%s\nwant\n%s", name, got, rest)
				}
			}
		}
	}
	if rooms != len(written) {
		t.Errorf("the file has %d rooms, there should be %d; -update writes them", rooms, len(written))
	}
}

// read returns a replica that has the events, which came in the order of the file, or in others.
func read(t *testing.T, ids []string, events map[string]*event.Event, seed uint64) *replica {
	t.Helper()
	r := &replica{w: &world{room: events[ids[0]].Room}, events: map[event.ID]*event.Event{}}
	for _, n := range ids {
		if err := r.take(events[n]); err != nil {
			t.Fatalf("event %s: %v", n, err)
		}
	}
	if seed > 0 {
		return r.shuffled(newRand(seed))
	}
	return r
}
