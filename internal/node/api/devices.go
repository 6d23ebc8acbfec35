package api

import (
	"context"
	"iter"
	"net/http"
)

// A Device is one by which the user takes part in rooms.
type Device struct {
	ID      string `json:"id"` // a peer ID
	Short   string `json:"short"`
	Name    string `json:"name,omitempty"`
	This    bool   `json:"this,omitempty"`    // the node's own
	Key     bool   `json:"key,omitempty"`     // of this one: it has the key of the user, and can link and remove others
	Removed bool   `json:"removed,omitempty"` // of this one: another one has removed it
	Rooms   int    `json:"rooms"`             // in how many rooms it is, of those that this one is in
}

// Devices lists the devices of the user's, this one first.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	return get[[]Device](ctx, c, "/v1/devices")
}

// LinkDevice shows a code by which another device becomes one of the user's, and yields what happens until it has, or the code is of
// no use any more. The two are paired by it as well. The end of ctx, or of the loop, withdraws the code.
func (c *Client) LinkDevice(ctx context.Context, r PairRequest) iter.Seq2[PairEvent, error] {
	r.Code = ""
	return stream[PairEvent](ctx, c, http.MethodPost, "/v1/devices", r)
}

// JoinDevice makes this device one of the user's who shows a code. It fails with [ErrConflict] if this one is in rooms.
func (c *Client) JoinDevice(ctx context.Context, r PairRequest) iter.Seq2[PairEvent, error] {
	return stream[PairEvent](ctx, c, http.MethodPost, "/v1/devices", r)
}

// RemoveDevice removes another device of the user's from all rooms, for good. It is named like a peer, or by its ID or
// the beginning of that.
func (c *Client) RemoveDevice(ctx context.Context, device string) (Device, error) {
	var d Device
	return d, c.call(ctx, http.MethodDelete, "/v1/devices/"+segment(device), nil, &d)
}
