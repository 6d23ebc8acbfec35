package node_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/node"
)

// A program serves HTTP to peers. Who may use it: tenon grant web bob.
func ExampleNode_Listen() {
	var n node.Node
	defer n.Close()
	l, err := n.Listen("web")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(l, http.FileServer(http.Dir("public"))))
}

// A program uses a service of a peer.
func ExampleNode_Dial() {
	var n node.Node
	defer n.Close()
	conn, err := n.Dial(context.Background(), "alice/echo")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintln(conn, "hello")
}

// Addresses of peers' ends work wherever addresses do.
func ExampleNode_Kinds() {
	var n node.Node
	defer n.Close()
	o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), n.Kinds()...)}
	if _, err := o.Join(context.Background(), "tcp-listen:5432", "peer:alice/db", join.Options{}); err != nil {
		log.Fatal(err)
	}
}
