package main

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/tenon-net/tenon"
)

// A reload that fails is told, with -q, too; one that succeeds is what was wanted.
func TestReloadIsTold(t *testing.T) {
	for _, c := range []struct {
		global globalFlags
		err    error
		want   string
	}{
		{globalFlags{}, nil, "tenon: reloaded: who connects from now on meets the certificates, keys, lists, users, passwords and tokens that the files have now\n"},
		{globalFlags{}, errors.New("ca.pem:\x1b no PEM"), `tenon: not reloaded, all stays as it was: ca.pem:\x1b no PEM` + "\n"},
		{globalFlags{quiet: true}, nil, ""},
		{globalFlags{quiet: true}, errors.New("no PEM"), "tenon: not reloaded, all stays as it was: no PEM\n"},
	} {
		var buf bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		out := &output{p: &program{stderr: newConsole(&buf)}, c: &call{global: c.global}}
		again := make(chan struct{}, 1)
		again <- struct{}{}
		reloads(ctx, again, func() error { return c.err }, func(e tenon.Event) {
			out.event(e)
			cancel()
		})
		if buf.String() != c.want {
			t.Errorf("%q, want %q", buf.String(), c.want)
		}
	}
}
