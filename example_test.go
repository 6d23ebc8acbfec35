package tenon_test

import (
	"bufio"
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/tenon-net/tenon"
	"github.com/tenon-net/tenon/address"
	"github.com/tenon-net/tenon/join"
	"github.com/tenon-net/tenon/opt"
	"github.com/tenon-net/tenon/transport"
	"github.com/tenon-net/tenon/transport/mem"
)

// A program is an end like any other.
func ExampleDial() {
	conn, err := tenon.DialStream(context.Background(), "exec:sort -u")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "pear\napple\npear\n")
	conn.CloseWrite() // sort now sees the end of its input
	sorted, err := io.ReadAll(conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", sorted)
	// Output:
	// apple
	// pear
}

// A web server on any listener: here a unix socket, which is 0600 and removed at
// the end; any other listener would do as well. The client's Dialer goes there for
// whatever host it is asked.
func ExampleListen() {
	dir, err := os.MkdirTemp("", "tenon")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "web.sock")
	acc, err := tenon.Listen(context.Background(), "unix-listen:"+path)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s", r.URL.Path)
	})}
	defer server.Close()
	go server.Serve(tenon.NetListener(acc))

	dialer := tenon.Dialer{Address: "unix:" + path}
	client := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	resp, err := client.Get("http://any/greeting")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%s\n", body)
	// Output: hello from /greeting
}

// A driver of database/sql reaches its server through any address: a unix socket
// here, tls:db:5432,via=socks5://proxy:1080 elsewhere.
func ExampleDial_databaseDriver() {
	dir, err := os.MkdirTemp("", "tenon")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "db.sock")
	acc, err := tenon.Listen(context.Background(), "unix-listen:"+path)
	if err != nil {
		log.Fatal(err)
	}
	defer acc.Close()
	go func() {
		conn, err := acc.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintln(conn.(io.Writer), "ready")
	}()

	dialer := tenon.Dialer{Address: "unix:" + path}
	connect := func(ctx context.Context) (driver.Conn, error) {
		conn, err := dialer.DialContext(ctx, "tcp", "db:5432")
		if err != nil {
			return nil, driver.ErrBadConn
		}
		defer conn.Close()
		greeting, err := bufio.NewReader(conn).ReadString('\n')
		fmt.Printf("the database says %s", greeting)
		return nil, err
	}
	if _, err := connect(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: the database says ready
}

// Two programs, joined. The exit status of a program is the joint's error.
func ExampleJoin() {
	result, err := tenon.Join(context.Background(), "text:'one\ntwo\n'", "exec:wc -l", join.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.AB.Bytes, "bytes in")
	// Output: 8 bytes in
}

// An Opener tells what happens.
func ExampleOpener() {
	o := &tenon.Opener{Events: func(e tenon.Event) {
		if e.Type == tenon.Closed {
			fmt.Println("joint", e.Joint, "ended:", e.Result.AB.Bytes, "bytes there,", e.Result.BA.Bytes, "back")
		}
	}}
	if _, err := o.Join(context.Background(), "text:hello", "exec:tr a-z A-Z", join.Options{}); err != nil {
		log.Fatal(err)
	}
	// Output: joint 1 ended: 5 bytes there, 5 back
}

// Shout is a kind of one's own: everything that is written to it comes back in
// capitals.
type Shout struct {
	Mark string // what is put behind every answer
}

func (s *Shout) Bind(set *opt.Set) {
	set.Target(opt.Text, "", func(address.Target) error { return nil })
	set.String(&s.Mark, "mark", "text", "put behind every answer")
}

func (s *Shout) Dial(context.Context) (transport.Conn, error) {
	near, far := mem.Pair()
	go func() {
		defer far.Close()
		all, err := io.ReadAll(far)
		if err == nil {
			fmt.Fprint(far, strings.ToUpper(string(all))+s.Mark)
		}
	}()
	return near, nil
}

// A kind of one's own stands beside the others, with options, help and errors like
// theirs.
func ExampleOpener_kinds() {
	shout := transport.Kind{
		Name: "shout", Syntax: "shout:", Doc: "Answers in capitals.",
		Traits: transport.Traits{HalfClose: true, Deadlines: true},
		New:    func() transport.Endpoint { return new(Shout) },
	}
	o := &tenon.Opener{Kinds: append(tenon.DefaultKinds(), shout)}
	conn, err := o.Dial(context.Background(), "shout:,mark=!")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn.(io.Writer), "hello")
	conn.CloseWrite()
	answer, _ := io.ReadAll(conn.(io.Reader))
	fmt.Printf("%s\n", answer)

	_, err = o.Dial(context.Background(), "shuot:")
	fmt.Println(err)
	// Output:
	// HELLO!
	// "shuot": unknown kind
}
