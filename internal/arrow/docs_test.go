package arrow

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that a document names is there, in a package of that name.
func TestDocumentsNameTestsThatThereAre(t *testing.T) {
	const root = "../.."
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	there := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && d.Name() != "..") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			there[filepath.Base(filepath.Dir(path))+"."+string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(\w+\.(?:Test|Fuzz|Benchmark)[A-Z]\w*)`)
	found := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllSubmatch(b, -1) {
				if found++; !there[string(m[1])] {
					t.Errorf("%s names %s, which is not there", file, m[1])
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("%d tests are named, which can't be all", found)
	}
}

// No package has two rows in the table of docs/architecture.md, and each of our own is named there.
func TestArchitectureNamesEachPackage(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if cell, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(cell, "`")
			rows[name]++
		}
	}
	for name, n := range rows {
		if n > 1 {
			t.Errorf("%s has %d rows", name, n)
		}
	}
	for _, r := range Rules {
		last := r.Package[strings.LastIndex(r.Package, "/")+1:]
		if last != "" && last != "*" && !strings.Contains(string(text), "`"+r.Package+"`") && !strings.Contains(string(text), "`"+last+"`") {
			t.Errorf("%s is not named", r.Package)
		}
	}
}
