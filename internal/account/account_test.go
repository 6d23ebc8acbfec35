package account

import "testing"

// What does not fit into an account or one above it is booked on none, unless it must be.
func TestAccount(t *testing.T) {
	all := &Account{Limit: 10}
	a, b := &Account{Limit: 6, Parent: all}, &Account{Limit: 6, Parent: all}
	for i, step := range []struct {
		of         *Account
		n          int64
		must, want bool
		has, above int64
	}{
		{a, 6, false, true, 6, 6},
		{a, 1, false, false, 6, 6},
		{b, 5, false, false, 0, 6},
		{b, 4, false, true, 4, 10},
		{b, 5, true, true, 9, 15},
	} {
		if got := step.of.Take(step.n, step.must); got != step.want || step.of.Used() != step.has || all.Used() != step.above {
			t.Errorf("step %d: %v; %d are booked, %d in all", i, got, step.of.Used(), all.Used())
		}
	}
	a.Give(6)
	b.Give(9)
	if a.Used() != 0 || b.Used() != 0 || all.Used() != 0 {
		t.Errorf("%d and %d are left, %d in all", a.Used(), b.Used(), all.Used())
	}
}
