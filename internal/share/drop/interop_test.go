package drop

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A client of another make sends files: whole, in parts, and on after it was killed.
func TestTusClient(t *testing.T) {
	const scripts = "testdata/js"
	if _, err := os.Stat(scripts + "/node_modules"); err != nil {
		t.Skip("tus-js-client is not installed: ./check does it, where there is npm")
	}
	script, err := filepath.Abs(scripts + "/put.mjs")
	must(t, err)
	b := newBox(t, t.TempDir(), nil)
	dir := t.TempDir()
	whole := make([]byte, 1<<20+3)
	rand.Read(whole)
	must(t, os.WriteFile(filepath.Join(dir, "file"), whole, 0o600))
	run := func(part, until string) (said string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "node", script, b.server.URL+b.Path()+files, "file", "ü ☃.bin", part)
		cmd.Dir = dir
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for lines.Scan() && !strings.HasPrefix(lines.Text(), until) {
			said += lines.Text() + "\n"
		}
		if !strings.HasPrefix(lines.Text(), until) {
			t.Errorf("it ends: %s%s", said, errs.String())
		}
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		return said
	}
	run("100000", "part 300000")
	if got := b.landed(); len(got) != 0 {
		t.Errorf("before the end there are %d files", len(got))
	}
	if said := run("100000", "done"); !strings.HasPrefix(said, "again\n") || strings.Contains(said, "part 100000\n") {
		t.Errorf("it begins anew: %s", said)
	}
	if b.landed()["ü ☃.bin"] != string(whole) {
		t.Error("it is not what was sent")
	}
	must(t, os.Remove(filepath.Join(dir, "urls.json")))
	run("10000000", "done") // at once
	if b.landed()["ü ☃ (2).bin"] != string(whole) {
		t.Errorf("the second is not what was sent")
	}
}
