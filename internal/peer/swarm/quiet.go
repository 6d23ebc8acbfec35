package swarm

import (
	"log/slog"
	"sync"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p/gologshim"
)

// quiet keeps libp2p from writing to standard error, which belongs to the program. What
// people want to know, Events tells.
var quiet = sync.OnceFunc(func() {
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	golog.SetAllLoggers(golog.LevelFatal)
})
