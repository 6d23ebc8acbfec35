package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A module is one that has programs which no package of Debian has. It is named by its exact version, in a go.mod
// of its own: go install would ask the proxy for all versions.
type module struct {
	path, version string
	packages      []string // of its programs, below its path
	also          string   // what it needs to be built with this Go
}

// modules by the peers that need them. kubo's v0.38.0 does not build with Go 1.26 without the later swiss.
var modules = map[string]module{
	"chisel":   {"github.com/jpillora/chisel", "v1.10.1", []string{""}, ""},
	"frp":      {"github.com/fatedier/frp", "v0.65.0", []string{"/cmd/frps", "/cmd/frpc"}, ""},
	"ipfs p2p": {"github.com/ipfs/kubo", "v0.38.0", []string{"/cmd/ipfs"}, "github.com/cockroachdb/swiss v0.0.0-20251224182025-b0f6560f979b"},
}

// build builds what the peers need that comes as a Go module, once, and returns those that are missing still, each
// with the reason. Programs that were built are found from then on.
func (m missing) build(ctx context.Context) (missing, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return m, err
	}
	var left missing
	for _, p := range m {
		mod, ok := modules[p.Name]
		if !ok {
			left = append(left, p)
			continue
		}
		programs := filepath.Join(cache, "tenon-bench", strings.ReplaceAll(mod.path, "/", "-")+"@"+mod.version)
		if err := os.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+programs); err != nil {
			return m, err
		}
		if !slices.ContainsFunc(p.Needs, func(need string) bool { return !present(need) }) {
			continue // they were built before
		}
		fmt.Fprintf(os.Stderr, "building %s %s\n", mod.path, mod.version)
		if err := mod.build(ctx, programs); err != nil {
			p.Why = err.Error()
			left = append(left, p)
		}
	}
	return left, nil
}

// build builds the programs of a module into a directory.
func (m module) build(ctx context.Context, programs string) error {
	dir, err := os.MkdirTemp("", "tenon-bench-module")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	text := fmt.Sprintf("module x\n\ngo 1.26\n\nrequire %s %s\n", m.path, m.version)
	if m.also != "" {
		text += "require " + m.also + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644); err != nil {
		return err
	}
	args := []string{"build", "-mod=mod", "-trimpath", "-o", programs + string(filepath.Separator)}
	for _, p := range m.packages {
		args = append(args, m.path+p)
	}
	if err := os.MkdirAll(programs, 0o755); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		said := slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), func(line string) bool { return strings.HasPrefix(line, "go: downloading") })
		return fmt.Errorf("%s %s is not to be built: %w: %s", m.path, m.version, err, strings.Join(said, "; "))
	}
	return nil
}
