//go:build !linux

package api

import (
	"context"
	"errors"

	"github.com/tenon-net/tenon/transport"
)

// Elsewhere than on Linux every byte passes through the program that dials.
type holder struct{}

type Held struct {
	transport.Stream
	opened Opened
}

func (c *Client) held(context.Context) (*holder, error) { return nil, nil }
func (c *Client) letGo() error                          { return nil }

func (*holder) open(context.Context, DialRequest) (*Held, error) { return nil, errors.ErrUnsupported }
func (*Held) fetch(context.Context) (transport.Conn, error)      { return nil, errors.ErrUnsupported }

// Adopt is not possible.
func (*Held) Adopt(context.Context, int, Adoption, func(Moved)) (*JointEnd, error) {
	return nil, ErrNotAdopted
}
