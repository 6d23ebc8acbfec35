//go:build !linux

package swarm

import "context"

// watchNetwork calls tell when the addresses of this machine change, until ctx ends.
func watchNetwork(ctx context.Context, tell func()) { pollNetwork(ctx, tell) }
