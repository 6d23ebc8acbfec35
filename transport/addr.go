package transport

// An Addr is a net.Addr for ends that have no address of the network, such as
// "exec sort -u".
type Addr struct{ Net, Name string }

// Network returns the name of the kind.
func (a Addr) Network() string { return a.Net }

// String returns the end's name for people.
func (a Addr) String() string { return a.Name }
