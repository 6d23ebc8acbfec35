package file

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/tenon-net/tenon/opt"
)

// Mode is the permissions of a file, in octal. 0 means the default.
type Mode uint32

// UnmarshalText reads 0640 and 640 alike.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 12)
	if err != nil || n == 0 {
		return &opt.ValueError{Msg: "must be an octal number such as 0640"}
	}
	*m = Mode(n)
	return nil
}

// String returns the mode as UnmarshalText reads it; "" for 0.
func (m Mode) String() string {
	if m == 0 {
		return ""
	}
	return fmt.Sprintf("%#o", uint32(m))
}

// perm returns the mode for package os; def if it is 0.
func (m Mode) perm(def os.FileMode) os.FileMode {
	if m == 0 {
		return def
	}
	p := os.FileMode(m & 0o777)
	for bit, flag := range map[Mode]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky} {
		if m&bit != 0 {
			p |= flag
		}
	}
	return p
}

// Offset is a place in a file. The zero value is its beginning.
type Offset struct {
	N   int64 // bytes; not positive if End
	End bool  // counted from the end
}

// UnmarshalText reads a size, a size with a minus in front, or "end".
func (o *Offset) UnmarshalText(text []byte) error {
	s := string(text)
	size, back := strings.CutPrefix(s, "-")
	switch {
	case s == "end":
		*o = Offset{End: true}
		return nil
	case size == "":
		return &opt.ValueError{Msg: "must be a size, a size with a minus in front, or end"}
	}
	n, err := opt.ParseSize(size)
	if back {
		n = -n
	}
	*o = Offset{N: n, End: back}
	return err
}

// String returns the offset as UnmarshalText reads it; "" for the zero value.
func (o Offset) String() string {
	switch {
	case o == Offset{}:
		return ""
	case o.N == 0:
		return "end"
	case o.End:
		return "-" + opt.FormatSize(-o.N)
	}
	return opt.FormatSize(o.N)
}

func (o Offset) set() bool { return o != Offset{} }

// resolve returns the offset from the beginning of f.
func (o Offset) resolve(f *os.File) (int64, error) {
	if !o.End {
		return o.N, nil
	}
	size, err := f.Seek(0, io.SeekEnd)
	return max(0, size+o.N), err
}
