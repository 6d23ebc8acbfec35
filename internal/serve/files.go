package serve

import (
	"errors"
	"fmt"
	"os"

	"github.com/tenon-net/tenon/transport"
)

var _ transport.Filer = (*gate)(nil)

// Files implements [transport.Filer] for listeners without layers. What the gate
// decides about clients does not go with the sockets: limits and address lists.
func (g *gate) Files() ([]*os.File, error) {
	if g.ready != nil {
		return nil, transport.Mark(fmt.Errorf("%s: the layers are in this process", g.plan.KindName()), errors.ErrUnsupported)
	}
	f, ok := g.inner.(transport.Filer)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return f.Files()
}
