package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// missing is the peers that cannot run for want of a program or file.
type missing []missingPeer

type missingPeer struct {
	Name   string   `json:"name"`
	Needs  []string `json:"needs"`
	Debian string   `json:"debian"`
	Why    string   `json:"why,omitempty"` // it could not be built
}

// findMissing looks for everything that the peers of the chosen scenarios need.
func findMissing(chosen []scenario) missing {
	var out missing
	for _, p := range slices.Concat(peers, dialers, ways) {
		wanted := slices.ContainsFunc(chosen, func(s scenario) bool { return slices.Contains(p.in, s.list) })
		if !wanted || out.names()[p.name] {
			continue
		}
		var lacks []string
		for _, need := range p.needs {
			if !present(need) {
				lacks = append(lacks, need)
			}
		}
		if len(lacks) > 0 {
			out = append(out, missingPeer{Name: p.name, Needs: lacks, Debian: p.debian})
		}
	}
	return out
}

func present(need string) bool {
	if filepath.IsAbs(need) {
		_, err := os.Stat(need)
		return err == nil
	}
	_, err := exec.LookPath(need)
	return err == nil
}

func (m missing) names() map[string]bool {
	out := map[string]bool{}
	for _, p := range m {
		out[p.Name] = true
	}
	return out
}

// unpackaged is those that no package has: who wants them in the run puts them into PATH.
func (m missing) unpackaged() missing {
	return slices.DeleteFunc(slices.Clone(m), func(p missingPeer) bool { return p.Debian != "" })
}

// pairs is what the peers need, as tools/need takes it: NAME:PACKAGES.
func (m missing) pairs() []string {
	var out []string
	for _, p := range m {
		if p.Debian == "" {
			continue
		}
		for _, need := range p.Needs {
			out = append(out, need+":"+p.Debian)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// install installs what the peers need, as ./check does for its tests: if this is root on Debian. Else
// the error says what to install.
func (m missing) install(ctx context.Context) error {
	if len(m.pairs()) == 0 {
		return nil
	}
	cmd := exec.CommandContext(ctx, "../tools/need", m.pairs()...)
	cmd.Stdout = os.Stderr
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("peers: %w: %s\nhint: or leave them out with -skip-missing", err, strings.TrimSpace(said.String()))
	}
	return nil
}

// buildTenon builds the program as it is released, or with other tags.
func buildTenon(ctx context.Context, dir string, tags ...string) (string, error) {
	return build(ctx, dir, "cmd/tenon", tags...)
}

// build builds a program of the module above.
func build(ctx context.Context, dir, what string, tags ...string) (string, error) {
	program := filepath.Join(dir, filepath.Base(what)+strings.Join(tags, ""))
	linked := program + ".linked"
	args := append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", linked}, tags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+what)...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ../%s: %w: %s", what, err, strings.TrimSpace(string(out)))
	}
	return program, copyProgram(linked, program)
}

// copyProgram copies a program, as whoever installs it does. What the linker has written, through a mapping,
// is in the page cache page by page, and takes up to a fifth longer to start than the same bytes written at once.
func copyProgram(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(to, data, 0o755), os.Remove(from))
}
