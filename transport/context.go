package transport

import "context"

type otherKey struct{}

// WithOther returns a context for opening the end that will be joined to other.
// A Dialer that tells the far side who is calling, as the PROXY protocol and the
// environment of a program do, finds it with [Other].
func WithOther(ctx context.Context, other Conn) context.Context {
	return context.WithValue(ctx, otherKey{}, other)
}

// Other returns the end that this one is being opened for, or nil.
func Other(ctx context.Context) Conn {
	c, _ := ctx.Value(otherKey{}).(Conn)
	return c
}

type environKey struct{}

// WithEnviron returns a context for opening a program that gets these variables, each NAME=VALUE, in its environment.
// The values must be nobody's that the program has to fear: shells have run what they found in variables.
func WithEnviron(ctx context.Context, vars ...string) context.Context {
	return context.WithValue(ctx, environKey{}, vars)
}

// Environ returns the variables of [WithEnviron].
func Environ(ctx context.Context) []string {
	vars, _ := ctx.Value(environKey{}).([]string)
	return vars
}
