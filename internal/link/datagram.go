package link

import "github.com/tenon-net/tenon/internal/peer"

var _ peer.Datagrammer = (*Network)(nil)

// Datagrams are those of the network below, if it has some: they belong to no session, and
// none survives anything.
func (n *Network) datagrammer() peer.Datagrammer {
	d, _ := n.below.(peer.Datagrammer) //nolint:errcheck // it need not be one
	return d
}

// MaxDatagram is that of the network below.
func (n *Network) MaxDatagram(to peer.ID) int {
	if d := n.datagrammer(); d != nil {
		return d.MaxDatagram(to)
	}
	return 0
}

// SendDatagram is that of the network below.
func (n *Network) SendDatagram(to peer.ID, label uint32, p []byte) error {
	if d := n.datagrammer(); d != nil {
		return d.SendDatagram(to, label, p)
	}
	return peer.ErrNoDatagrams
}

// ServeDatagrams is that of the network below.
func (n *Network) ServeDatagrams(h func(from peer.ID, label uint32, p []byte)) (stop func()) {
	if d := n.datagrammer(); d != nil {
		return d.ServeDatagrams(h)
	}
	return func() {}
}
