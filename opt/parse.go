package opt

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrUnknown is the error for the name of an option that nobody bound.
var ErrUnknown = errors.New("unknown option")

// A ValueError says what is wrong with the value of an option.
type ValueError struct{ Msg string }

func (e *ValueError) Error() string { return e.Msg }

func parseBool(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "yes", "on", "true", "1":
		return true, nil
	case "no", "off", "false", "0":
		return false, nil
	}
	return false, &ValueError{Msg: "must be yes or no"}
}

// ParseDuration reads a duration: what [time.ParseDuration] reads, which may begin with
// whole or broken weeks and days, such as 2w, 1.5d or 1d12h; or a number of seconds. A day has 24 hours.
// "never" and "off" are 0. Negative ones are refused.
func ParseDuration(v string) (time.Duration, error) {
	if v == "never" || v == "off" {
		return 0, nil
	}
	if f, err := strconv.ParseFloat(v, 64); err == nil {
		return seconds(f)
	}
	var whole time.Duration
	rest := v
	for _, unit := range []struct {
		letter string
		hours  float64
	}{{"w", 7 * 24}, {"d", 24}} {
		number, after, ok := strings.Cut(rest, unit.letter)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(number, 64)
		d, err2 := seconds(f * unit.hours * 3600)
		if err != nil || err2 != nil || whole+d < 0 {
			return 0, errDuration
		}
		whole, rest = whole+d, after
	}
	if rest == "" && v != "" {
		return whole, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || strings.HasPrefix(rest, "-") || whole > 0 && strings.HasPrefix(rest, "+") || whole+d < 0 {
		return 0, errDuration
	}
	return whole + d, nil
}

var errDuration = &ValueError{Msg: "must be a duration such as 500ms, 5s, 1h30m, 7d or 2w"}

func seconds(f float64) (time.Duration, error) {
	if !(f >= 0 && f < math.MaxInt64/float64(time.Second)) {
		return 0, errDuration
	}
	return time.Duration(f * float64(time.Second)), nil
}

// FormatDuration is [time.Duration.String] without the zeros at the end.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ParseSize reads a number of bytes: a number, which may have a fraction, and
// one of k, M, G, T, with or without B or iB. A unit is a power of 1024.
func ParseSize(v string) (int64, error) {
	num := strings.TrimRight(v, "kKmMgGtTiIbB")
	unit := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(v[len(num):]), "b"), "i")
	shift := strings.Index("kmgt", unit)
	f, err := strconv.ParseFloat(num, 64)
	if err != nil || len(unit) > 1 || shift < 0 || f < 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, &ValueError{Msg: "must be a size such as 4096, 64k or 16M"}
	}
	if unit != "" {
		f *= math.Pow(1024, float64(shift+1))
	}
	if f >= math.MaxInt64 {
		return 0, &ValueError{Msg: "is too large"}
	}
	return int64(f), nil
}

// FormatSize writes n as [ParseSize] reads it, exactly; 0 is "".
func FormatSize(n int64) string {
	if n == 0 {
		return ""
	}
	unit := 0
	for n%1024 == 0 && unit < 4 {
		n /= 1024
		unit++
	}
	return strconv.FormatInt(n, 10) + strings.TrimSpace(" kMGT"[unit:unit+1])
}

// Suggest returns `; did you mean "x"?` for the names nearest to name, or "" if
// none is near.
func Suggest(name string, names []string) string {
	near := Nearest(name, names, 3)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

// Nearest returns at most n of names that somebody may have meant by name: those
// that are equally near, and nothing if none is.
func Nearest(name string, names []string, n int) []string {
	limit := 1 + len(name)/3
	type candidate struct {
		name string
		dist int
	}
	var found []candidate
	for _, other := range names {
		d := distance(name, other)
		if len(name) >= 3 && strings.HasPrefix(other, name) {
			d = min(d, 1)
		}
		if d <= limit {
			found = append(found, candidate{other, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.dist - b.dist })
	var out []string
	for _, c := range found[:min(n, len(found))] {
		if c.dist == found[0].dist {
			out = append(out, c.name)
		}
	}
	return out
}

// distance is the number of letters to insert, delete, replace or swap with a
// neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var before, last, row [65]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
