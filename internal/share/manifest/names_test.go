package manifest

import "testing"

func TestWindowsProblem(t *testing.T) {
	for _, name := range []string{
		"CON", "con", "prn", "Aux", "NUL", "NUL.txt", "nul.tar.gz", "NUL .txt", "COM1", "com9.log", "LPT1", "COM¹", "lpt³", "CONIN$", "conout$",
		"x.", "x ", "...", " ", "a:b", `a\b`, `C:\x`, "a/b", "a*", "a?", `a"`, "a<", "a>", "a|", "a\x1f", "a\n", "\xff",
	} {
		if WindowsProblem(name) == "" {
			t.Errorf("%q is no problem", name)
		}
	}
	for _, name := range []string{"x", ".x", "CONTENT", "COM", "COM0", "COM10", "COMx", "LPT", "NULL", "x.NUL", "a.con", " x", "größer 日本 👍", "a\u202e", "$MFT", "CONIN"} {
		if why := WindowsProblem(name); why != "" {
			t.Errorf("%q: %s", name, why)
		}
	}
}

func TestMarks(t *testing.T) {
	run := file("bin/x", 1)
	run.Mode = 0o744
	for _, c := range []struct {
		e    Entry
		want string
	}{
		{file("a/b.txt", 1), ""},
		{dir("a.b"), ""},
		{file("exe", 1), ""},
		{run, "executable"},
		{dir("setup.exe"), ""},
		{file("Setup.EXE", 1), "executable"},
		{file("a/.b", 1), "hidden"},
		{file(".a/b", 1), "hidden"},
		{file("home/.ssh/authorized_keys", 1), "hidden, trusted by other programs"},
		{file("authorized_keys", 1), "trusted by other programs"},
		{file("x/.git/hooks/pre-commit", 1), "hidden, trusted by other programs"},
		{link(".bashrc", "x"), "hidden, trusted by other programs"},
		{file("AutoRun.inf", 1), "trusted by other programs"},
		{file(".config/autostart/x.desktop", 1), "hidden, executable, trusted by other programs"},
	} {
		if got := Marks(c.e).String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.e.Path, got, c.want)
		}
	}
}

func TestLinkProblem(t *testing.T) {
	top := func(name string) bool { return name == "photos" || name == "music" || name == "l" }
	for _, c := range []struct {
		path, target string
		inside       bool
	}{
		{"photos/l", "a.txt", true},
		{"photos/l", "a/b/c", true},
		{"photos/l", "a/../b", true},
		{"photos/a/l", "../b", true},
		{"photos/a/l", "..", true},
		{"photos/a/l", ".", true},
		{"photos/a/l", "./../b//c/", true},
		{"photos/l", "../photos/x", true},
		{"photos/l", "../music/x", true},
		{"photos/l", "...", true},
		{"l", "photos/x", true},
		{"photos/l", "", true}, // which the manifest has not
		{"photos/l", "..", false},
		{"photos/l", "../", false},
		{"photos/l", "../other", false},
		{"photos/l", "../.bashrc", false},
		{"photos/l", "../../x", false},
		{"photos/l", "a/../../../photos/x", false},
		{"photos/l", "../../photos/x", false},
		{"photos/l", "/etc", false},
		{"photos/l", "/", false},
		{"photos/l", "//x", false},
		{"l", "other", false},
		{"l", "..", false},
		{"l", ".", false},
		{"l", "../x/l", false},
	} {
		if why := LinkProblem(c.path, c.target, top); (why == "") != c.inside {
			t.Errorf("%s -> %s: %q", c.path, c.target, why)
		}
	}
	if LinkProblem("photos/l", "../photos/x", nil) != "" || LinkProblem("photos/l", "../music/x", nil) == "" {
		t.Error("without top, the entry that the link is in is all there is")
	}
}
