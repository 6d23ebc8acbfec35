package transport

// A Noticer is an Endpoint that may have something to tell people while it is in
// use, such as that a certificate was renewed, or could not be read again.
type Noticer interface {
	// Notify has each notice, one line for people, given to tell. It is called
	// before the Endpoint is opened. Tell may be called by any goroutine, also
	// while a connection is being made, and does not block.
	Notify(tell func(line string))
}
