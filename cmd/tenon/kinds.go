package main

import (
	"sync"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/transport"
)

// kinds returns what the program can join. They are listed once: that takes more
// time than to open most ends. Nobody changes them.
var kinds = sync.OnceValue(func() transport.Kinds { return append(tenon.DefaultKinds(), moreKinds()...) })

// newOpener returns an Opener that tells nobody what happens.
func newOpener() *tenon.Opener { return &tenon.Opener{Kinds: kinds()} }
