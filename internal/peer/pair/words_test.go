package pair

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheListIsWhatItSays(t *testing.T) {
	all := list()
	if len(all) != 1<<wordBits || !slices.IsSorted(all) {
		t.Fatalf("%d words, in order: %v", len(all), slices.IsSorted(all))
	}
	plain := regexp.MustCompile(`^[a-z]{4,8}$`)
	begin, cut := map[string]string{}, map[string][]string{}
	for _, w := range all {
		if !plain.MatchString(w) {
			t.Errorf("%q", w)
		}
		if other, ok := begin[w[:4]]; ok {
			t.Errorf("%s and %s begin alike", w, other)
		}
		begin[w[:4]] = w
		// Words that are one slip apart become the same when each loses one letter, or none.
		for at := range len(w) + 1 {
			short := w
			if at < len(w) {
				short = w[:at] + w[at+1:]
			}
			for _, v := range cut[short] {
				if v != w && slips(v, w, 1) <= 1 {
					t.Errorf("%s becomes %s by one slip", v, w)
				}
			}
			cut[short] = append(cut[short], w)
		}
	}
}

func TestSlips(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"same", "same", 0}, {"same", "sane", 1}, {"same", "sam", 1}, {"same", "names", 2}, {"same", "smae", 1},
		{"abcd", "badc", 2}, {"ca", "abc", 3}, {"kitten", "sitting", 3}, {"a", "abcdefgh", 4},
	} {
		if got := slips(c.a, c.b, 3); got != c.want {
			t.Errorf("%s, %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Whatever single slip is made in a word, it is taken for that word or for none.
func TestOneSlipIsNeverAnotherWord(t *testing.T) {
	for i := 0; i < 1<<wordBits; i += 61 {
		w := list()[i]
		for at := range w {
			for _, typed := range []string{w[:at] + w[at+1:], w[:at] + "x" + w[at+1:], w[:at] + "e" + w[at:]} {
				if got, exact := lookUp(typed); got != i && exact && !strings.HasPrefix(list()[got], typed) {
					t.Errorf("%s typed for %s is %s", typed, w, list()[got])
				}
			}
		}
	}
}

func TestParseCode(t *testing.T) {
	code := Code{7, [3]uint16{0, 1000, 2047}}
	a, b, c := list()[0], list()[1000], list()[2047]
	for _, text := range []string{
		code.String(), strings.ToUpper(code.String()), " 7 " + a + "  " + b + " " + c + "\n", "7," + a + "." + b + "_" + c,
		"7-" + a[:4] + "-" + b[:4] + "-" + c[:4],
	} {
		if got, corrections, err := ParseCode(text); err != nil || got != code || corrections != nil {
			t.Errorf("%q: %v, %v, %v", text, got, corrections, err)
		}
	}
	slip := b[:2] + "x" + b[3:]
	got, corrections, err := ParseCode("7-" + a + "-" + slip + "-" + c)
	if err != nil || got != code || !slices.Equal(corrections, []Correction{{slip, b}}) {
		t.Errorf("%q: %v, %v, %v", slip, got, corrections, err)
	}
	for _, text := range []string{
		"", "7", "7-a-b", a + "-" + b + "-" + c, "0-" + a + "-" + b + "-" + c, "07-" + a + "-" + b + "-" + c,
		"1000000-" + a + "-" + b + "-" + c, "7-" + a + "-" + b + "-" + c + "-" + c, "7-" + a + "-" + b + "-qqqq", "7-\xff-b-c", strings.Repeat("7-", 1000),
		"7-" + a + "-" + b + "-" + strings.Repeat("é", 10),
	} {
		if got, _, err := ParseCode(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	if _, _, err := ParseCode("7-" + a + "-" + b + "-zebrazebra"); err == nil || !strings.Contains(err.Error(), "no word") {
		t.Errorf("%v", err)
	}
}

func TestNewCodesDiffer(t *testing.T) {
	seen := map[Code]bool{}
	for range 1000 {
		c := NewCode(7)
		if back, _, err := ParseCode(c.String()); err != nil || back != c || seen[c] {
			t.Fatalf("%v: %v, %v, seen before: %v", c, back, err, seen[c])
		}
		seen[c] = true
	}
}

func TestComplete(t *testing.T) {
	for _, typed := range []string{"a", "ab", "zzz", "", "GUI"} {
		for _, w := range Complete(typed) {
			if !strings.HasPrefix(w, strings.ToLower(typed)) {
				t.Errorf("%q: %s", typed, w)
			}
		}
	}
	if n := len(Complete("")); n != 1<<wordBits {
		t.Errorf("%d words begin with nothing", n)
	}
	if got := Complete(list()[5]); !slices.Equal(got, list()[5:6]) {
		t.Errorf("%v", got)
	}
}

func FuzzParseCode(f *testing.F) {
	f.Add("7-abacus-zoom-zoom")
	f.Fuzz(func(t *testing.T, text string) {
		code, _, err := ParseCode(text)
		if err != nil {
			return
		}
		if again, corrections, err := ParseCode(code.String()); err != nil || again != code || corrections != nil {
			t.Fatalf("%q is %v is %v, %v, %v", text, code, again, corrections, err)
		}
	})
}
