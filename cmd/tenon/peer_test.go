package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts peer-*.txtar have real programs as the other side. What ./check
// installs is what they may use.
func TestPeersAreInstalled(t *testing.T) {
	text, err := os.ReadFile("../../check")
	if err != nil {
		t.Fatal(err)
	}
	loop := regexp.MustCompile(`(?s)tools/need \\\n(.*?[^\\])\n`).FindStringSubmatch(string(text))
	if loop == nil {
		t.Fatal("./check does not list the programs any more")
	}
	for line := range strings.SplitSeq(loop[1], "\\\n") {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if strings.HasPrefix(name, "/") {
			continue // a header
		}
		if _, err := installed(name); err != nil {
			t.Error(err)
		}
	}
}

// installed finds a program, also where only root looks.
func installed(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	if path, err := exec.LookPath("/usr/sbin/" + name); err == nil {
		return path, nil
	}
	return "", fmt.Errorf("%s is missing; ./check installs it", name)
}

// cmdWeb is "web NAME": it starts an HTTP server on loopback, which sets
// $NAME_port. GET /FILE reads a file of the script's directory, PUT /FILE writes
// one, and GET /?conns tells how many connections there have been.
func cmdWeb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: web NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	s := &http.Server{Handler: &web{dir: ts.MkAbs(".")}}
	s.ConnState = s.Handler.(*web).count
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	ts.Defer(func() { s.Close(); <-done })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ts.Setenv(args[0]+"_port", port)
}

// web is the handler of cmdWeb.
type web struct {
	dir   string
	conns atomic.Int64
}

func (h *web) count(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		h.conns.Add(1)
	}
}

func (h *web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := filepath.Join(h.dir, filepath.Base(r.URL.Path))
	switch {
	case r.Method == http.MethodPut:
		f, err := os.Create(path)
		if err == nil {
			_, err = io.Copy(f, r.Body)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	case r.URL.RawQuery == "conns":
		fmt.Fprintln(w, h.conns.Load())
	default:
		http.ServeFile(w, r, path)
	}
}
