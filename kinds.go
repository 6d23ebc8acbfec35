package tenon

import (
	"slices"

	"github.com/tenon-net/tenon/ipc"
	"github.com/tenon-net/tenon/ipc/bus"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/file"
	"github.com/tenon-net/tenon/transport/inet"
	"github.com/tenon-net/tenon/transport/local"
	"github.com/tenon-net/tenon/transport/mem"
	"github.com/tenon-net/tenon/transport/proc"
	"github.com/tenon-net/tenon/transport/proxy"
	"github.com/tenon-net/tenon/transport/quic"
	"github.com/tenon-net/tenon/transport/tlslayer"
	"github.com/tenon-net/tenon/transport/wslayer"
)

// DefaultKinds returns the kinds that Tenon comes with, in the order of help. The
// slice is the caller's: append your own, and those that link more than most
// programs need: the Kinds of package transport/folder and of a node.Node. Ends in memory, mem:NAME, meet those of the
// same slice, and so of the same Opener.
func DefaultKinds() transport.Kinds {
	return slices.Concat(
		inet.Kinds(),
		local.Kinds(),
		proc.Kinds(),
		file.Kinds(),
		tlslayer.Kinds(),
		wslayer.Kinds(),
		quic.Kinds(),
		proxy.Kinds(),
		ipc.Kinds(),
		bus.Kinds(),
		mem.Kinds(),
	)
}
