package reach

import (
	"testing"

	"github.com/tenon-net/tenon/internal/natlab"
)

func TestNodes(t *testing.T) {
	i := newInternet(t)
	alice, bob := i.pair()
	i.move(alice, bob, i.Router(natlab.Port), i.Router(natlab.Port))
	t.Log(bob.run("services", "alice"))
	t.Log(bob.run("--json", "peers"))
	t.Log(alice.run("peers"))
	t.Log(alice.log.String(), bob.log.String())
}
