package main

import (
	"sync"

	"github.com/tenon-net/tenon"
)

// kinds returns what the program can join. They are listed once: that takes more
// time than to open most ends. Nobody changes them.
var kinds = sync.OnceValue(tenon.DefaultKinds)

// newOpener returns an Opener that tells nobody what happens.
func newOpener() *tenon.Opener { return &tenon.Opener{Kinds: kinds()} }
