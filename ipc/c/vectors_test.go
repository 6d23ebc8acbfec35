//go:build linux

package c

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// vectors are those of ipc/testdata/vectors.json, which the Go side keeps to.
type vectors struct {
	Order     string
	Greetings []struct {
		Mode, Ring int
		Hex        string
	}
	Rings []struct {
		Name       string
		Mode, Ring int
		Steps      []struct {
			Do        string
			Len, Seed int
			Text      bool
		}
		Control struct {
			Tail, Head uint64
			End, Gone  uint32
		}
		Data []struct {
			At  int
			Hex string
		}
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	text, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 && v.Order == "little" {
		t.Skip("the vectors are for machines of the other byte order")
	}
	if len(v.Greetings) == 0 || len(v.Rings) == 0 {
		t.Fatalf("%d greetings and %d rings: there must be some of each", len(v.Greetings), len(v.Rings))
	}
	return v
}

// The rings of the vectors, put in by a dialer and by a listener.
func TestVectorsOfRings(t *testing.T) {
	program := filepath.Join(t.TempDir(), "vectors")
	if err := cc("cc", append(warnings, "-O2", "testdata/vectors.c", "-o", program)...); err != nil {
		t.Fatal(err)
	}
	for _, v := range readVectors(t).Rings {
		for _, direction := range []string{"0", "1"} {
			t.Run(v.Name+" "+direction, func(t *testing.T) {
				args := []string{direction, strconv.Itoa(v.Mode), strconv.Itoa(v.Ring), strconv.Itoa(len(v.Data))}
				want := []string{fmt.Sprint(v.Control.Tail, v.Control.End, v.Control.Head, v.Control.Gone)}
				for _, d := range v.Data {
					args = append(args, fmt.Sprintf("%d:%d", d.At, len(d.Hex)/2))
					want = append(want, d.Hex)
				}
				for _, s := range v.Steps {
					switch s.Do {
					case "put":
						text := 0
						if s.Text {
							text = 1
						}
						args = append(args, fmt.Sprintf("put:%d:%d:%d", s.Len, s.Seed, text))
					case "take":
						args = append(args, fmt.Sprintf("take:%d", s.Len))
					default:
						args = append(args, s.Do)
					}
				}
				start(t, program, args...).ends(t, strings.Join(want, "\n"), 0)
			})
		}
	}
}

// The greetings of the vectors, as a listener says them and as a dialer reads them.
func TestVectorsOfGreetings(t *testing.T) {
	for _, v := range readVectors(t).Greetings {
		t.Run(v.Hex, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "s")
			l := startEnd(t, checkedEnd(t), howto{role: "listen", name: name, messages: v.Mode == 1, ring: v.Ring, action: "sink"})
			r := dialRaw(t, name)
			if got := hex.EncodeToString(r.greeting); got != v.Hex {
				t.Errorf("a listener says %s, want %s", got, v.Hex)
			}
			r.close()
			l.ends(t, "read: ECONNRESET", 3)

			name = filepath.Join(t.TempDir(), "s")
			ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			d := startEnd(t, checkedEnd(t), howto{role: "dial", name: name, action: "sink"})
			said, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			acceptRaw(t, ln).say(t, said, sealed(t, 4096+2*v.Ring)).end().close()
			d.ok(t, 0)
		})
	}
}
