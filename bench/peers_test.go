package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

// Everything that a peer's command and config leave open is filled in.
func TestCommandsAreFilledIn(t *testing.T) {
	b := &bench{dir: t.TempDir(), self: "/bench", tenon: "/tenon", node: "/node", idle: 10, maxFiles: 1000}
	open := regexp.MustCompile(`\{[a-z]+\}`)
	for _, p := range slices.Concat(peers, dialers) {
		cmd, listen, err := b.command(p, "127.0.0.1:9", &cert{"/cert", "/key", "/pem"})
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(cmd.Args, " ")
		if strings.Contains(p.command, "{conf}") {
			conf, err := os.ReadFile(cmd.Args[slices.IndexFunc(cmd.Args, func(s string) bool { return filepath.Base(s) == "conf" })])
			if err != nil {
				t.Fatal(err)
			}
			all += " " + string(conf)
		}
		if left := open.FindString(all); left != "" {
			t.Errorf("%s: %s is left in %s", p.name, left, all)
		}
		_, port, _ := strings.Cut(listen, ":")
		if !slices.Contains(p.in, inStart) && !slices.Contains(p.in, inFile) && !slices.Contains(p.in, inTree) && !strings.Contains(all, port) {
			t.Errorf("%s does not listen on %s: %s", p.name, listen, all)
		}
	}
}

// What is built by -build is what a peer needs, by an exact version.
func TestModules(t *testing.T) {
	for name, m := range modules {
		i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
		if i < 0 || !regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+$`).MatchString(m.version) {
			t.Errorf("%s %s", name, m.version)
			continue
		}
		var built []string
		for _, p := range m.packages {
			built = append(built, filepath.Base(m.path+p))
		}
		if !slices.Equal(built, peers[i].needs) {
			t.Errorf("%s needs %q, and %q are built", name, peers[i].needs, built)
		}
	}
	gone := missing{{Name: "chisel", Needs: []string{"no-such-program"}}}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir()) // where there is no go
	left, err := gone.build(t.Context())
	if err != nil || len(left) != 1 || !strings.Contains(left[0].Why, "github.com/jpillora/chisel v1.10.1 is not to be built") {
		t.Errorf("%+v, %v", left, err)
	}
}

func TestNoPeerTwiceInAList(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range slices.Concat(peers, ways) {
		others := p.name == "croc" || slices.Contains(p.in, inTunnel) // of which no package has some
		for _, list := range p.in {
			if seen[list+p.name] {
				t.Errorf("%s is twice in %s", p.name, list)
			}
			seen[list+p.name] = true
		}
		if len(p.needs) > 0 && p.debian == "" && !others {
			t.Errorf("%s: which package has %v?", p.name, p.needs)
		}
	}
}

// A target names a scenario, and only peers that the scenario measures.
func TestTargetsNameWhatIsMeasured(t *testing.T) {
	for _, target := range targets {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == target.Scenario })
		if i < 0 {
			t.Errorf("%s: no scenario %s", target.Promise, target.Scenario)
			continue
		}
		names := []string{figures.Direct}
		for _, p := range slices.Concat(peers, dialers, ways) {
			if slices.Contains(p.in, scenarios[i].list) {
				names = append(names, p.name)
			}
		}
		for _, against := range append([]string{tenon}, target.Against...) {
			if !slices.Contains(names, against) {
				t.Errorf("%s: %s is not in %s", target.Promise, against, target.Scenario)
			}
		}
	}
}

// What is missing is what the chosen scenarios need, in the words of tools/need.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	chosen, err := choose("^tls")
	if err != nil {
		t.Fatal(err)
	}
	pairs := findMissing(chosen).pairs()
	for _, want := range []string{"haproxy:haproxy", "nginx:nginx libnginx-mod-stream", "socat:socat", "stunnel4:stunnel4"} {
		if !slices.Contains(pairs, want) {
			t.Errorf("no %q in %q", want, pairs)
		}
	}
	if slices.ContainsFunc(pairs, func(s string) bool { return strings.HasPrefix(s, "ncat:") }) {
		t.Errorf("ncat does not speak TLS here: %q", pairs)
	}
}

// Who may not install anything is told what to install.
func TestMissingIsNamed(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(bin+"/id", []byte("#!/bin/sh\necho 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	m := missing{{Name: "x", Needs: []string{"no-such-program", "/no/such/file"}, Debian: "package-a package-b"}}
	err := m.install(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"no-such-program", "/no/such/file", "apt-get install package-a package-b", "-skip-missing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %q", want, err)
		}
	}
}
