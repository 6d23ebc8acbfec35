package glob

import (
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern, file string
		want          bool
	}{
		{"*.tmp", "a.tmp", true},
		{"*.tmp", "a/b/c.tmp", true},
		{"*.tmp", "a.tmp/b", false},
		{"*.tmp", "a.tmpx", false},
		{"/*.tmp", "a/b.tmp", false},
		{"/a/*", "a/b", true},
		{"/a/*", "a/b/c", false},
		{"/a/**", "a/b/c", true},
		{"/a/**", "a", false},
		{"/a/**/z", "a/z", true},
		{"/a/**/z", "a/b/c/z", true},
		{"a/*.c", "x/a/b.c", true},
		{"a/*.c", "x/a/y/b.c", false},
		{"a/", "x/a", false}, // it is no directory
		{"[!a-c]x", "dx", true},
		{"[!a-c]x", "bx", false},
		{`\[!a]`, "[!a]", true},
		{"**", "a/b", true},
		{"?", "ü", true},
	} {
		p, err := Parse(test.pattern)
		if err != nil {
			t.Fatal(test.pattern, err)
		}
		if got := p.Match(test.file, false); got != test.want {
			t.Errorf("%q fits %q: %v", test.pattern, test.file, got)
		}
	}
	if p, _ := Parse("a/"); !p.Match("x/a", true) { //nolint:errcheck // it is right
		t.Error("a/ does not stand for the directory x/a")
	}
	for _, bad := range []string{"", "/", "a[", "a//b", `a\`} {
		if _, err := ParseList("x", bad); !errors.Is(err, path.ErrBadPattern) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A .gitignore means what git says that it does.
func TestIgnoreIsThatOfGit(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git")
	}
	const ignore = "# no\n*.o\n!keep.o\n/top\nbuild/\na/b\nx/**/y\nz/**\n**/deep\nsp\\ \ntail   \n\\#hash\n\\!bang\nq?r\n[!k]k\n/*.only\n[bad\n"
	dir := t.TempDir()
	run := func(in string, args ...string) string {
		c := exec.Command(git, args...)
		c.Dir, c.Stdin = dir, strings.NewReader(in)
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, _ := c.Output() //nolint:errcheck // 1 means that nothing is ignored
		return string(out)
	}
	run("", "init", "-q")
	if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(ignore), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := ParseIgnore(ignore)
	files := []string{
		"a.o", "s/a.o", "keep.o", "s/keep.o", "top", "s/top", "build", "s/build", "a/b", "s/a/b", "x/y", "x/1/y", "x/1/2/y",
		"s/x/y", "z", "z/1", "z/1/2", "deep", "1/deep", "1/2/deep", "sp ", "sp", "tail", "#hash", "!bang", "q1r", "qr", "ak", "kk",
		"1.only", "s/1.only", "[bad", "# no", "no",
	}
	said := run(strings.Join(files, "\n")+"\n", "check-ignore", "--no-index", "--stdin")
	for _, file := range files {
		want := strings.Contains("\n"+said, "\n"+file+"\n")
		got := false
		for i := range len(file) + 1 { // git looks at the directories above, too
			if i == len(file) || file[i] == '/' {
				if ignored, known := lines.Judge(file[:i], i < len(file)); known {
					got = ignored
				}
				if got {
					break
				}
			}
		}
		if got != want {
			t.Errorf("%q is ignored: %v, and git says %v", file, got, want)
		}
	}
	if said == "" {
		t.Error("git ignores nothing")
	}
}
