// Package natlab is a small Internet on one machine, for tests: hosts behind routers
// of every kind, a public host, and a core between them, each in a network namespace
// of its own. The kernel translates and filters, as it does in most routers that
// people have; so the traps of the real thing are there.
//
//	func TestMain(m *testing.M) { natlab.Main(m, natlab.Helpers{"echo": echo}) }
//
//	lab := natlab.New(t)
//	a := lab.Host("a", lab.Router(natlab.Port))
//	b := lab.Host("b", lab.Router(natlab.Symmetric))
//	lab.Relay.Start(lab.Relay.Command("tenon", "relay"))
//
// A program, or a function of the test (see [Helpers]), is run in a host by
// [Host.Start]; [Host.Do] opens a socket there for the test's own process.
//
// Nothing has a name outside of the laboratory and no file is made: namespaces are held by
// open descriptors, so laboratories beside each other never clash, and when the
// process is gone, killed or not, all is gone. Root is not needed where the kernel
// lets users have namespaces; [Main] sees to that. What cannot be had is said by
// [New], which skips the test.
//
// It needs Linux and the program nft, and tayga for [Router.NAT64].
package natlab
