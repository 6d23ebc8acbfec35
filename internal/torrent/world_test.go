//go:build unix && !notorrent

package torrent

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/anacrolix/torrent/bencode"

	"github.com/tenon-net/tenon/internal/freeport"
)

// tracker is one of a page: it tells everybody of all others who have asked (BEP 23); the first is told of nobody, so that two
// do not connect to each other at once: transmission knows others by their IP addresses only, and connects to nobody on
// this machine. Known waits until somebody has asked.
func tracker(t *testing.T) (url string, known func()) {
	t.Helper()
	var mu sync.Mutex
	all, first := map[string]bool{}, make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		port, err := strconv.ParseUint(r.FormValue("port"), 10, 16)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ip := netip.MustParseAddrPort(r.RemoteAddr).Addr().As4()
		mu.Lock()
		defer mu.Unlock()
		self, peers := string(binary.BigEndian.AppendUint16(ip[:], uint16(port))), ""
		for p := range all {
			if p != self {
				peers += p
			}
		}
		all[self] = true
		select {
		case <-first:
		default:
			close(first)
		}
		bencode.NewEncoder(w).Encode(map[string]any{"interval": 5, "min interval": 5, "peers": peers}) //nolint:errcheck // the client will see it; who could not be reached at first is told again soon
	}))
	t.Cleanup(s.Close)
	return s.URL + "/announce", func() { <-first }
}

// run runs a program of the world until the test ends.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is needed: ./check installs it", name)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home)
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()  //nolint:errcheck // it was killed
		out.Close() //nolint:errcheck // it was only written
		if text, err := os.ReadFile(out.Name()); t.Failed() && err == nil {
			t.Logf("%s said:\n%s", name, text)
		}
	})
}

// others are programs that take part in a torrent, with what they have in a directory, and run a script
// when all is there.
var others = map[string]func(t *testing.T, torrent, dir, script string){
	"aria2": func(t *testing.T, torrent, dir, script string) {
		run(t, "aria2c", "--no-conf", "--enable-dht=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--file-allocation=none", "--disable-ipv6",
			"--interface=127.0.0.1", "--listen-port="+freeport.Get(t), "--seed-ratio=0.0", "--check-integrity=true",
			"--on-bt-download-complete="+script, "-d", dir, torrent)
	},
	"transmission": func(t *testing.T, torrent, dir, script string) {
		config := t.TempDir()
		const settings = `{"bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1", "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "rpc-enabled": false}`
		if err := os.WriteFile(filepath.Join(config, "settings.json"), []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "transmission-cli", "-g", config, "-M", "-v", "-p", freeport.Get(t), "-w", dir, "-f", script, torrent)
	},
}

// torrentOf makes a torrent, and nobody is told of it.
func torrentOf(t *testing.T, dir, tracker string) (name string) {
	t.Helper()
	s := Seed{Config: Config{Trackers: []string{tracker}}, Paths: []string{dir}}
	root, all, err := s.walk(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close() //nolint:errcheck // a directory
	mi, _, err := s.make(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	name = filepath.Join(t.TempDir(), "x.torrent")
	if err := errors.Join(mi.Write(&b), os.WriteFile(name, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	return name
}

// script returns a program, and what can be read when it was run.
func script(t *testing.T) (name string, ran func()) {
	dir := t.TempDir()
	name, pipe := filepath.Join(dir, "script"), filepath.Join(dir, "pipe")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(name, []byte("#!/bin/sh\necho done > '"+pipe+"'\n"), 0o700)); err != nil {
		t.Fatal(err)
	}
	return name, func() {
		f, err := os.Open(pipe)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()        //nolint:errcheck // it was only read
		io.Copy(io.Discard, f) //nolint:errcheck // its end counts
	}
}

// Transmission is for whoever asks for it: it never connects to this machine, and gives up for a minute whom it could
// not reach, so that on a loopback it can take minutes.
var withTransmission = flag.Bool("transmission", false, "try transmission, too")

func TestWorld(t *testing.T) {
	for name, start := range others {
		if name == "transmission" && !*withTransmission {
			t.Log("transmission is left out: make interop tries it")
			continue
		}
		t.Run("to "+name, func(t *testing.T) {
			t.Parallel() // it waits for others most of the time
			dir, target := makeTree(t), t.TempDir()
			url, known := tracker(t)
			torrent := torrentOf(t, dir, url)
			script, ran := script(t)
			start(t, torrent, target, script)
			known()
			seed(t, Seed{Paths: []string{dir}, Config: Config{Trackers: []string{url}}})
			ran()
			sameTree(t, dir, filepath.Join(target, "some files"))
		})
		t.Run("from "+name, func(t *testing.T) {
			t.Parallel()
			dir, target := makeTree(t), t.TempDir()
			url, known := tracker(t)
			torrent := torrentOf(t, dir, url)
			script, _ := script(t)
			start(t, torrent, filepath.Dir(dir), script)
			known()
			fetch(t, Fetch{Source: torrent, Target: target, Config: Config{Trackers: []string{url}}})
			sameTree(t, dir, filepath.Join(target, "some files"))
		})
	}
}
