//go:build unix && !notorrent

package torrent

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
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
)

// tracker is one of a page: it tells everybody of everybody who has asked (BEP 23).
func tracker(t *testing.T) string {
	t.Helper()
	var mu sync.Mutex
	known := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		port, err := strconv.ParseUint(r.FormValue("port"), 10, 16)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		ip := netip.MustParseAddrPort(r.RemoteAddr).Addr().As4()
		mu.Lock()
		defer mu.Unlock()
		known[string(binary.BigEndian.AppendUint16(ip[:], uint16(port)))] = true
		var peers string
		for p := range known {
			peers += p
		}
		bencode.NewEncoder(w).Encode(map[string]any{"interval": 1, "peers": peers}) //nolint:errcheck // the client will see it
	}))
	t.Cleanup(s.Close)
	return s.URL + "/announce"
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

func port(t *testing.T) string {
	_, p, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// others are programs that take part in a torrent, with what they have in a directory, and run a script
// when all is there.
var others = map[string]func(t *testing.T, torrent, dir, script string){
	"aria2": func(t *testing.T, torrent, dir, script string) {
		run(t, "aria2c", "--no-conf", "--enable-dht=false", "--bt-enable-lpd=false", "--enable-peer-exchange=false", "--file-allocation=none", "--disable-ipv6",
			"--interface=127.0.0.1", "--listen-port="+port(t), "--seed-ratio=0.0", "--check-integrity=true", "--bt-tracker-interval=1",
			"--on-bt-download-complete="+script, "-d", dir, torrent)
	},
	"transmission": func(t *testing.T, torrent, dir, script string) {
		config := t.TempDir()
		const settings = `{"bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1", "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false}`
		if err := os.WriteFile(filepath.Join(config, "settings.json"), []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, "transmission-cli", "-g", config, "-M", "-v", "-p", port(t), "-w", dir, "-f", script, torrent)
	},
}

// torrentOf makes a torrent and does not hand it on.
func torrentOf(t *testing.T, dir, tracker string) (name string) {
	t.Helper()
	enough := errors.New("enough")
	name = filepath.Join(t.TempDir(), "x.torrent")
	err := Seed{Config: Config{Listen: here, Trackers: []string{tracker}}, Paths: []string{dir}, Ready: func(_ string, file []byte) error {
		return errors.Join(enough, os.WriteFile(name, file, 0o644))
	}}.Run(t.Context())
	if !errors.Is(err, enough) {
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

func TestWorld(t *testing.T) {
	for name, start := range others {
		t.Run("to "+name, func(t *testing.T) {
			dir, url, target := makeTree(t), tracker(t), t.TempDir()
			torrent := torrentOf(t, dir, url)
			seed(t, Seed{Paths: []string{dir}, Config: Config{Trackers: []string{url}}})
			script, ran := script(t)
			start(t, torrent, target, script)
			ran()
			sameTree(t, dir, filepath.Join(target, "some files"))
		})
		t.Run("from "+name, func(t *testing.T) {
			dir, url, target := makeTree(t), tracker(t), t.TempDir()
			torrent := torrentOf(t, dir, url)
			script, _ := script(t)
			start(t, torrent, filepath.Dir(dir), script)
			fetch(t, Fetch{Source: torrent, Target: target, Config: Config{Trackers: []string{url}}})
			sameTree(t, dir, filepath.Join(target, "some files"))
		})
	}
}
