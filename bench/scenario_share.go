package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tenon-net/tenon/bench/internal/figures"
)

var (
	fileCase = figures.Case{Scenario: "share-file", Variant: "one file"}
	treeCase = figures.Case{Scenario: "share-tree", Variant: "files of 16 KiB on average"}

	fileTime = figures.Metric{Name: "time, with all programs' start", Unit: "s", Baseline: tlsCopy}
	fileCPU  = figures.Metric{Name: "CPU, all programs", Unit: "s", Baseline: tlsCopy}
	treeTime = figures.Metric{Name: "time, with all programs' start", Unit: "s", Baseline: tlsTar}
	treeCPU  = figures.Metric{Name: "CPU, all programs", Unit: "s", Baseline: tlsTar}
)

// How much is moved, and by -quick.
const (
	fileBytes, quickFileBytes = 1 << 30, 256 << 20
	treeFiles, quickTreeFiles = 20_000, 4_000
	moveLimit                 = 5 * time.Minute
)

// shareFile moves one file.
func shareFile(ctx context.Context, b *bench) error {
	name := filepath.Join(b.dir, "source", "file")
	size := int64(fileBytes)
	if b.quick {
		size = quickFileBytes
	}
	if err := makeFile(name, size, rand.NewChaCha8([32]byte{1})); err != nil {
		return err
	}
	b.move(ctx, fileCase, inFile, name, size, fileTime, fileCPU)
	return os.Remove(name)
}

// shareTree moves a directory with directories of a hundred files.
func shareTree(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.dir, "source", "tree")
	files := treeFiles
	if b.quick {
		files = quickTreeFiles
	}
	random := rand.NewChaCha8([32]byte{2})
	for i := range files {
		name := filepath.Join(dir, fmt.Sprintf("d%03d", i/100), fmt.Sprintf("f%02d", i%100))
		if err := makeFile(name, int64(random.Uint64()%(32<<10)), random); err != nil {
			return err
		}
	}
	b.move(ctx, treeCase, inTree, dir, int64(files)*(16<<10), treeTime, treeCPU)
	return os.RemoveAll(dir)
}

func makeFile(name string, size int64, from io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, from, size)
	return errors.Join(err, f.Close())
}

// warm writes a file and removes it, so that the memory in which files are kept is there. On a virtual machine whoever
// is the first to touch memory pays for it, more than for the copy: which mover that is would be chance.
func warm(name string, size int64) error {
	return errors.Join(makeFile(name, size, zeros{}), os.Remove(name))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// move has every mover of a list move something of a size, and looks whether it is there.
func (b *bench) move(ctx context.Context, c figures.Case, list, from string, size int64, took, cpu figures.Metric) {
	byName := map[string]peer{}
	all := b.installed(movers, list)
	for _, p := range all {
		byName[p.name] = p
	}
	b.interleave(ctx, c.Scenario, b.bare(all), func(round int, l *lane) error {
		cmd, _, err := b.command(byName[l.name], from, nil)
		if err != nil {
			return err
		}
		dir := filepath.Dir(cmd.Args[1])
		defer os.RemoveAll(dir)
		if err := warm(filepath.Join(b.dir, "warm"), size); err != nil {
			return err
		}
		syscall.Sync() // nobody pays for what was written before
		seconds, used, err := run(ctx, cmd, b.file())
		if err != nil {
			return err
		}
		if out, err := exec.CommandContext(ctx, "diff", "-rq", from, filepath.Join(dir, "out", filepath.Base(from))).CombinedOutput(); err != nil {
			return fmt.Errorf("not the same is there: %s", firstLine(out))
		}
		b.book.Add(c, took, l.name, round, seconds)
		b.book.Add(c, cpu, l.name, round, used)
		return nil
	})
}

// run runs a command to its end, and tells how long it and all that it has waited for took.
func run(ctx context.Context, cmd *exec.Cmd, log string) (seconds, cpu float64, err error) {
	f, err := os.Create(log)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, moveLimit)
	defer cancel()
	kill := func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } //nolint:errcheck // it may have ended
	defer context.AfterFunc(ctx, kill)()
	err = cmd.Wait()
	seconds = time.Since(began).Seconds()
	kill()
	if err != nil {
		out, _ := os.ReadFile(log) //nolint:errcheck // then nothing is said
		return 0, 0, fmt.Errorf("%w: %s", err, out[max(0, len(out)-500):])
	}
	return seconds, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

func firstLine(out []byte) string {
	for i, c := range out {
		if c == '\n' {
			return string(out[:i])
		}
	}
	return string(out)
}
