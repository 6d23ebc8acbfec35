//go:build notorrent

package torrent

import "context"

func (f Fetch) run(context.Context) error { return ErrNone }

func (f Fetch) list(context.Context) ([]Entry, error) { return nil, ErrNone }

func (s Seed) run(context.Context) error { return ErrNone }
