package transport

import "context"

// A Use is which directions of an end a joint uses. A Dialer of an end whose other
// direction can go elsewhere finds it with [UseOf]: what a program writes that nobody
// is to read belongs to standard output.
type Use int

// The uses of an end, named as open(2) has them.
const (
	ReadWrite Use = iota
	ReadOnly      // it is read, and never written
	WriteOnly     // it is written, and never read
)

// A Directed is a Conn that may have one direction only. Nothing will ever come from an
// end that is [WriteOnly], and nobody can tell a [ReadOnly] one anything.
type Directed interface {
	// Directions returns which there are. It does not change.
	Directions() Use
}

// DirectionsOf returns the directions of c: [ReadWrite] if it does not say otherwise.
func DirectionsOf(c Conn) Use {
	if d, ok := About[Directed](c); ok {
		return d.Directions()
	}
	return ReadWrite
}

type useKey struct{}

// WithUse returns a context for opening an end that is used in that way.
func WithUse(ctx context.Context, u Use) context.Context { return context.WithValue(ctx, useKey{}, u) }

// UseOf returns how the end that is being opened will be used: [ReadWrite] if nobody
// has said otherwise.
func UseOf(ctx context.Context) Use {
	u, _ := ctx.Value(useKey{}).(Use)
	return u
}
