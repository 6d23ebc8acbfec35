//go:build linux

package ipc

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew; read the difference")

// A vectorFile is testdata/vectors.json; docs/protocol/shm.md, "Vectors", says
// what is in it. The C header is tested with the same file.
type vectorFile struct {
	Order     string           `json:"order"`
	Greetings []greetingVector `json:"greetings"`
	Rings     []ringVector     `json:"rings"`
}

type greetingVector struct {
	Mode int    `json:"mode"`
	Ring uint64 `json:"ring"`
	Hex  string `json:"hex"`
}

type ringVector struct {
	Name    string        `json:"name"`
	Mode    int           `json:"mode"`
	Ring    uint64        `json:"ring"`
	Steps   []step        `json:"steps"`
	Control controlVector `json:"control"`
	Data    []piece       `json:"data"`
}

// A step is something that the producer (put, end, abort) or the consumer (take,
// gone) does. In mode 1 a put is one message and a take takes one.
type step struct {
	Do   string `json:"do"`
	Len  int    `json:"len"`
	Seed int    `json:"seed"`
	Text bool   `json:"text"`
}

type controlVector struct {
	Tail uint64 `json:"tail"`
	End  uint32 `json:"end"`
	Head uint64 `json:"head"`
	Gone uint32 `json:"gone"`
}

// A piece is some bytes of the ring after the steps.
type piece struct {
	At  int    `json:"at"`
	Hex string `json:"hex"`
}

// content returns the bytes of a put.
func (s step) content() []byte {
	p := make([]byte, s.Len)
	for i := range p {
		p[i] = byte(s.Seed + i)
	}
	return p
}

// newRing returns both halves of a ring in memory of this process.
func newRing(size int) (*producer, *consumer) {
	ctl, data := new(control), make([]byte, size)
	return &producer{ctl: ctl, data: data}, &consumer{ctl: ctl, data: data}
}

// run does the steps.
func (v ringVector) run(t *testing.T, p *producer, c *consumer) {
	expected := []step{} // puts that were not taken yet, in messages
	stream := []byte{}
	for i, s := range v.Steps {
		switch s.Do {
		case "put":
			if err := p.look(); err != nil {
				t.Fatalf("step %d: %v", i, err)
			}
			if mode(v.Mode) == bytesMode {
				if n := p.put(s.content()); n != s.Len {
					t.Fatalf("step %d: %d bytes fit", i, n)
				}
				stream = append(stream, s.content()...)
			} else {
				if p.free() < p.needs(s.Len) {
					t.Fatalf("step %d does not fit", i)
				}
				copy(p.body(s.Len), s.content())
				p.seal(s.Len, s.Text)
				expected = append(expected, s)
			}
			p.publish()
		case "end":
			p.ctl.end.publish(ended)
		case "abort":
			p.ctl.end.publish(aborted)
		case "gone":
			c.ctl.gone.publish(ended)
		case "take":
			if err := c.look(mode(v.Mode)); err != nil && err != io.EOF {
				t.Fatalf("step %d: %v", i, err)
			}
			if mode(v.Mode) == bytesMode {
				b := make([]byte, s.Len)
				if n := c.take(b); n != s.Len || string(b) != string(stream[:n]) {
					t.Fatalf("step %d: %d bytes, or others than were put in", i, n)
				}
				stream = stream[s.Len:]
			} else {
				r, ok, err := c.next()
				if !ok || err != nil || string(r.body) != string(expected[0].content()) || r.text != expected[0].Text {
					t.Fatalf("step %d: %v %v, %d bytes, or others than were put in", i, ok, err, len(r.body))
				}
				c.drop(len(r.body))
				expected = expected[1:]
			}
			c.publish()
		default:
			t.Fatalf("step %d: nothing is called %q", i, s.Do)
		}
	}
}

func TestVectors(t *testing.T) {
	const name = "testdata/vectors.json"
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	if one := [2]byte{1, 0}; binary.NativeEndian.Uint16(one[:]) != 1 {
		t.Skip("the vectors are for processors that have the lowest byte first; this one has not")
	}
	for i := range f.Greetings {
		v := &f.Greetings[i]
		b := greeting{mode(v.Mode), v.Ring}.encode()
		got := hex.EncodeToString(b[:])
		if *update {
			v.Hex = got
		}
		if got != v.Hex {
			t.Errorf("greeting of mode %d, ring %d:\n got %s\nwant %s", v.Mode, v.Ring, got, v.Hex)
		}
		if g, err := decodeGreeting(b); err != nil || g != (greeting{mode(v.Mode), v.Ring}) {
			t.Errorf("the greeting is read as %+v, %v", g, err)
		}
	}
	for i := range f.Rings {
		v := &f.Rings[i]
		t.Run(v.Name, func(t *testing.T) {
			p, c := newRing(int(v.Ring))
			v.run(t, p, c)
			got := controlVector{p.ctl.tail.load(), p.ctl.end.load(), c.ctl.head.load(), c.ctl.gone.load()}
			if *update {
				v.Control = got
			}
			if got != v.Control {
				t.Errorf("control is %+v, want %+v", got, v.Control)
			}
			for i := range v.Data {
				d := &v.Data[i]
				got := hex.EncodeToString(p.data[d.At : d.At+len(d.Hex)/2])
				if *update {
					d.Hex = got
				}
				if got != d.Hex {
					t.Errorf("at %d:\n got %s\nwant %s", d.At, got, d.Hex)
				}
			}
		})
	}
	if *update {
		out, err := json.MarshalIndent(f, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(out, '\n'), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestControlLayout compares the struct with the table of the document.
func TestControlLayout(t *testing.T) {
	ty := reflect.TypeFor[control]()
	for name, want := range map[string]uintptr{"tail": 0, "end": 8, "head": 128, "gone": 136, "consumerWaits": 256, "producerWaits": 384} {
		if f, ok := ty.FieldByName(name); !ok || f.Offset != want {
			t.Errorf("%s is at %d, want %d", name, f.Offset, want)
		}
	}
	if ty.Size() != controlSize {
		t.Errorf("a control has %d bytes", ty.Size())
	}
}
