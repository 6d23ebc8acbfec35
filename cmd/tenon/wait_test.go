package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
)

// slow refuses at once, and then takes as long as it is let.
type slow struct{ tries *int }

func (slow) Bind(set *opt.Set) { set.Target(opt.Text, "", func(address.Target) error { return nil }) }

func (s slow) Dial(ctx context.Context) (transport.Conn, error) {
	if *s.tries++; *s.tries == 1 {
		return nil, errors.New("connection refused")
	}
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// Who waits in vain is told what a try came to, and not that the last one was cut short.
func TestWaitTellsWhatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		o := &tenon.Opener{Kinds: transport.Kinds{{Name: "slow", Syntax: "slow:", New: func() transport.Endpoint { return slow{&tries} }}}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := waitFor(ctx, o, "slow:", "slow:", time.Second)
		if tries != 2 || !errors.Is(err, tenon.ErrTimeout) || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("after %d tries: %v", tries, err)
		}
	})
}
