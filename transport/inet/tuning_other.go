//go:build !linux

package inet

// set refuses the options that only Linux has been taught so far. NoDelay and
// the probes are set by package net.
func (t *Tuning) set(_ int, _, _ bool) error {
	for name, given := range map[string]bool{
		"user-timeout": t.UserTimeout != 0, "congestion": t.Congestion != "", "mss": t.MSS != 0, "fastopen": t.FastOpen,
	} {
		if given {
			return unsupported(name)
		}
	}
	return nil
}
