package opt

import (
	"testing"
	"time"
)

// What people write for a time, days and weeks too.
func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"500ms": 500 * time.Millisecond, "1h30m": 90 * time.Minute, "90": 90 * time.Second, "0.5": time.Second / 2, "never": 0, "off": 0, "0": 0,
		"7d": 7 * day, "2w": 14 * day, "1.5d": 36 * time.Hour, "1d12h": 36 * time.Hour, "1w2d3h4m5s": 9*day + 3*time.Hour + 4*time.Minute + 5*time.Second,
		"0d": 0, "1w30m": 7*day + 30*time.Minute,
	} {
		if got, err := ParseDuration(text); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "w", "soon", "-1d", "-5s", "-5", "1d-2h", "1d+2h", "1d2w", "1dd", "1d2d", "1d ", "infd", "nan", "inf", "200000000000d", "16000w16000w", "9000w9000w", "106751d24h", "15250w106751d", "1d5"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
